# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""requests -i with bodies and turns of every shape: on a router that sees both directions pass.
Sizes are nginx's and curl's; who speaks when is what the two peers did."""

import base64
import contextlib
import os
import socket
import time

import lib
from lib import Curl, Nginx, Script, at_least, at_most, curl, equal, free_port, one, run, select_rows, sysctl, temp_dir, whole
from raw import (Http, Peer, check, connect, drain, listen, port_of, request_bytes, reset, response_bytes,
                 server)
from test_http_bodies import BACKEND, CHUNKED_NODE, READS_BODIES, SSE_NODE, WEBSOCKET_NODE
from test_raw_open import fast_open, tcp_counter
from test_raw_turns import (MYSQL, MYSQL_GREETING, SMTP, SMTP_GREETING, check_pipeline, listens_first, pipeliner,
                            speaks_first)
from router import all_whole, as_logged, forwarded, nothing_lost, null, through_router, wire

CLIENT, SERVER = "10.213.8.2", "10.213.9.2"


@contextlib.contextmanager
def watched(*args, links=("v1",)):
    """(client's namespace, server's, the tap on the router between them)."""
    with through_router() as (a, r, b, _, _), wire(*links, args=args, ns=r) as tap:
        yield a, b, tap


# ---- sizes ----


def test_bodies_of_every_kind():
    server = READS_BODIES + """
        if_modified_since before;
        location /page { try_files /page =404; }
        location /none { return 204; }
        location /moved { return 301 /elsewhere; }
    """
    with watched() as (a, b, tap), Nginx(server, top=BACKEND, ns=b) as nginx:
        nginx.file("page", content=b"x" * 5000)
        body = nginx.file("body", size=300_000)
        asks = [["-I", "/page"], ["-H", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", "/page?again"], ["/none"],
                ["/moved"], ["/page"], ["-X", "DELETE", "/page?delete"], ["-X", "PATCH-IT", "/page?own-method"],
                ["--http1.0", "/page?old"], ["-H", "X-Pad: " + "p" * 200, "/none?long"],
                ["-H", "Expect:", "-T", body, "/put"], ["-H", "Expect: 100-continue", "-T", body, "/continue"],
                ["-H", "Transfer-Encoding: chunked", "-H", "Expect:", "-T", body, "/chunked"],
                ["-H", "Expect: 100-continue", "-T", body, "/small"]]
        for *more, path in asks:
            curl(*more, "-o", os.devnull, nginx.url(path, SERVER), ns=a)
        rows = tap.stop()
        log = nginx.log(len(asks))
        as_logged(rows, log)
        forwarded(rows)
        equal({e["status"] for e in log}, {200, 204, 301, 304, 405, 413}, "statuses that were tried")


def test_large_bodies():
    """As many bytes as curl counted; the tap sees segments of 64 KB and more."""
    server = READS_BODIES.replace("8m", "0") + "location /large { try_files /large =404; }"
    with watched(links=["any"]) as (a, b, tap), Nginx(server, top=BACKEND, ns=b) as nginx:
        nginx.file("large", size=256 << 20)
        body = nginx.file("body", size=48 << 20)
        got = curl("-o", os.devnull, nginx.url("/large", SERVER), ns=a)
        put = curl("-H", "Expect:", "-T", body, nginx.url("/put", SERVER), ns=a)
        rows = tap.stop()
        as_logged(rows, nginx.log(2))
        forwarded(rows)
        equal(one(rows, path="/large")["response_bytes"], got["size_download"] + got["size_header"], "bytes downloaded")
        equal(one(rows, path="/put")["request_bytes"], put["size_upload"] + put["size_request"], "bytes uploaded")
        took = (got["time_total"] - got["time_pretransfer"]) * 1e6
        at_most(abs(one(rows, path="/large")["total_us"] - took), took * 0.1 + 20_000, "total_us against curl's")


def test_heads_longer_than_the_capture():
    with watched() as (a, b, tap), Nginx(ns=b) as nginx:
        curl(nginx.url("/padded", SERVER), "-H", "X-Pad: " + "p" * 6000, ns=a)
        rows = tap.stop()
        as_logged(rows, nginx.log(1))
        equal(rows[0]["quality"], ["head_cut"], "quality")


# ---- answers that take time ----


def test_chunked_response_has_its_row_while_the_connection_stays_open():
    with watched() as (a, b, tap), Script(["node"], CHUNKED_NODE, ns=b) as node, \
            Peer(asks_and_waits, node.port, "/chunks", b"\r\n0\r\n\r\n", netns=a) as c:
        got = c.ask()
        row = tap.expect_rows(1, 5, path="/chunks", status=200)[0]
        whole(row)
        equal(row["response_bytes"], got, "response_bytes")
        at_least(row["total_us"], 190_000, "total_us to the last chunk")
        c.kill()
        equal(len(tap.stop()), 1, "rows")


def asks_and_waits(pipe, port, path, mark):
    """A Peer: asks once, says how long the answer up to mark was, and keeps the connection."""
    pipe.recv()
    s = connect(port, SERVER)
    s.sendall(request_bytes(path))
    pipe.send(len(Http(s).until(mark)))
    pipe.recv()


def test_server_sent_events_are_in_flight_meanwhile():
    with through_router() as (a, r, b, _, _), Script(["node"], SSE_NODE, ns=b) as node, wire("v1", ns=r) as tap:
        with wire("v1", args=["--in-flight"], ns=r) as waiting, Curl("-N", node.url("/events", SERVER), ns=a) as c:
            waiting.expect_rows(1, 4, path="/events", server_port=node.port)
            assert c.p.poll() is None, "curl ended before --in-flight showed its call"
            equal(select_rows(tap.rows, path="/events"), [], "rows of a call in flight")
            asked = c.result()
        rows = tap.stop()
        equal((len(rows), rows[0]["path"], rows[0]["status"]), (1, "/events", 200), "row")
        forwarded(rows)
        at_least(rows[0]["response_bytes"], asked["size_header"] + asked["size_download"], "response_bytes")
        at_least(rows[0]["total_us"], 4_900_000, "total_us")
        at_most(rows[0]["ttfb_us"], 500_000, "ttfb_us")


def upgrades(pipe, port):
    """A Peer: a WebSocket with echoes that look like HTTP; says how long head and answer were."""
    pipe.recv()
    s = connect(port, SERVER)
    key = base64.b64encode(b"0123456789abcdef").decode()
    request = request_bytes("/socket", extra="Upgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n")
    s.sendall(request)
    h = Http(s)
    head = h.until(b"\r\n\r\n")
    for i in range(20):
        text = f"GET /not-a-request-{i} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
        s.sendall(text)
        equal(h.exactly(len(text)), text, "echo")
    s.close()
    pipe.send((len(request), len(head)))


def test_an_upgraded_connection_is_one_row_and_its_messages_are_not_http():
    with watched() as (a, b, tap), Script(["node"], WEBSOCKET_NODE, ns=b) as node, \
            Peer(upgrades, node.port, netns=a) as c:
        asked, answered = c.ask()
        rows = tap.stop()
        http = [row for row in rows if row["protocol"] == lib.HTTP or row["method"]]
        equal([(row["path"], row["status"], row["request_bytes"], row["response_bytes"]) for row in http],
              [("/socket", 101, asked, answered)], "HTTP rows")
        all_whole(http)


# ---- turns ----


def test_pipelined_requests_have_a_row_each():
    server = "location /ok/ { return 200 'ok $uri\\n'; } location / { return 404 'no $uri\\n'; }"
    with watched() as (a, b, tap), Nginx(server, ns=b) as nginx, \
            Peer(pipeliner, nginx.port, 3, 20, SERVER, netns=a) as c:
        facts = c.ask(timeout=60)
        rows = tap.stop()
        check_pipeline(rows, facts)
        nothing_lost(tap)


def greeting_test(greeting, dialog):
    with watched() as (a, b, tap), Peer(speaks_first, greeting, dialog, SERVER, netns=b) as s:
        port = s.hear()
        with Peer(listens_first, port, greeting, dialog, -1, SERVER, netns=a) as c:
            client_port = c.ask()
            tap.expect_rows(1, request_bytes=len(dialog[-1][0]))
            rows = tap.stop()
        equal({(row["client_port"], row["server_port"], row["protocol"], row["status"]) for row in rows},
              {(client_port, port, "tcp", None)}, "ends")
        equal([(row["request_bytes"], row["response_bytes"]) for row in rows if not row["request_bytes"]],
              [(0, len(greeting))], "the greeting's row")
        asked = [row for row in rows if row["request_bytes"]]
        equal([(row["request_bytes"], row["response_bytes"] or 0) for row in asked],
              [(len(q), len(w)) for q, w in dialog], "sizes")
        all_whole([row for row in rows if row["response_bytes"]])


def test_smtp_server_speaks_first():
    greeting_test(SMTP_GREETING, SMTP)


def test_mysql_server_speaks_first():
    greeting_test(MYSQL_GREETING, MYSQL)


def test_tls_is_named_with_its_server():
    with temp_dir() as folder, watched() as (a, b, tap):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=h",
            "-keyout", f"{folder}/key", "-out", f"{folder}/cert")
        port = free_port()
        server = f"listen {port} ssl; ssl_certificate {folder}/cert; ssl_certificate_key {folder}/key;"
        with Nginx(server + "location / { return 200 'secret\\n'; }", ns=b):
            curl("-k", "--resolve", f"shop.example:{port}:{SERVER}", f"https://shop.example:{port}/hidden", ns=a)
            rows = tap.stop()
        at_least(len(rows), 1, "rows")
        equal({row["protocol"] for row in rows}, {"tls"}, "protocol")
        equal((rows[0]["host"], rows[0]["server_port"]), ("shop.example", port), "SNI host name")
        null(rows, "path", "status", "side")


# ---- ends ----


def misbehaves(pipe):
    """A Peer: says its port, then treats each connection as the path of its request says."""
    listener = listen(SERVER)
    pipe.send(port_of(listener))
    held = []
    while True:
        s, _ = listener.accept()
        path = Http(s).request().split()[1].decode()
        if path == "/half":
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000)
            time.sleep(0.2)
        if path in ("/half", "/reset"):
            reset(s)
        elif path == "/closed":
            s.close()
        elif path == "/old":
            s.sendall(response_bytes(b"y" * 3000).replace(b"Content-Length", b"X-Length"))
            s.close()
        elif path == "/silent":
            s.recv(1)  # until the client has gone
            s.close()
        else:
            held.append(s)


def test_calls_that_do_not_end_well():
    with watched() as (a, b, tap), Peer(misbehaves, netns=b) as s:
        port = s.hear()
        asked = {path: curl("-m", "0.6", f"http://{SERVER}:{port}{path}", ns=a, check=False)
                 for path in ("/half", "/reset", "/closed", "/silent", "/old", "/held")}
        equal({path: c["returncode"] for path, c in asked.items()},
              {"/half": 56, "/reset": 56, "/closed": 52, "/silent": 28, "/old": 0, "/held": 28}, "what curl says")
        tap.expect_rows(5)
        rows = tap.stop()
        equal({row["path"]: (row["status"], sorted(row["quality"])) for row in rows}, {
            "/half": (200, ["reset"]), "/reset": (None, ["reset", "unanswered"]), "/closed": (None, ["unanswered"]),
            "/silent": (None, ["unanswered"]), "/old": (200, []), "/held": (None, ["unanswered"])}, "status and quality")
        equal(len(rows), 6, "rows")
        equal(one(rows, path="/old")["response_bytes"], asked["/old"]["size_header"] + 3000, "until the connection's end")
        at_least(one(rows, path="/silent")["total_us"], 500_000, "time waited")
        at_most(one(rows, path="/silent")["total_us"], 1_500_000, "time waited")
        for path in ("/reset", "/closed", "/silent", "/held"):
            equal(one(rows, path=path)["ttfb_us"], None, f"ttfb_us of {path}")


def half_closes(pipe, port):
    """A Peer: says that it is done before it is answered; says how long the answer was."""
    pipe.recv()
    s = connect(port, SERVER)
    s.sendall(request_bytes("/half-closed"))
    s.shutdown(socket.SHUT_WR)
    pipe.send(drain(s))


def answers_late(pipe):
    """A Peer: answers once the client is done, a while later."""
    listener = listen(SERVER)
    pipe.send(port_of(listener))
    s, _ = listener.accept()
    while s.recv(1000):
        pass
    time.sleep(0.5)
    s.sendall(response_bytes(b"late" * 1000))
    s.close()


def test_a_client_that_is_done_before_it_is_answered():
    with watched() as (a, b, tap), Peer(answers_late, netns=b) as s, Peer(half_closes, s.hear(), netns=a) as c:
        answered = c.ask()
        row = one(tap.stop(), path="/half-closed")
        equal((row["status"], row["response_bytes"]), (200, answered), "answer")
        at_least(row["ttfb_us"], 400_000, "ttfb_us")
        whole(row)


def test_requests_in_the_syn():
    """TCP Fast Open: the first bytes come before the connection is there."""
    with watched() as (a, b, tap):
        for ns in (a, b):
            sysctl("net.ipv4.tcp_fastopen", 3, ns=ns)
        with Peer(server, SERVER, [(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)], netns=b) as s:
            port = s.hear()
            with Peer(fast_open, port, SERVER, netns=a) as c:
                facts = c.ask()
                rows = tap.stop()
        equal(tcp_counter(b, "TCPFastOpenPassive"), 4, "connections with data in the SYN")
        check(rows, facts, side=None, server_port=port)


def keeps(pipe, port):
    """A Peer: a request on one connection for each path it is told."""
    s = connect(port, SERVER)
    h = Http(s)
    while True:
        s.sendall(request_bytes(pipe.recv()))
        pipe.send(h.response()[0])


def test_connections_that_were_there_before():
    with through_router() as (a, r, b, _, _), Nginx(ns=b) as nginx, Peer(keeps, nginx.port, netns=a) as c, \
            Peer(keeps, nginx.port, netns=a) as silent:
        equal(c.ask("/unseen"), 200, "status")
        with wire("w1", ns=r) as tap:
            for path in ("/second", "/third"):
                equal(c.ask(path), 200, "status")
            equal(silent.ask("/first-of-silent"), 200, "status")
            rows = tap.stop()
        as_logged(rows, [e for e in nginx.log(4) if e["request_uri"] != "/unseen"])
        equal({(row["client"], row["server"], row["server_port"]) for row in rows}, {(CLIENT, SERVER, nginx.port)}, "roles")
        null(rows, "connect_us", "side")
        for row in rows:
            assert set(row["quality"]) <= {"midway"}, row["quality"]
        whole(one(rows, path="/third"))
