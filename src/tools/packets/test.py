# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""packets: the packets of interfaces, compared with what tcpdump and nginx counted of the same traffic.
What a network never sends by itself (tags, fragments, headers that lie) is made by hand."""

import contextlib
import json
import os
import random
import re
import socket
import struct
import time

import pcaps
from lib import (TAPLINE, Netns, Nginx, Proc, Script, Skip, Tapline, at_least, curl, equal, free_port, one, run,
                 select_rows, sysctl, temp_dir, two_hosts, veth, wait_for)
from wire import (Receiver, Tcpdump, ethernet, extension, ipv4, ipv6, send_frames, send_udp, silence, silent_hosts, tcp,
                  udp)

KEYS = "time interface pkt_type src src_port dst dst_port protocol flags payload_length payload pid comm".split()
LINE = re.compile(r"^\S+ (\S+) +(in|out) +(?:\[?([^\]\s]+)\]?:(\d+) > \[?([^\]\s]+)\]?:(\d+)|(\S+ > \S+)|-) +"
                  r"(-|.*\[\d+\]) +(\S+) +(\S+) +(\d+|-) ?(.*)$")


def packets(ns, *args):
    return Tapline(*args, tool="packets", ns=ns)


def table(ns, *args):
    return Tapline(*args, tool="packets", json_rows=False, ns=ns)


def lines_of(t):
    """(source, port, destination, port, length, payload) of each line of a table."""
    return [(m[3], m[4], m[5], m[6], m[11], m[12]) for m in map(LINE.match, t.text.splitlines()) if m and m[3]]


def retransmits(ns):
    """TCP segments that this namespace has sent again."""
    names, values = [line.split() for line in run("cat", "/proc/net/snmp", ns=ns).stdout.splitlines()
                     if line.startswith("Tcp:")]
    return int(dict(zip(names, values))["RetransSegs"])


def undisturbed(*namespaces):
    """Repeats a loop's body until nothing was sent again: the wire then holds what the peers counted."""
    for _ in range(20):
        before = [retransmits(ns) for ns in namespaces]
        yield
        if [retransmits(ns) for ns in namespaces] == before:
            return
    raise AssertionError("something was sent again in each of 20 tries")


def entry_of(nginx, port):
    """nginx's log line of the client on this port."""
    return wait_for(lambda: select_rows(nginx.log(), remote_port=port), 5, "nginx's log line")[0]


def test_lines_add_up_to_what_the_server_counted():
    with two_hosts() as (a, b, v4, v6), Nginx("", ns=b) as nginx, table(a, "-i", "v0") as t:
        nginx.file("page", content=b"y" * 20000)
        for _ in undisturbed(a, b):
            four = curl(nginx.url("/page?four", v4), ns=a)["local_port"]
            six = curl(nginx.url("/page?six", f"[{v6}]"), ns=a)["local_port"]
        t.stop()
        for shown, port in ((v4, four), (v6, six)):
            entry = entry_of(nginx, port)
            asked = [w for w in lines_of(t) if w[2] == shown and w[1] == str(port)]
            answered = [w for w in lines_of(t) if w[0] == shown and w[3] == str(port)]
            equal(sum(int(w[4]) for w in asked), entry["request_length"], "bytes asked")
            equal(sum(int(w[4]) for w in answered), entry["bytes_sent"], "bytes answered")
            assert asked[0][5].startswith(f"GET {entry['request_uri']} HTTP/1.1"), asked[0]
            assert answered[0][5].startswith("HTTP/1.1 200 OK"), answered[0]
            equal({w[3] for w in asked}, {str(nginx.port)}, "port asked")


# ---- every packet, beside tcpdump ----


def told(line):
    """tcpdump's line as (protocol, ends, flags, length); its ends are ADDRESS.PORT > ADDRESS.PORT."""
    m = re.match(r"(\S+?),? (?:(\S+ > \S+): )?(.*)", line)
    kind, ends, rest = m.groups()
    flags = re.search(r"Flags \[([^\]]*)\]", rest)
    length = int(re.search(r"length (\d+)", rest).group(1)) if "length" in rest else None
    if kind == "ARP":
        return "ARP", None, None, None
    protocol = "TCP" if flags else "UDP" if rest.startswith("UDP") else "ICMPv6" if "ICMP6" in rest else rest[:4]
    return protocol, ends, flags and flags.group(1), length


def shown(row):
    ports = [f".{row[k]}" if row[k] is not None else "" for k in ("src_port", "dst_port")]
    ends = row["src"] and f"{row['src']}{ports[0]} > {row['dst']}{ports[1]}"
    return row["protocol"], ends, row["flags"], row["payload_length"]


def by_itself(ends):
    """Is it what IPv6 says at any time, such as while one of the two is not watching yet?"""
    return ends is not None and ends.startswith(("fe80", ":: "))


def expected(lines):
    return [want for want in map(told, lines) if not by_itself(want[1])]


def test_all_is_what_tcpdump_sees():
    """Live traffic of both families: handshakes, acknowledgements, ends, resets, ARP, neighbours, ping."""
    for watched in ("a", "b", "lo"):
        with two_hosts() as (a, b, v4, v6), Nginx(ns=b) as nginx:
            ns, link = (a, "v0") if watched == "a" else (b, "v1") if watched == "b" else (b, "lo")
            nginx.file("large", 3000000)
            run("ip", "-n", a, "neigh", "flush", "all")
            client, hosts = (b, ("127.0.0.1", "::1")) if watched == "lo" else (a, (v4, v6))
            with Tcpdump(link, ns) as dump, packets(ns, "--all", "-i", link) as t:
                for host in hosts:
                    curl(nginx.url("/large", f"[{host}]" if ":" in host else host), ns=client)
                    run("ping", "-c2", "-i0.2", host, ns=client)
                curl(f"http://{hosts[0]}:1/", ns=client, check=False)
                send_udp(client, hosts[0], 9999)
                dump.settled()
                run("sleep", "0.3")
                want = expected(dump.lines())
                got = [g for g in map(shown, t.stop()) if not by_itself(g[1])]
            equal(sorted(got, key=repr), sorted(want, key=repr), f"packets on {link}")
            kinds = {g[0] for g in got}
            assert {"TCP", "UDP", "ICMP", "ICMPv6"} | (set() if watched == "lo" else {"ARP"}) == kinds, kinds
            assert {"S", "S.", ".", "P.", "F.", "R."} <= {g[2] for g in got}, got


