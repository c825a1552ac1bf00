# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who speaks when: servers that speak first, both sides at once, and many requests in one write."""

import socket
import threading
import time

from lib import Nginx, Tapline, alone, at_least, at_most, equal, select_rows, timeout
from raw import (LOCALHOST, Http, Peer, connect, drain, listen, path_of, port_of, request_bytes,
                 response_bytes, shows)

# ---- a server that speaks first ----

SMTP_GREETING = b"220 mail.test ESMTP ready\r\n"
SMTP = [
    (b"EHLO client.test\r\n", b"250-mail.test\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n"),
    (b"MAIL FROM:<a@client.test>\r\n", b"250 OK\r\n"),
    (b"RCPT TO:<b@mail.test>\r\n", b"250 OK\r\n"),
    (b"DATA\r\n", b"354 go ahead\r\n"),
    (b"Subject: test\r\n\r\n" + b"some text\r\n" * 900 + b".\r\n", b"250 queued as 1\r\n"),
    (b"QUIT\r\n", b"221 bye\r\n"),
]
MYSQL_GREETING = (b"\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15"
                  + bytes(10) + b"ijklmnopqrst\0caching_sha2_password\0")
MYSQL = [
    (b"\x20\0\0\1\x85\xa6\xff\1\0\0\0\1\x2d" + bytes(23), b"\7\0\0\2\0\0\0\2\0\0\0"),
    (b"\x09\0\0\0\x03SELECT 1", b"\1\0\0\1\1" + b"\2" * 40 + b"\5\0\0\4\xfe\0\0\2\0"),
    (b"\x0c\0\0\0\x03SELECT 'xx'", b"\1\0\0\1\1" + b"\3" * 60),
    (b"\1\0\0\0\1", b""),
]


def speaks_first(pipe, greeting, dialog, address=LOCALHOST):
    """A Peer: serves the dialog on one connection, greeting first."""
    listener = listen(address)
    pipe.send(port_of(listener))
    s, _ = listener.accept()
    s.sendall(greeting)
    h = Http(s)
    for request, response in dialog:
        equal(h.exactly(len(request)), request, "request")
        s.sendall(response)
    s.close()


def listens_first(pipe, port, greeting, dialog, pause_at, address=LOCALHOST):
    """A Peer: the client of speaks_first; before exchange number pause_at it waits to be told."""
    pipe.recv()
    s = connect(port, address)
    h = Http(s)
    h.exactly(len(greeting))
    for i, (request, response) in enumerate(dialog):
        if i == pause_at:
            pipe.send(s.getsockname()[1])
            pipe.recv()
        s.sendall(request)
        equal(h.exactly(len(response)), response, "response")
    pipe.send(port_of(s))
    s.close()


def check_dialog(rows, dialog, greeting=b"", **ends):
    """A row an exchange; the greeting may have one of its own, with no request in it."""
    greetings = [r for r in rows if not r["request_bytes"]]
    at_most(len(greetings), 1 if greeting else 0, "rows without a request")
    for row in greetings:
        equal((row["request"], row["response_bytes"]), (None, len(greeting)), "greeting")
    asked = [r for r in rows if r["request_bytes"]]
    equal([(r["request_bytes"], r["response_bytes"] or 0) for r in asked],
          [(len(a), len(b)) for a, b in dialog], "sizes")
    for row, (request, response) in zip(asked, dialog):
        start = request.split(b"\r")[0][:40].decode("latin-1")
        if start.isprintable():
            assert row["request"].startswith(start), f"{row['request']!r}, want {start!r}"
        equal(row["status"], None, "status")
        equal("unanswered" in row["quality"], not response, f"unanswered, {start}")
    for row in rows:
        shows(row, protocol="tcp", side="both", **ends)


def dialog_test(greeting, dialog, pause_at=-1):
    """pause_at: tapline starts before this exchange; -1: before the connection."""
    with Peer(speaks_first, greeting, dialog) as s:
        port = s.hear()
        with Peer(listens_first, port, greeting, dialog, pause_at) as c:
            if pause_at >= 0:
                c.ask()
            with Tapline("--port", port) as tap:
                client_port = c.ask()
                want = dialog[max(pause_at, 0):]
                tap.expect_rows(1, request_bytes=len(want[-1][0]))
                rows = tap.stop()
            check_dialog(rows, want, b"" if pause_at >= 0 else greeting, client_port=client_port,
                         server_port=port, client_pid=c.pid, server_pid=s.pid)
            if pause_at < 0:
                equal([r["quality"] for r in rows if r["response_bytes"]],
                      [[]] * len([r for r in rows if r["response_bytes"]]), "quality")


def test_smtp():
    dialog_test(SMTP_GREETING, SMTP)


def test_smtp_midway():
    dialog_test(SMTP_GREETING, SMTP, pause_at=2)


def test_mysql():
    dialog_test(MYSQL_GREETING, MYSQL)


def test_mysql_midway():
    dialog_test(MYSQL_GREETING, MYSQL, pause_at=1)


# ---- both sides at once ----

DUPLEX_SECONDS = 5


def pour(s, seconds):
    """Sends and receives at once; (bytes sent, bytes received)."""
    received = []
    reader = threading.Thread(target=lambda: received.append(drain(s)))
    reader.start()
    block, sent, end = b"duplex! " * 8192, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        s.sendall(block)
        sent += len(block)
    s.shutdown(socket.SHUT_WR)
    reader.join()
    s.close()
    return sent, received[0]


