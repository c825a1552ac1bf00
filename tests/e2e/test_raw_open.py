# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How connections begin: first bytes that arrive on the listener, connections older than tapline,
listeners that are gone. Each request must still have its one right row."""

import socket
import time

from lib import Netns, Tapline, at_most, equal, one, run, select_rows, sysctl
from raw import (LOCALHOST, Http, Peer, Puppet, ask_all, check, check_row, fetcher, request_bytes,
                 response_bytes, server, shows)

TCP = socket.IPPROTO_TCP


def first_requests(server_options=(), client_options=(), netns=None, address=LOCALHOST, n=20):
    """n connections with two requests each: the facts, the rows, and both pids are checked."""
    lists = [[f"/first/{i}", f"/next/{i}"] for i in range(n)]
    with Peer(server, address, server_options, netns=netns) as s:
        port = s.hear()
        with Peer(fetcher, port, address, client_options, netns=netns) as c:
            with Tapline("--port", port) as tap:
                facts = c.ask(lists)
                tap.expect_rows(len(facts))
                check(tap.stop(), facts, client_pid=c.pid, server_pid=s.pid, server_port=port)
    for path in (f"/first/{i}" for i in range(n)):
        assert one(tap.rows, path=path)["connect_us"] is not None, f"{path} has no connect_us"


def test_plain():
    first_requests()


def test_plain_ipv6():
    first_requests(address="::1")


def test_defer_accept():
    first_requests(server_options=[(TCP, socket.TCP_DEFER_ACCEPT, 5)])


def test_third_ack_with_data():
    """Without quick ACKs the client's third ACK waits for the request and carries it."""
    first_requests(client_options=[(TCP, socket.TCP_QUICKACK, 0)])


def tcp_counter(ns, name):
    lines = run("cat", "/proc/self/net/netstat", ns=ns).stdout.splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        found = dict(zip(names.split(), values.split()))
        if name in found:
            return int(found[name])
    raise AssertionError(f"no counter {name}")


def fast_open(pipe, port, address=LOCALHOST):
    """A Peer: one request a connection, its bytes in the SYN as soon as there is a cookie."""
    pipe.recv()
    facts = []
    for i in range(5):
        path = f"/fast/{i}"
        request = request_bytes(path)
        s = socket.socket()
        start = time.monotonic()
        s.sendto(request, socket.MSG_FASTOPEN, (address, port))
        status, n, _ = Http(s).response()
        us = int((time.monotonic() - start) * 1e6)
        facts.append({"path": path, "status": status, "request_bytes": len(request),
                      "response_bytes": n, "us": us})
        facts += ask_all(s, [f"/after/{i}"])
        s.close()
    pipe.send(facts)


def test_fast_open():
    with Netns("tfo") as ns:
        sysctl("net.ipv4.tcp_fastopen", 3, ns=ns)
        options = [(TCP, socket.TCP_FASTOPEN, 16)]
        with Peer(server, LOCALHOST, options, netns=str(ns)) as s:
            port = s.hear()
            with Peer(fast_open, port, netns=str(ns)) as c, Tapline("--port", port) as tap:
                facts = c.ask()
                tap.expect_rows(len(facts))
                rows = tap.stop()
        equal(tcp_counter(ns, "TCPFastOpenPassive"), 4, "connections with data in the SYN")
        check(rows, facts, client_pid=c.pid, server_pid=s.pid)


def test_third_ack_lost():
    """The handshake is completed by the request itself."""
    with Netns("ack") as ns:
        with Peer(server, netns=str(ns)) as s:
            port = s.hear()
            rule = ("table inet t {\n chain in {\n  type filter hook input priority 0;\n"
                    f"  tcp dport {port} tcp flags & (syn|ack|psh|fin|rst) == ack meta length < 60 "
                    "numgen inc mod 1000000 0 counter drop\n }\n}\n")
            run("nft", "-f", "-", ns=ns, input=rule)
            with Peer(fetcher, port, netns=str(ns)) as c, Tapline("--port", port) as tap:
                facts = c.ask([["/lost/0", "/lost/1"], ["/lost/2"]])
                tap.expect_rows(len(facts))
                check(tap.stop(), facts, client_pid=c.pid, server_pid=s.pid)
        dropped = run("nft", "list", "table", "inet", "t", ns=ns).stdout
        assert "counter packets 1 " in dropped, dropped


# ---- connections opened before tapline started ----


class Pair:
    """Two puppets with a connection between them."""

    def __init__(self, close_listener=False):
        self.s, self.c = Puppet(), Puppet()
        self.port = self.s.listen()
        self.client_port = self.c.connect(self.port)
        equal(self.s.accept(), self.client_port, "client's port")
        if close_listener:
            self.s.unlisten()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.kill()
        self.c.kill()

    def exchange(self, request, response):
        self.c.send(request)
        equal(self.s.recv(len(request)), request, "what the server got")
        self.s.send(response)
        equal(self.c.recv(len(response)), response, "what the client got")

    def ends(self):
        return {"client_port": self.client_port, "server_port": self.port,
                "client_pid": self.c.pid, "server_pid": self.s.pid}


