# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""conns: events of connections, compared with what nginx logged, curl and ab counted, tcpdump saw and
the kernel counts elsewhere (ss, nstat, nft)."""

import contextlib
import errno
import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from lib import (TAPLINE, HttpServer, Netns, Nginx, Proc, Skip, Tapline, ab, at_least, at_most, counter, curl, equal, free_port,
                 one, program, run, same, select_rows, sysctl, temp_dir, two_hosts, wait_for)
from wire import Tcpdump


def conns(*args, **more):
    return Tapline(*args, tool="conns", **more)


def accept_all(listener, n):
    """Accepts n connections, answers what comes and closes first; returns the accepted sockets' peers."""
    for _ in range(n):
        s, _ = listener.accept()
        s.recv(1000)
        s.close()


@contextlib.contextmanager
def pair(host="127.0.0.1"):
    """(client, server) sockets of this process, connected, and the client's and the server's port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen(5)
        client = socket.create_connection(listener.getsockname()[:2])
        server, _ = listener.accept()
        with client, server:
            yield client, server, client.getsockname()[1], listener.getsockname()[1]


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def nft(ns, rules):
    done = run("nft", "-f", "-", ns=ns, input=rules, check=False)
    if done.returncode:
        raise Skip(f"nft cannot do this here: {done.stderr.strip().splitlines()[0]}")


def accepted_all(port, ns):
    """Waits until no connection to this port waits for accept."""
    wait_for(lambda: {w.split()[1] for w in run("ss", "-Hltn", f"sport = :{port}", ns=ns).stdout.splitlines()} == {"0"},
             10, "the listen queue to be empty")


def each_once(ns, nginx, t, n):
    """The rows of a load by ab, against nginx's log and the namespace's counters. ab opens a few connections more than
    it needs, on which nothing is sent: they are in the counters and not in the log."""
    accepted_all(nginx.port, ns)
    nginx.stop()
    log = nginx.log(n)
    rows = t.stop()
    opened = counter("TcpActiveOpens", ns)
    equal(counter("TcpPassiveOpens", ns), opened, "connections by the kernel's counters")
    equal(len(log), n, "nginx's log lines")
    unused = [("", 0, 0)] * (opened - n)
    closes, ends = (select_rows(rows, event="close", **{k: nginx.port}) for k in ("local_port", "remote_port"))
    for event in ("connect", "accept"):
        equal(len(select_rows(rows, event=event)), opened, event)
    asked = [(r["pid"], r["remote_port"]) for r in closes if r["bytes_received"]]
    same(asked, [(e["pid"], e["remote_port"]) for e in log], "processes of nginx's closes")
    same([(r["pid"], r["remote_port"]) for r in select_rows(rows, event="accept")],
         [(r["pid"], r["remote_port"]) for r in closes], "accepts")
    same([(r["remote_port"] if r["bytes_received"] else "", r["bytes_sent"], r["bytes_received"]) for r in closes],
         [(e["remote_port"], e["bytes_sent"], e["request_length"]) for e in log] + unused, "nginx's closes")
    same([(r["local_port"] if r["bytes_sent"] else "", r["bytes_received"], r["bytes_sent"]) for r in ends],
         [(e["remote_port"], e["bytes_sent"], e["request_length"]) for e in log] + unused, "ab's closes")
    equal({r["comm"] for r in ends + select_rows(rows, event="connect")}, {"ab"}, "who connects")
    equal({r["pid"] for r in closes} - {e["pid"] for e in log}, set(), "who accepts")
    equal({(r["role"], r["closed_by"], r["reset_by"], r["error"]) for r in closes if r["bytes_received"]},
          {("responder", "local", None, None)}, "how nginx's end ended")
    equal({(r["role"], r["closed_by"], r["reset_by"]) for r in ends if r["bytes_sent"]},
          {("requester", "remote", None)}, "how ab's did")
    equal(t.ledger("lost_ring"), 0, "lost records")


def test_every_connection_under_load_is_there_once():
    """2,003 connections to a preforking server; most of its sockets close in a softirq."""
    with Netns("a") as a, Nginx(workers=2, ns=a) as nginx:
        with conns("--event", "connect,accept,close", "--port", nginx.port, to_file=True) as t:
            equal(ab(nginx.url(), 2003, keepalive=False, ns=a), 2003, "answers that ab counted")
            each_once(a, nginx, t, 2003)


def test_ipv6_is_in_the_same_table():
    with Nginx() as nginx, conns("--port", nginx.port) as t:
        four = curl(nginx.url())["local_port"]
        six = curl(nginx.url(host="[::1]"))["local_port"]
        for port, address in ((four, "127.0.0.1"), (six, "::1")):
            for event in ("connect", "accept", "close"):
                t.expect_rows(1, event=event, remote_port=port if event == "accept" else nginx.port, local=address)


def test_lost_records_are_counted_exactly():
    for transport in ("ring", "perf"):
        with Netns("a") as a, Nginx(ns=a) as nginx:
            with conns("--event", "connect,accept,close", "--port", nginx.port, "--transport", transport,
                       to_file=True) as t:
                os.kill(t.pid, signal.SIGSTOP)
                try:
                    ab(nginx.url(), 4001, keepalive=False, ns=a)
                    accepted_all(nginx.port, a)
                    nginx.stop()
                finally:
                    os.kill(t.pid, signal.SIGCONT)
                rows = t.stop()
            at_least(len(rows), 1000, f"rows by {transport}")
            at_least(t.ledger("lost_ring"), 1, f"lost records of {transport}")
            equal(len(rows) + t.ledger("lost_ring"), 4 * counter("TcpActiveOpens", a),
                  f"rows and lost records of {transport}")


# ---- connect ----


def nonblocking(address, family=socket.AF_INET):
    s = socket.socket(family)
    s.setblocking(False)
    equal(s.connect_ex(address), errno.EINPROGRESS, "connect without waiting")
    return s


def outcome(s):
    """The errno that the socket itself tells when the connection was made or has failed."""
    assert select.select([], [s], [], 20)[1], "no end of connect"
    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def test_a_connect_without_waiting_has_its_error():
    port = free_port()
    with conns("--event", "connect", "--port", port, "-p", os.getpid()) as t:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            s = socket.socket(family)
            s.setblocking(False)
            got = s.connect_ex((host, port))
            if got == errno.EINPROGRESS:
                got = outcome(s)
            row = t.expect_rows(1, remote=host)[0]
            equal(row["error"], errno.errorcode[got], "error")
            equal((row["pid"], row["role"], row["remote_port"]), (os.getpid(), "requester", port), "whose")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
            s = nonblocking(("127.0.0.1", port))
            equal(outcome(s), 0, "errno of the socket")
            made = s.getsockname()[1]
            equal(t.expect_rows(1, local_port=made)[0]["error"], None, "error of one that was made")
        equal(len(t.stop()), 3, "rows")


CONNECT = """
import errno, select, socket, sys
s = socket.socket()
s.setblocking(sys.argv[3] == "block")
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
got = s.connect_ex((sys.argv[1], int(sys.argv[2])))
if sys.argv[3] == "wait":
    select.select([], [s], [], 60)
    got = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
