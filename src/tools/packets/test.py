# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""packets -i IF: a line for each TCP payload on an interface, fragments and port 22 aside.
Sizes are checked against nginx's log; the fragment is made by hand."""

import re
import socket
import struct

from lib import TAPLINE, Nginx, Tapline, curl, equal, free_port, run, two_hosts, wait_for

LINE = re.compile(r"^(\S+):(\d+) > (\S+):(\d+)\s+(\d+)\s*(.*)$")


def lines_of(text):
    return [m.groups() for m in map(LINE.match, text.splitlines()) if m]


def packets(ns, *args):
    return Tapline("-i", *args, tool="packets", json_rows=False, ns=ns)


def test_lines_add_up_to_what_the_server_counted():
    with two_hosts() as (a, b, v4, v6), Nginx(ns=b) as nginx, packets(a, "v0") as t:
        nginx.file("page", content=b"y" * 20000)
        ports = {
            v4: str(curl(nginx.url("/page?four", v4), ns=a)["local_port"]),
            v6: str(curl(nginx.url("/page?six", f"[{v6}]"), ns=a)["local_port"]),
        }
        wait_for(lambda: len(lines_of(t.text)) >= 4, 5, "four lines")
        t.stop()
        for (address, shown), entry in zip(((v4, v4), (v6, f"[{v6}]")), nginx.log(2)):
            asked = [w for w in lines_of(t.text) if w[2] == shown and w[1] == ports[address]]
            answered = [w for w in lines_of(t.text) if w[0] == shown and w[3] == ports[address]]
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
        equal(line[:5], ("10.213.7.1", "999", v4, str(port), "14"), "line")
        for bad in (b"\x1b", b"\x00", b"\x9b"):
            assert bad not in bytes(t.out), f"{bad} reached the terminal"


def test_unknown_interface_is_said():
    done = run(TAPLINE, "packets", "-i", "no-such-if", check=False)
    assert done.returncode in (1, 2), done.returncode
    assert "no-such-if" in done.stderr and len(done.stderr.splitlines()) <= 2, done.stderr
    equal(done.stdout, "", "standard output")
