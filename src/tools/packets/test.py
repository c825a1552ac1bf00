# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""packets -i IF: a line for each TCP payload on an interface, fragments and port 22 aside.
Sizes are checked against nginx's log; what no program here sends is made by hand."""

import json
import os
import re
import socket
import struct

from lib import (TAPLINE, Netns, Nginx, Proc, Skip, Tapline, at_least, curl, equal, free_port, run,
                 select_rows, two_hosts, wait_for)

LINE = re.compile(r"^(\S+):(\d+) > (\S+):(\d+)\s+(\d+)\s*(.*)$")


def lines_of(text):
    return [m.groups() for m in map(LINE.match, text.splitlines()) if m]


def packets(ns, *args):
    return Tapline("-i", *args, tool="packets", json_rows=False, ns=ns)


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
    with two_hosts() as (a, b, v4, v6), Nginx("", ns=b) as nginx, packets(a, "v0") as t:
        nginx.file("page", content=b"y" * 20000)
        for _ in undisturbed(a, b):
            four = curl(nginx.url("/page?four", v4), ns=a)["local_port"]
            six = curl(nginx.url("/page?six", f"[{v6}]"), ns=a)["local_port"]
        t.stop()
        for shown, port in ((v4, four), (f"[{v6}]", six)):
            entry = entry_of(nginx, port)
            asked = [w for w in lines_of(t.text) if w[2] == shown and w[1] == str(port)]
            answered = [w for w in lines_of(t.text) if w[0] == shown and w[3] == str(port)]
            equal(sum(int(w[4]) for w in asked), entry["request_length"], "bytes asked")
            equal(sum(int(w[4]) for w in answered), entry["bytes_sent"], "bytes answered")
            assert asked[0][5].startswith(f"GET {entry['request_uri']} HTTP/1.1"), asked[0]
            assert answered[0][5].startswith("HTTP/1.1 200 OK"), answered[0]
            equal({w[3] for w in asked}, {str(nginx.port)}, "port asked")


def test_port_22_is_left_out():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b, port=22) as ssh, Nginx(ns=b) as web:
        with packets(a, "v0") as t:
            curl(ssh.url("/on-22", v4), ns=a)
            curl(web.url("/on-web", v4), ns=a)
            wait_for(lambda: "/on-web" in t.text, 5, "the other port's line")
            t.stop()
            assert "/on-22" not in t.text, t.text


def segment(source, destination, port, payload, fragment):
    """An IPv4 packet (RFC 791) with a TCP header (RFC 9293); fragment: more of it is said to follow."""
    tcp = struct.pack("!HHIIBBHHH", 999, port, 1, 1, 5 << 4, 0x18, 1024, 0, 0) + payload
    flags = 0x2000 if fragment else 0
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 7, flags, 64, 6, 0,
                       socket.inet_aton(source), socket.inet_aton(destination)) + tcp


def test_fragments_are_left_out_and_payload_is_escaped():
    sender = "import socket,sys; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)\n" \
        "for line in sys.argv[1:]: s.sendto(bytes.fromhex(line), ('10.213.7.2', 0))"
    port = free_port()
    with two_hosts() as (a, _, v4, _), packets(a, "v0") as t:
        run("python3", "-c", sender,
            segment("10.213.7.1", v4, port, b"A-FRAGMENT", True).hex(),
            segment("10.213.7.1", v4, port, b"WHOLE\x1b[31m\x00\xff\x9b", False).hex(), ns=a)
        wait_for(lambda: "WHOLE" in t.text, 5, "the whole packet's line")
        t.stop()
        assert "FRAGMENT" not in t.text, t.text
        line = next(w for w in lines_of(t.text) if w[5].startswith("WHOLE"))
        equal(line[:5], ("10.213.7.1", "999", v4, str(port), "13"), "line")
        for bad in (b"\x1b", b"\x00", b"\x9b"):
            assert bad not in bytes(t.out), f"{bad} reached the terminal"


# ---- frames made by hand ----

KEYS = "time src src_port dst dst_port length payload".split()
ACK = 0x10