print(errno.errorcode[got])
"""


def connect_in(ns, address, port, how="wait"):
    return run("python3", "-c", CONNECT, address, port, how, ns=ns).stdout.strip()


def test_connects_that_nobody_answers_say_why():
    with two_hosts() as (a, b, v4, _), conns("--event", "connect") as t:
        nft(b, "table ip f { chain i { type filter hook input priority 0;\n tcp dport 81 drop;\n"
               " tcp dport 82 reject with icmp type host-unreachable;\n }\n}")
        equal(connect_in(a, v4, 81), "ETIMEDOUT", "errno of the socket")
        equal(connect_in(a, v4, 82, "block"), "EHOSTUNREACH", "errno of connect")
        equal(connect_in(a, v4, 81, "leave"), "EINPROGRESS", "errno of connect")
        sysctl("net.ipv4.ip_local_port_range", "40001 40001", ns=a)
        with Proc("python3", "-c", CONNECT, v4, 81, "wait", ns=a):
            wait_for(lambda: run("ss", "-Htan", "sport = :40001", ns=a).stdout, 5, "the only port to be taken")
            equal(connect_in(a, v4, 81, "leave"), "EADDRNOTAVAIL", "errno of connect")
        rows = [r for r in t.stop() if r["remote_port"] in (81, 82)]
        equal([(r["remote_port"], r["error"]) for r in rows],
              [(81, "ETIMEDOUT"), (82, "EHOSTUNREACH"), (81, "ECANCELED"), (81, "EADDRNOTAVAIL"), (81, "ECANCELED")],
              "errors")
        at_least(rows[0]["latency_us"], 1000000, "time until it gave up: one SYN again after a second")
        equal({r["comm"][:6] for r in rows}, {"python"}, "comm")


def test_latency_is_between_the_packets_and_curls_own_time():
    """One SYN is lost, so that it is a second."""
    drop = "table ip f { chain i { type filter hook input priority 0;\n tcp flags syn drop;\n }\n}"
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx, Tcpdump("v0", a, "tcp") as dump:
        with conns("--event", "connect,retransmit", "--port", nginx.port) as t:
            times = []
            for lossy in (False, True):
                if lossy:
                    nft(b, drop)
                    threading.Timer(0.5, lambda: nft(b, "delete table ip f")).start()
                times.append(curl(nginx.url(host=v4), ns=a))
            rows = select_rows(t.stop(), event="connect")
            again = select_rows(t.rows, event="retransmit", state="SYN_SENT")
        dump.settled()
        text = run("tcpdump", "-n", "-tt", "-r", dump.file.name).stdout
    for row, said in zip(rows, times):
        port = said["local_port"]
        sent = float(re.search(rf"^(\S+) IP \S+\.{port} > .*Flags \[S\]", text, re.M).group(1))
        answered = float(re.search(rf"^(\S+) IP .* > \S+\.{port}: Flags \[S\.\]", text, re.M).group(1))
        equal((row["local_port"], row["comm"], row["pid"]), (port, "curl", said["pid"]), "whose")
        at_least(row["latency_us"], int((answered - sent) * 1e6), "latency, with the packets' times")
        at_most(row["latency_us"], int((said["time_connect"] - said["time_namelookup"]) * 1e6), "latency, with curl's")
    at_least(rows[1]["latency_us"], 1000000, "latency after a lost SYN")
    equal([(r["local_port"], r["segments"]) for r in again], [(times[1]["local_port"], 1)], "the SYN that was sent again")


# ---- accept ----


def test_the_wait_in_the_listen_queue():
    with socket.socket() as listener, conns("--event", "accept", "-p", os.getpid()) as t:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        for wait in (0, 0.05, 0.3):
            before = time.monotonic()
            client = socket.create_connection(listener.getsockname())
            made = time.monotonic()
            time.sleep(wait)
            called = time.monotonic()
            server, _ = listener.accept()
            done = time.monotonic()
            row = t.expect_rows(1, remote_port=client.getsockname()[1])[0]
            at_most(row["queue_us"], int((done - before) * 1e6), "time in the queue")
            at_least(row["queue_us"], int((called - made) * 1e6), "time in the queue")
            equal((row["pid"], row["local_port"], row["role"]), (os.getpid(), listener.getsockname()[1], "responder"),
                  "whose")
            client.close()
            server.close()
        equal(len(t.stop()), 3, "rows")


def test_accept_alone_names_the_process_first():
    with Nginx() as nginx, conns("--event", "accept", "--port", nginx.port, json_rows=False) as t:
        for _ in range(3):
            curl(nginx.url())
        worker = nginx.workers[0]
        wait_for(lambda: t.text.count("\n") == 4, 5, "a header and three lines")
        equal([line.split()[:2] for line in t.text.splitlines()[1:]], [["nginx", str(worker)]] * 3, "comm and pid")


def test_threads_accept_for_their_process():
    with socket.socket() as listener, conns("--event", "accept", "-p", os.getpid()) as t:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        threads = [threading.Thread(target=accept_all, args=(listener, 5)) for _ in range(4)]
        for thread in threads:
            thread.start()
        ports = []
        for _ in range(20):
            with socket.create_connection(listener.getsockname()) as client:
                ports.append(client.getsockname()[1])
                client.sendall(b"x")
                equal(client.recv(1), b"", "the end")
        for thread in threads:
            thread.join()
        rows = t.stop()
    same([r["remote_port"] for r in rows], ports, "accepts")
    equal({r["pid"] for r in rows}, {os.getpid()}, "pids")


def test_accept_of_a_connection_that_was_reset_before():
    """The socket has no port of its own any longer; --port finds it all the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with conns("--event", "accept,close", "--port", port) as t:
            client = socket.create_connection(listener.getsockname())
            client_port = client.getsockname()[1]
            reset(client)
            t.expect_rows(1, event="close", local_port=port)
            listener.accept()[0].close()
            row = one(t.expect_rows(1, event="accept"), event="accept")
            equal((row["local_port"], row["remote_port"], row["pid"]), (port, client_port, os.getpid()), "accept")


