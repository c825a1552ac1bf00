# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""packets -w and -r: files beside tcpdump's of the same traffic, read by Wireshark's tools, and rows of a file
beside the rows that were live."""

import contextlib
import json
import os
import re

import pcaps
from lib import (TAPLINE, Netns, Nginx, Proc, Skip, Tapline, at_least, curl, equal, free_port, run, select_rows, sysctl,
                 temp_dir, two_hosts, wait_for)
from wire import Receiver, Tcpdump, ethernet, extension, ipv4, ipv6, send_frames, send_udp, silent_hosts, tcp, udp

S = 10**9
START = 1700000000 * S
COMMENT = "frame.comment"


def writing(ns, path, *args, **more):
    return Tapline("-w", path, *args, tool="packets", json_rows=False, ns=ns, **more)


def read_file(*args, status=0, stdin=None):
    """(rows, standard error) of packets -r."""
    more = {"stdin": stdin} if stdin else {}
    done = run(TAPLINE, "packets", "-o", "json", "-r", *args, check=False, **more)
    equal(done.returncode, status, f"exit status of packets -r {args}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def frames_of(path):
    """[(length on the wire, bytes)] of a capture file, by Wireshark."""
    done = run("tshark", "-n", "-r", path, "-T", "json", "-x", "--no-duplicate-keys")
    layers = [p["_source"]["layers"] for p in json.loads(done.stdout)]
    return [(int(one["frame"]["frame.len"]), bytes.fromhex(one["frame_raw"][0])) for one in layers]


def hand_made():
    """Frames of all kinds: tags, fragments, extension headers, what is not IP, padding."""
    frames = []
    for tags in ((), (0x8100,), (0x88A8, 0x8100)):
        for size in (1, 100, 1400):
            frames.append(ethernet(ipv4(6, tcp(80, bytes(i & 255 for i in range(size)))), *tags, 0x800))
            frames.append(ethernet(ipv4(17, udp(53, b"u" * size)), *tags, 0x800))
            frames.append(ethernet(ipv6(0, extension(17) + udp(53, b"6" * size)), *tags, 0x86DD))
        frames.append(ethernet(ipv4(6, tcp(80)) + b"PADDED", *tags, 0x800))
        frames.append(ethernet(ipv4(17, udp(9, b"part"), fragment=0x2000), *tags, 0x800))
        frames.append(ethernet(ipv4(1, bytes(20)), *tags, 0x800))
        frames.append(ethernet(bytes(28), *tags, 0x806))
        frames.append(ethernet(bytes(40), *tags, 0x88B5))
    return frames


# ---- -w ----


def test_a_file_has_what_tcpdump_has():
    """Every byte of every packet, the VLAN tags that the kernel takes out of it among them."""
    frames = hand_made()
    for side in ("v1", "v0"):
        with silent_hosts() as (a, b), temp_dir() as folder:
            ns, path = b if side == "v1" else a, os.path.join(folder, "out.pcapng")
            with Tcpdump(side, ns, size=0) as dump:
                with writing(ns, path, "--all", "-i", side) as t:
                    send_frames(a, frames, 3)
                    wait_for(lambda: dump.seen(3 * len(frames)), 20, "tcpdump to write")
                    t.stop()
            theirs = dump.file.name
            equal(frames_of(path), frames_of(theirs), f"packets of {side}")
            equal(t.ledger("written"), 3 * len(frames), "written")
            equal(t.text, "", "rows")
            ours, other = pcaps.tshark(path, "frame.time_epoch"), pcaps.tshark(theirs, "frame.time_epoch")
            for (mine,), (his,) in zip(ours, other):
                assert abs(pcaps.nanoseconds(mine) - pcaps.nanoseconds(his)) < 20_000_000, (mine, his)
            equal({len(mine.partition(".")[2]) for mine, in ours}, {9}, "digits of a second")


def test_wireshark_names_interfaces_directions_and_owners():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx, temp_dir() as folder:
        path = os.path.join(folder, "out.pcapng")
        with writing(a, path, "--all", "not ip6 and not arp") as t:
            done = curl(nginx.url("/owned", v4), ns=a)
            send_udp(a, payload="to nobody")
            run("sleep", "0.3")
            t.stop()
        rows = pcaps.tshark(path, "frame.interface_name", "frame.packet_flags_direction", COMMENT, "tcp.port", "udp.length",
                            "icmp.type")
        assert {r[0] for r in rows} == {"v0", "lo"}, rows
        for name, direction, comment, port, datagram, _ in rows:
            if port:
                equal((name, comment), ("v0", f"curl[{done['pid']}]"), "of curl's connection")
            elif datagram:
                equal((name, comment), ("lo", ""), "of what nobody gets")
            assert direction in ("0x00000001", "0x00000002") or int(direction, 0) in (1, 2), rows
        at_least(sum(bool(r[3]) for r in rows), 8, "packets of the connection")
        equal({int(r[1], 0) for r in rows if r[3]}, {1, 2}, "directions: in, out")
        info = pcaps.capinfos(path)
        assert "pcapng" in info and "Number of interfaces in file: 2" in info, info
        assert "tapline" in info, info


def test_a_container_is_in_the_comment():
    """By twelve digits of its id, as it is in the name of its cgroup."""
    number = f"{os.getpid():012x}" + "0" * 52
    scope = f"docker-{number}.scope"
    cgroup = next((w.split()[1] for w in open("/proc/self/mounts") if w.split()[2] == "cgroup2"), None)
    if not cgroup:
        raise Skip("no cgroup v2 is mounted")
    path = os.path.join(cgroup, scope)
    os.mkdir(path)
    try:
        with Netns("a") as a, temp_dir() as folder, Receiver(7001, ns=a) as receiver:
            with open(os.path.join(path, "cgroup.procs"), "w") as f:
                f.write(str(receiver.pid))
            out = os.path.join(folder, "out.pcapng")
            with writing(a, out, "-i", "lo") as t:
                send_udp(a, port=7001)
                receiver.wait()
                run("sleep", "0.3")
                t.stop()
            equal(pcaps.tshark(out, COMMENT), [[f"python3[{receiver.pid}] in {number[:12]}"]], "comment")
    finally:
        wait_for(lambda: not open(os.path.join(path, "cgroup.procs")).read(), 5, "the cgroup to be empty")
        os.rmdir(path)


def test_only_what_is_asked_for_is_written():
    with silent_hosts() as (a, b), temp_dir() as folder, contextlib.ExitStack() as stack:
        def to(name, *args):
            path = os.path.join(folder, name)
            return path, stack.enter_context(writing(b, path, "-i", "v1", *args))

        frames = [ethernet(ipv4(6, tcp(80, b"GET / HTTP/1.1\r\n")), 0x800), ethernet(ipv4(6, tcp(81, b"other")), 0x800),
                  ethernet(ipv4(17, udp(53, b"x" * 300)), 0x800), ethernet(ipv4(6, tcp(80)), 0x800)]
        cases = [(to("plain"), [0, 1, 2]), (to("all", "--all"), [0, 1, 2, 3]), (to("http", "--http"), [0]),
                 (to("port", "--port", 53), [2]), (to("filter", "tcp", "port", 81), [1]),
                 (to("where", "--where", "payload_length>100"), [2]), (to("first", "-n", 2), [0, 1])]
        short, t = to("short", "-s", 60)
        send_frames(a, frames)
        run("sleep", "0.3")
        for (path, tap), want in cases:
            tap.stop() if "-n" not in tap.args else equal(tap.wait_end(), 0, "exit status")
            equal([f for _, f in frames_of(path)], [frames[i] for i in want], f"packets of {tap.args}")
        t.stop()
        equal(frames_of(short), [(len(frames[i]), frames[i][:60]) for i in (0, 1, 2)], "of -s 60")


def test_rows_and_a_file_at_once():
    """The rows of the file are those that were live, but for whose the packets are."""
    with two_hosts() as (a, b, v4, v6), Nginx("", ns=b) as nginx, temp_dir() as folder:
        nginx.file("large", 300000)
        path = os.path.join(folder, "out.pcapng")
        with writing(a, path, "--all", "-o", "json") as t:
            for host in (v4, f"[{v6}]"):
                curl(nginx.url("/large", host), ns=a)
            run("ping", "-c2", "-i0.2", v4, ns=a)
            send_udp(a, v4, 9999)
            send_udp(a)
            send_frames(a, hand_made())
            run("sleep", "0.3")
            live = t.stop()
        at_least(len(live), 80, "rows")
        equal(t.ledger("written"), len(live), "written")
        for r in live:
            r["pid"] = r["comm"] = None
        rows, said = read_file(path, "--all")
        equal(rows, live, "rows")
        assert "file_packets" in said and "fragments" in said, said


def test_bare_ip_in_a_file():
    if not os.path.exists("/dev/net/tun"):
        raise Skip("this kernel has no tun devices")
    tun = "import fcntl,os,struct,sys\nf = os.open('/dev/net/tun', os.O_RDWR)\n" \
        "fcntl.ioctl(f, 0x400454ca, struct.pack('16sH22x', b't0', 0x1001))\nprint('made', flush=True)\n" \
        "for line in sys.stdin: os.write(f, bytes.fromhex(line))"
    with Netns("a") as a, temp_dir() as folder, Proc("python3", "-c", tun, ns=a, stdin=-1, stdout=-1, text=True) as p:
        equal(p.p.stdout.readline(), "made\n", "tun device")
        sysctl("net.ipv6.conf.t0.disable_ipv6", 1, ns=a)
        run("ip", "-n", a, "link", "set", "t0", "up")
        path = os.path.join(folder, "out.pcapng")
        packets = [ipv4(6, tcp(80, b"four")), ipv6(6, tcp(80, b"six"))]
        with writing(a, path) as t:
            p.p.stdin.write("".join(packet.hex() + "\n" for packet in packets))
            p.p.stdin.close()
            send_udp(a)
            run("sleep", "0.3")
            t.stop()
        equal(sorted(f for _, f in frames_of(path))[-2:], sorted(packets), "packets")
        equal(sorted((r["interface"], r["payload"]) for r in read_file(path)[0]),
              [("lo", "datagram"), ("t0", "four"), ("t0", "six")], "rows of the file")


def test_files_follow_one_another():
    with silent_hosts() as (a, b), temp_dir() as folder:
        path = os.path.join(folder, "out.pcapng")
        frames = [ethernet(ipv4(17, udp(9, i.to_bytes(4, "big") * 300)), 0x800) for i in range(2000)]
        with writing(b, path, "-i", "v1", "-C", 1) as t:
            send_frames(a, frames)
            wait_for(lambda: os.path.exists(path + ".2"), 10, "the third file")
            run("sleep", "0.3")
            t.stop()
        files = [path] + [p for p in (f"{path}.{i}" for i in range(1, 9)) if os.path.exists(p)]
        equal([f for p in files for _, f in frames_of(p)], frames, "packets of all files")
        for p in files:
            assert os.path.getsize(p) <= 1_000_000, p


def test_what_was_lost_is_in_the_file():
    """Packets that come faster than they are written: those written and those lost are all that there were."""
    with silent_hosts() as (a, b), temp_dir() as folder:
        path = os.path.join(folder, "out.pcapng")
        frame = ethernet(ipv4(17, udp(9, bytes(1400))), 0x800)
        times = 20000
        with writing(b, path, "-i", "v1") as t:
            os.kill(t.pid, 19)  # SIGSTOP: nobody takes records out
            send_frames(a, [frame], times)
            os.kill(t.pid, 18)
            t.stop()
        lost = t.ledger("lost_ring")
        assert 0 < lost < times, lost
        equal(t.ledger("written") + lost, times, "packets")
        equal(len(pcaps.tshark(path, "frame.len")), times - lost, "in the file")
        stats = run("tshark", "-n", "-r", path, "-z", "io,stat,0", "-q").stdout
        assert stats, "statistics"
        with open(path, "rb") as f:
            data = f.read()
        block = data[data.rindex((5).to_bytes(4, "little") + (int.from_bytes(data[-4:], "little")).to_bytes(4, "little")):]
        options = dict(re.findall(rb"([\x04\x05])\x00\x08\x00(.{8})", block, re.S))
        equal({k[0]: int.from_bytes(v, "little") for k, v in options.items()}, {4: times, 5: lost}, "isb_ifrecv, isb_ifdrop")


# ---- -r ----


def test_files_of_tcpdump_have_the_rows_that_were_live():
    """A pcap file names no interface and no direction; the rest is the same."""
    with two_hosts() as (a, b, v4, v6), Nginx(ns=b) as nginx, Receiver(7001, ns=b) as receiver:
        with Tcpdump("v1", b, size=0) as dump, Tapline("--all", "-i", "v1", tool="packets", ns=b) as t:
            send_udp(a, v4, 7001)
            receiver.wait()
            for host in (v4, f"[{v6}]"):
                curl(nginx.url("/same", host), ns=a)
            send_frames(a, hand_made())
            dump.settled()
            live = t.stop()
        rows, _ = read_file(dump.file.name, "--all")
        drop = ("time", "interface", "pkt_type", "pid", "comm")
        seen = [{k: v for k, v in r.items() if k not in drop} for r in rows]
        # What IPv6 says by itself may have been said before the one began or after the other ended.
        want = [{k: v for k, v in r.items() if k not in drop} for r in live]
        for ours in want:
            assert ours in seen or str(ours["src"]).startswith(("fe80", "::")), ours
        equal([r for r in seen if not str(r["src"]).startswith(("fe80", "::"))],
              [r for r in want if not str(r["src"]).startswith(("fe80", "::"))], "rows")
        equal({(r["interface"], r["pid"], r["comm"]) for r in rows}, {(None, None, None)}, "what a file does not say")
        equal({r["pkt_type"] for r in rows} - {None, "broadcast", "multicast"}, set(), "types that Ethernet tells")


def made(folder, link=pcaps.ETHERNET):
    """A file of known frames: one of each kind, a second apart."""
    frames = [ethernet(ipv4(6, tcp(80, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", flags=0x18)), 0x800),
              ethernet(ipv4(6, tcp(80)), 0x800), ethernet(ipv4(17, udp(53, b"dns\x00\xff")), 0x8100, 0x800),
              ethernet(ipv4(6, tcp(22, b"secret shell")), 0x800), ethernet(ipv4(6, tcp(80, b"part"), fragment=0x2000), 0x800),
              ethernet(bytes(28), 0x806), ethernet(ipv6(17, udp(5353, b"six" * 100)), 0x86DD)]
    return pcaps.save(folder, "made.pcap", pcaps.pcap(link, [(START + i * S, f) for i, f in enumerate(frames)], nano=True))


def test_options_on_a_file():
    with temp_dir() as folder:
        path = made(folder)

        def payloads(*args):
            return [r["payload"] for r in read_file(path, *args)[0]]

        http, dns, six = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "dns\x00\ufffd", "six" * 100
        equal(payloads(), [http, dns, six[:128]], "rows")
        equal(payloads("-s", 1000), [http, dns, six], "-s 1000")
        equal(payloads("-s", 0), [None] * 3, "-s 0")
        equal(payloads("--all"), [http, "", dns, None, None, six[:128]], "--all")
        equal(payloads("--http"), [http], "--http")
        equal(payloads("--port", 53), [dns], "--port")
        equal(payloads("--port", 22), ["secret shell"], "--port 22")
        equal(payloads("tcp port ssh"), ["secret shell"], "port ssh")
        equal(payloads("--net", "2001:db8::/32"), [six[:128]], "--net")
        equal(payloads("vlan and udp"), [dns], "filter")
        equal(payloads("--where", "protocol==UDP", "-n", 1), [dns], "--where, -n")
        row = read_file(path)[0][0]
        equal([row[k] for k in "time interface pkt_type src src_port dst dst_port protocol flags payload_length pid comm".split()],
              ["2023-11-14T22:13:20.000000Z", None, None, "192.0.2.1", 999, "192.0.2.2", 80, "TCP", "P.", 28, None, None], "row")
        said = read_file(path)[1]
        for name, n in (("file_packets", 7), ("fragments", 1), ("ssh_bytes", 12)):
            assert re.search(rf"^ +{name} +{n} ", said, re.M), (name, said)
        table = run(TAPLINE, "packets", "-r", path, "-X", "--port", 53).stdout
        assert re.search(r"\t0x0000:  646e 7300 ff +dns\.\.\n", table), table


def test_from_one_file_into_another():
    with temp_dir() as folder:
        path, out, again = made(folder), os.path.join(folder, "out.pcapng"), os.path.join(folder, "again.pcapng")
        run(TAPLINE, "packets", "-r", path, "-w", out, "--all", "--port", 53)
        equal(frames_of(out), [frames_of(path)[2]], "packets")
        equal(pcaps.tshark(out, "frame.time_epoch"), pcaps.tshark(path, "frame.time_epoch")[2:3], "times")
        run(TAPLINE, "packets", "-r", out, "-w", again, "-s", 40)
        equal(frames_of(again), [(n, f[:40]) for n, f in frames_of(out)], "packets, cut")
        done = run(TAPLINE, "packets", "-r", path, "-w", path, check=False)
        assert done.returncode == 2 and "would empty it" in done.stderr, done.stderr


def test_a_file_needs_no_privileges():
    with temp_dir() as folder:
        path = made(folder)
        os.chmod(folder, 0o755)
        done = run("setpriv", "--reuid", 65534, "--regid", 65534, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
                   TAPLINE, "packets", "-o", "json", "-r", path, check=False)
        if "Permission denied" in done.stderr and done.returncode in (126, 127):
            raise Skip("another user cannot reach the build")
        equal((done.returncode, len(done.stdout.splitlines())), (0, 3), f"exit status and rows: {done.stderr}")


def test_rows_up_to_the_damage():
    with temp_dir() as folder:
        path = made(folder)
        with open(path, "rb") as f:
            data = f.read()
        cut = pcaps.save(folder, "cut.pcap", data[:-40])
        rows, said = read_file(cut, status=1)
        equal(len(rows), 2, "rows before the damage")
        last = said.splitlines()[-1]
        assert "cut.pcap" in last and "byte" in last, said


def test_a_pipe_is_read_as_it_fills():
    with temp_dir() as folder, open(made(folder), "rb") as f:
        equal([r["payload"] for r in read_file("-", "--http", stdin=f)[0]], ["GET /a HTTP/1.1\r\nHost: x\r\n\r\n"], "rows")


def test_what_does_not_go_together_is_refused():
    with temp_dir() as folder:
        path = made(folder)
        for word, args in (("-i is for an interface", ("-i", "lo")), ("--pid cannot be known", ("-p", 1)),
                           ("--dump-filter shows what the kernel runs", ("--dump-filter", "tcp"))):
            done = run(TAPLINE, "packets", "-r", path, *args, check=False)
            assert done.returncode == 2 and word in done.stderr, (args, done.stderr)
        done = run(TAPLINE, "packets", "-C", 1, check=False)
        assert done.returncode == 2 and "wants -w FILE" in done.stderr, done.stderr
