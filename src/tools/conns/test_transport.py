# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""conns --transport: records by a perf event array are those that come by a ring buffer, compared with nginx's log, with
each other and with the maps that /proc shows."""

import concurrent.futures
import contextlib
import datetime
import glob
import os
import re
import socket
import subprocess

from lib import (TAPLINE, Netns, Nginx, Proc, Skip, Tapline, at_most, curl, equal, program, run, same,
                 select_rows)

PERF_EVENT_ARRAY, RINGBUF = 4, 27  # enum bpf_map_type of linux/bpf.h
CALLS = 1009
TIMES = "time latency_us queue_us duration_us".split()


def conns(*args, **more):
    return Tapline(*args, tool="conns", **more)


def transports(pid):
    """Of the two types of map, those that the process has open."""
    types = set()
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError), open(path) as f:
            types |= {int(n) for n in re.findall(r"^map_type:\s*(\d+)", f.read(), re.M)}
    return types & {PERF_EVENT_ARRAY, RINGBUF}


def call(port):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while s.recv(4096):
            pass


def call_all(nginx, *watching):
    """Makes CALLS connections, from four threads, and waits for all their rows; nginx's log."""
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        list(threads.map(call, [nginx.port] * CALLS))
    for t in watching:
        t.expect_rows(2 * CALLS, event="close")
    return nginx.log(CALLS)


def test_perf_tells_what_the_ring_tells():
    args = ("--event", "connect,accept,close")
    with Nginx(workers=2) as nginx, conns(*args, "--port", nginx.port, "--transport", "ring") as ring, \
            conns(*args, "--port", nginx.port, "--transport", "perf") as perf:
        equal((transports(ring.pid), transports(perf.pid)), ({RINGBUF}, {PERF_EVENT_ARRAY}), "maps")
        log = call_all(nginx, ring, perf)
        rows = {t: t.stop() for t in (ring, perf)}
    me, port = os.getpid(), nginx.port
    same([(r["event"], r["pid"], r["local_port"], r["remote_port"]) for r in rows[perf]],
         [event for e in log for event in (("connect", me, e["remote_port"], port), ("close", me, e["remote_port"], port),
                                           ("accept", e["pid"], port, e["remote_port"]),
                                           ("close", e["pid"], port, e["remote_port"]))], "events by nginx's log")
    same(*([tuple(v for k, v in r.items() if k not in TIMES) for r in rows[t]] for t in (perf, ring)), "the ring's rows")
    for t in (ring, perf):
        equal((t.ledger("records"), t.ledger("lost_ring")), (4 * CALLS, 0), "records, and those lost")


def test_rows_of_all_cpus_come_in_order_of_time():
    """But for a CPU that was taken away between looking at the clock and writing the record."""
    with Nginx(workers=2) as nginx, conns("--event", "connect,accept,close", "--port", nginx.port,
                                          "--transport", "perf") as t:
        call_all(nginx, t)
        rows = t.stop()
    latest, late = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc), 0
    for row in rows:
        time = datetime.datetime.fromisoformat(row["time"])
        late += latest - time > datetime.timedelta(microseconds=500)
        latest = max(latest, time)
    at_most(late, len(rows) // 100, "rows more than half a millisecond behind a later one")


def test_open_lists_more_than_a_buffer_holds():
    with Netns("a") as a, Proc(program("idle_conns"), 2503, ns=a, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE) as p:
        equal(p.p.stdout.readline(), b"ready 2503\n", "idle_conns")
        port = re.search(r":(\d+) ", run("ss", "-Htln", ns=a).stdout).group(1)
        with conns("--open", "--transport", "perf", "--port", port, to_file=True) as t:
            equal(t.wait_end(), 0, "exit status")
        equal(t.ledger("lost_ring"), 0, "lost records")
        ss = re.findall(r":(\d+) +\S+:(\d+) *$", run("ss", "-Htn", ns=a).stdout, re.M)
    equal(len(ss), 2 * 2503, "ends by ss")
    same([(r["local_port"], r["remote_port"]) for r in select_rows(t.rows, state="ESTABLISHED")],
         [(int(mine), int(other)) for mine, other in ss], "ends")


# ---- a kernel without ring buffers ----


def old_kernel():
    """What goes before a command that is to find no ring buffers, as on Linux before 5.8."""
    before = [program("refuse"), "ringbuf"]
    done = run(*before, "true", check=False)
    if done.returncode:
        raise Skip(done.stderr.strip())
    return before


def test_perf_is_taken_where_there_is_no_ring_buffer():
    with Nginx() as nginx, conns("--port", nginx.port, before=old_kernel()) as t:
        equal(transports(t.pid), {PERF_EVENT_ARRAY}, "maps")
        pid = curl(nginx.url())["pid"]
        t.expect_rows(2, event="close")
        same([(r["event"], r["pid"]) for r in t.stop() if r["event"] in ("connect", "accept", "close")],
             [("connect", pid), ("close", pid), ("accept", nginx.workers[0]), ("close", nginx.workers[0])], "rows")


def test_the_ring_is_taken_where_there_is_one():
    with conns("--event", "connect") as t:
        equal(transports(t.pid), {RINGBUF}, "maps")


def test_what_needs_a_ring_buffer_says_so():
    before = old_kernel()
    for args in (("conns", "--transport", "ring"), ("hello",)):
        done = run(*before, TAPLINE, *args, check=False)
        equal(done.returncode, 1, f"exit status of {args}")
        equal(done.stderr, "tapline: this kernel has no BPF ring buffer (Linux 5.8 on); boot Linux 5.8 or newer\n", "why")


def test_another_transport_is_refused():
    done = run(TAPLINE, "conns", "--transport", "udp", check=False)
    equal(done.returncode, 2, "exit status")
    equal(done.stderr, "tapline: --transport: 'udp' is not known, give ring or perf\n", "why")