def test_io_uring_accepts_and_its_processes():
    for args in ([], ["async"]):
        with Proc(program("uring_server"), *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            line = server.p.stdout.readline()
            if not line:
                raise Skip("no io_uring on this kernel")
            port = int(line)
            with conns("--port", port) as t:
                ports = [curl(f"http://127.0.0.1:{port}/")["local_port"] for _ in range(7)]
                t.expect_rows(7, event="close", local_port=port)
                rows = t.stop()
        accepts = select_rows(rows, event="accept")
        same([r["remote_port"] for r in accepts], ports, f"accepts {args}")
        assert all(r["queue_us"] is not None for r in accepts), accepts
        for event in ("accept", "close"):
            equal({(r["pid"], r["comm"]) for r in select_rows(rows, event=event, local_port=port)},
                  {(server.pid, "uring_server")}, f"processes of {event} {args}")


def test_which_end_it_is_with_a_queue_of_none():
    """A listener with a limit of 0: its sockets look like those of a client, but it was seen that they are not."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with conns("--event", "accept,close", "--port", port) as t:
            with socket.create_connection(listener.getsockname()) as client:
                with listener.accept()[0] as server:
                    client.sendall(bytes(1000))
                    server.recv(2000)
                    server.sendall(bytes(500))
                    client.recv(2000)
            t.expect_rows(2, event="close")
            rows = t.stop()
    assert one(rows, event="accept")["queue_us"] is not None, rows
    equal([(r["role"], r["bytes_sent"], r["bytes_received"]) for r in select_rows(rows, event="close", local_port=port)],
          [("responder", 500, 1000)], "close")


def test_a_clean_end_drops_nothing():
    """What is left in a queue when its socket closes is no drop, nor is what TIME_WAIT gets."""
    with Nginx() as nginx, conns("--port", nginx.port, to_file=True) as t:
        equal(ab(nginx.url(), 503, keepalive=False), 503, "answers")
        for _ in range(3):
            curl(nginx.url())
        time.sleep(1)
        rows = t.stop()
    at_least(len(select_rows(rows, event="close", local_port=nginx.port)), 503, "closes")
    equal([r for r in rows if r["event"] == "drop"], [], "drops")


# ---- close ----


def test_who_closed_first_and_who_reset():
    def local_first(client, server):
        client.close()
        server.recv(1)
        server.close()

    def client_resets(client, server):
        reset(client)
        wait_for(lambda: select.select([server], [], [], 0)[0], 5, "the reset")
        server.close()

    def client_leaves_bytes(client, server):
        server.sendall(b"never read")
        select.select([client], [], [], 5)
        client.close()
        wait_for(lambda: server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 5, "the reset")

    def reset_behind_fin(client, server):
        server.shutdown(socket.SHUT_WR)
        equal(client.recv(1), b"", "the end")
        reset(client)
        time.sleep(0.05)

    cases = [
        (local_first, ("local", None, None), ("remote", None, None)),
        (client_resets, ("local", "local", None), ("remote", "remote", "ECONNRESET")),
        (client_leaves_bytes, ("local", "local", None), ("remote", "remote", "ECONNRESET")),
        (reset_behind_fin, ("remote", "local", None), ("local", None, "ECONNRESET")),
    ]
    for case, at_client, at_server in cases:
        for host in ("127.0.0.1", "::1"):
            with conns("--event", "close", "-p", os.getpid()) as t:
                with pair(host) as (client, server, local, port):
                    case(client, server)
                    for mine, other, want in ((local, port, at_client), (port, local, at_server)):
                        row = t.expect_rows(1, local_port=mine, remote_port=other)[0]
                        equal((row["closed_by"], row["reset_by"], row["error"]), want, f"{case.__name__} at {mine}")
                equal(len(t.stop()), 2, f"rows of {case.__name__}")


def test_bytes_segments_and_duration_of_a_close():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx, Tcpdump("v0", a, f"tcp port {nginx.port}") as dump:
        nginx.file("page", content=b"z" * 300000)
        with conns("--event", "close", "--port", nginx.port) as t:
            said = curl(nginx.url("/page", v4), ns=a)
            client = t.expect_rows(1, remote_port=nginx.port)[0]
            server = t.expect_rows(1, local_port=nginx.port)[0]
            dump.settled()
            equal(len(t.stop()), 2, "rows")
        entry = nginx.log(1)[0]
        lines = run("tcpdump", "-n", "-r", dump.file.name).stdout.splitlines()
    out = [line for line in lines if f".{said['local_port']} > " in line]
    equal(client["bytes_received"], entry["bytes_sent"], "bytes that nginx sent")
    equal(server["bytes_sent"], entry["bytes_sent"], "bytes that nginx sent")
    equal(server["bytes_received"], entry["request_length"], "bytes of the request")
    equal(client["bytes_sent"], entry["request_length"], "bytes of the request")
    equal(client["segments_out"], len(out), "segments that tcpdump saw")
    equal(server["segments_in"], len(out), "segments that tcpdump saw")
    equal((client["retransmits"], server["retransmits"]), (0, 0), "retransmits")
    for row in (client, server):
        at_most(row["min_rtt_us"], row["srtt_us"] * 8, "minimum of the round-trip times")
        at_most(row["duration_us"], int(said["time_total"] * 1e6) + 1000000, "duration")
    at_least(client["duration_us"], int((said["time_total"] - said["time_connect"]) * 1e6) - 1000, "duration")


def test_a_connection_older_than_the_run_has_its_process():
    with pair() as (client, server, local, port):
        with conns("--event", "close", "-p", os.getpid()) as t:
            client.close()
            server.close()
            for mine, role in ((local, "requester"), (port, "responder")):
                row = t.expect_rows(1, local_port=mine)[0]
                equal((row["pid"], row["duration_us"], row["role"]), (os.getpid(), None, role), "an old connection")


# ---- retransmit, drop, listen ----


@contextlib.contextmanager
def dropping(a, b, port):
    """In b, packets with more than 500 bytes to the port are dropped. Gives a function that says how many were, and
    how many segments a has sent again."""
    rules = ("table ip f {{\n counter gone {{ }}\n chain i {{ type filter hook input priority 0;\n"
             "  tcp dport {} ip length > 500 counter name gone drop;\n }}\n}}")
    nft(b, rules.format(port))
    before = counter("TcpRetransSegs", a)

    def counted():
        gone = re.search(r"packets (\d+)", run("nft", "list", "counters", ns=b).stdout)
        return int(gone.group(1)), counter("TcpRetransSegs", a) - before

    yield counted


def test_retransmits_and_drops_are_those_of_the_kernels_counters():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx, conns("--event", "retransmit,drop") as t:
        with dropping(a, b, nginx.port) as counted:
            # The first request passes: the connection is nginx's before anything is dropped.
            curl("-m", "3", nginx.url(host=v4), nginx.url("/?" + 600 * "x", host=v4), ns=a, check=False)
            gone, again = counted()
        at_least(again, 2, "segments that were sent again")
        whose = {("nginx", nginx.workers[0])}
        rows = [r for r in t.stop() if nginx.port in (r["local_port"], r["remote_port"])]
    mine = select_rows(rows, event="retransmit", remote_port=nginx.port)
    equal(sum(r["segments"] for r in mine), again, "nstat's TcpRetransSegs")
    equal({r["comm"] for r in mine}, {"curl"}, "who sent again")
    drops = select_rows(rows, event="drop", local_port=nginx.port, reason="NETFILTER_DROP")
    equal(len(drops), gone, "packets that nft dropped")
    equal({(r["comm"], r["pid"]) for r in drops}, whose, "whose packets were dropped")


def test_a_drop_before_the_accept_is_nobodys():
    with two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx, conns("--event", "drop") as t:
        worker = nginx.workers[0]
        os.kill(worker, signal.SIGSTOP)
        try:
            with dropping(a, b, nginx.port) as counted:
                curl("-m", "2", nginx.url("/?" + 600 * "x", host=v4), ns=a, check=False)
                gone, _ = counted()
        finally:
            os.kill(worker, signal.SIGCONT)
        drops = select_rows(t.stop(), local_port=nginx.port, reason="NETFILTER_DROP")
    at_least(gone, 2, "packets that nft dropped")
    equal([(r["comm"], r["pid"]) for r in drops], [(None, None)] * gone, "nobody has accepted the connection")


def test_a_listener_and_its_backlog():
    with conns("--event", "listen") as t, temp_dir() as directory, HttpServer(directory) as server:
        row = t.expect_rows(1, local_port=server.port)[0]
        queue = run("ss", "-Hltn", f"sport = :{server.port}").stdout.split()[2]
        equal((row["pid"], str(row["backlog"]), row["remote"]), (server.pid, queue, None), "a listener")


# ---- --open ----


def counted_by_ss(port, ns=None):
    """What ss -ti says of the connection from this port."""
    text = run("ss", "-Htin", f"sport = :{port}", ns=ns).stdout
    return {k: int(v) for k, v in re.findall(r"\b(bytes_acked|bytes_received|segs_out|segs_in|backlog):(\d+)", text)}


def listed(*args):
    t = conns("--open", *args)
    with t:
        equal(t.wait_end(), 0, "exit status")
    return t.rows


def test_open_lists_what_ss_counts():
    with pair("::1") as (client, server, local, port):
        client.sendall(b"q" * 1000)
        equal(len(server.recv(1000, socket.MSG_WAITALL)), 1000, "bytes")
        server.sendall(b"a" * 70000)
        equal(len(client.recv(70000, socket.MSG_WAITALL)), 70000, "bytes")
        wait_for(lambda: counted_by_ss(port).get("bytes_acked") == 70000, 5, "the last acknowledgement")
        rows = listed("-p", os.getpid())
        for mine, syn, sent, received in ((local, 1, 1000, 70000), (port, 0, 70000, 1000)):
            row = one(rows, local_port=mine, state="ESTABLISHED")
            ss = counted_by_ss(mine)
            equal((row["bytes_sent"], row["bytes_received"]), (sent, received), "bytes")
            equal((ss["bytes_acked"] - syn, ss.get("bytes_received")), (sent, received), "bytes of ss")
            equal((row["segments_out"], row["segments_in"]), (ss["segs_out"], ss["segs_in"]), "segments")
        one(rows, local_port=port, state="LISTEN")
        equal({(r["pid"], r["event"]) for r in rows}, {(os.getpid(), "open")}, "whose")


def test_open_lists_every_network_namespace():
    with Netns("a") as a, Nginx(ns=a) as nginx:
        rows = listed("--port", nginx.port)
        equal(sorted(r["local"] for r in rows), ["0.0.0.0", "::"], "listeners of another namespace")
        assert {r["pid"] for r in rows} <= {nginx.pid, *nginx.workers}, rows


def test_open_lists_what_no_process_has_accepted_or_holds():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        port = listener.getsockname()[1]
        with socket.create_connection(listener.getsockname()) as client:
            rows = listed("--port", port)
            waiting = one(rows, local_port=port, remote_port=client.getsockname()[1])
            equal((waiting["pid"], waiting["state"]), (None, "ESTABLISHED"), "one that waits for accept")


# ---- the filter, and what cannot be ----


def test_filters_are_decided_in_the_kernel():
    with Nginx() as nginx, temp_dir() as directory, HttpServer(directory) as other, contextlib.ExitStack() as stack:
        def start(*args):
            return stack.enter_context(conns("--event", "connect,accept,close", *args))

        none = [start("-p", os.getpid(), "--port", nginx.port), start("--comm", "nobody"), start("--net", "192.0.2.0/24"),
                start("--port", free_port())]
        some = {"pid": start("-p", other.pid), "comm": start("--comm", "nginx", "--port", nginx.port),
                "net": start("--net", "::1", "--port", nginx.port)}
        for _ in range(3):
            curl(nginx.url())
            curl(nginx.url(host="[::1]"))
            curl(other.url())
        for t in none:
            equal((t.stop(), t.ledger("records")), ([], 0), f"rows and records of {t.args}")
        rows = {name: t.expect_rows(6 if name != "net" else 12) and t.stop() for name, t in some.items()}
        equal({r["pid"] for r in rows["pid"]}, {other.pid}, "pids")
        equal(len(rows["pid"]), 6, "accepts and closes")
        equal(({r["comm"] for r in rows["comm"]}, len(rows["comm"])), ({"nginx"}, 12), "nginx's rows")
        equal(({r["local"] for r in rows["net"]}, len(rows["net"])), ({"::1"}, 12), "rows of ::1")


def test_what_cannot_be_is_said_in_a_sentence():
    for args, says in ((("--event", "acept"), "there is no event 'acept'"), (("--open", "--event", "close"), "--open")):
        done = run(TAPLINE, "conns", *args, check=False)
        equal(done.returncode, 2, "exit status")
        assert says in done.stderr, done.stderr


def test_peers_names_are_the_same_tool():
    for name in ("tcplife", "tcpconnect", "tcpaccept", "tcpstates", "tcpretrans", "tcpdrop"):
        with Nginx() as nginx, Tapline("--event", "accept", "--port", nginx.port, tool=name) as t:
            curl(nginx.url())
            equal(len(t.expect_rows(1)), 1, f"rows of {name}")
