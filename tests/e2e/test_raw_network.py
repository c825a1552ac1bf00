# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A bad network: one packet in fifty is lost, some overtake others. Rows stay right and single."""

import contextlib
import subprocess
import threading

from lib import Nginx, Proc, Tapline, at_least, equal, program, run, timeout, two_hosts
from raw import Peer, check, fetch

N, CONNECTIONS, BIG = 2000, 8, 200_000


def paths_of(connection, n):
    """Every tenth asks for 200 KB."""
    kinds = ["big"] + ["small"] * 9
    return [f"/{kinds[i % 10]}/{connection}/{i}" for i in range(n)]


def fetcher_threads(pipe, port, address, n=N, connections=CONNECTIONS):
    """A Peer: n calls on so many connections at once, each in a thread; bodies stay with it."""
    pipe.recv()
    facts = []
    threads = [threading.Thread(target=lambda i=i: facts.extend(fetch(port, paths_of(i, n // connections), address)))
               for i in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for fact in facts:
        del fact["body"]
    pipe.send(facts)


@contextlib.contextmanager
def disturb(ns, link, how, one_in):
    """A tc program on link; .touched() ends it and says how many packets it lost or delayed."""
    with Proc(program("tc_disturb"), link, how, one_in, ns=ns, stdin=subprocess.PIPE,
              stdout=subprocess.PIPE, stderr=None) as p:
        equal(p.p.stdout.readline(), b"ready\n", "tc_disturb")
        p.touched = lambda: int(p.p.communicate(b"", timeout=10)[0])
        yield p


def slow_class(ns, link):
    """Packets of the second class wait, and others overtake them."""
    run("tc", "-n", ns, "qdisc", "add", "dev", link, "root", "handle", "1:", "htb", "default", "1")
    for number, rate in ((1, "2gbit"), (2, "20mbit")):
        run("tc", "-n", ns, "class", "add", "dev", link, "parent", "1:", "classid", f"1:{number}",
            "htb", "rate", rate, "quantum", 60000)


def bad_network_test(disturbances):
    config = (f"location /small/ {{ return 200 '$uri\\n'; }} "
              f"location /big/ {{ rewrite ^ /big.bin break; }}")
    with two_hosts() as (a, b, address, _), contextlib.ExitStack() as stack:
        for ns, link in ((a, "v0"), (b, "v1")):
            run("tc", "-n", ns, "qdisc", "add", "dev", link, "clsact")
        n = stack.enter_context(Nginx(config, ns=b))
        n.file("big.bin", content=b"y" * BIG)
        c = stack.enter_context(Peer(fetcher_threads, n.port, address, netns=str(a)))
        touching = []
        for ns, link, how, one_in in disturbances(a, b):
            touching.append(stack.enter_context(disturb(ns, link, how, one_in)))
        with Tapline("--port", n.port) as tap:
            facts = c.ask(timeout=150)
            tap.expect_rows(N, seconds=20)
            rows = tap.stop()
        for p in touching:
            at_least(p.touched(), 10, "packets lost or delayed")
        check(rows, facts, client_pid=c.pid, server_pid=n.workers[0], server_port=n.port)
        equal(len(n.log(N)), N, "requests in nginx's log")
        return rows


@timeout(240)
def test_loss():
    rows = bad_network_test(lambda a, b: [(a, "v0", "drop", 50), (b, "v1", "drop", 50)])
    at_least(sum(r["retransmits"] for r in rows), 10, "retransmits")


@timeout(240)
def test_loss_and_reordering():
    def both(a, b):
        slow_class(b, "v1")
        return [(a, "v0", "drop", 50), (b, "v1", "drop", 50), (b, "v1", "delay", 25)]

    rows = bad_network_test(both)
    at_least(sum(r["retransmits"] for r in rows), 10, "retransmits")