def tcp(port, payload, words=5):
    """A TCP segment (RFC 9293) whose header says that it is so many words long."""
    return struct.pack("!HHIIBBHHH", 999, port, 1, 1, words << 4, ACK, 1024, 0, 0) + payload


def ipv4(payload, words=5, length=None, fragment=0):
    return struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, length or 20 + len(payload), 7, fragment, 64, 6, 0,
                       socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2")) + payload


def ipv6(payload, following=6, length=None):
    """An IPv6 packet (RFC 8200); following is the number of the header that comes next, 6 is TCP."""
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload) if length is None else length, following, 64,
                       socket.inet_pton(socket.AF_INET6, "2001:db8::1"),
                       socket.inet_pton(socket.AF_INET6, "2001:db8::2")) + payload


def extension(following, words=0):
    """An IPv6 extension header of 8 bytes and so many times 8 more, filled by one PadN option."""
    return struct.pack("!BBBB", following, words, 1, 4 + 8 * words) + bytes(4 + 8 * words)


def ethernet(payload, *types):
    """An Ethernet frame; every type but the last is a VLAN tag's."""
    tags = b"".join(struct.pack("!HH", t, 5) for t in types[:-1])
    return bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]) + tags + struct.pack("!H", types[-1]) + payload


def send_frames(ns, link, frames):
    sender = "import socket,sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((sys.argv[1], 0))\n" \
        "for line in sys.argv[2:]: s.send(bytes.fromhex(line))"
    run("python3", "-c", sender, link, *[f.hex() for f in frames], ns=ns)


def seen(frames, link_sent="v0", link_watched="v1"):
    """What packets shows of these frames, by payload; each test sends a last one that is always shown."""
    with two_hosts() as (a, b, _, _):
        ns = a if link_watched == "v0" else b
        with Tapline("-i", link_watched, tool="packets", ns=ns) as t:
            send_frames(a, link_sent, [*frames, ethernet(ipv4(tcp(80, b"the-last-one")), 0x800)])
            t.expect_rows(1, payload="the-last-one")
            rows = t.stop()
        return {r["payload"]: r for r in rows[:-1]}


def test_vlan_tags_are_skipped_on_the_way_out_and_in():
    frames = [
        ethernet(ipv4(tcp(80, b"one-tag")), 0x8100, 0x800),
        ethernet(ipv6(tcp(80, b"one-tag-six")), 0x8100, 0x86DD),
        ethernet(ipv4(tcp(80, b"two-tags")), 0x88A8, 0x8100, 0x800),
    ]
    for link in ("v0", "v1"):
        rows = seen(frames, link_watched=link)
        equal(list(rows), ["one-tag", "one-tag-six", "two-tags"], f"payloads on {link}")
        equal(rows["two-tags"]["src"], "192.0.2.1", "source")
        equal(rows["one-tag-six"]["dst"], "2001:db8::2", "destination")


def test_ipv6_extension_headers_are_skipped_and_fragments_left_out():
    fragment = struct.pack("!BBHI", 6, 0, 1, 9)
    rows = seen([
        ethernet(ipv6(extension(60) + extension(43, 2) + extension(6) + tcp(80, b"behind three"), 0), 0x86DD),
        ethernet(ipv6(fragment + tcp(80, b"a fragment"), 44), 0x86DD),
        ethernet(ipv6(extension(44) + fragment + tcp(80, b"a fragment behind options"), 0), 0x86DD),
        ethernet(ipv4(tcp(80, b"a later fragment"), fragment=100), 0x800),
        ethernet(ipv4(tcp(80, b"do not fragment"), fragment=0x4000), 0x800),
    ])
    equal(list(rows), ["behind three", "do not fragment"], "payloads")
    equal([rows["behind three"][k] for k in ("src", "src_port", "dst", "dst_port", "length")],
          ["2001:db8::1", 999, "2001:db8::2", 80, 12], "row")


