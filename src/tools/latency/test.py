# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""latency: every kind with known delays, between what the test waited for and what it measured itself; and counts,
which are those of what it did."""

import contextlib
import json
import os
import socket
import statistics
import struct
import threading
import time

from lib import (SLOW, TAPLINE, Netns, Nginx, Proc, Skip, Tapline, ab, at_least, at_most, curl, equal, free_port,
                 one, program, run, same, select_rows, timeout)
from slow import ANSWER, slow_way
from test_options import Cgroup

DELAYS = (0.002, 0.02, 0.2)
CALLS = 5


def latency(*args, **more):
    return Tapline(*args, tool="latency", **more)


def total(rows, **fields):
    return sum(r["count"] for r in select_rows(rows, **fields))


def between(row, waited, measured):
    """Quantiles of row (in us, within 1%) against the least it can be and what was measured around it, in seconds."""
    at_least(row["p50_us"], min(waited) * 1e6 * 0.99, f"{row['kind']}: median")
    at_most(row["p50_us"], statistics.median_high(measured) * 1e6 * 1.01, f"{row['kind']}: median")
    at_most(row["max_us"], max(measured) * 1e6 * 1.01, f"{row['kind']}: the longest")
    at_least(row["max_us"], row["p999_us"], f"{row['kind']}: the longest")
    at_least(row["p999_us"], row["p99_us"], f"{row['kind']}: 99.9%")
    at_least(row["p99_us"], row["p90_us"], f"{row['kind']}: 99%")
    at_least(row["p90_us"], row["p50_us"], f"{row['kind']}: 90%")


# ---- known delays of processes ----

def one_call(listener, delay):
    """A connection and a call, each step of it late by delay. What each kind took at most, in seconds."""
    asked = time.monotonic()
    with socket.create_connection(listener.getsockname()[:2]) as client:
        time.sleep(delay)
        server, _ = listener.accept()
        accepted = time.monotonic()
        with server:
            sent = time.monotonic()
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            time.sleep(delay)
            reads = time.monotonic()
            equal(len(server.recv(1000)), 27, "request")
            read = time.monotonic()
            time.sleep(delay)
            server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            answered = time.monotonic()
            equal(len(client.recv(1000)), 27, "response")
            done = time.monotonic()
    return {"accept": accepted - asked, "queue": read - sent, "server": answered - reads, "first-byte": done - sent}


def known_delay(host, delay):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        with latency("accept", "queue", "server", "first-byte", "--port", listener.getsockname()[1], 3600) as t:
            took = [one_call(listener, delay) for _ in range(CALLS)]
            rows = t.stop()
    for kind, least in (("accept", delay), ("queue", delay), ("server", delay), ("first-byte", 2 * delay)):
        row = one(rows, kind=kind)
        equal(row["count"], CALLS, kind)
        between(row, [least], [each[kind] for each in took])


def test_accept_queue_server_and_first_byte_with_2_ms():
    known_delay("127.0.0.1", DELAYS[0])


def test_accept_queue_server_and_first_byte_with_20_ms():
    known_delay("127.0.0.1", DELAYS[1])


def test_accept_queue_server_and_first_byte_with_200_ms():
    known_delay("::1", DELAYS[2])


# ---- known delays of the way ----

# Connects n times and asks; at the end resets, so that there is no FIN. What connect and call took, in seconds, as JSON.
ASK = """
import json, os, socket, struct, sys, time
took = []
for _ in range(int(sys.argv[2])):
    s = socket.socket()
    t = [time.monotonic()]
    s.connect(('10.9.0.2', int(sys.argv[1])))
    t.append(time.monotonic())
    s.sendall(b'x' * 100)
    assert len(s.recv(1000)) == 10
    t.append(time.monotonic())
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
    took.append([t[1] - t[0], t[2] - t[1]])