def test_every_flag_has_tcpdumps_letter():
    combinations = [0, 1, 2, 4, 8, 16, 32, 64, 128, 0x12, 0x14, 0x18, 0x19, 0xC2, 0x29, 0xFF]
    with silent_hosts() as (a, b), Tcpdump("v1", b) as dump, packets(b, "-i", "v1", "--all") as t:
        send_frames(a, [ethernet(ipv4(6, tcp(7000, flags=f)), 0x800) for f in combinations])
        wait_for(lambda: dump.seen(len(combinations)), 10, "tcpdump to write")
        want = [told(line)[2] for line in dump.lines()]
        t.expect_rows(len(combinations))
        equal([r["flags"] for r in t.stop()], want, "flags")
        equal(len(set(want)), len(combinations), "different ones")


def test_only_payload_without_all():
    frames = [
        ethernet(ipv4(6, tcp(80)), 0x800), ethernet(ipv4(6, tcp(80, flags=2)), 0x800),
        ethernet(ipv4(17, udp(80)), 0x800), ethernet(ipv4(1, bytes(20)), 0x800), ethernet(ipv6(58, bytes(20)), 0x86DD),
        ethernet(bytes(28), 0x806), ethernet(bytes(30), 0x88CC), ethernet(bytes(30), 0x88B5), ethernet(bytes(30), 30),
        ethernet(ipv4(253, bytes(9)), 0x800), ethernet(ipv4(132, udp(80, bytes(4))), 0x800),
        ethernet(ipv4(6, tcp(80, b"T")), 0x800), ethernet(ipv4(17, udp(80, b"U")), 0x800),
    ]
    with silent_hosts() as (a, b), packets(b, "-i", "v1") as some, packets(b, "-i", "v1", "--all") as every:
        send_frames(a, frames)
        every.expect_rows(len(frames))
        rows = every.stop()
        equal([(r["protocol"], r["payload"]) for r in some.stop()], [("TCP", "T"), ("UDP", "U")], "without --all")
        equal(some.ledger("records"), 2, "records")
    equal([(r["protocol"], r["flags"], r["payload_length"]) for r in rows],
          [("TCP", ".", 0), ("TCP", "S", 0), ("UDP", None, 0), ("ICMP", None, 20), ("ICMPv6", None, 20),
           ("ARP", None, None), ("LLDP", None, None), ("0x88b5", None, None), ("LLC", None, None), ("253", None, 9),
           ("SCTP", None, 12), ("TCP", ".", 1), ("UDP", None, 1)], "with --all")
    for r in rows:
        equal(r["src"], "2001:db8::1" if r["protocol"] == "ICMPv6" else
              "192.0.2.1" if r["payload_length"] is not None else None, f"source of {r['protocol']}")
    equal(rows[2]["payload"], "", "there is none")


def test_udp():
    with two_hosts() as (a, b, v4, v6), Receiver(7001, ns=b) as peer, packets(b, "-i", "v1") as t:
        send_udp(a, v4, 7001, payload="a datagram", source=7002)
        row, = t.expect_rows(1, protocol="UDP")
        equal(list(row), KEYS, "keys")
        equal([row[k] for k in KEYS[1:]],
              ["v1", "host", "10.213.7.1", 7002, v4, 7001, "UDP", None, 10, "a datagram", peer.pid, "python3"], "row")
        at_least(row["time"], time.strftime("%Y-%m-%dT", time.gmtime(time.time() - 60)), "time")


# ---- fragments ----

DATAGRAMS = """import socket, sys
for family, address in ((socket.AF_INET, sys.argv[1]), (socket.AF_INET6, sys.argv[2])):
    socket.socket(family, socket.SOCK_DGRAM).sendto(b'f' * 4000, (address, 7001))
"""


def test_fragments_are_rows_without_ports_or_counted():
    """Made by the kernel, of datagrams larger than the link takes; nothing of them is read as a header."""
    six = "ip6 proto 44"
    with two_hosts() as (a, b, v4, v6), Tcpdump("v0", a) as dump, packets(a, "-i", "v0") as some, \
            packets(a, "-i", "v0", "--all", "udp or ip[6:2] & 0x1fff != 0 or ip6 proto 44") as every, \
            packets(a, "-i", "v0", "--all", "--port", 7001) as ported, packets(a, "-i", "v0", "--net", v4) as four:
        run("python3", "-c", DATAGRAMS, v4, v6, ns=a)
        wait_for(lambda: dump.count("ip[6:2] & 0x3fff != 0") >= 3 and dump.count(six) >= 3, 10, "the fragments")
        dump.settled()
        of_four, of_six = dump.count("ip[6:2] & 0x3fff != 0"), dump.count(six)
        equal((of_four, of_six), (3, 3), "fragments on the wire")
        every.expect_rows(6)
        for row in every.stop():
            equal([row[k] for k in ("protocol", "src_port", "dst_port", "flags", "payload_length", "payload", "pid")],
                  ["UDP", None, None, None, None, None, None], "row")
            assert row["dst"] in (v4, v6), row
        equal(len(every.rows), 6, "rows")
        for t, n in ((some, 6), (ported, 6), (four, 3)):
            equal((t.stop(), t.ledger("records"), t.ledger("fragments")), ([], 0, n), "rows, records, fragments")
        equal(every.ledger("fragments"), 0, "left out with --all")


