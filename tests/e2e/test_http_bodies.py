# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Heads and bodies of every shape: cut, split, large, chunked, pushed, upgraded, refused early.
One row each, with the payload bytes that the peer counted, to the last byte."""

import base64
import hashlib
import os
import time

import lib
from lib import Connection, Curl, Nginx, Script, Tapline, at_least, at_most, curl, equal, one, whole

# A backend on a UNIX socket reads bodies, and makes no TCP rows of its own.
READS_BODIES = """
    client_max_body_size 8m;
    location / { proxy_pass http://unix:@DIR@/back.sock:; }
    location /small { client_max_body_size 1k; proxy_pass http://unix:@DIR@/back.sock:; }
"""
FILES = "location / { try_files $uri =404; }"
BACKEND = "server { listen unix:@DIR@/back.sock; access_log off; location / { return 200 'read\\n'; } }"


def sizes_as_logged(row, entry):
    equal((row["request_bytes"], row["response_bytes"]), (entry["request_length"], entry["bytes_sent"]),
          f"bytes of {row['method']} {row['path']}")
    equal(row["status"], entry["status"], "status")


def test_head_in_several_segments():
    with Nginx() as nginx, Tapline("--port", nginx.port) as t, Connection(nginx.port) as c:
        pieces = ["GE", "T /in-pieces?a=1 HT", "TP/1.1\r", "\nHost: pie", "ces.example\r\nX-A: b\r\n\r", "\n"]
        c.send(*pieces, pause=0.03)
        equal(c.response()[0], 200, "status")
        rows = t.stop()
        equal(len(rows), 1, "rows")
        row = rows[0]
        equal((row["method"], row["path"], row["host"]), ("GET", "/in-pieces?a=1", "pieces.example"), "head")
        sizes_as_logged(row, nginx.log(1)[0])
        at_least(row["total_us"], 140_000, "total_us is from the first byte")
        at_most(row["ttfb_us"], 100_000, "ttfb_us is from the last byte of the request")
        whole(row)


def test_head_larger_than_the_capture():
    with Nginx() as nginx, Tapline("--port", nginx.port) as t:
        pad = "X-Pad: " + "p" * 6000
        curl(nginx.url("/padded"), "-H", pad)
        curl(nginx.url("/" + "long/" * 800))
        rows = t.stop()
        equal(len(rows), 2, "rows")
        entries = nginx.log(2)
        sizes_as_logged(one(rows, path="/padded"), entries[0])
        cut = next(r for r in rows if r["path"] != "/padded")
        sizes_as_logged(cut, entries[1])
        assert cut["path"].startswith("/long/long/"), cut["path"]
        for row in rows:
            equal(row["quality"], ["head_cut"], "quality")


def test_upload_of_1_mib():
    with Nginx(READS_BODIES, top=BACKEND) as nginx, Tapline("--port", nginx.port) as t:
        body = nginx.file("body", size=1 << 20)
        curl("-H", "Expect:", "--data-binary", f"@{body}", nginx.url("/upload"))
        curl("-H", "Expect:", "-T", body, "--limit-rate", "2M", nginx.url("/slow-upload"))
        rows = t.stop()
        equal(len(rows), 2, "rows")
        for entry in nginx.log(2):
            sizes_as_logged(one(rows, path=entry["request_uri"]), entry)
        at_least(one(rows, path="/slow-upload")["total_us"], 350_000, "total_us of a slow upload")
        for row in rows:
            at_most(row["ttfb_us"], 300_000, "ttfb_us is from the request's last byte")
            whole(row)


def test_chunked_upload():
    with Nginx(READS_BODIES, top=BACKEND) as nginx, Tapline("--port", nginx.port) as t:
        body = nginx.file("body", size=300_000)
        curl("-H", "Transfer-Encoding: chunked", "-H", "Expect:", "--data-binary", f"@{body}",
             nginx.url("/chunked-upload"))
        rows = t.stop()
        equal(len(rows), 1, "rows")
        sizes_as_logged(rows[0], nginx.log(1)[0])
        whole(rows[0])


@lib.alone
def test_sendfile_download_of_1_gib():
    with Nginx(FILES) as nginx, Tapline("--port", nginx.port) as t:
        nginx.file("gib", size=1 << 30)
        asked = curl("-o", os.devnull, nginx.url("/gib"))
        equal(asked["size_download"], 1 << 30, "curl's count")
        rows = t.stop()
        equal(len(rows), 1, "rows")
        row = rows[0]
        sizes_as_logged(row, nginx.log(1)[0])
        equal(row["response_bytes"], asked["size_download"] + asked["size_header"], "response_bytes")
        whole(row)
        took = (asked["time_total"] - asked["time_pretransfer"]) * 1e6
        at_most(abs(row["total_us"] - took), took * 0.1 + 20_000, "total_us against curl's")


CHUNKED_NODE = """
require('http').createServer((q, r) => {
    let n = 0
    const more = () => { r.write('x'.repeat(1000)); ++n < 20 ? setTimeout(more, 10) : r.end() }
    more()
}).listen(process.argv[2])
"""


def test_chunked_response():
    with Script(["node"], CHUNKED_NODE) as node, Tapline("--port", node.port) as t:
        with Connection(node.port) as c:
            c.send("GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n")
            got = len(c.read_until(b"\r\n\r\n")) + len(c.read_until(b"\r\n0\r\n\r\n"))
            row = t.expect_rows(1, 5, path="/chunks", status=200)[0]
            whole(row)
            equal(row["response_bytes"], got, "response_bytes")
            at_least(row["total_us"], 190_000, "total_us to the last chunk")
        equal(len(t.stop()), 1, "rows")


def test_expect_100_continue():
    with Nginx(READS_BODIES, top=BACKEND) as nginx, Tapline("--port", nginx.port) as t:
        body = nginx.file("body", size=50_000)
        curl("-H", "Expect: 100-continue", "--data-binary", f"@{body}", nginx.url("/expect"))
        rows = t.stop()
        equal(len(rows), 1, "rows")
        equal((rows[0]["method"], rows[0]["path"]), ("POST", "/expect"), "request")
        sizes_as_logged(rows[0], nginx.log(1)[0])
        whole(rows[0])


def test_expect_refused():
    """The client asks before it sends, and is told no: the head is all there is."""
    with Nginx(READS_BODIES, top=BACKEND) as nginx, Tapline("--port", nginx.port) as t:
        body = nginx.file("body", size=1 << 20)
        curl("-H", "Expect: 100-continue", "--data-binary", f"@{body}", nginx.url("/small"))
        rows = t.stop()
        equal(len(rows), 1, "rows")
        sizes_as_logged(rows[0], nginx.log(1)[0])
        equal(rows[0]["status"], 413, "status")


def test_early_413():
    """The answer comes while the body is still on its way."""
    with Nginx(READS_BODIES, top=BACKEND) as nginx, Tapline("--port", nginx.port) as t:
        body = nginx.file("body", size=1 << 20)
        asked = curl("-H", "Expect:", "--data-binary", f"@{body}", nginx.url("/small"), check=False)
        equal(asked["response_code"], 413, "curl's status")
        rows = t.stop()
        entry = nginx.log(1)[0]
        equal(len(rows), 1, "rows")
        row = rows[0]
        equal((row["method"], row["path"], row["status"]), ("POST", "/small", 413), "row")
        equal(row["response_bytes"], entry["bytes_sent"], "response_bytes")
        at_least(row["request_bytes"], entry["request_length"], "request_bytes")
        at_most(row["request_bytes"], asked["size_request"] + asked["size_upload"], "request_bytes")


SSE_NODE = """
require('http').createServer((q, r) => {
    r.writeHead(200, {'Content-Type': 'text/event-stream'})
    let n = 0
    const timer = setInterval(() => {
        r.write(`data: event ${n}\\n\\n`)
        if (++n == 50) { clearInterval(timer); r.end() }
    }, 100)
}).listen(process.argv[2])
"""


def test_server_sent_events_are_in_flight_meanwhile():
    with Script(["node"], SSE_NODE) as node, Tapline("--port", node.port) as t:
        with Tapline("--port", node.port, "--in-flight") as waiting:
            with Curl("-N", node.url("/events")) as c:
                waiting.expect_rows(1, 4, path="/events", client_pid=c.pid, server_pid=node.pid)
                assert c.p.poll() is None, "curl ended before --in-flight showed its call"
                equal([r for r in t.rows if r["path"] == "/events"], [], "rows of a call in flight")
                asked = c.result()
            waiting.stop()
        equal(asked["body"].count(b"data: event"), 50, "events")
        rows = t.stop()
        equal(len(rows), 1, "rows")
        row = rows[0]
        equal((row["path"], row["status"]), ("/events", 200), "row")
        whole(row)
        # Each event was a chunk: its length in hex, two line ends, and the last chunk at the end.
        payload = asked["body"].split(b"\n\n")[:-1]
        framed = sum(len(p) + 2 + len(f"{len(p) + 2:x}") + 4 for p in payload) + 5
        equal(row["response_bytes"], asked["size_header"] + framed, "response_bytes")
        at_least(row["total_us"], 4_900_000, "total_us")
        at_most(row["ttfb_us"], 500_000, "ttfb_us")


WEBSOCKET_NODE = """
const crypto = require('crypto')
const server = require('http').createServer((q, r) => r.end('plain'))
server.on('upgrade', (q, s) => {
    const accept = crypto.createHash('sha1')
        .update(q.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
    s.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
        `Sec-WebSocket-Accept: ${accept}\\r\\n\\r\\n`)
    s.on('data', d => s.write(d))
    s.on('error', () => {})
})
server.listen(process.argv[2])
"""


def test_websocket_is_one_row_and_its_messages_are_not_http():
    with Script(["node"], WEBSOCKET_NODE) as node, Tapline("--port", node.port) as t:
        with Connection(node.port) as c:
            key = base64.b64encode(b"0123456789abcdef").decode()
            request = (f"GET /socket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n")
            c.send(request)
            head = c.read_until(b"\r\n\r\n")
            accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
            assert base64.b64encode(accept) in head, head
            for i in range(20):
                # RFC 6455 5.2: one frame of text; a mask of zeros leaves it as it is on the wire.
                text = f"GET /not-a-request-{i} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
                frame = bytes([0x81, 0x80 | len(text)]) + bytes(4) + text
                c.send(frame)
                equal(c.read(len(frame)), frame, "echo")
            # The same without a frame: what looks like HTTP here is still not HTTP.
            c.send("GET /raw HTTP/1.1\r\n\r\n")
            c.read_until(b"\r\n\r\n")
        rows = t.stop()
        http = [r for r in rows if r["protocol"] == lib.HTTP or r["method"] is not None]
        equal(len(http), 1, "HTTP rows")
        row = http[0]
        equal((row["method"], row["path"], row["status"]), ("GET", "/socket", 101), "row")
        equal(row["request_bytes"], len(request), "request_bytes")
        equal(row["response_bytes"], len(head), "response_bytes")
        whole(row)


def test_connection_opened_before():
    with Nginx() as nginx, Connection(nginx.port) as c, Connection(nginx.port) as silent:
        c.send("GET /unseen HTTP/1.1\r\nHost: h\r\n\r\n")
        c.response()
        with Tapline("--port", nginx.port) as t:
            for path in ("/second", "/third"):
                c.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
                c.response()
            silent.send("GET /first-of-silent HTTP/1.1\r\nHost: h\r\n\r\n")
            silent.response()
            rows = t.stop()
        entries = {e["request_uri"]: e for e in nginx.log(4)}
        equal(sorted(r["path"] for r in rows), ["/first-of-silent", "/second", "/third"], "paths")
        for row in rows:
            sizes_as_logged(row, entries[row["path"]])
            equal((row["client_pid"], row["server_pid"]), (os.getpid(), nginx.workers[0]), "pids")
            assert set(row["quality"]) <= {"midway"}, row["quality"]
            equal(row["connect_us"], None, "connect_us of a connection that was there")
        whole(one(rows, path="/third"))


def test_attached_in_the_middle_of_downloads():
    with Nginx(FILES) as nginx:
        nginx.file("large", size=60 << 20)
        nginx.file("next", content=b"n" * 100)
        with Curl("-o", os.devnull, "--limit-rate", "20M", nginx.url("/large"), "-o", os.devnull,
                  nginx.url("/next")) as c:
            time.sleep(0.7)
            assert not nginx.log(), "the download was over before tapline came"
            with Tapline("--port", nginx.port) as t:
                c.result()
                rows = t.stop()
        row = one(rows, path="/next")
        equal((row["client_pid"], row["server_pid"]), (c.pid, nginx.workers[0]), "pids")
        equal((row["status"], row["server_port"], row["side"]), (200, nginx.port, "both"), "row")
        sizes_as_logged(row, nginx.log(2)[1])
        assert len(rows) <= 2, f"{len(rows)} rows of two calls"
        for row in rows:
            equal(row["server_port"], nginx.port, "server_port: roles are not inverted")
            assert row["client_pid"] in (c.pid, None) and row["server_pid"] in (nginx.workers[0], None), row
            if row["path"] != "/next":
                assert "midway" in row["quality"], row
                equal((row["method"], row["path"]), (None, None), "a request that was not seen")


def test_client_that_gives_up():
    """No answer within the client's patience: a row that says so, with the time waited."""
    node = "require('http').createServer(() => {}).listen(process.argv[2])"
    with Script(["node"], node) as server, Tapline("--port", server.port) as t:
        asked = curl("-m", "0.7", server.url("/never"), check=False)
        equal(asked["returncode"], 28, "curl timed out")
        row = one(t.stop(), path="/never")
        equal(row["status"], None, "status")
        assert "unanswered" in row["quality"], row["quality"]
        equal((row["client_pid"], row["server_pid"]), (asked["pid"], server.pid), "pids")
        at_least(row["total_us"], 600_000, "time waited")
        at_most(row["total_us"], 1_500_000, "time waited")


def test_server_that_stops_midway():
    source = """
        require('http').createServer((q, r) => {
            r.writeHead(200, {'Content-Length': 5000})
            r.write('x'.repeat(100))
            setTimeout(() => q.socket.resetAndDestroy ? q.socket.resetAndDestroy() : q.socket.destroy(), 200)
        }).listen(process.argv[2])"""
    with Script(["node"], source) as server, Tapline("--port", server.port) as t:
        curl(server.url("/half"), check=False)
        row = one(t.stop(), path="/half")
        equal(row["status"], 200, "status")
        assert "reset" in row["quality"], row["quality"]
