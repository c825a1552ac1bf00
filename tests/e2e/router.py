# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the tests of `requests -i` share: a router between two hosts, rows against nginx's log, and what
a wire cannot know."""

import collections
import contextlib

from lib import KEYS, Netns, Tapline, equal, run, same, select_rows, sysctl, veth

NOT_ON_THE_WIRE = "server_queue_us server_us retransmits srtt_us".split()
CLIENT = "client_pid client_comm client_container".split()
SERVER = "server_pid server_comm server_container".split()
LOST = "lost_ring lost_state lost_output evicted_flows contended fragments".split()


def wire(*interfaces, args=(), ns=None, **more):
    """requests -i, on these interfaces of a namespace."""
    words = [word for i in interfaces for word in ("-i", i)]
    return Tapline(*words, *args, ns=ns, **more)


@contextlib.contextmanager
def through_router():
    """Client, router and server: (a, r, b, the server's IPv4, its IPv6). The router's interfaces are v1,
    towards the client, and w1."""
    with Netns("a") as a, Netns("r") as r, Netns("b") as b:
        for host, net, name in ((a, 8, "v"), (b, 9, "w")):
            veth(host, f"10.213.{net}.2/24", r, f"10.213.{net}.1/24", name)
            for ns, last, link in ((host, 2, name + "0"), (r, 1, name + "1")):
                run("ip", "-n", ns, "addr", "add", f"fd13:{net}::{last}/64", "dev", link, "nodad")
            for version, via in ((4, f"10.213.{net}.1"), (6, f"fd13:{net}::1")):
                run("ip", f"-{version}", "-n", host, "route", "add", "default", "via", via)
        sysctl("net.ipv4.ip_forward", 1, ns=r)
        sysctl("net.ipv6.conf.all.forwarding", 1, ns=r)
        yield a, r, b, "10.213.9.2", "fd13:9::2"


def logged(rows):
    return [(r["client_port"], r["method"], r["path"], r["status"], r["request_bytes"], r["response_bytes"]) for r in rows]


def lines(log):
    return [(e["remote_port"], e["request_method"], e["request_uri"], e["status"], e["request_length"], e["bytes_sent"])
            for e in log]


def as_logged(rows, log):
    """Each line of nginx's log has its one row, to the byte, and there is no other row."""
    same(logged(rows), lines(log), "rows against nginx's log")


def all_whole(rows):
    equal([r for r in rows if r["quality"]][:3], [], "rows that are not whole")


def null(rows, *keys):
    """These columns are null in all rows."""
    for key in keys:
        equal({r[key] for r in rows}, {None} if rows else set(), key)


def forwarded(rows):
    """What a router knows of what passes it."""
    null(rows, *NOT_ON_THE_WIRE, *CLIENT, *SERVER, "side")
    equal(list(rows[0]), KEYS, "JSON keys")
    all_whole(rows)


def connects(rows, log):
    """connect_us is that of each connection's first call, and null in the others."""
    first = collections.Counter(e["remote_port"] for e in log if e["connection_requests"] == 1)
    known = collections.Counter(r["client_port"] for r in rows if r["connect_us"] is not None)
    equal(known, first, "connect_us by client port")


def nothing_lost(tap):
    for line in LOST:
        if line in tap.ledger_text:
            equal(tap.ledger(line), 0, line)


def of_path(rows, path):
    return select_rows(rows, path=path)