print(json.dumps([os.getpid(), took]))
"""

def slow_calls(delay):
    port = free_port()
    with slow_way(delay) as (a, b, _), Proc("python3", "-c", ANSWER, port, ns=b, stdout=-1, text=True) as server:
        equal(server.p.stdout.readline(), "ready\n", "server")
        with latency("connect", "rtt", "send", "--by", "process", "--port", port, 3600) as t:
            pid, took = json.loads(run("python3", "-c", ASK, port, CALLS, ns=a).stdout)
            rows = select_rows(t.stop(), pid=pid)
    for kind, measured in (("connect", [c for c, _ in took]), ("rtt", [c for _, c in took]),
                           ("send", [c for _, c in took])):
        row = one(rows, kind=kind)
        equal(row["count"], CALLS, kind)
        between(row, [delay], measured)


def test_connect_rtt_and_send_with_2_ms():
    slow_calls(DELAYS[0])


def test_connect_rtt_and_send_with_20_ms():
    slow_calls(DELAYS[1])


def test_connect_rtt_and_send_with_200_ms():
    slow_calls(DELAYS[2])


BURST = """
import os, socket, sys
s = socket.create_connection(('10.9.0.2', int(sys.argv[1])))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for _ in range(int(sys.argv[2])):
    s.sendall(b'x' * 10)
s.recv(1000)
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def burst(n):
    port = free_port()
    with slow_way(0.1) as (a, b, _), Proc("python3", "-c", ANSWER, port, ns=b, stdout=-1, text=True) as server:
        equal(server.p.stdout.readline(), "ready\n", "server")
        with latency("send", "--by", "process", "--port", port, 3600) as t:
            with Proc("python3", "-c", BURST, port, n, ns=a, stdin=-1, stdout=-1, text=True) as client:
                pid = int(client.p.stdout.readline())
                time.sleep(0.5)
            rows = select_rows(t.stop(), pid=pid)
            return one(rows, kind="send"), t.ledger("unmeasured")


def test_each_send_that_is_under_way_is_measured():
    row, unmeasured = burst(31)
    equal((row["count"], unmeasured), (31, 0), "sends")
    at_least(row["p50_us"], 99_000, "median")


def test_more_sends_than_there_is_room_for_are_counted():
    row, unmeasured = burst(47)
    equal(row["count"] + unmeasured, 47, "sends")
    at_least(unmeasured, 1, "unmeasured")


# ---- counts ----

def serve(listener, n):
    """One connection: n calls, each read and answered at once."""
    s, _ = listener.accept()
    with s:
        for _ in range(n):
            s.recv(1000)
            s.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        s.recv(1000)


