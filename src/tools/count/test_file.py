# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""count -r: capture files, compared with what was counted live of the same traffic, and with what tcpdump
and tshark find in the same file."""

import json
import os
import re
import struct

import pcaps
import test_capture
from counting import KINDS, by_name, count, counted, labelled, last_block, ports, total
from lib import (TAPLINE, Netns, Nginx, Proc, Skip, curl, equal, run, select_rows, temp_dir, timeout, two_hosts,
                 wait_for)
from wire import ethernet, ipv4, send_frames, send_udp, silent_hosts, tcp

FILE_KINDS = [k for k in KINDS if k != "process"]
START = 1700000000 * 10**9
S = 10**9
CHANGING = ("time", "packet_rate", "byte_rate")


def count_file(*args, status=0, stdin=None):
    """(rows, standard error) of count -r."""
    more = {"stdin": stdin} if stdin else {}
    done = run(TAPLINE, "count", "-o", "json", "-r", *args, check=False, **more)
    equal(done.returncode, status, f"exit status of count -r {args}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def tcpdump_count(path, expression):
    return int(run("tcpdump", "-nn", "--count", "-r", path, expression).stdout.split()[0])


def sums(rows):
    """What does not depend on when they were counted, in an order of its own."""
    return sorted(json.dumps({k: v for k, v in r.items() if k not in CHANGING}) for r in rows)


def compare(dump, taps):
    """Every kind has the same rows live and from what tcpdump wrote."""
    dump.settled()
    for kind, t in taps.items():
        rows, said = count_file(dump.file.name, "--by", kind)
        equal(sums(rows), sums(last_block(t)), f"rows by {kind}")
        assert f"  packets {t.ledger('packets'):>21}  " in said, said


# ---- the same as live ----


def test_frames_made_by_hand_count_as_live():
    frames = [f for _, f in labelled()]
    with silent_hosts() as (a, b), counted(b, "v1", kinds=FILE_KINDS) as (dump, taps):
        send_frames(a, frames, 7)
        wait_for(lambda: dump.seen(7 * len(frames)), 30, "tcpdump to write")
        compare(dump, taps)


def test_loopback_counts_as_live():
    with Netns("a") as a, Nginx(ns=a) as nginx, counted(a, "lo", kinds=FILE_KINDS) as (dump, taps):
        run("ping", "-c3", "-i0.2", "127.0.0.1", ns=a)
        run("ping", "-c2", "-i0.2", "::1", ns=a)
        curl(nginx.url(), ns=a)
        send_udp(a)
        compare(dump, taps)
        rows, _ = count_file(dump.file.name)
        equal(by_name(rows), {"TCP": dump.count("tcp"), "UDP": 1, "ICMP": dump.count("icmp"),
                              "ICMPv6": dump.count("icmp6")}, "packets by protocol, and by tcpdump")


def test_ports_and_networks_count_as_live():
    with Netns("a") as a, Nginx(ns=a) as nginx, \
            counted(a, "lo", "--port", nginx.port, "--net", "127.0.0.2", kinds=FILE_KINDS) as (dump, taps):
        curl(nginx.url(host="127.0.0.2"), ns=a)
        curl(nginx.url(), ns=a)
        run("ping", "-c1", "127.0.0.2", ns=a)
        dump.settled()
        for kind, t in taps.items():
            rows, _ = count_file(dump.file.name, "--by", kind, "--port", nginx.port, "--net", "127.0.0.2")
            equal(sums(rows), sums(last_block(t)), f"rows by {kind}")
        equal(total(rows)[0], dump.count(f"port {nginx.port} and host 127.0.0.2"), "packets, by tcpdump")


def test_directions_of_a_cooked_capture():
    """All interfaces at once: tcpdump says of each packet whom it was for, and the live count knows it. Of
    loopback it captures what comes in only."""
    with two_hosts() as (a, _, v4, _), temp_dir() as folder:
        path = os.path.join(folder, "cooked.pcap")
        with Proc("tcpdump", "-i", "any", "-y", "LINUX_SLL2", "-U", "--immediate-mode", "-Z", "root", "-w", path, ns=a):
            wait_for(lambda: os.path.exists(path) and os.path.getsize(path) >= 24, 10, "tcpdump's header")
            with count("--direction", "out", "--by", "host", "icmp", ns=a) as out, \
                    count("--direction", "in", "--by", "host", "icmp", ns=a) as into:
                run("ping", "-c3", "-i0.2", v4, ns=a)
                run("ping", "-c2", "-i0.2", "127.0.0.1", ns=a)
                wait_for(lambda: len(pcaps.tshark(path, "frame.len", check=False, more=["-Y", "icmp"])) >= 10, 10,
                         "10 packets")
                live = {"out": last_block(out), "in": last_block(into)}
        for direction, rows in live.items():
            found, _ = count_file(path, "--by", "host", "--direction", direction, "icmp")
            want = {r["host"]: r["packets"] for r in rows if direction == "in" or r["host"] != "127.0.0.1"}
            equal({r["host"]: r["packets"] for r in found}, want, direction)
            equal(total(found)[0], tcpdump_count(path, f"{direction}bound and icmp"), f"{direction}, by tcpdump")
        equal(total(count_file(path, "icmp")[0])[0], 10, "packets in the file")


# ---- the file's format ----


def frames():
    """UDP datagrams of 50, 51 and so on bytes."""
    return [ethernet(ipv4(17, ports() + bytes(i)), 0x800) for i in range(20)]


def totals(packets):
    return len(packets), sum(len(p[1]) if len(p) == 2 else p[2] for p in packets)


def test_byte_orders_and_resolutions():
    when = START + 123456789
    packets = [(when + i * S // 4, f) for i, f in enumerate(frames())]
    last = when + 19 * S // 4
    with temp_dir() as folder:
        for order in "<>":
            for nano in (False, True):
                rows, _ = count_file(pcaps.save(folder, "f", pcaps.pcap(1, packets, order, nano)))
                equal(total(rows), totals(packets), f"packets and bytes, {order} {nano}")
                equal(rows[0]["time"], "2023-11-14T22:13:24.873456Z", "time of the last")
                equal(last // 1000 % 10**6, 873456, "the same")
            for resolution in (3, 6, 9, 0x80 | 10, 0x80 | 30):
                data = pcaps.pcapng(1, packets, order, resolution, 1600000000)
                rows, _ = count_file(pcaps.save(folder, "f", data), "1")
                equal(total(rows[-4:]), totals(packets), f"packets and bytes, {order} {resolution}")
                equal([r["packets"] for r in select_rows(rows, protocol="UDP")], [4, 8, 12, 16, 20],
                      "a block for each second")


def test_every_link_type():
    with temp_dir() as folder:
        for link, some in test_capture.FRAMES.items():
            path = pcaps.save(folder, str(link), pcaps.pcap(link, [(START, f) for f in some]))
            rows, said = count_file(path)
            equal(total(rows), totals([(0, f) for f in some]), f"packets and bytes of link type {link}")
            # One Ethernet frame has three VLAN tags: one more than is walked.
            udp = pcaps.tshark(path, "frame.number", more=["-Y", "udp and not (vlan.id == 7)"])
            equal(by_name(rows)["UDP"], len(udp), f"UDP of link type {link}, and by tshark")
            assert re.search(r"file_packets +%d " % len(some), said), said


def test_lengths_are_those_of_the_wire():
    packets = [(START, f[:42], 1000 + i) for i, f in enumerate(frames())]
    with temp_dir() as folder:
        rows, _ = count_file(pcaps.save(folder, "f", pcaps.pcap(1, packets)), "--by", "connection")
    equal([(r["client_port"], r["packets"], r["bytes"]) for r in rows], [(4000, *totals(packets))], "rows")


def damaged(path, packets, *args):
    """The packets before the damage are counted, if there are any; then comes one sentence, behind the ledger."""
    rows, said = count_file(path, *args, status=1)
    equal((total(rows)[0], bool(rows)), (packets, packets > 0), f"packets of {path}, and whether there are rows")
    lines = said.splitlines()
    equal(sum(line.startswith("tapline: ") for line in lines), 1, f"sentences in {said}")
    before = "; what came before is all that was read" if packets else ""
    found = re.fullmatch(rf"tapline: {re.escape(path)}: byte \d+: ([^;]*)(.*)", lines[-1])
    assert found and found.group(2) == before, said
    assert lines[0] == "ledger", said


def test_damaged_files_are_counted_up_to_the_damage():
    packets = [(START + i, f) for i, f in enumerate(frames())]
    with temp_dir() as folder:
        for name, data in (("pcap", pcaps.pcap(1, packets)), ("pcapng", pcaps.pcapng(1, packets))):
            for cut in (1, 5, 40, 300, len(data) - 30):
                path = pcaps.save(folder, f"{name}-{cut}", data[:-cut])
                damaged(path, len(pcaps.tshark(path, "frame.number", check=False)))
            broken = bytearray(data)
            at = data.index(frames()[10]) - (8 if name == "pcap" else 24)  # a length in its header
            broken[at:at + 4] = struct.pack("<I", 0x7FFFFFFF)
            damaged(pcaps.save(folder, f"{name}-broken", broken), 10)
        damaged(pcaps.save(folder, "empty", b""), 0)
        damaged(pcaps.save(folder, "text", b"this is no capture file at all"), 0)


def test_a_file_without_packets():
    with temp_dir() as folder:
        rows, _ = count_file(pcaps.save(folder, "none", pcaps.pcap(1, [])))
    equal([(r["time"], r["packets"]) for r in rows], [(None, 0)] * 4, "rows")


def test_packets_that_cannot_be_read_are_told():
    """IEEE 802.11, which is not read, between others; and alone."""
    some = pcaps.pcapng(1, [(START, f) for f in frames()])
    radio = pcaps.pcapng(105, [(START, bytes(40))] * 3)
    with temp_dir() as folder:
        for name, data, counted_, left in (("mixed", some + radio + some, 40, 3), ("alone", radio, 0, 3)):
            rows, said = count_file(pcaps.save(folder, name, data), status=1)
            equal(total(rows)[0], counted_, "packets")
            assert f"{left} of {left + counted_} packets were left out: link type 105 is not read" in said, said


# ---- filters ----

EXPRESSIONS = ["tcp", "udp port 80", "icmp or icmp6", "vlan", "vlan and tcp port 80", "ip6 and not udp",
               "ip[6:2] & 0x1fff != 0", "ether proto 0x88b5", "host 192.0.2.1 and greater 50", "arp", "not ip"]


def test_filters_pass_what_tcpdump_is_given():
    packets = [(START + i, f) for i, (_, f) in enumerate(labelled())]
    with temp_dir() as folder:
        path = pcaps.save(folder, "f", pcaps.pcap(1, packets))
        for expression in EXPRESSIONS:
            rows, said = count_file(path, *expression.split())
            want = tcpdump_count(path, expression)
            equal(total(rows)[0], want, expression)
            assert re.search(r"file_filtered +%d " % (len(packets) - want), said), said
            assert 0 < want < len(packets), expression


def test_a_needle_in_a_haystack():
    hay, needle = ethernet(ipv4(17, ports()), 0x800), ethernet(ipv4(1, bytes(8)), 0x800)
    packets = [(START + i, hay) for i in range(30000)]
    with temp_dir() as folder:
        for at in (0, 15000, 30000):
            path = pcaps.save(folder, "f", pcaps.pcap(1, packets[:at] + [(START + at, needle)] + packets[at:]))
            rows, said = count_file(path, "icmp")
            equal(by_name(rows), {"TCP": 0, "UDP": 0, "ICMP": 1, "ICMPv6": 0}, "packets by protocol")
            assert re.search(r"file_packets +30001 ", said) and re.search(r"file_filtered +30000 ", said), said


def test_a_filter_on_several_link_types():
    """Each packet by the program of its own link type; where it makes no sense, that is said."""
    data = pcaps.pcapng(1, [(START, f) for f in frames()]) + \
        pcaps.pcapng(113, [(START, f) for f in test_capture.FRAMES[113]]) + \
        pcaps.pcapng(101, [(START, f) for f in test_capture.FRAMES[101]], ">")
    with temp_dir() as folder:
        path = pcaps.save(folder, "f", data)
        equal(total(count_file(path, "udp")[0])[0], 20 + 6 + 2, "UDP")
        equal(total(count_file(path, "ip6")[0])[0], 1 + 1, "IPv6")
        rows, said = count_file(path, "ether", "host", "02:00:00:00:00:01", status=1)
        equal(total(rows)[0], 20, "of an Ethernet host")
        assert "8 of 28 packets were left out: the filter does not fit link type 113: " in said, said


def test_directions_that_the_file_does_not_have():
    with temp_dir() as folder:
        path = pcaps.save(folder, "f", pcaps.pcap(1, [(START, f) for f in frames()]))
        rows, said = count_file(path, "--direction", "in", status=1)
    equal(total(rows)[0], 0, "packets")
    assert "20 of 20 packets were left out: which way they went, as --direction asks, is not in the file" in said, said


# ---- the run ----


def test_blocks_follow_the_files_time():
    offsets = [0, 0.5, 1, 1.2, 1.1, 7.9, 1000]  # in seconds; one is a little late
    packets = [(START + int(o * S), f) for o, f in zip(offsets, frames())]
    with temp_dir() as folder:
        path = pcaps.save(folder, "f", pcaps.pcapng(1, packets))
        rows = select_rows(count_file(path, "1")[0], protocol="UDP")
        equal([(r["time"][11:23], r["packets"], r["packet_rate"]) for r in rows],
              [("22:13:21.000", 2, 2), ("22:13:22.000", 5, 3), ("22:13:28.000", 6, 0.167), ("22:30:00.000", 7, 0.001)],
              "times, totals and rates")
        rows = select_rows(count_file(path, "2", "1")[0], protocol="UDP")
        equal([(r["time"][11:19], r["packets"]) for r in rows], [("22:13:22", 5)], "the only block that is wanted")
        rows = select_rows(count_file(path)[0], protocol="UDP")
        equal([(r["time"][11:19], r["packets"]) for r in rows], [("22:30:00", 7)], "totals")


def test_a_pipe():
    packets = [(START + i, f) for i, f in enumerate(frames())]
    with temp_dir() as folder:
        path = pcaps.save(folder, "f", pcaps.pcapng(1, packets))
        with open(path, "rb") as f:
            equal(total(count_file("-", stdin=f)[0]), totals(packets), "from a file as standard input")
        piped = run("sh", "-c", '"$1" -r "$2" -w - | "$3" count -o json -r -', "sh", "tcpdump", path, TAPLINE)
        equal(total([json.loads(line) for line in piped.stdout.splitlines()]), totals(packets), "from a pipe")


@timeout(120)
def test_a_full_table_is_told():
    n = 70000
    packets = [(START, ethernet(ipv4(17, ports(1 + i % 50000, 80), ends=bytes([10, 1, i // 50000, 1, 192, 0, 2, 2])), 0x800))
               for i in range(n)]
    packets.append(packets[0])
    with temp_dir() as folder:
        rows, said = count_file(pcaps.save(folder, "f", pcaps.pcap(1, packets)), "--by", "connection")
    equal(len(rows), 65536, "rows")
    equal(total(rows)[0], 65537, "packets in rows: the last one has one")
    assert re.search(r"no_room +%d " % (n - 65536), said), said
    assert re.search(r" packets +%d " % (n + 1), said), said


def test_a_user_without_privileges():
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with temp_dir() as folder:
        os.chmod(folder, 0o755)
        path = pcaps.save(folder, "f", pcaps.pcap(1, [(START, f) for f in frames()]))
        done = run(*user, TAPLINE, "count", "-r", path, "udp", "-o", "json", check=False)
        if "ermission denied" in done.stderr and "setpriv" in done.stderr:
            raise Skip("the checkout cannot be read by another user")
        equal(done.returncode, 0, f"exit status: {done.stderr}")
        equal(total([json.loads(line) for line in done.stdout.splitlines()])[0], 20, "packets")


def test_what_cannot_be_is_said_in_a_sentence():
    with temp_dir() as folder:
        path = pcaps.save(folder, "f", pcaps.pcap(1, [(START, tcp(80))]))
        for want, word, args in ((1, "cannot read '/no/such/file': No such file", ("/no/such/file",)),
                                 (2, "--by process: ", (path, "--by", "process")),
                                 (2, "-i is for an interface", (path, "-i", "lo")),
                                 (2, "--dump-filter", (path, "--dump-filter", "tcp")),
                                 (2, "--pid cannot be known", (path, "-p", "1")),
                                 (2, "--comm cannot be known", (path, "--comm", "x")),
                                 (2, "filter: ", (path, "tcp", "prot", "80"))):
            rows, said = count_file(*args, status=want)
            equal((rows, len(said.splitlines())), ([], 3 if word == "filter: " else 1), f"{args}: {said}")
            assert word in said, (args, said)