def duplex_server(pipe):
    listener = listen()
    pipe.send(port_of(listener))
    pipe.send(pour(listener.accept()[0], DUPLEX_SECONDS))


def duplex_client(pipe, port):
    pipe.recv()
    pipe.send(pour(connect(port), DUPLEX_SECONDS))


@alone
def test_full_duplex():
    with Peer(duplex_server) as s:
        port = s.hear()
        with Peer(duplex_client, port) as c, Tapline("--port", port) as tap:
            asked, answered = c.ask(timeout=60)
            equal(s.hear(60), (answered, asked), "what the two programs counted")
            tap.expect_rows(1)
            time.sleep(0.5)
            rows = tap.stop()
    for row in rows:
        shows(row, protocol="tcp", client_pid=c.pid, server_pid=s.pid, side="both", status=None)
    equal((sum(r["request_bytes"] for r in rows), sum(r["response_bytes"] for r in rows)),
          (asked, answered), "bytes of all rows, none of them twice")
    at_most(len(rows), 20, "rows: the turns before it is known as a stream, then one")
    at_least(max(r["request_bytes"] for r in rows), asked // 2, "bytes of the stream's row")
    at_least(tap.ledger("records"), 1, "records, by the ledger")
    at_most(tap.ledger("records"), 100, "records of one stream, by the ledger")


# ---- many requests in one write ----

BATCH = 16


def batch_paths(connection, batch):
    return [f"/{'ok' if (batch + i) % 3 else 'no'}/{connection}/{batch}/{'x' * i}"
            for i in range(BATCH)]


def pipeline(s, connection, batches):
    """Facts of each request: (path, status, request bytes, response bytes), in order."""
    h, facts = Http(s), []
    for batch in range(batches):
        paths = batch_paths(connection, batch)
        requests = [request_bytes(p) for p in paths]
        s.sendall(b"".join(requests))
        for path, request in zip(paths, requests):
            status, n, _ = h.response()
            facts.append((path, status, len(request), n))
    s.close()
    return facts


def pipeliner(pipe, port, connections, batches, address=LOCALHOST):
    """A Peer: says {client port: facts}."""
    pipe.recv()
    facts = {}

    def run_one(number):
        s = connect(port, address)
        client_port = port_of(s)
        facts[client_port] = pipeline(s, number, batches)

    threads = [threading.Thread(target=run_one, args=(i,)) for i in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    pipe.send(facts)


def check_pipeline(rows, facts):
    """From the second batch on every row is whole and in its place. In the first, a message that
    was not seen is marked, and nothing is told of it that is not so."""
    equal(len(rows), sum(len(f) for f in facts.values()), "rows")
    for client_port, sent in facts.items():
        mine = select_rows(rows, client_port=client_port)
        got = [(r["path"], r["status"], r["request_bytes"], r["response_bytes"]) for r in mine]
        equal(len(got), len(sent), "rows of a connection")
        for row, want in zip(got[BATCH:], sent[BATCH:]):
            equal(row, want, "row")
        equal([r["quality"] for r in mine[BATCH:]], [[]] * len(mine[BATCH:]), "quality")
        for row, (path, status, *_) in zip(mine[:BATCH], sent):
            marked = "pipelined" in row["quality"]
            assert row["status"] == status or (marked and row["status"] is None), row
            assert row["path"] == path or (marked and path.startswith(row["path"] or "")), row
    equal({r["protocol"] for r in rows}, {"http"}, "protocols")


def pipeline_test(port, connections, batches, server_pids):
    with Peer(pipeliner, port, connections, batches) as c, Tapline("--port", port) as tap:
        facts = c.ask(timeout=100)
        tap.expect_rows(connections * batches * BATCH, seconds=20)
        rows = tap.stop()
    check_pipeline(rows, facts)
    equal({r["client_pid"] for r in rows}, {c.pid}, "client_pid")
    equal({r["server_pid"] for r in rows} - server_pids, set(), "other server_pid")


@timeout(240)
def test_pipelining_nginx():
    """1,000 batches of 16 on four connections."""
    config = "location /ok/ { return 200 'ok $uri\\n'; } location / { return 404 'no $uri\\n'; }"
    with Nginx(config) as n:
        pipeline_test(n.port, 4, 250, set(n.workers))


def split_server(pipe):
    """A Peer: answers a batch in pieces that end in the middle of heads and bodies."""
    listener = listen()
    pipe.send(port_of(listener))
    while True:
        s, _ = listener.accept()
        threading.Thread(target=split_answers, args=(s,), daemon=True).start()


def split_answers(s):
    h, turn = Http(s), 0
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while True:
            out = b""
            for _ in range(BATCH):
                path = path_of(h.request())
                status = "200 OK" if path.startswith("/ok") else "404 Not Found"
                out += response_bytes(path.encode() * 30, status)
            step = 37 + turn * 211
            for i in range(0, len(out), max(step, len(out) // 12)):
                s.sendall(out[i:i + max(step, len(out) // 12)])
                time.sleep(0.002)
            turn += 1
    except (EOFError, OSError):
        s.close()


def test_pipelining_split_responses():
    with Peer(split_server) as s:
        pipeline_test(s.hear(), 2, 15, {s.pid})
