# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The capture room against Wireshark's tools: what they make of our files, and what we read of theirs.
tests/programs/capture.c is the room as a program. Frames are made here, times and lengths odd on purpose."""

import json
import os
import re
import socket
import struct

import pcaps
from lib import Netns, Proc, equal, program, run, temp_dir, wait_for
from pcaps import capinfos, nanoseconds, save, tshark
from wire import ethernet

START = 1700000000123456789
HOST, BROADCAST, MULTICAST, OTHERHOST, OUTGOING = range(1, 6)
IN, OUT = 1, 2


def capture(verb, path, *args, check=True, **more):
    return run(program("capture"), verb, path, *args, check=check, **more)


def rows_of(path, verb="read"):
    return [json.loads(line) for line in capture(verb, path).stdout.splitlines()]


def tshark_raw(path):
    """(the packet's bytes as hex, where its IP header begins or None) for each packet."""
    done = run("tshark", "-n", "-r", path, "-T", "json", "-x", "--no-duplicate-keys")
    for packet in json.loads(done.stdout):
        layers = packet["_source"]["layers"]
        ip = layers.get("ip_raw") or layers.get("ipv6_raw")
        yield layers["frame_raw"][0], ip[1] if ip else None


# ---- frames ----


def ipv4(number, size=8):
    """A UDP datagram (RFC 768) to the discard port in IPv4 (RFC 791); number is the identification."""
    udp = struct.pack("!HHHH", 40000, 9, 8 + size, 0) + bytes(i & 255 for i in range(size))
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0,
                       socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2")) + udp


def ipv6(number):
    udp = struct.pack("!HHHH", 40000, 9, 16, 1) + bytes(8)
    return struct.pack("!IHBB16s16s", 6 << 28 | number, len(udp), 17, 64, socket.inet_pton(socket.AF_INET6, "fd00::1"),
                       socket.inet_pton(socket.AF_INET6, "fd00::2")) + udp


def cooked(payload, kind, protocol):
    return struct.pack("!HHH8sH", kind, 1, 6, bytes(8), protocol) + payload


def cooked2(payload, kind, protocol):
    return struct.pack("!HHIHBB8s", protocol, 0, 3, 1, kind, 6, bytes(8)) + payload


# By link type; what tshark says of each is compared with what we say.
FRAMES = {
    1: [ethernet(ipv4(1), 0x800), ethernet(ipv6(2), 0x86DD), ethernet(ipv4(3), 0x8100, 0x800),
        ethernet(ipv6(4), 0x88A8, 0x8100, 0x86DD), ethernet(ipv4(5), 0x9100, 0x8100, 0x8100, 0x800),
        ethernet(b"\0\1\x08\0\6\4\0\1" + bytes(20), 0x806, to="ffffffffffff"),
        ethernet(b"\x42\x42\3" + bytes(40), 43), ethernet(ipv4(6, 1400), 0x800, to="01005e000001")],
    113: [cooked(ipv4(i), i, 0x800) for i in range(5)] + [cooked(ipv6(9), 0, 0x86DD)],
    276: [cooked2(ipv4(i), i, 0x800) for i in range(5)] + [cooked2(ipv6(9), 0, 0x86DD)],
    101: [ipv4(1), ipv6(2)],
    12: [ipv4(1), ipv6(2)],
    14: [ipv4(1), ipv6(2)],
    228: [ipv4(1)],
    229: [ipv6(1)],
    0: [b"\2\0\0\0" + ipv4(1), b"\x1e\0\0\0" + ipv6(2), b"\0\0\0\2" + ipv4(3), b"\x18\0\0\0" + ipv6(4)],
    108: [b"\0\0\0\2" + ipv4(1), b"\0\0\0\x18" + ipv6(2)],
}


# ---- files in every format and byte order ----


def time_of(i):
    return START + i * 1234567


def packets(frames):
    """With their times, and lengths on the wire that are not those in the file."""
    return [(time_of(i), frame, len(frame) + i) for i, frame in enumerate(frames)]


def pcap(link, frames, order="<", nano=False):
    return pcaps.pcap(link, packets(frames), order, nano)


def pcapng(link, frames, order="<", resolution=9, offset=0):
    return pcaps.pcapng(link, packets(frames), order, resolution, offset)


COMPARED = ["frame.time_epoch", "frame.len", "frame.interface_name", "frame.comment", "vlan.id", "sll.pkttype",
            "ieee8021ad.id", "frame.packet_flags_direction"]


def agree(path, verb="read"):
    """Our reader and tshark read the same of a file; returns our rows."""
    rows = rows_of(path, verb)
    theirs = tshark(path, *COMPARED)
    equal(len(rows), len(theirs), f"packets of {path}")
    for i, (row, (when, length, name, comment, vlans, kind, outer, direction)) in enumerate(zip(rows, theirs)):
        what = f"{os.path.basename(path)}, packet {i}"
        equal(row["time_ns"], nanoseconds(when), f"time of {what}")
        equal(row["length"], int(length), f"length of {what}")
        if row["name"]:
            equal(row["name"], name, f"interface of {what}")
        equal(row["comment"], comment, f"comment of {what}")
        tags = [int(v, 0) for v in (outer + "," + vlans).split(",") if v]
        equal(sorted(row["vlans"]), sorted(tags), f"VLANs of {what}")
        if kind:
            equal(row["type"] - 1, int(kind), f"packet type of {what}")
        equal(row["direction"], int(direction or "0", 0), f"direction of {what}")
    for i, (row, (data, offset)) in enumerate(zip(rows, tshark_raw(path))):
        equal(row["bytes"], data, f"bytes of {path}, packet {i}")
        is_ip = row.get("ethertype") in (0x800, 0x86DD)
        equal(row["offset"] if is_ip else None, offset, f"IP header of {path}, packet {i}")
    return rows


def test_reader_agrees_with_tshark_on_every_link_type():
    with temp_dir() as folder:
        for link, frames in FRAMES.items():
            agree(save(folder, f"{link}.pcap", pcap(link, frames)))
            agree(save(folder, f"{link}.pcapng", pcapng(link, frames)))


def test_reader_agrees_with_tshark_on_byte_orders_and_resolutions():
    frames = FRAMES[1]
    with temp_dir() as folder:
        for order, name in (("<", "little"), (">", "big")):
            for nano in (False, True):
                rows = agree(save(folder, f"{name}-{nano}.pcap", pcap(1, frames, order, nano)))
                equal(rows[3]["time_ns"], time_of(3) if nano else time_of(3) // 1000 * 1000, "time")
            for resolution in (0, 3, 6, 9, 0x80 | 10, 0x80 | 20, 0x80 | 30):
                agree(save(folder, f"{name}-{resolution}.pcapng", pcapng(1, frames, order, resolution)))
            agree(save(folder, f"{name}-offset.pcapng", pcapng(1, frames, order, 9, 1600000000)))


def test_reader_agrees_with_tshark_on_several_sections():
    with temp_dir() as folder:
        rows = agree(save(folder, "sections.pcapng", pcapng(1, FRAMES[1]) + pcapng(113, FRAMES[113], ">", 6) +
                          pcapng(101, FRAMES[101], "<", 0x80 | 20)))
        equal([r["link"] for r in rows], [1] * 8 + [113] * 6 + [101] * 2, "link types")


def test_reader_agrees_with_tshark_on_what_wiresharks_tools_write():
    with temp_dir() as folder:
        source = save(folder, "source.pcapng", pcapng(1, FRAMES[1]))
        other = save(folder, "other.pcap", pcap(113, FRAMES[113], ">"))

        def to(name):
            return os.path.join(folder, name)

        for kind in ("pcap", "nsecpcap", "pcapng"):
            run("editcap", "-F", kind, source, to(kind))
            agree(to(kind))
            run("editcap", "-F", kind, "-s", 40, "-t", "3.000000001", source, to(kind + "-cut"))
            rows = agree(to(kind + "-cut"))
            equal({len(r["bytes"]) for r in rows}, {80}, "hex digits of cut packets")
        run("mergecap", "-F", "pcapng", "-w", to("merged"), source, other)
        equal({r["interface"] for r in agree(to("merged"))}, {0, 1}, "interfaces")
        hexdump = "".join(f"1700000000.{i}00000001\n" + "0000 " + " ".join(f"{b:02x}" for b in frame) + "\n"
                          for i, frame in enumerate(FRAMES[1]))
        dump = save(folder, "dump", hexdump.encode())
        for kind in ("pcap", "nsecpcap", "pcapng"):
            run("text2pcap", "-q", "-F", kind, "-t", "%s.%f", dump, to("text-" + kind))
            equal(len(agree(to("text-" + kind))), len(FRAMES[1]), "packets")


def test_reader_agrees_with_tshark_on_what_tcpdump_captures():
    """Live: loopback as Ethernet, and all interfaces as both kinds of cooked capture."""
    kinds = {"ethernet": ["-i", "lo"], "nano": ["-i", "lo", "--time-stamp-precision=nano"],
             "cooked": ["-i", "any", "-y", "LINUX_SLL"], "cooked2": ["-i", "any", "-y", "LINUX_SLL2"]}
    send = "import socket\nfor f, a in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):\n" \
        "    s = socket.socket(f, socket.SOCK_DGRAM)\n    for i in range(20): s.sendto(b'x' * i, (a, 9))"
    with temp_dir() as folder, Netns("capture") as ns:
        for name, args in kinds.items():
            path = os.path.join(folder, name)
            with Proc("tcpdump", "-U", "--immediate-mode", "-Z", "root", "-s", "1000", "-w", path, *args, "udp", ns=ns):
                wait_for(lambda: os.path.exists(path) and os.path.getsize(path) >= 24, 10, "tcpdump's header")
                run("python3", "-c", send, ns=ns)
                wait_for(lambda: capture("read", path, check=False).stdout.count("\n") >= 40, 10, "its packets")
            equal(len(agree(path)), 40, f"packets of {name}")


def test_a_file_is_sorted_as_reordercap_does():
    with temp_dir() as folder:
        data = pcapng(1, [ethernet(ipv4(i), 0x800) for i in range(300)])
        blocks, at = [], 0
        while at < len(data):
            size = struct.unpack_from("<I", data, at + 4)[0]
            blocks.append(data[at:at + size])
            at += size
        head, packets = blocks[:3], blocks[3:]
        mixed = [packets[i // 10 * 10 + i % 10 * 7 % 10] for i in range(300)]
        path = save(folder, "mixed.pcapng", b"".join(head + mixed))
        run("reordercap", path, path + ".sorted")
        assert rows_of(path) != rows_of(path, "sort")
        equal(rows_of(path, "sort"), rows_of(path + ".sorted"), "packets in order")


def test_a_cut_file_gives_what_tshark_gives_and_one_error():
    with temp_dir() as folder:
        for kind, data in (("pcap", pcap(1, FRAMES[1])), ("pcapng", pcapng(1, FRAMES[1]))):
            for cut in (1, 3, 50, 1400, len(data) - 300):
                path = save(folder, f"{kind}-{cut}", data[:-cut])
                done = capture("read", path, check=False)
                equal(done.returncode, 1, f"exit status for {path}")
                equal(len(done.stdout.splitlines()), len(tshark(path, "frame.len", check=False)), f"packets of {path}")
                assert re.fullmatch(rf"capture: {re.escape(path)}: byte \d+: the file ends inside .*\n",
                                    done.stderr), done.stderr


def test_reading_from_a_pipe():
    with temp_dir() as folder:
        path = save(folder, "piped.pcapng", pcapng(1, FRAMES[1]))
        with open(path, "rb") as f:
            equal(capture("read", "-", stdin=f).stdout, capture("read", path).stdout, "rows")
        piped = run("sh", "-c", 'cat "$1" | "$2" read -', "sh", path, program("capture"))
        equal(piped.stdout, capture("read", path).stdout, "rows")


# ---- what we write ----


def packet_line(interface, when, frame, comment="", direction=0, kind=0, more=0):
    return f"packet {interface} {when} {len(frame) + more} {direction} {kind} {frame.hex()} {comment}\n"


WRITTEN = "".join([
    "interface eth0 1 0\n",
    packet_line(0, START, ethernet(ipv4(1), 0x800), "pid 123 nginx container x", IN, HOST),
    packet_line(0, START + 1, ethernet(ipv6(2), 0x86DD), "", OUT, OUTGOING, 1000),
    "interface any 276 100\n",
    packet_line(1, START + 10**9, cooked2(ipv4(3, 1000), 1, 0x800), "größer", IN, BROADCAST),
    packet_line(0, START + 2 * 10**9, ethernet(ipv4(4), 0x8100, 0x800)),
    f"counts 0 5000 7 {START + 3 * 10**9}\n",
    f"counts 1 1 0 {START + 3 * 10**9 + 1}\n",
])


def test_wireshark_reads_what_is_written():
    with temp_dir() as folder:
        path = os.path.join(folder, "written.pcapng")
        capture("write", path, input=WRITTEN)
        agree(path)
        fields = ["frame.time_epoch", "frame.interface_name", "frame.len", "frame.cap_len", "frame.comment",
                  "frame.packet_flags_direction", "frame.packet_flags_reception_type"]
        want = [
            ["1700000000.123456789", "eth0", "50", "50", "pid 123 nginx container x", "0x00000001", "1"],
            ["1700000000.123456790", "eth0", "1070", "70", "", "0x00000002", "0"],
            ["1700000001.123456789", "any", "1048", "100", "größer", "0x00000001", "3"],
            ["1700000002.123456789", "eth0", "54", "54", "", "", ""],
        ]
        equal(tshark(path, *fields), want, "packets")
        said = capinfos(path, "-M")
        for line in (r"Number of packets:\s+4", r"Number of interfaces in file: 2", r"Name = eth0", r"Name = any",
                     r"Time precision = nanoseconds \(9\)", r"Capture length = 100", r"Number of stat entries = 1",
                     r"Capture hardware:\s+some hardware", r"Capture oper-sys:\s+an operating system",
                     r"Capture application: capture of tapline's tests"):
            assert re.search(line, said), f"capinfos does not say {line}:\n{said}"
        equal(len(re.findall("Number of stat entries = 1", said)), 2, "interfaces with counts")


def statistics(path):
    """What tshark's dissector of pcapng files says of the statistics blocks."""
    done = run("tshark", "-r", path, "-X", "read_format:MIME Files Format", "-V")
    return done.stdout[done.stdout.index("Interface Statistics Block"):]


def test_wireshark_reads_the_counts():
    with temp_dir() as folder:
        path = os.path.join(folder, "counts.pcapng")
        capture("write", path, input=WRITTEN)
        said = statistics(path)
        equal(re.findall(r"(?:received|dropped)[^\n]*?: (\d+)$", said, re.M | re.I), ["5000", "7", "1", "0"], said)


def test_files_of_a_rotation_are_complete():
    with temp_dir() as folder:
        path = os.path.join(folder, "many.pcapng")
        lines = "interface eth0 1 0\ncounts 0 9 1 1700000000000000000\n" + "".join(
            packet_line(0, START + i, ethernet(ipv4(i, 100), 0x800), f"number {i}") for i in range(1000))
        capture("write", path, 20000, 0, input=lines)
        names = [path] + [f"{path}.{n}" for n in range(1, len(os.listdir(folder)))]
        assert len(names) > 5, names
        comments = []
        for name in names:
            assert os.path.getsize(name) <= 20000, name
            said = capinfos(name, "-M")
            assert "Number of interfaces in file: 1" in said and "Number of stat entries = 1" in said, said
            comments += [row[0] for row in tshark(name, "frame.comment")]
        equal(comments, [f"number {i}" for i in range(1000)], "comments of all files")
        last = os.path.join(folder, "round.pcapng")
        capture("write", last, 20000, 3, input=lines)
        names = [last, f"{last}.1", f"{last}.2"]
        assert not os.path.exists(f"{last}.3")
        kept = sorted(int(row[0].split()[1]) for name in names for row in tshark(name, "frame.comment"))
        equal(kept, list(range(kept[0], 1000)), "what is kept")


def test_a_full_disk_leaves_a_file_that_wireshark_reads():
    lines = "interface eth0 1 0\n" + "".join(
        packet_line(0, START + i, ethernet(ipv4(i, 100), 0x800)) for i in range(20000))
    script = 'mount -t tmpfs -o size=1m none "$1" && "$2" write "$1/full" 2>"$3/error"; echo $?; cp "$1/full" "$3/kept"'
    with temp_dir() as folder, temp_dir() as disk:
        done = run("unshare", "-m", "sh", "-c", script, "sh", disk, program("capture"), folder, input=lines)
        equal(done.stdout, "1\n", "exit status of the writer")
        with open(os.path.join(folder, "error"), encoding="utf-8") as f:
            assert "No space left on device" in f.read()
        kept = os.path.join(folder, "kept")
        rows = agree(kept)
        equal([r["time_ns"] for r in rows], list(range(START, START + len(rows))), "times")
        assert 3000 < len(rows) < 20000, len(rows)
