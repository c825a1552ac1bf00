# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""top: bytes equal what curl and nginx counted, to the byte, however short the connections are; rates are
those of a load whose pace is known, retransmissions those of the kernel's own count of a namespace."""

import collections
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from lib import (SLOW, TAPLINE, Connection, Nginx, Proc, Skip, Tapline, ab, alone, at_most, curl, equal, one,
                 program, run, select_rows, temp_dir, timeout, two_hosts, wait_for)
from test_options import Cgroup

FILES = ""  # of nginx: it serves the files below its root


def top(*args, interval=60, **more):
    """Its only block is the last one, unless the interval is shorter than the test."""
    return Tapline(interval, *args, tool="top", **more)


def ends(rows, port):
    """(rows of the ends that connected to port, rows of those that accepted)"""
    return select_rows(rows, remote_port=port, role="requester"), select_rows(rows, local_port=port, role="responder")


def add_up(rows, *names):
    return tuple(sum(r[n] for r in rows) for n in names)


# ---- bytes ----


def test_bytes_of_a_connection_are_what_curl_counted():
    """IPv4 and IPv6, a download and an upload; both ends closed in the usual way."""
    with Nginx(server=FILES + "location /up { return 200 'ok'; client_max_body_size 9m; }") as nginx, \
            temp_dir() as temp:
        nginx.file("big", size=3_456_789)
        with open(f"{temp}/body", "wb") as f:
            f.write(bytes(1_234_567))
        with top() as t:
            done = [curl(nginx.url("/big")), curl(nginx.url("/big", "[::1]")),
                    curl("-H", "Expect:", "--data-binary", f"@{temp}/body", nginx.url("/up"))]
            rows = t.stop()
    requesters, responders = ends(rows, nginx.port)
    equal((len(requesters), len(responders)), (3, 3), "ends")
    for d in done:
        mine = one(requesters, pid=d["pid"])
        theirs = one(responders, remote_port=mine["local_port"])
        want = (d["size_request"] + d["size_upload"], d["size_header"] + d["size_download"])
        equal((mine["sent"], mine["received"]), want, f"curl's end of {d['url']}")
        equal((theirs["received"], theirs["sent"]), want, f"nginx's end of {d['url']}")
        equal((mine["comm"], theirs["comm"], mine["local"]), ("curl", "nginx", d["local_ip"]), "names")


def test_bytes_over_several_blocks():
    """Sums run on, and the rates of the blocks add up to them."""
    with Nginx(server=FILES) as nginx:
        nginx.file("some", size=300_000)
        with top("--port", nginx.port, interval=1) as t, Connection(nginx.port) as c:
            asked = 0
            for _ in range(7):
                asked += len(b"GET /some HTTP/1.1\r\nHost: x\r\n\r\n")
                c.send(b"GET /some HTTP/1.1\r\nHost: x\r\n\r\n")
                equal(c.response()[0], 200, "status")
                time.sleep(0.4)
            got = sum(e["bytes_sent"] for e in nginx.log(7))
            rows = ends(t.stop(), nginx.port)[0]
    equal(rows, sorted(rows, key=lambda r: r["received"]), "order")
    assert len(rows) >= 3, rows
    equal((rows[-1]["received"], rows[-1]["sent"]), (got, asked), "bytes")


def test_older_connections_count_from_now():
    with Nginx() as nginx, Connection(nginx.port) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        c.response()
        with top("--port", nginx.port) as t:
            c.send(b"GET /two HTTP/1.1\r\nHost: x\r\n\r\n")
            head = c.response()
            sent = nginx.log(2)[1]["bytes_sent"]
            rows = t.stop()
        worker = nginx.workers[0]
    mine, theirs = (one(r) for r in ends(rows, nginx.port))
    equal((mine["sent"], mine["received"]), (len(b"GET /two HTTP/1.1\r\nHost: x\r\n\r\n"), sent), f"bytes: {head}")
    equal((mine["pid"], theirs["pid"]), (os.getpid(), worker), "pids")
    equal((mine["sends"], theirs["sends"]), (1, 1), "sends")


