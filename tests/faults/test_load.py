# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""More than there is room for: a reader that is stopped for 10 s, connections by the ten thousand. The ledger is exact."""

import json
import socket
import time

from left import held
from lib import (Netns, Nginx, Proc, Tapline, ab, alone, at_least, at_most, counter, equal, run, select_rows, timeout,
                 wait_for, wrk, _number)

CALLS = 30000


@alone
def test_stopped_for_10_seconds():
    """Sockets that stay open tell one record a call, once both of their ends have been seen: then calls that nginx
    logged are rows and lost records, no more and no less."""
    with Nginx(buffered=True) as n, Tapline("--port", n.port, to_file=True) as t:
        load = f"sleep 2; kill -STOP {t.pid}; sleep 10; kill -CONT {t.pid}"

        with Proc("sh", "-c", load) as stopping:
            wrk(n.url("/load"), seconds=16, connections=20)
            equal(stopping.p.wait(20), 0, "stopping and going on")
        time.sleep(0.5)
        rows = t.stop()
        n.stop()
        calls = len(n.log())
    print(f"{calls} calls, {len(rows)} rows, {t.ledger('lost_ring')} lost\n{t.ledger_text}")
    at_least(t.ledger("lost_ring"), 1, "lost records")
    equal(len(rows) + t.ledger("lost_ring"), calls, "rows and lost records")


def entries(pid):
    """{name of a map: how many entries} of the tables that a tapline holds."""
    counts = {}
    for kind, number in held(pid):
        if kind == "map":
            info = json.loads(run("bpftool", "-j", "map", "show", "id", number).stdout)
            if "hash" in info["type"]:
                dump = run("bpftool", "-j", "map", "dump", "id", number, check=False).stdout
                counts[info.get("name")] = len(json.loads(dump or "[]"))
    return counts


def is_empty(pid):
    """What its tables hold, if they are empty but for connections of somebody else on this machine."""
    counts = entries(pid)
    return counts if counts and all(n < 2000 for n in counts.values()) else None


def memory(pid):
    """KiB that it has, without what is mapped of files."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return _number(r"^RssAnon:\s+(\d+) kB", f.read(), "RssAnon")


@alone
@timeout(300)
def test_connections_in_turn():
    """Each has its row; then the tables are empty, and the next so many take no more memory."""
    with Netns("a") as ns, Nginx(buffered=True, ns=ns) as n, Tapline("--port", n.port, to_file=True) as t, \
            Tapline("--port", n.port, "--event", "accept,close", tool="conns", to_file=True) as c:
        sizes = []
        for i in range(3):
            ab(n.url(f"/{i}"), CALLS // (1 + 2 * (i == 0)), keepalive=False, ns=ns)  # a third to warm up
            time.sleep(6)  # what is kept for late segments and late ends goes
            sizes.append([memory(p) for p in (t.pid, c.pid)])
        left = [wait_for(lambda pid=p: is_empty(pid), 20, "tables to be empty") for p in (t.pid, c.pid)]
        connections = counter("TcpPassiveOpens", ns)
        rows, events = t.stop(), c.stop()
        n.stop()
        calls = len(n.log())
    print(f"{calls} calls on {connections} connections; KiB {sizes}; entries {left}")
    for tap in (t, c):
        equal(tap.ledger("lost_ring"), 0, f"lost records of {tap.args}")
    equal(len(rows), calls, "rows")
    equal([len(select_rows(rows, path=f"/{i}")) for i in range(3)], [CALLS // 3, CALLS, CALLS], "rows of each part")
    at_least(connections, calls, "connections, of which ab opens some too many")
    equal(len(select_rows(events, event="accept")), connections, "accepts")
    equal(len(select_rows(events, event="close")), 2 * connections, "closes")
    for before, after in zip(sizes[1], sizes[2]):
        at_most(after, before * 1.05 + 512, "KiB after as many connections again")


CELLS = 65536


@alone
@timeout(300)
def test_a_full_table_of_histograms():
    """More peers than latency has cells: those it has are right, and each other request is in the ledger."""
    n, request = CELLS + 3000, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with Nginx(buffered=True) as nginx, \
            Tapline("server", 600, "--by", "peer", "--port", nginx.port, tool="latency", to_file=True) as t:
        for i in range(n):
            with socket.socket() as s:
                s.bind((f"127.{i // 62500 + 1}.{i // 250 % 250 + 1}.{i % 250 + 1}", 0))
                s.connect(("127.0.0.1", nginx.port))
                s.sendall(request)
                assert s.recv(4096).startswith(b"HTTP/1.1 200"), i
        rows = t.stop(seconds=60)
        nginx.stop()
        equal(len(nginx.log()), n, "nginx's log")
    counted, lost = sum(r["count"] for r in rows), t.ledger("lost_state")
    print(f"{len(rows)} peers, {counted} counted, {lost} lost")
    at_least(lost, n - CELLS, "lost")
    equal(counted + lost, n, "requests that were counted, or lost")