def test_length_is_the_payload_not_the_padding():
    """An Ethernet frame has at least 60 bytes: a bare ACK of 40 comes padded, and is no payload."""
    rows = seen([
        ethernet(ipv4(tcp(80, b"")) + b"PADDED", 0x800),
        ethernet(ipv4(tcp(80, b"Z")) + b"ADDED", 0x800),
        ethernet(ipv6(tcp(80, b"six")) + b"PADDING", 0x86DD),
        ethernet(ipv4(tcp(80, bytes(12) + b"options", words=8)), 0x800),
        ethernet(ipv4(tcp(80, b"x" * 100)), 0x800),
    ])
    equal({p: r["length"] for p, r in rows.items()}, {"Z": 1, "six": 3, "options": 7, "x" * 64: 100}, "lengths")


def test_headers_that_lie_give_no_row_or_what_is_there():
    rows = seen([
        ethernet(ipv4(tcp(80, b"ip header too long"), words=15), 0x800),
        ethernet(ipv4(tcp(80, b"ip header too short"), words=4), 0x800),
        ethernet(ipv4(tcp(80, b"tcp too long", words=15)), 0x800),
        ethernet(ipv4(tcp(80, b"tcp too short", words=4)), 0x800),
        ethernet(ipv4(tcp(80, b"said to be short"), length=30), 0x800),
        ethernet(ipv4(tcp(80, b"said to be long"), length=65535), 0x800),
        ethernet(ipv6(tcp(80, b"six, said to be long"), length=65535), 0x86DD),
        ethernet(ipv6(struct.pack("!BB", 6, 200) + bytes(6) + tcp(80, b"far away"), 0), 0x86DD),
        ethernet(ipv6(struct.pack("!BB", 6, 255), 0), 0x86DD),
        ethernet(ipv6(b"", 6), 0x86DD),
        ethernet(ipv4(tcp(80, b"")[:12]), 0x800),
        ethernet(b"E", 0x800),
        ethernet(b"", 0x8100),
        ethernet(ipv4(tcp(80, b"four tags")), *[0x8100] * 4, 0x800),
        ethernet(ipv4(tcp(80, b"not said to be IP")), 0x88B5),
    ])
    equal(list(rows), ["said to be long", "six, said to be long"], "payloads")


def test_bare_ip_links():
    """A tun device has no link header; what is written to it arrives on it."""
    writer = "import fcntl,os,struct,sys\nf = os.open('/dev/net/tun', os.O_RDWR)\n" \
        "fcntl.ioctl(f, 0x400454ca, struct.pack('16sH22x', b't0', 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI\n" \
        "print('made', flush=True)\n" \
        "for line in sys.stdin: os.write(f, bytes.fromhex(line))"
    if not os.path.exists("/dev/net/tun"):
        raise Skip("this kernel has no tun devices")
    with Netns("a") as a, Proc("python3", "-c", writer, ns=a, stdin=-1, stdout=-1, text=True) as tun:
        equal(tun.p.stdout.readline(), "made\n", "tun device")
        run("ip", "-n", a, "link", "set", "t0", "up")
        with Tapline("-i", "t0", tool="packets", ns=a) as t:
            for packet in (ipv4(tcp(80, b"four")), ipv6(tcp(80, b"six"))):
                tun.p.stdin.write(packet.hex() + "\n")
            tun.p.stdin.close()
            t.expect_rows(2)
            equal([(r["payload"], r["src"]) for r in t.stop()],
                  [("four", "192.0.2.1"), ("six", "2001:db8::1")], "rows")


# ---- loopback, filters, options ----


def test_loopback_shows_each_packet_once_with_its_columns():
    with Netns("a") as a, Nginx("", ns=a) as nginx:
        nginx.file("page", content=b"y" * 300000)
        for host in ("127.0.0.1", "::1"):
            with Tapline("-i", "lo", tool="packets", ns=a) as t:
                for _ in undisturbed(a):
                    port = curl(nginx.url("/page", f"[{host}]" if ":" in host else host), ns=a)["local_port"]
                rows = t.stop()
            entry = entry_of(nginx, port)
            asked, answered = select_rows(rows, src_port=port), select_rows(rows, dst_port=port)
            equal(sum(r["length"] for r in asked), entry["request_length"], "bytes asked")
            equal(sum(r["length"] for r in answered), entry["bytes_sent"], "bytes answered")
            equal(list(asked[0]), KEYS, "columns")
            equal([asked[0][k] for k in ("src", "dst", "dst_port")], [host, host, nginx.port], "ends")
            equal(len(answered[0]["payload"]), 64, "bytes of payload")
            assert answered[0]["payload"].startswith("HTTP/1.1 200 OK\r\n"), answered[0]