SHORT = 2003


@timeout(120)
def test_short_connections_between_two_looks():
    """2,003 connections come and go: none is missing, and each process has its bytes."""
    with Nginx(workers=2) as nginx:
        with top("--port", nginx.port) as t, top("--by", "process", "--port", nginx.port) as by:
            equal(ab(nginx.url(), SHORT, keepalive=False), SHORT, "ab")
            log = nginx.log(SHORT)
            rows, processes = t.stop(), by.stop()
        equal((t.ledger("lost_ring"), by.ledger("lost_ring")), (0, 0), "lost")
        workers = nginx.workers
    requesters, responders = ends(rows, nginx.port)
    # ab may open connections that it does not use in the end.
    used = [r for r in responders if r["received"]]
    equal(len(used), SHORT, "connections")
    want = sum(e["request_length"] for e in log), sum(e["bytes_sent"] for e in log)
    equal(add_up(responders, "received", "sent"), want, "bytes of the responders")
    equal(add_up(requesters, "sent", "received"), want, "bytes of the requesters")
    equal(add_up(requesters, "calls") + add_up(responders, "calls"), (SHORT, SHORT), "calls of both")
    each = collections.Counter()
    for e in log:
        each[e["pid"]] += e["request_length"]
    equal({w: one(processes, pid=w)["received"] if each[w] else 0 for w in workers}, {w: each[w] for w in workers},
          "bytes of each worker")
    equal(add_up(select_rows(processes, comm="ab"), "received"), want[1:], "bytes of ab")