@contextlib.contextmanager
def serving(n, host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        thread = threading.Thread(target=serve, args=(listener, n), daemon=True)
        thread.start()
        yield listener.getsockname()[:2]
        thread.join(30)


def ask(address, n, pause=0.0):
    """n calls on a connection, with three pauses between them."""
    with socket.create_connection(address) as client:
        for i in range(n):
            if i % (n // 3) == 1:
                time.sleep(pause)
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            equal(len(client.recv(1000)), 27, "response")


def test_every_call_is_counted_once():
    """Over several intervals: what they have together is what was done."""
    n = 20_011
    with serving(n) as address, latency("--port", address[1], 1) as t:
        ask(address, n, pause=0.7)
        rows = t.stop()
    at_least(len({r["time"] for r in rows}), 2, "blocks")
    for kind, count in (("connect", 1), ("accept", 1), ("first-byte", n), ("server", n), ("queue", n), ("send", 2 * n)):
        equal(total(rows, kind=kind), count, kind)
    at_least(total(rows, kind="rtt"), n, "rtt")
    assert "lost_state" not in t.ledger_text, t.ledger_text
    equal(t.ledger("unmeasured"), 0, "unmeasured")


def test_a_load_is_what_its_own_log_counted():
    with Netns("a") as a, Nginx(workers=2, ns=a) as nginx:
        with latency("connect", "first-byte", "server", "--by", "process", "--port", nginx.port, 1) as t:
            equal(ab(nginx.url(), 5003, ns=a), 5003, "answers that ab counted")
            nginx.stop()
            log = nginx.log(5003)
            rows = t.stop()
    equal(total(rows, kind="first-byte", comm="ab"), 5003, "first bytes")
    equal({pid: total(rows, kind="server", pid=pid) for pid in {e["pid"] for e in log}},
          {pid: sum(e["pid"] == pid for e in log) for pid in {e["pid"] for e in log}}, "by nginx's process")
    equal({r["comm"] for r in rows if r["kind"] == "connect"}, {"ab"}, "who connects")


def test_by_peer_and_port_and_both_families():
    with serving(7) as four, serving(11, "::1") as six:
        args = ("first-byte", "--port", four[1], "--port", six[1])
        with latency(*args, "--by", "peer", 3600) as peer, latency(*args, "--by", "port", 3600) as port:
            ask(four, 7)
            ask(six, 11)
            same([(r["peer"], r["count"]) for r in peer.stop()], [("127.0.0.1", 7), ("::1", 11)], "by peer")
            same([(r["port"], r["count"]) for r in port.stop()], [(four[1], 7), (six[1], 11)], "by port")


def test_by_container():
    """Two clients in a container, of two processes, are a row; the server is in none of that name."""
    box = "ef" * 32
    with Nginx() as nginx, Cgroup(box) as cgroup:
        with latency("first-byte", "server", "--by", "container", "--port", nginx.port, 3600) as t:
            for _ in range(2):
                run(*cgroup.command("curl", "-sS", nginx.url()))
            rows = t.stop()
    equal(one(rows, container=box[:12]), one(rows, kind="first-byte"), "by container")
    equal([(r["kind"], r["count"]) for r in rows], [("first-byte", 2), ("server", 2)], "rows")


def test_connections_that_were_there_before():
    """Their owners are found among open files, their roles from the socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
            with latency("first-byte", "server", "rtt", "--slower-than", 0, "--port", listener.getsockname()[1]) as t:
                client.sendall(b"ping")
                server.recv(10)
                server.sendall(b"pong")
                client.recv(10)
                t.expect_rows(1, kind="first-byte")
                rows = t.stop()
    equal({(r["pid"], r["comm"]) for r in rows}, {(os.getpid(), "python3")}, "owners")
    equal([(r["kind"], r["size"]) for r in rows if r["kind"] != "rtt"], [("server", 4), ("first-byte", 4)], "cases")


def test_accepts_by_io_uring():
    with Proc(program("uring_server"), stdin=-1, stdout=-1) as server:
        first = server.p.stdout.readline()
        if not first:
            raise Skip("no io_uring on this kernel")
        port = int(first.split()[-1])
        with latency("accept", "--by", "process", "--port", port, 3600) as t:
            for _ in range(3):
                curl(f"http://127.0.0.1:{port}/")
            rows = t.stop()
        equal([(r["comm"], r["pid"], r["count"]) for r in rows], [("uring_server", server.p.pid, 3)], "accepts")


def test_which_end_it_is_with_a_queue_of_none():
    """A listener with a limit of 0: its sockets look like those of a client, but it was seen that they are not."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with latency("--by", "port", "--port", port, 3600) as t:
            for _ in range(3):
                one_call(listener, 0.001)
            rows = t.stop()
    equal({r["port"] for r in rows}, {port}, "ports")
    equal({r["kind"]: r["count"] for r in rows if r["kind"] != "rtt"},
          {"connect": 3, "first-byte": 3, "server": 3, "queue": 3, "send": 6, "accept": 3}, "counts")


def test_a_request_in_two_pieces_is_read_with_the_second():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with latency("server", "queue", "--slower-than", 0, "--port", listener.getsockname()[1]) as t:
            with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
                client.sendall(b"half")
                server.recv(10)
                time.sleep(0.2)
                client.sendall(b"half")
                server.recv(10)
                server.sendall(b"whole")
                client.recv(10)
            rows = t.stop()
    at_most(one(rows, kind="server")["latency_us"], 150_000 * SLOW, "server: not the upload")
    at_most(one(rows, kind="queue")["latency_us"], 150_000 * SLOW, "queue: to the first read")
    equal(one(rows, kind="server")["size"], 8, "size")


@timeout(240)
def test_what_is_idle_makes_room():
    """So many peers that the histograms are full: those that come some blocks later have theirs all the same."""
    def connect(n, network):
        for i in range(n):
            with socket.socket() as s:
                s.bind((f"127.{network + i // 62500}.{i // 250 % 250}.{i % 250 + 1}", 0))
                s.connect(listener.getsockname())
                s.sendall(b"x")
                a, _ = listener.accept()
                with a:
                    a.recv(1)
                    a.sendall(b"y")
                    s.recv(1)
    every = 6 * SLOW  # three of these without a case, and room is made: the connections take less
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        with latency("--by", "peer", "--port", listener.getsockname()[1], every, to_file=True) as t:
            connect(14_000, 10)
            time.sleep(5 * every)
            connect(50, 99)
            time.sleep(1.2 * every)
            rows = t.stop()
    at_least(t.ledger("lost_state"), 1, "cases that found no room: else this test says nothing")
    late = [r for r in rows if r["peer"].startswith("127.99.")]
    equal({k: total(late, kind=k) for k in ("server", "queue", "accept")}, {"server": 50, "queue": 50, "accept": 50}, "late")


# ---- single cases ----

def test_slower_than():
    """Of calls of which every third is late, just these."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with latency("server", "--slower-than", 30_000, "--port", port) as t:
            with socket.create_connection(("127.0.0.1", port)) as client, listener.accept()[0] as server:
                for i in range(9):
                    client.sendall(b"x" * (i + 1))
                    server.recv(100)
                    time.sleep(0.04 if i % 3 == 2 else 0)
                    server.sendall(b"y")
                    client.recv(100)
                local = client.getsockname()[1]
            rows = t.stop()
    for row in rows:
        at_least(row["latency_us"], 40_000, "latency")
    equal([(r["kind"], r["pid"], r["comm"], r["local"], r["local_port"], r["remote"], r["remote_port"], r["size"])
           for r in rows],
          [("server", os.getpid(), "python3", "127.0.0.1", port, "127.0.0.1", local, n) for n in (3, 6, 9)], "cases")


def test_slower_than_0_is_every_case():
    with serving(1009) as address, latency("first-byte", "--slower-than", 0, "--port", address[1], to_file=True) as t:
        ask(address, 1009)
        rows = t.stop()
    equal(len(rows), 1009, "cases")
    equal(list(rows[0]), ["time", "kind", "comm", "pid", "local", "local_port", "remote", "remote_port", "size",
                          "latency_us"], "columns")
    equal(rows, sorted(rows, key=lambda r: r["time"]), "order")


# ---- the filter, and what is printed ----

def test_the_filter_is_that_of_all_tools():
    with serving(3) as one_address, serving(5) as other:
        with latency("first-byte", "--net", "127.0.0.0/8", "--pid", os.getpid(), "--port", other[1], 3600) as t, \
                latency("first-byte", "server", "--pid", 1, 3600) as nobody:
            ask(one_address, 3)
            ask(other, 5)
            equal([r["count"] for r in t.stop()], [5], "calls")
            equal([r["count"] for r in nobody.stop()], [0, 0], "of another process")


def test_bars():
    """Drawn for one kind: their counts are those of the row."""
    with serving(13) as address:
        with latency("server", "--port", address[1], 3600, json_rows=False) as t:
            ask(address, 13)
            t.stop()
    text = t.text
    bars = [line for line in text.splitlines() if "|" in line]
    equal(sum(int(line.split("|")[0].split()[-1]) for line in bars), 13, text)
    assert any("#" * 36 in line for line in bars), text
    with latency("server", "rtt", "--port", 1, json_rows=False) as t:
        t.stop()
    assert "|" not in t.text, t.text


def test_a_kind_without_a_case_has_a_row_and_no_percentile():
    with latency("--port", 1, 3600) as t:
        rows = t.stop()
    equal([r["kind"] for r in rows], ["connect", "rtt", "first-byte", "server", "queue", "send", "accept"], "kinds")
    equal({(r["count"], r["p50_us"], r["max_us"]) for r in rows}, {(0, None, None)}, "rows")


def test_count_ends_the_run():
    done = run(TAPLINE, "latency", "rtt", "-o", "json", 1, 2)
    equal(len(done.stdout.splitlines()), 2, "blocks")


def test_what_cannot_be_is_said_in_a_sentence():
    for args, says in ((("rttt",), "there is no kind 'rttt'"),
                       (("rtt", 1, 2, 3), "'3' is too much"),
                       (("rtt", 0), "the interval '0' is not possible"),
                       (("--slower-than", "x"), "is no number of microseconds"),
                       (("--slower-than", "99999999999999999999"), "is no number of microseconds"),
                       (("--slower-than", 1, "--by", "peer"), "leave out --by"),
                       (("--slower-than", 1, 5), "leave out --by"),
                       (("--by", "moon"), "moon")):
        done = run(TAPLINE, "latency", *args, check=False)
        equal(done.returncode, 2, args)
        assert says in done.stderr and len(done.stderr.splitlines()) <= 2, (args, done.stderr)