def test_fragments_made_by_hand():
    fragment = struct.pack("!BBHI", 6, 0, 1, 9)
    frames = [
        ethernet(ipv4(6, tcp(80, b"first"), fragment=0x2000), 0x800),
        ethernet(ipv4(6, tcp(80, b"later"), fragment=100), 0x800),
        ethernet(ipv6(44, fragment + tcp(80, b"six")), 0x86DD),
        ethernet(ipv6(0, extension(44) + fragment + tcp(80, b"behind options")), 0x86DD),
        ethernet(ipv4(6, tcp(80, b"tagged"), fragment=0x2000), 0x8100, 0x800),
        ethernet(ipv4(6, tcp(80, b"do not fragment"), fragment=0x4000), 0x800),
    ]
    with silent_hosts() as (a, b), packets(b, "-i", "v1") as some, packets(b, "-i", "v1", "--all") as every:
        send_frames(a, frames)
        every.expect_rows(len(frames))
        equal([(r["protocol"], r["src_port"], r["payload"]) for r in every.stop()],
              [("TCP", None, None)] * 5 + [("TCP", 999, "do not fragment")], "with --all")
        equal([r["payload"] for r in some.stop()], ["do not fragment"], "without")
        equal(some.ledger("fragments"), 5, "counted")


# ---- frames made by hand ----


def seen(frames, link_watched="v1", args=()):
    """What packets shows of these frames, by payload; each test sends a last one that is always shown."""
    with silent_hosts() as (a, b):
        ns = a if link_watched == "v0" else b
        with packets(ns, "-i", link_watched, *args) as t:
            send_frames(a, [*frames, ethernet(ipv4(6, tcp(80, b"the-last-one")), 0x800)])
            t.expect_rows(1, payload="the-last-one")
            rows = t.stop()
        return {r["payload"]: r for r in rows[:-1]}


def test_vlan_tags_are_skipped_on_the_way_out_and_in():
    frames = [
        ethernet(ipv4(6, tcp(80, b"one-tag")), 0x8100, 0x800),
        ethernet(ipv6(6, tcp(80, b"one-tag-six")), 0x8100, 0x86DD),
        ethernet(ipv4(6, tcp(80, b"two-tags")), 0x88A8, 0x8100, 0x800),
        ethernet(ipv4(17, udp(80, b"udp")), 0x8100, 0x800),
    ]
    for link in ("v0", "v1"):
        rows = seen(frames, link_watched=link)
        equal(list(rows), ["one-tag", "one-tag-six", "two-tags", "udp"], f"payloads on {link}")
        equal(rows["two-tags"]["src"], "192.0.2.1", "source")
        equal(rows["one-tag-six"]["dst"], "2001:db8::2", "destination")


def test_ipv6_extension_headers_are_skipped():
    rows = seen([
        ethernet(ipv6(0, extension(60) + extension(43, 2) + extension(6) + tcp(80, b"behind three")), 0x86DD),
        ethernet(ipv6(60, extension(17) + udp(80, b"behind one")), 0x86DD),
    ])
    equal(list(rows), ["behind three", "behind one"], "payloads")
    equal([rows["behind three"][k] for k in ("src", "src_port", "dst", "dst_port", "payload_length")],
          ["2001:db8::1", 999, "2001:db8::2", 80, 12], "row")


def test_length_is_the_payload_not_the_padding():
    """An Ethernet frame has at least 60 bytes: a bare ACK of 40 comes padded, and is no payload."""
    rows = seen([
        ethernet(ipv4(6, tcp(80)) + b"PADDED", 0x800),
        ethernet(ipv4(17, udp(80)) + b"PADDED", 0x800),
        ethernet(ipv4(6, tcp(80, b"Z")) + b"ADDED", 0x800),
        ethernet(ipv6(6, tcp(80, b"six")) + b"PADDING", 0x86DD),
        ethernet(ipv4(6, tcp(80, bytes(12) + b"options", words=8)), 0x800),
        ethernet(ipv4(6, tcp(80, b"x" * 200)), 0x800),
    ])
    equal({p: r["payload_length"] for p, r in rows.items()}, {"Z": 1, "six": 3, "options": 7, "x" * 128: 200}, "lengths")


LIES = [
    ethernet(ipv4(6, tcp(80, b"ip header too long"), words=15), 0x800),
    ethernet(ipv4(6, tcp(80, b"ip header too short"), words=4), 0x800),
    ethernet(ipv4(6, tcp(80, b"tcp too long", words=15)), 0x800),
    ethernet(ipv4(6, tcp(80, b"tcp too short", words=4)), 0x800),
    ethernet(ipv4(6, tcp(80, b"said to be short"), length=30), 0x800),
    ethernet(ipv4(6, tcp(80, b"said to be long"), length=65535), 0x800),
    ethernet(ipv6(6, tcp(80, b"six, said to be long"), length=65535), 0x86DD),
    ethernet(ipv6(0, struct.pack("!BB", 6, 200) + bytes(6) + tcp(80, b"far away")), 0x86DD),
    ethernet(ipv6(0, struct.pack("!BB", 6, 255)), 0x86DD),
    ethernet(ipv6(6, b""), 0x86DD),
    ethernet(ipv4(6, tcp(80)[:12]), 0x800),
    ethernet(b"E", 0x800),
    ethernet(b"", 0x8100),
    ethernet(ipv4(6, tcp(80, b"four tags")), *[0x8100] * 4, 0x800),
    ethernet(ipv4(6, tcp(80, b"not said to be IP")), 0x88B5),
]