def test_a_reset_and_a_refused_connection():
    with Nginx(server=FILES) as nginx:
        nginx.file("big", size=50_000_000)
        with top() as t:
            c = Connection(nginx.port)
            c.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            c.read(1000)
            c.reset()
            curl("http://127.0.0.1:1/", check=False)
            sent = nginx.log(1)[0]["bytes_sent"]
            rows = t.stop()
    mine, theirs = (one(r) for r in ends(rows, nginx.port))
    equal(mine["sent"], len(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"), "bytes of the request")
    at_most(theirs["sent"], sent, "acknowledged of what nginx wrote")
    at_most(theirs["sent"], mine["received"], "acknowledged of what arrived")
    refused = one(rows, remote_port=1, comm="curl")
    equal((refused["sent"], refused["received"], refused["segments_out"]), (0, 0, 1), "of a refused one")


# ---- rates ----

PIECE, EVERY = 20_000, 0.01  # 2 MB/s


@alone
@timeout(60)
def test_rates_are_those_of_a_known_pace():
    with socket.create_server(("127.0.0.1", 0)) as listener, top("--by", "process", "--where", f"pid == {os.getpid()}",
                                                                 interval=1) as t:
        out = socket.create_connection(listener.getsockname())
        into = listener.accept()[0]
        got = [0]

        def drain():
            while piece := into.recv(1 << 20):
                got[0] += len(piece)

        reader = threading.Thread(target=drain)
        reader.start()
        start, n = time.monotonic(), 0
        while time.monotonic() - start < 5.5:
            out.sendall(bytes(PIECE))
            n += 1
            time.sleep(max(0, start + n * EVERY - time.monotonic()))
        out.close()
        reader.join(10)
        rows = t.stop()
    equal((rows[-1]["sent"], rows[-1]["received"], rows[-1]["sends"]), (n * PIECE, n * PIECE, n), "sums")
    middle = rows[1:-2]
    assert len(middle) >= 2, rows
    for r in middle:
        for name, want in (("send_rate", PIECE / EVERY), ("receive_rate", PIECE / EVERY), ("sends_rate", 1 / EVERY)):
            assert abs(r[name] / want - 1) < 0.05, f"{name} is {r[name]}, want {want}"
        equal(round(r["rate"]), round(r["send_rate"] + r["receive_rate"]), "rate")


def retransmitted(ns):
    lines = [line.split() for line in run("cat", "/proc/net/snmp", ns=ns).stdout.splitlines() if line.startswith("Tcp:")]
    return int(lines[1][lines[0].index("RetransSegs")])


LOSS = """
table inet loss {
  chain c {
    type filter hook input priority 0;
    tcp sport %d meta length > 500 numgen inc mod 10 == 5 drop
  }
}
"""


@timeout(120)
def test_retransmissions_in_a_namespace():
    """Data is lost on its way to the client: as many as TCP counted in the server's namespace."""
    with two_hosts() as (a, b, v4, v6), Nginx(server=FILES, ns=b) as nginx:
        nginx.file("big", size=1_500_000)
        loaded = run("nft", "-f", "-", ns=a, input=LOSS % nginx.port, check=False)
        if loaded.returncode:
            raise Skip(f"nft cannot drop here: {loaded.stderr.strip().splitlines()[0]}")
        before = retransmitted(b)
        with top() as t:
            done = [curl(nginx.url("/big", h), ns=a) for h in (v4, f"[{v6}]")]
            wait_for(lambda: not run("ss", "-Htn", "state", "connected", "exclude", "time-wait", ns=b).stdout, 20,
                     "the connections to end")
            again = retransmitted(b) - before
            rows = t.stop()
    requesters, responders = ends(rows, nginx.port)
    equal({r["remote"] for r in requesters}, {v4, v6}, "servers")
    equal(add_up(requesters, "received"), (sum(d["size_header"] + d["size_download"] for d in done),), "bytes")
    assert again > 0, "nothing was lost"
    equal(add_up(responders, "retransmits"), (again,), "retransmissions")


def said_by_ss(port):
    fields = dict(re.findall(r"(\w+):([\d.]+)", run("ss", "-Htin", f"sport = :{port}").stdout))
    return int(float(fields["rtt"]) * 1000 + 0.5), int(fields["segs_out"]), int(fields["segs_in"])


def test_smoothed_round_trip_and_segments_are_those_of_ss():
    """Once all is acknowledged, which may be after a look: then there is another row."""
    with Nginx() as nginx, top("--port", nginx.port, interval=1) as t, Connection(nginx.port) as c:
        for _ in range(20):
            c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            c.response()
        wait_for(lambda: said_by_ss(c.port) in [(r["srtt_us"], r["segments_out"], r["segments_in"])
                                                for r in ends(t.rows, nginx.port)[0]], 5, "a row with what ss says")


# ---- calls ----

KEPT = 10_007


def test_calls_are_those_that_the_client_counted():
    """Over connections that are kept: as many at the client's process and at the server's, over several blocks."""
    with Nginx() as nginx, top("--by", "process", "--port", nginx.port, interval=1) as t:
        equal(ab(nginx.url(), KEPT), KEPT, "ab")
        wait_for(lambda: [r for r in t.rows if r["comm"] == "nginx" and r["calls"] >= KEPT], 5, "nginx's calls")
        rows = t.stop()
    for comm in ("ab", "nginx"):
        mine = select_rows(rows, comm=comm)
        equal(mine[-1]["calls"], KEPT, f"calls of {comm}")
        assert any(r["calls_rate"] > 0 for r in mine), mine


def splice(source, to, n):
    got = ctypes.CDLL(None, use_errno=True).splice(source, None, to, None, n, 0)
    assert got > 0, os.strerror(ctypes.get_errno())


def sendfile_is_seen():
    """From 6.5 on sendfile and splice go by the socket's sendmsg, where the hooks are."""
    return tuple(int(n) for n in os.uname().release.split(".")[:2]) >= (6, 5)


TURNS = 9


def turns(ask, read, answer, get):
    """What both ends of a connection count: (calls of the requester, of the responder)"""
    with socket.create_server(("127.0.0.1", 0)) as listener, top("--port", listener.getsockname()[1]) as t:
        with socket.create_connection(listener.getsockname()) as out, listener.accept()[0] as into:
            for _ in range(TURNS):
                ask(out)
                read(into)
                answer(into)
                get(out)
        rows = t.stop()
    return one(rows, role="requester")["calls"], one(rows, role="responder")["calls"]


def test_a_turn_and_its_answer_are_a_call():
    """In however many pieces, and by sendfile and splice; what is only peeked at is not read, and what is spliced
    from a socket is not seen."""

    def send(*pieces):
        return lambda s: [s.sendall(p) for p in pieces]

    def read(s):
        s.recv(9, socket.MSG_PEEK)
        s.recv(2)
        s.recv(100_000)

    def peek(s):
        s.recv(9, socket.MSG_PEEK)

    def splice_in(s):
        splice(s.fileno(), pipe[1], 1000)
        os.read(pipe[0], 1000)

    def splice_out(s):
        os.write(pipe[1], bytes(1000))
        splice(pipe[0], s.fileno(), 1000)

    pipe = os.pipe()
    with tempfile.TemporaryFile() as f:
        f.write(bytes(5000))
        f.flush()

        def send_file(s):
            equal(os.sendfile(s.fileno(), f.fileno(), 0, 5000), 5000, "bytes of sendfile")

        all_of_them = TURNS, TURNS
        equal(turns(send(b"ask", b"more"), read, send(b"one", b"two"), read), all_of_them, "calls in pieces")
        if sendfile_is_seen():  # before 6.5 these did not pass tcp_sendmsg
            equal(turns(send(b"ask"), read, send_file, read), all_of_them, "calls answered by sendfile")
            equal(turns(splice_out, read, splice_out, read), all_of_them, "calls sent by splice")
    equal(turns(send(b"ask"), splice_in, send(b"one"), read), (TURNS, 0), "calls read by splice")
    equal(turns(send(b"ask"), peek, send(b"one"), peek), (0, 0), "calls that nobody read")
    for fd in pipe:
        os.close(fd)


# ---- owners ----


def test_sends_and_receives_of_two_processes_on_one_socket():
    """Each has its own calls. Bytes are acknowledged when the next call is made, or later: they add up."""
    with socket.create_server(("127.0.0.1", 0)) as listener, top("--by", "process") as t:
        out = socket.create_connection(listener.getsockname())
        into = listener.accept()[0]
        for _ in range(3):
            out.sendall(bytes(100))
        child = os.fork()
        if not child:
            for _ in range(5):
                out.sendall(bytes(1000))
            os._exit(0)
        equal(os.waitpid(child, 0)[1], 0, "child")
        out.sendall(bytes(7))
        got = b""
        reads = 0
        while len(got) < 5307:
            got += into.recv(1000)
            reads += 1
        out.close()
        into.close()
        rows = t.stop()
    mine, theirs = one(rows, pid=os.getpid()), one(rows, pid=child)
    equal((theirs["sends"], theirs["receives"]), (5, 0), "of the child")
    equal((mine["sends"], mine["received"], mine["receives"]), (4, 5307, reads), "of the parent")
    equal(mine["sent"] + theirs["sent"], 5307, "sent by both")


def test_a_filter_on_one_of_two_processes():
    """Of a socket that goes from one process to the other and back: only what this one did."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asks, answers = os.pipe(), os.pipe()
        with top("-p", os.getpid(), "--port", listener.getsockname()[1], "--by", "process") as t:
            out = socket.create_connection(listener.getsockname())
            child = os.fork()
            if not child:
                while os.read(asks[0], 1) == b"1":
                    for _ in range(5):
                        out.sendall(bytes(1000))
                    os.write(answers[1], b"1")
                os._exit(0)
            for _ in range(3):
                for _ in range(2):
                    out.sendall(bytes(10))
                os.write(asks[1], b"1")
                os.read(answers[0], 1)
            out.sendall(bytes(10))
            os.write(asks[1], b"0")
            equal(os.waitpid(child, 0)[1], 0, "child")
            port = listener.getsockname()[1]
            out.close()
            wait_for(lambda: not run("ss", "-Htn", "state", "fin-wait-1", f"dport = :{port}").stdout, 10, "the end")
            row = one(t.stop())
        for fd in asks + answers:
            os.close(fd)
    equal((row["pid"], row["sends"], row["connections"]), (os.getpid(), 7, 0), "of this process")


def test_reads_after_the_connection_closed():
    """The other end answered and closed first: what is read then is counted too."""
    with socket.create_server(("127.0.0.1", 0)) as listener, top("--by", "process") as t:
        out = socket.create_connection(listener.getsockname())
        into = listener.accept()[0]
        out.shutdown(socket.SHUT_WR)
        into.sendall(bytes(3000))
        into.close()
        tcp = f"sport = :{out.getsockname()[1]}"
        wait_for(lambda: "ESTAB" not in run("ss", "-Htan", tcp).stdout and
                 "FIN-WAIT" not in run("ss", "-Htan", tcp).stdout, 10, "the connection to close")
        for _ in range(3):
            equal(len(out.recv(1000)), 1000, "bytes read")
        out.close()
        row = one(t.stop(), pid=os.getpid())
    equal((row["receives"], row["sends"], row["sent"], row["received"]), (3, 1, 3000, 3000), "of this process")


def test_owners_of_older_connections_and_of_prefork_workers():
    with Nginx(workers=4) as nginx:
        held = [Connection(nginx.port) for _ in range(12)]
        for c in held[:6]:
            c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            c.response()
        with top("--port", nginx.port) as t:
            for c in held:
                c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                c.response()
            log = nginx.log(18)
            rows = t.stop()
        for c in held:
            c.s.close()
    owners = {r["remote_port"]: r["pid"] for r in ends(rows, nginx.port)[1]}
    equal(owners, {e["remote_port"]: e["pid"] for e in log}, "owners")
    equal({r["pid"] for r in ends(rows, nginx.port)[0]}, {os.getpid()}, "owner of the other ends")


def test_an_idle_connection_has_an_owner():
    """Accepted and never read from, before or after the start: open files tell."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as old, listener.accept()[0]:
            with top("--all", interval=1) as t, socket.create_connection(listener.getsockname()) as new, \
                    listener.accept()[0]:
                for c in (old, new):
                    t.expect_rows(1, remote_port=c.getsockname()[1], role="responder", pid=os.getpid())


# ---- what a row is ----


def test_by_port_peer_host_and_container():
    box = "ab" * 32
    with Nginx() as nginx, Cgroup(box) as cgroup:
        with top("--by", "port") as port, top("--by", "peer", "--port", nginx.port) as peer, \
                top("--by", "host", "--port", nginx.port) as host, top("--by", "container") as container:
            done = run(*cgroup.command("curl", "-sS", "-w", "%{stderr}%{size_request} %{size_header} %{size_download}",
                                       nginx.url()))
            asked, head, body = (int(n) for n in done.stderr.split())
            rows = [x.stop() for x in (port, peer, host, container)]
    both = asked + head + body
    equal(add_up([one(rows[0], port=nginx.port)], "sent", "received"), (both, both), "by port")
    equal(add_up([one(rows[1], remote="127.0.0.1")], "sent", "received"), (both, both), "by peer")
    equal(add_up([one(rows[2])], "sent", "received"), (both, both), "by host")
    equal(add_up([one(rows[3], container=box[:12])], "sent", "received"), (asked, head + body), "by container")


def test_open_connections_are_counted():
    with Nginx() as nginx, top("--by", "port", "--all", "--port", nginx.port, interval=1) as t:
        held = [Connection(nginx.port) for _ in range(5)]
        t.expect_rows(1, port=nginx.port, connections=10)
        for c in held[:3]:
            c.s.close()
        t.expect_rows(1, port=nginx.port, connections=4)
        for c in held[3:]:
            c.s.close()
        t.expect_rows(1, port=nginx.port, connections=0)


def test_filters_are_decided_in_the_kernel():
    with Nginx() as nginx, Nginx() as other, Cgroup("cd" * 32) as cgroup:
        for args, want in ((("-p", other.workers[0]), 1), (("--port", other.port), 2), (("--net", "10.99.0.0/16"), 0),
                           (("--comm", "curl", "--port", other.port), 1), (("--container", "cd" * 32), 1)):
            with top(*args) as t:
                curl(nginx.url())
                run(*cgroup.command("curl", "-sS", other.url()))
                rows = t.stop()
            equal((len(rows), t.ledger("records")), (want, want), f"rows and records with {args}")


def test_order_rows_and_blocks():
    with Nginx(server=FILES) as nginx, top("--by", "connection", "--port", nginx.port, "--sort", "received", "-n", 2) as t:
        for size in (1000, 500_000, 20_000):
            nginx.file("f", size=size)
            curl(nginx.url("/f"))
        rows = t.stop()
    equal([r["received"] >= 20_000 for r in rows], [True, True], "the two largest")
    assert rows[0]["received"] > rows[1]["received"], rows


def test_it_ends_after_so_many_blocks():
    with Nginx() as nginx, Connection(nginx.port):
        for args, want in (((1, 2, "-o", "json"), 2), ((1, 1, "-o", "json", "--sort", "comm"), 1)):
            done = run(TAPLINE, "top", *args, "--all", "--port", nginx.port)
            rows = [json.loads(line) for line in done.stdout.splitlines()]
            equal((len(rows), len({r["time"] for r in rows})), (2 * want, want), "rows and blocks")
        equal([r["comm"] for r in rows], ["nginx", "python3"], "order by a name")
        table = run(TAPLINE, "top", 1, 2, "--all", "--port", nginx.port).stdout
    equal(len(re.findall(r"^ +PID COMM .*REMOTE ", table, re.M)), 2, f"headings:\n{table}")
    equal(len(re.findall(rf" {nginx.port} ", table)), 4, f"rows:\n{table}")


def test_what_cannot_be_is_said_in_a_sentence():
    for args, word in ((("--sort", "recieved"), "did you mean 'received'"), (("0",), "the interval '0'"),
                       (("1", "0"), "the count '0'"), (("1", "2", "port"), "'port' is no number")):
        done = run(TAPLINE, "top", *args, check=False)
        equal((done.returncode, len(done.stderr.splitlines())), (2, 1), f"{args}: {done.stderr}")
        assert word in done.stderr, done.stderr


# ---- cost ----

IDLE = 20_000  # sockets: both ends of half as many connections


@alone
@timeout(120)
def test_many_open_connections():
    """All of them are there, with their owners; a look at all takes a small part of a second."""
    own = f"idle{os.getpid()}"  # a name that only this test has
    with temp_dir() as temp, Proc(shutil.copy(program("idle_conns"), f"{temp}/{own}"), IDLE // 2,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        equal(p.p.stdout.readline(), b"ready %d\n" % (IDLE // 2), "idle_conns")
        with top("--by", "process", "--all", "--comm", own, interval=1) as t:
            t.expect_rows(4)

            def cpu_ms():
                with open(f"/proc/{t.pid}/schedstat") as f:
                    return int(f.read().split()[0]) / 1e6

            before, blocks = cpu_ms(), len({r["time"] for r in t.rows})
            time.sleep(4)
            spent, after = cpu_ms() - before, len({r["time"] for r in t.rows})
            rows = t.stop()
        sums = collections.Counter()
        for r in rows:
            sums[r["time"]] += r["connections"]
        equal(set(sums.values()), {IDLE}, "open sockets of each block")
        at_most(spent / (after - blocks), 80 * SLOW, "ms of a CPU for a block, four times what is said of a quiet machine")
        p.p.stdin.close()
        equal(p.p.wait(30), 0, "idle_conns")
