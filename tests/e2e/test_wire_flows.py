# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""requests -i on a bad network, under a flood and with more connections than there is room for.
Rows stay right and single, and what was given up is in the ledger."""

import contextlib
import struct

from frames import IPV4, SYN, Ends, Talk, compare, ethernet, four, ipv4
from lib import HTTP, Nginx, alone, at_least, equal, run, select_rows, timeout
from raw import Http, Peer, check, connect, request_bytes
from test_raw_network import BIG, disturb, fetcher_threads, slow_class
from router import all_whole, as_logged, forwarded, nothing_lost, through_router, wire
from wire import send_frames, silent_hosts

N = 1200  # calls on a bad network
FLOWS = 16384  # connections that there is room for
SERVER = "10.213.9.2"


# ---- a bad network ----


def bad_network_test(disturbances):
    """Three taps: in front of the loss, behind it, and both at once."""
    config = "location /small/ { return 200 '$uri\\n'; } location /big/ { rewrite ^ /big.bin break; }"
    with through_router() as (a, r, b, v4, _), contextlib.ExitStack() as stack:
        for ns, link in ((a, "v0"), (r, "v1"), (r, "w1"), (b, "w0")):
            run("tc", "-n", ns, "qdisc", "add", "dev", link, "clsact")
        nginx = stack.enter_context(Nginx(config, ns=b))
        nginx.file("big.bin", content=b"y" * BIG)
        c = stack.enter_context(Peer(fetcher_threads, nginx.port, v4, N, 40, netns=a))
        touching = [stack.enter_context(disturb(*d)) for d in disturbances(a, r, b)]
        taps = [stack.enter_context(wire(*links, ns=r)) for links in (["v1"], ["w1"], ["v1", "w1"])]
        facts = c.ask(timeout=150)
        for tap in taps:
            tap.expect_rows(N, seconds=20)
            rows = tap.stop()
            check(rows, facts, server_port=nginx.port, side=None, client_pid=None, server_pid=None)
            forwarded(rows)
            nothing_lost(tap)
        for p in touching:
            at_least(p.touched(), 10, "packets lost or delayed")
        equal(len(nginx.log(N)), N, "requests in nginx's log")


@timeout(240)
def test_loss_in_front_of_the_tap_and_behind_it():
    """What comes into the router is seen and then lost; what comes out of it is lost at the hosts."""
    bad_network_test(lambda a, r, b: [(a, "v0", "drop", 60), (r, "v1", "drop", 60), (r, "w1", "drop", 60), (b, "w0", "drop", 60)])


@timeout(240)
def test_loss_and_reordering():
    def both(a, r, b):
        slow_class(b, "w0")
        return [(r, "w1", "drop", 50), (a, "v0", "drop", 50), (b, "w0", "delay", 25)]

    bad_network_test(both)


# ---- floods ----


def flood(n):
    """SYNs from so many addresses and ports, as if they were forged."""
    for i in range(n):
        ends = Ends(1024 + i % 60000, host=1)
        packet = struct.pack("!HHIIBBHHH", ends.port, 80, i, 0, 5 << 4, SYN, 1024, 0, 0)
        yield ethernet(ipv4(packet, f"203.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", "198.51.100.2"), IPV4)


def asks_for_ever(pipe, port):
    """A Peer: a request on one connection after another, until it is told to stop; says how many."""
    s = connect(port, SERVER)
    h, n = Http(s), 0
    while not pipe.poll():
        s.sendall(request_bytes(f"/{n}"))
        equal(h.response()[0], 200, "status")
        n += 1
        if n == 1:
            pipe.send("first")
    s.close()
    pipe.send(n)


@alone
def test_a_syn_flood_pushes_out_no_connection_in_use():
    with through_router() as (a, r, b, _, _), Nginx(ns=b, buffered=True) as nginx, \
            wire("v1", ns=r, to_file=True) as tap, Peer(asks_for_ever, nginx.port, netns=a) as busy, \
            Peer(asks_now_and_then, nginx.port, netns=a) as seldom:
        equal((busy.hear(), seldom.hear()), ("first", "first"), "first calls")
        for _ in range(3):
            send_frames(a, list(flood(20000)))
            equal(seldom.ask("/between"), 200, "status")
        n = busy.ask()
        rows = tap.stop()
        nginx.stop()
        as_logged(rows, nginx.log(n + 4))
        forwarded(rows)
        equal(len([row for row in rows if row["connect_us"] is not None]), 2, "rows with a connect_us")


def asks_now_and_then(pipe, port):
    """A Peer: a request on one connection for each path it hears."""
    s = connect(port, SERVER)
    h = Http(s)
    path, said = "/first", "first"
    while True:
        s.sendall(request_bytes(path))
        status = h.response()[0]
        pipe.send(said or status)
        path, said = pipe.recv(), None


# ---- more connections than there is room for ----


def many(first, n, path, opened):
    """n conversations that stay open, each with a call; and the facts of those calls."""
    frames, facts = [], []
    for i in range(first, first + n):
        talk = Talk(Ends(1024 + i % 60000, host=1 + i // 60000), first=(i * 1000, i * 77777 & 0xFFFFFFFF))
        if opened:
            talk.open()
            talk.call("/first", body=b"f")
        else:  # as if its opening and its first call had been sent before
            before = Talk(talk.ends, first=tuple(talk.next)).open().call("/first", body=b"f")
            talk.next = before.next
        if path:
            talk.segments, talk.facts = [], [None]
            talk.call(path, body=b"s" * 900)
            facts += talk.facts[1:]
        frames += [(s.ns, ethernet(four(s), IPV4)) for s in talk.segments]
    return [f for _, f in frames], [{**f, "client": "192.0.2.1", "server": "198.51.100.2"} for f in facts]


@alone
def test_the_oldest_connections_make_room():
    """20,000 stay open: the least recently used are given up and counted; the others' calls are right."""
    n, alive = 20000, 2000
    with silent_hosts() as (a, b):
        with wire("v1", ns=b, to_file=True) as tap:
            frames, _ = many(0, n, None, True)
            send_frames(a, frames)
            frames, facts = many(n - alive, alive, "/second", False)
            send_frames(a, frames)
            rows = tap.stop(seconds=60)
        evicted = tap.ledger("evicted_flows")
        at_least(evicted, n - FLOWS, "flows given up")
        compare(select_rows(rows, path="/second"), facts)
        first = select_rows(rows, path="/first")
        equal(len({row["client_port"] for row in first}), len(first), "rows of a first call, none of them doubled")
        assert n - evicted <= len(first) <= n, (len(first), evicted)
        all_whole(first)
        equal({(row["status"], row["protocol"]) for row in first}, {(200, HTTP)}, "status")
        equal(len(rows), len(first) + alive, "rows")