def test_headers_that_lie_give_no_row_or_what_is_there():
    equal(list(seen(LIES)), ["said to be long", "six, said to be long"], "payloads")
    # Going out, as the kernel drops some of them where they come in.
    with silent_hosts() as (a, _), packets(a, "-i", "v0", "--all") as t:
        send_frames(a, LIES)
        t.expect_rows(len(LIES))
        rows = t.stop()
    equal(len(rows), len(LIES), "rows with --all")
    equal(rows[1]["src_port"], None, "a port behind no header")
    equal([r["protocol"] for r in rows[-4:]], ["IPv4", None, "VLAN", "0x88b5"], "protocols")


def test_what_is_random_is_valid_json_and_safe_text():
    """Every byte may be there: each line parses (Tapline.rows sees to that), and no control byte gets out."""
    rng = random.Random(3)
    frames = [ethernet(rng.randbytes(rng.randrange(80)), rng.choice([0x800, 0x86DD, 0x8100, 0x88A8, rng.randrange(65536)]))
              for _ in range(700)]
    frames += [ethernet(ipv4(rng.choice([6, 17, rng.randrange(256)]), rng.randbytes(rng.randrange(90))), 0x800)
               for _ in range(700)]
    frames += [ethernet(ipv6(rng.choice([6, 17, 0, 44, 60, rng.randrange(256)]), rng.randbytes(rng.randrange(90))), 0x86DD)
               for _ in range(700)]
    frames += [ethernet(ipv4(17, udp(9, rng.randbytes(rng.randrange(1, 40)))), 0x800) for _ in range(700)]
    frames.append(ethernet(ipv4(6, tcp(80, b"WHOLE\x1b[31m\x00\xff\x9b\xe2\x80\xae\n\t")), 0x800))
    with silent_hosts() as (a, _), packets(a, "-i", "v0", "--all") as t, \
            table(a, "-i", "v0", "--all", "-X", "--fields", "time,interface,ends,owner,payload") as text:
        send_frames(a, frames)
        t.expect_rows(len(frames))
        equal(list(t.stop()[-1]), KEYS, "keys")
        equal(t.rows[-1]["payload"], "WHOLE\x1b[31m\x00\ufffd\ufffd\u202e\n\t", "payload")
        text.stop()
    lines = bytes(text.out).split(b"\n")[1:-1]
    for line in lines:
        steering = re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", line.removeprefix(b"\t").decode())
        assert not steering, line
    equal(sum(not line.startswith(b"\t") for line in lines), len(frames), "rows of the table")
    assert rb"WHOLE\x1b[31m\x00\xff\x9b\xe2\x80\xae\x0a\x09" in lines[-3], lines[-3]


TUN = """import fcntl,os,struct,sys
f = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(f, 0x400454ca, struct.pack('16sH22x', b't0', 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
print('made', flush=True)
for line in sys.stdin: os.write(f, bytes.fromhex(line))
"""


def test_bare_ip_links():
    """A tun device has no link header; what is written to it arrives on it."""
    if not os.path.exists("/dev/net/tun"):
        raise Skip("this kernel has no tun devices")
    with Netns("a") as a, Proc("python3", "-c", TUN, ns=a, stdin=-1, stdout=-1, text=True) as tun:
        equal(tun.p.stdout.readline(), "made\n", "tun device")
        sysctl("net.ipv6.conf.t0.disable_ipv6", 1, ns=a)
        run("ip", "-n", a, "link", "set", "t0", "up")
        with packets(a, "-i", "t0") as t, packets(a) as every, packets(a, "-i", "t0", "--all", "tcp") as filtered:
            for packet in (ipv4(6, tcp(80, b"four")), ipv6(6, tcp(80, b"six")), ipv4(17, udp(80, b"datagram"))):
                tun.p.stdin.write(packet.hex() + "\n")
            tun.p.stdin.flush()  # the device goes with the process, and the runs with the device
            for tap in (t, every):
                tap.expect_rows(3)
                equal([(r["payload"], r["src"], r["interface"]) for r in tap.stop()],
                      [("four", "192.0.2.1", "t0"), ("six", "2001:db8::1", "t0"), ("datagram", "192.0.2.1", "t0")], "rows")
            equal([r["payload"] for r in filtered.stop()], ["four", "six"], "rows of the filter")


def test_a_filter_on_every_interface_fits_each_kind_of_link():
    """A tun device without a link header, made after the start, beside loopback, which has Ethernet's."""
    if not os.path.exists("/dev/net/tun"):
        raise Skip("this kernel has no tun devices")
    with Netns("a") as a, packets(a, "udp dst port 80") as some, packets(a, "ether dst 00:00:00:00:00:00 and udp port 80") as framed:
        with Proc("python3", "-c", TUN, ns=a, stdin=-1, stdout=-1, text=True) as tun:
            equal(tun.p.stdout.readline(), "made\n", "tun device")
            sysctl("net.ipv6.conf.t0.disable_ipv6", 1, ns=a)
            run("ip", "-n", a, "link", "set", "t0", "up")
            for packet in (ipv4(17, udp(81, b"no")), ipv4(6, tcp(80, b"nor this")), ipv4(17, udp(80, b"bare"))):
                tun.p.stdin.write(packet.hex() + "\n")
            tun.p.stdin.close()
            some.expect_rows(1)
            send_udp(a, port=81, payload="no")
            send_udp(a, port=80, payload="framed")
            some.expect_rows(2)
            framed.expect_rows(1)
        equal([r["payload"] for r in some.stop()], ["bare", "framed"], "rows")
        equal([r["payload"] for r in framed.stop()], ["framed"], "rows of what only Ethernet has")