def test_filters_are_decided_in_the_kernel():
    with two_hosts() as (a, b, v4, v6), Nginx(ns=b) as nginx:
        port = str(nginx.port)
        with packets(a, "v0", "--port", port, "--net", v4) as four, \
                packets(a, "v0", "--port", port, "--net", "fd13:7::/32") as six, \
                packets(a, "v0", "--port", "1") as none, packets(a, "v0", "--net", "192.0.2.0/24") as nobody:
            curl(nginx.url("/four", v4), ns=a)
            curl(nginx.url("/six", f"[{v6}]"), ns=a)
            for t in (four, six, none, nobody):
                t.stop()
        assert "/four" in four.text and "/six" not in four.text, four.text
        assert "/six" in six.text and "/four" not in six.text, six.text
        for t in (none, nobody):
            equal((lines_of(t.text), t.ledger("records")), ([], 0), "lines and records")


def test_a_filter_expression():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx:
        with packets(a, "v0", f"tcp dst port {nginx.port} and host {v4}") as asked, packets(a, "v0", "udp") as none:
            curl(nginx.url("/asked", v4), ns=a)
            asked.stop()
            none.stop()
        assert "GET /asked" in asked.text and "HTTP/1.1 200" not in asked.text, asked.text
        equal((lines_of(none.text), none.ledger("records")), ([], 0), "lines and records")


def test_port_22_is_counted_and_can_be_asked_for():
    with two_hosts() as (a, b, v4, _), Nginx("", ns=b, port=22) as ssh:
        with packets(a, "v0") as silent, packets(a, "v0", "--port", 22) as asked:
            curl(ssh.url("/on-22", v4), ns=a)
            asked.stop()
            silent.stop()
        shown = sum(int(w[4]) for w in lines_of(asked.text))
        equal(silent.ledger("ssh_bytes"), shown, "bytes left out")
        equal((silent.ledger("records"), lines_of(silent.text)), (0, []), "records, lines")
        assert "/on-22" in asked.text, asked.text
        at_least(shown, ssh.log(1)[0]["request_length"] + ssh.log(1)[0]["bytes_sent"], "bytes shown")
        assert "ssh_bytes" not in asked.ledger_text, asked.ledger_text


def test_fields_and_where():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx:
        with packets(a, "v0", "--fields", "ends,time", "--json", "--where", f"dst_port=={nginx.port}") as t:
            port = curl(nginx.url("/x", v4), ns=a)["local_port"]
            wait_for(lambda: "\n" in t.text, 5, "a row")
            t.stop()
        row = json.loads(t.text.splitlines()[0])
        equal(list(row), ["ends", "time"], "columns")
        equal(row["ends"], f"10.213.7.1:{port} > {v4}:{nginx.port}", "ends")


def refused(*args):
    """(exit status, the one sentence on standard error)."""
    done = run(TAPLINE, "packets", *args, check=False)
    equal(done.stdout, "", "standard output")
    equal(len(done.stderr.splitlines()), 1, f"lines on standard error: {done.stderr}")
    return done.returncode, done.stderr


def test_what_cannot_be_is_said_in_a_sentence():
    status, said = refused()
    assert status == 2 and "-i" in said, (status, said)
    for args in (("-p", "1"), ("--comm", "curl")):
        status, said = refused("-i", "lo", *args)
        assert status == 2 and "cannot be known" in said, (status, said)
    status, said = refused("-i", "no-such-if")
    assert status == 1 and "'no-such-if'" in said and "lo" in said, (status, said)
    status, said = refused("-i", "x" * 2000)
    assert status == 1 and "there is no interface" in said, (status, said)