def opened_before(close_listener, exchanges_before):
    with Pair(close_listener) as p:
        for i in range(exchanges_before):
            p.exchange(request_bytes(f"/before/{i}"), response_bytes(b"old"))
        with Tapline("--port", p.port) as tap:
            for i in range(5):
                p.exchange(request_bytes(f"/after/{i}"), response_bytes(b"x" * i, f"20{i} OK"))
            p.c.close()
            p.s.close()
            tap.expect_rows(5)
            rows = tap.stop()
        equal([r["path"] for r in rows], [f"/after/{i}" for i in range(5)], "paths")
        for i, row in enumerate(rows):
            assert row["quality"] in ([], ["midway"]), row["quality"]
            row["quality"] = []
            fact = {"path": f"/after/{i}", "status": 200 + i, "us": 10**7,
                    "request_bytes": len(request_bytes(f"/after/{i}")),
                    "response_bytes": len(response_bytes(b"x" * i))}
            check_row(row, fact, **p.ends())
            equal(row["connect_us"], None, "connect_us of an old connection")


def test_opened_before():
    opened_before(False, 0)


def test_used_before():
    opened_before(False, 3)


def test_opened_before_listener_closed():
    opened_before(True, 0)


def test_used_before_listener_closed():
    opened_before(True, 3)


RAW = [(b"ping %d %s\n" % (i, b"a" * i), b"pong %d %s\n" % (i, b"b" * 50 * i)) for i in range(4)]


def test_raw_opened_before():
    """The listener tells who connected: a raw protocol has its roles right from the start."""
    with Pair() as p:
        p.exchange(b"old\n", b"old too\n")
        with Tapline("--port", p.port) as tap:
            for request, response in RAW:
                p.exchange(request, response)
            p.c.close()
            p.s.close()
            tap.expect_rows(len(RAW))
            rows = tap.stop()
        equal([(r["request_bytes"], r["response_bytes"]) for r in rows],
              [(len(a), len(b)) for a, b in RAW], "sizes")
        for row, (request, _) in zip(rows, RAW):
            assert row["request"].startswith(request.decode().strip()), row["request"]
            equal(row["protocol"], "tcp")
            shows(row, **p.ends())


def test_raw_opened_before_listener_closed():
    """Nothing tells who connected: a row for each exchange still, and the first says so."""
    with Pair(close_listener=True) as p, Tapline("--port", p.port) as tap:
        for request, response in RAW:
            p.exchange(request, response)
        p.c.close()
        p.s.close()
        tap.expect_rows(len(RAW))
        rows = tap.stop()
    equal([sorted((r["request_bytes"], r["response_bytes"])) for r in rows],
          [sorted((len(a), len(b))) for a, b in RAW], "sizes")
    for row in rows:
        equal({row["client_port"], row["server_port"]}, {p.client_port, p.port}, "ports")
        equal({row["client_pid"], row["server_pid"]}, {p.c.pid, p.s.pid}, "pids")
    assert "midway" in rows[0]["quality"], rows[0]["quality"]


def test_server_speaks_next():
    """Attached while the server is about to speak: it stays the server."""
    with Pair() as p, Tapline("--port", p.port) as tap:
        p.s.send(b"220 hello\r\n")
        p.c.recv(11)
        p.exchange(b"QUIT\r\n", b"221 bye\r\n")
        p.c.close()
        p.s.close()
        row = tap.expect_rows(1, request_bytes=6)[0]
        rows = tap.stop()
        shows(row, response_bytes=9)
        for row in rows:
            shows(row, **p.ends())
        at_most(len(rows), 2, "rows: one exchange and the greeting")


def test_attached_in_a_response():
    """The rest of that response is marked midway and given no status; the next call is whole."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"
    with Pair() as p:
        request = request_bytes("/slow")
        p.c.send(request)
        p.s.recv(len(request))
        p.s.send(head + b"x" * 3000)
        p.c.recv(len(head) + 3000)
        with Tapline("--port", p.port) as tap:
            for _ in range(7):
                p.s.send(b"x" * 1000)
                p.c.recv(1000)
                time.sleep(0.05)
            p.exchange(request_bytes("/next"), response_bytes(b"whole"))
            p.c.close()
            p.s.close()
            tap.expect_rows(1, path="/next")
            rows = tap.stop()
        row = one(rows, path="/next")
        shows(row, status=200, response_bytes=len(response_bytes(b"whole")))
        for row in rows:
            shows(row, **p.ends())
        rest = select_rows(rows, path=None)
        equal(len(rest) + 1, len(rows), "rows")
        at_most(len(rest), 1, "rows of the rest")
        for row in rest:
            assert "midway" in row["quality"], row["quality"]
            shows(row, status=None, response_bytes=7000)