def test_whom_a_packet_is_for():
    mac = "02000000000f"
    with silent_hosts() as (a, b):
        run("ip", "-n", b, "link", "set", "v1", "address", ":".join(mac[i:i + 2] for i in range(0, 12, 2)))
        frames = [ethernet(ipv4(17, udp(9, name.encode())), 0x800, to=to) for name, to in
                  (("host", mac), ("broadcast", "ffffffffffff"), ("multicast", "01005e000001"), ("otherhost", "020000000077"))]
        with packets(b, "-i", "v1") as into, packets(a, "-i", "v0") as out:
            send_frames(a, frames)
            for t in (into, out):
                t.expect_rows(len(frames))
            equal([r["pkt_type"] for r in into.stop()], [r["payload"] for r in into.rows], "types as they come in")
            equal({r["pkt_type"] for r in out.stop()}, {"outgoing"}, "types as they go out")


# ---- how much is copied, and what of it is shown ----


def test_bytes_that_are_copied():
    """Up to the largest datagram there is; loopback takes it whole."""
    sizes = [1, 127, 128, 129, 512, 513, 2048, 2049, 8192, 8193, 65000]
    text = {n: "".join(chr(33 + (i * 7 + n) % 90) for i in range(n)) for n in sizes}
    sender = "import socket,sys,json\ns = socket.socket(type=socket.SOCK_DGRAM)\n" \
        "for text in json.load(sys.stdin): s.sendto(text.encode(), ('127.0.0.1', 9))"
    with Netns("a") as a, contextlib.ExitStack() as stack:
        taps = {n: stack.enter_context(packets(a, "-i", "lo", *args)) for n, args in
                ((128, ()), *((n, ("-s", n)) for n in (0, 1, 100, 500, 2000, 5000, 65535)))}
        run("python3", "-c", sender, ns=a, input=json.dumps(list(text.values())))
        for snap, t in taps.items():
            t.expect_rows(len(sizes))
            for n, row in zip(sizes, t.stop()):
                equal(row["payload_length"], n, "length")
                equal(row["payload"], text[n][:snap] if snap else None, f"payload of {n} with -s {snap}")
            equal(t.ledger("lost_ring"), 0, "records lost")


def test_hex_is_what_tcpdump_prints_of_it():
    payload = bytes(range(256)) + b"The end, in an odd line"
    for size in (1, 2, 15, 16, 17, 33, len(payload)):
        with silent_hosts() as (a, b), table(b, "-i", "v1", "-X", "-s", 300) as t:
            send_frames(a, [ethernet(ipv4(17, udp(9, payload[:size])), 0x800)])
            wait_for(lambda: t.text.count("\n") >= 2 + (size + 15) // 16, 5, "the lines")
            t.stop()
        equal(t.text.split("\n")[0].split()[-1], "LENGTH", "the last column, as the payload is below")
        below = [line for line in t.text.splitlines() if line.startswith("\t")]
        bytes_shown = b""
        for i, line in enumerate(below):
            m = re.fullmatch(r"\t0x([0-9a-f]{4}):  ((?:[0-9a-f]{2,4} ?)+?) +(\S+)", line)
            assert m, line
            equal(int(m[1], 16), 16 * i, "offset")
            piece = bytes.fromhex(m[2].replace(" ", ""))
            equal(m[3], "".join(chr(c) if 33 <= c < 127 else "." for c in piece), "characters")
            equal(line.index(m[3], 49), 51, "where they begin")
            bytes_shown += piece
        equal(bytes_shown, payload[:size], "bytes")


METHODS = "GET HEAD POST PUT DELETE PATCH OPTIONS CONNECT TRACE PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK".split()


def test_http_is_decided_in_the_kernel():
    wanted = [f"{m} /{i} HTTP/1.1\r\n".encode() for i, m in enumerate(METHODS)]
    wanted += [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404 \r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /\r\n", b"GET ", b"HTTP/"]
    others = [b"GETAWAY now", b"GET", b"get / HTTP/1.1", b" GET / HTTP/1.1", b"HEADER", b"HTTPS", b"PUTTING", b"POSTAL x",
              b"SSH-2.0-x", b"\x16\x03\x01 GET /", b"DELETED", b"OPTIONS/", b"P", b"PRI ME"]
    frames = [ethernet(ipv4(6, tcp(80, p)), 0x800) for p in wanted + others]
    frames += [ethernet(ipv4(6, tcp(80)), 0x800), ethernet(ipv4(1, b"GET / HTTP/1.1"), 0x800),
               ethernet(ipv4(6, tcp(80, b"GET / HTTP/1.1"), fragment=0x2000), 0x800),
               ethernet(ipv6(17, udp(80, b"GET /six HTTP/1.1")), 0x86DD)]
    for args in ((), ("--all",)):
        with silent_hosts() as (a, b), packets(b, "-i", "v1", "--http", *args) as t:
            send_frames(a, frames)
            t.expect_rows(1, payload="GET /six HTTP/1.1")
            equal([r["payload"].encode() for r in t.stop()], [*wanted, b"GET /six HTTP/1.1"], "payloads")
            equal((t.ledger("records"), t.ledger("fragments")), (len(wanted) + 1, 1), "records, fragments")


def test_http_of_a_server():
    with two_hosts() as (a, b, v4, _), Nginx("", ns=b) as nginx:
        nginx.file("page", content=b"y" * 100000)
        with packets(a, "-i", "v0", "--http") as t:
            for _ in undisturbed(a, b):
                port = curl(nginx.url("/page", v4), ns=a)["local_port"]
            rows = [r for r in t.stop() if port in (r["src_port"], r["dst_port"])]
        equal([r["payload"][:13] for r in rows], ["GET /page HTT", "HTTP/1.1 200 "], "payloads")


# ---- owners ----


def test_owners_of_both_ends():
    server = "import http.server,sys\nhttp.server.HTTPServer(('', int(sys.argv[1])), http.server.BaseHTTPRequestHandler)" \
        ".serve_forever()"
    with two_hosts() as (a, b, v4, _), Script(["python3"], server, ns=b) as peer, \
            packets(a, "-i", "v0", "--all") as client, packets(b, "-i", "v1", "--all") as host, \
            packets(a, "-i", "v0", "--where", "comm==curl", "--fields", "pid,owner") as chosen:
        pid = curl(peer.url("/", v4), ns=a)["pid"]
        for t, want in ((client, (pid, "curl")), (host, (peer.pid, "python3"))):
            t.expect_rows(1, flags="F.", src_port=peer.port)
            rows = [r for r in t.stop() if r["protocol"] == "TCP"]
            equal({(r["pid"], r["comm"]) for r in rows}, {want}, "owners of all packets, the first and the last too")
            at_least(len(rows), 8, "packets")
        equal({(r["pid"], r["owner"]) for r in chosen.stop()}, {(pid, f"curl[{pid}]")}, "--where and its rows")


def test_owners_on_loopback():
    """It is shown as it comes in, with the receiver; with --direction out with the sender."""
    with Netns("a") as a, Nginx(ns=a) as nginx:
        with packets(a, "-i", "lo") as into, packets(a, "-i", "lo", "--direction", "out") as out:
            pid = curl(nginx.url(), ns=a)["pid"]
            for t, type, asked, answered in ((into, "host", "nginx", "curl"), (out, "outgoing", "curl", "nginx")):
                t.expect_rows(1, src_port=nginx.port)
                rows = t.stop()
                equal({r["pkt_type"] for r in rows}, {type}, "types")
                equal({r["comm"] for r in select_rows(rows, dst_port=nginx.port)}, {asked}, "of the request")
                equal({r["comm"] for r in select_rows(rows, src_port=nginx.port)}, {answered}, "of the response")
            equal({r["pid"] for r in select_rows(into.rows, src_port=nginx.port)}, {pid}, "pid")
            equal({r["pid"] for r in select_rows(out.rows, src_port=nginx.port)}, set(nginx.workers), "the worker's pid")


OLDER = """import socket, sys
server = socket.create_server(("", int(sys.argv[1])))
print("listening", flush=True)
peer, _ = server.accept()
print("accepted", flush=True)
for line in sys.stdin: peer.sendall(line.encode())
"""
TALKER = """import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("connected", flush=True)
for line in sys.stdin: s.sendall(line.encode())
"""


def test_sockets_older_than_the_tool():
    port = free_port()
    with two_hosts() as (a, b, v4, _), Proc("python3", "-c", OLDER, port, ns=b, stdin=-1, stdout=-1, text=True) as server:
        equal(server.p.stdout.readline(), "listening\n", "server")
        with Proc("python3", "-c", TALKER, v4, port, ns=a, stdin=-1, stdout=-1, text=True) as client, \
                Receiver(7001, ns=b) as receiver:
            equal(client.p.stdout.readline(), "connected\n", "client")
            equal(server.p.stdout.readline(), "accepted\n", "connection")
            with packets(b, "-i", "v1") as t, packets(a, "-i", "v0") as far:
                server.p.stdin.write("from the server\n")
                server.p.stdin.flush()
                send_udp(a, v4, 7001)
                receiver.wait()
                for tap, pid in ((t, server.pid), (far, client.pid)):
                    row, = tap.expect_rows(1, payload="from the server\n")
                    equal((row["pid"], row["comm"]), (pid, "python3"), "owner")
                equal(t.expect_rows(1, payload="datagram")[0]["pid"], receiver.pid, "of the datagram")


def test_a_new_owner_of_old_names():
    """A server, a receiver and a client go, and others take their addresses and ports."""
    port, client_port = free_port(), 33333
    client = "import socket,struct,sys\ns = socket.socket()\ns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n" \
        "s.bind(('', int(sys.argv[3])))\ns.connect((sys.argv[1], int(sys.argv[2])))\nprint(s.recv(100), flush=True)\n" \
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\nsys.stdin.read()"
    server = "import socket,sys\ns = socket.create_server(('', int(sys.argv[1])), reuse_port=True)\nwhile True:\n" \
        "  c, _ = s.accept()\n  c.sendall(b'hello')\n  c.recv(1)\n  c.close()"
    with two_hosts() as (a, b, v4, _), packets(a, "-i", "v0", "--all") as t, packets(b, "-i", "v1", "--all") as far:
        for _ in range(3):
            before = len(t.rows), len(far.rows)
            with Script(["python3"], server, port=port, ns=b) as peer, Receiver(7001, ns=b) as receiver:
                with Proc("python3", "-c", client, v4, port, client_port, ns=a, stdin=-1, stdout=-1, text=True) as p:
                    equal(p.p.stdout.readline(), "b'hello'\n", "client")
                    send_udp(a, v4, 7001)
                    receiver.wait()
                    p.p.stdin.close()
                    wait_for(lambda: p.p.poll() is not None, 10, "the client's end")
                for tap in (t, far):
                    wait_for(lambda: select_rows(tap.rows[before[tap is far]:], flags="R."), 10, "the reset")
                for tap, start, pid in ((t, before[0], p.pid), (far, before[1], peer.pid)):
                    rows = select_rows(tap.rows[start:], protocol="TCP")
                    connected = [i for i, r in enumerate(rows) if r["payload"]][0]
                    equal({r["pid"] for r in rows[connected:]}, {pid}, "whose the connection is")
                equal(one(far.rows[before[1]:], protocol="UDP")["pid"], receiver.pid, "receiver")


def test_what_is_forwarded_is_no_ones():
    with Netns("a") as a, Netns("r") as r, Netns("b") as b:
        silence(a, r, b)
        veth(a, "10.213.8.2/24", r, "10.213.8.1/24", "v")
        veth(b, "10.213.9.2/24", r, "10.213.9.1/24", "w")
        run("ip", "-n", a, "route", "add", "default", "via", "10.213.8.1")
        run("ip", "-n", b, "route", "add", "default", "via", "10.213.9.1")
        sysctl("net.ipv4.ip_forward", 1, ns=r)
        # The router has sockets of the same ports itself.
        with Nginx(ns=b) as nginx, Nginx(ns=r, port=nginx.port), Receiver(7001, ns=r), packets(r) as t:
            curl(nginx.url("/", "10.213.9.2"), ns=a)
            send_udp(a, "10.213.9.2", 7001)
            t.expect_rows(2, protocol="UDP")
            rows = t.stop()
            equal({(x["pid"], x["comm"]) for x in rows}, {(None, None)}, "whose")
            equal({(x["interface"], x["pkt_type"]) for x in rows},
                  {("v1", "host"), ("v1", "outgoing"), ("w1", "host"), ("w1", "outgoing")}, "where")


# ---- interfaces, directions, filters, options ----


def test_loopback_shows_each_packet_once_with_its_columns():
    with Netns("a") as a, Nginx("", ns=a) as nginx:
        nginx.file("page", content=b"y" * 300000)
        for host in ("127.0.0.1", "::1"):
            with packets(a, "-i", "lo") as t:
                for _ in undisturbed(a):
                    port = curl(nginx.url("/page", f"[{host}]" if ":" in host else host), ns=a)["local_port"]
                rows = t.stop()
            entry = entry_of(nginx, port)
            asked, answered = select_rows(rows, src_port=port), select_rows(rows, dst_port=port)
            equal(sum(r["payload_length"] for r in asked), entry["request_length"], "bytes asked")
            equal(sum(r["payload_length"] for r in answered), entry["bytes_sent"], "bytes answered")
            equal(list(asked[0]), KEYS, "columns")
            equal([asked[0][k] for k in ("interface", "src", "dst", "dst_port", "protocol", "flags")],
                  ["lo", host, host, nginx.port, "TCP", "P."], "ends")
            equal(len(answered[0]["payload"]), 128, "bytes of payload")
            assert answered[0]["payload"].startswith("HTTP/1.1 200 OK\r\n"), answered[0]


def test_interfaces():
    with two_hosts() as (a, _, v4, _):
        sets = [((), {"lo", "v0"}), (("-i", "v0"), {"v0"}), (("-i", "lo"), {"lo"}), (("-i", "lo", "-i", "v0"), {"lo", "v0"}),
                (("-i", "lo", "-i", "lo"), {"lo"}), (("-i", "any"), {"lo", "v0"})]
        with contextlib.ExitStack() as stack:
            taps = [(stack.enter_context(packets(a, *args)), args, want) for args, want in sets]
            send_udp(a, v4, 9)
            send_udp(a)
            for t, args, want in taps:
                t.expect_rows(len(want), payload="datagram")
                equal(sorted(r["interface"] for r in t.stop()), sorted(want), f"interfaces with {args}")


def test_interfaces_that_come_and_are_renamed():
    with Netns("a") as a, Netns("b") as b:
        silence(a, b)
        with packets(a) as t:
            veth(a, "10.213.7.1/24", b, "10.213.7.2/24")
            send_udp(b, "10.213.7.1", 9, payload="new")
            equal(t.expect_rows(1, payload="new")[0]["interface"], "v0", "a new one's name")
            run("ip", "-n", a, "link", "set", "v0", "down")
            run("ip", "-n", a, "link", "set", "v0", "name", "other")
            run("ip", "-n", a, "link", "set", "other", "up")
            run("ip", "-n", a, "addr", "replace", "10.213.7.1/24", "dev", "other")
            run("sleep", "0.2")  # a name is believed for 100 ms
            send_udp(b, "10.213.7.1", 9, payload="renamed")
            equal(t.expect_rows(1, payload="renamed")[0]["interface"], "other", "its name now")


def test_direction():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx:
        with packets(a, "-i", "v0", "--direction", "out") as out, packets(a, "--direction", "in") as into, \
                packets(a, "-i", "v0", "--direction", "both") as both:
            port = curl(nginx.url("/", v4), ns=a)["local_port"]
            both.expect_rows(1, dst_port=port)
            for t in (out, into, both):
                t.stop()
        equal({r["src_port"] for r in out.rows}, {port}, "out")
        equal({r["dst_port"] for r in into.rows}, {port}, "in")
        equal(len(both.rows), len(out.rows) + len(into.rows), "both")


def test_filters_are_decided_in_the_kernel():
    with two_hosts() as (a, b, v4, v6), Nginx(ns=b) as nginx:
        port = str(nginx.port)
        with table(a, "-i", "v0", "--port", port, "--net", v4) as four, \
                table(a, "-i", "v0", "--port", port, "--net", "fd13:7::/32") as six, \
                table(a, "-i", "v0", "--port", "1") as none, table(a, "-i", "v0", "--net", "192.0.2.0/24") as nobody:
            curl(nginx.url("/four", v4), ns=a)
            curl(nginx.url("/six", f"[{v6}]"), ns=a)
            for t in (four, six, none, nobody):
                t.stop()
        assert "/four" in four.text and "/six" not in four.text, four.text
        assert "/six" in six.text and "/four" not in six.text, six.text
        for t in (none, nobody):
            equal((lines_of(t), t.ledger("records")), ([], 0), "lines and records")


def test_a_filter_expression():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx:
        with table(a, "-i", "v0", f"tcp dst port {nginx.port} and host {v4}") as asked, table(a, "-i", "v0", "udp") as none, \
                packets(a, "icmp", "--all") as ping:
            curl(nginx.url("/asked", v4), ns=a)
            run("ping", "-c2", "-i0.2", v4, ns=a)
            ping.expect_rows(4)
            for t in (asked, none, ping):
                t.stop()
        assert "GET /asked" in asked.text and "HTTP/1.1 200" not in asked.text, asked.text
        equal((lines_of(none), none.ledger("records")), ([], 0), "lines and records")
        equal((len(ping.rows), {r["protocol"] for r in ping.rows}), (4, {"ICMP"}), "of ping")


def test_port_22_is_counted_and_can_be_asked_for():
    asks = [("--port", 22), ("port 22",), ("tcp dst port ssh or tcp src port ssh",), ("host 10.213.7.2 and (port 22 or 80)",)]
    silent = [(), ("--all",), ("tcp",), ("--all", "portrange 20-25"), ("ip[8] != 22",)]
    with two_hosts() as (a, b, v4, _), Nginx("", ns=b, port=22) as ssh, contextlib.ExitStack() as stack:
        asked = [stack.enter_context(packets(a, "-i", "v0", *args)) for args in asks]
        quiet = [stack.enter_context(packets(a, "-i", "v0", *args)) for args in silent]
        for _ in undisturbed(a, b):
            curl(ssh.url("/on-22", v4), ns=a)
        for t in asked:
            t.expect_rows(1, src_port=22)
            t.stop()
        sent = sum(r["payload_length"] for r in asked[0].rows)
        at_least(sent, ssh.log(1)[0]["request_length"] + ssh.log(1)[0]["bytes_sent"], "bytes shown")
        for t in asked:
            equal(sum(r["payload_length"] for r in t.rows), sent, f"bytes with {t.args}")
            assert any("/on-22" in r["payload"] for r in t.rows), t.rows
            assert "ssh_bytes" not in t.ledger_text, t.ledger_text
        for t in quiet:
            equal(select_rows(t.stop(), protocol="TCP"), [], f"rows with {t.args}")
            equal(t.ledger("ssh_bytes"), sent, f"bytes left out with {t.args}")


def test_fields_and_where():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx:
        with packets(a, "-i", "v0", "--fields", "ends,direction,time", "--where", f"dst_port=={nginx.port}") as t, \
                packets(a, "-n", 1, "--where", "flags~P", "--where", "interface==v0") as first:
            port = curl(nginx.url("/x", v4), ns=a)["local_port"]
            row, = t.expect_rows(1)
            equal(first.wait_end(), 0, "exit status")
        equal(list(row), ["ends", "direction", "time"], "columns")
        equal(row["ends"], f"10.213.7.1:{port} > {v4}:{nginx.port}", "ends")
        equal(row["direction"], "out", "direction")
        equal(len(first.rows), 1, "rows with -n 1")


def test_a_table_shows_what_people_ask_for():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx, table(a, "-i", "v0") as t:
        done = curl(nginx.url("/x", v4), ns=a)
        wait_for(lambda: "HTTP/1.1 200" in t.text, 5, "the answer")
        t.stop()
        equal(t.text.splitlines()[0].split(), "TIME IF DIR SOURCE > DESTINATION OWNER PROTO FLAGS LENGTH PAYLOAD".split(), "heading")
        words = t.text.splitlines()[1].split()
        equal(words[1:9], ["v0", "out", f"10.213.7.1:{done['local_port']}", ">", f"{v4}:{nginx.port}", f"curl[{done['pid']}]",
                           "TCP", "P."], "line")


def headings(folder, width):
    """(words of the heading, its line's and the row's length) on a terminal so wide."""
    command = f"stty cols {width} && exec {TAPLINE} packets -r {folder}/one 2>/dev/null"
    lines = run("script", "-qec", command, "/dev/null").stdout.replace("\r", "").splitlines()
    plain = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in lines]
    return plain[0].split(), plain[1]


def test_a_narrow_terminal_keeps_time_and_owner():
    """What a line is about stays: when, whose, from where to where, and what."""
    frame = ethernet(ipv4(6, tcp(54321, b"GET /narrow HTTP/1.1\r\n", source=8080)), 0x800)
    with temp_dir() as folder:
        pcaps.save(folder, "one", pcaps.pcap(1, [(1700000000 * 10**9, frame)]))
        for width, want in ((160, "TIME IF DIR SOURCE > DESTINATION OWNER PROTO FLAGS LENGTH PAYLOAD"),
                            (80, "TIME SOURCE > DESTINATION OWNER LENGTH PAYLOAD"), (60, "TIME SOURCE > DESTINATION PAYLOAD")):
            words, row = headings(folder, width)
            equal(words, want.split(), f"columns of {width}")
            assert len(row) <= width and " GET /narrow"[:width // 7] in row, row
            assert "192.0.2.1:8080 > 192.0.2.2:54321" in row, row


def refused(*args):
    """(exit status, the one sentence on standard error)."""
    done = run(TAPLINE, "packets", *args, check=False)
    equal(done.stdout, "", "standard output")
    equal(len(done.stderr.splitlines()), 1, f"lines on standard error: {done.stderr}")
    return done.returncode, done.stderr


def test_what_cannot_be_is_said_in_a_sentence():
    for want, word, args in ((2, "--where 'pid==N'", ("-p", "1")), (2, "--where", ("--comm", "curl")),
                             (2, "-X prints", ("-X", "--json")), (2, "-X prints", ("-X", "-o", "csv")),
                             (2, "-s: '262145' is out of range", ("-s", "262145")),
                             (2, "--dump-filter wants a filter", ("--dump-filter",)),
                             (1, "there is no interface 'no-such-if'; this network namespace has", ("-i", "no-such-if")),
                             (1, "there is no interface", ("-i", "x" * 2000))):
        status, said = refused(*args)
        assert status == want and word in said, (args, status, said)


def test_a_filter_can_be_looked_at():
    text = run(TAPLINE, "packets", "-i", "lo", "--dump-filter", "tcp port 80").stdout
    assert "ldh" in text and "ret" in text and len(text.splitlines()) > 20, text
