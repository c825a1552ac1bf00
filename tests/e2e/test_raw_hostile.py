# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Bytes that want to break things: the output stays valid and harmless, and rows stay right."""

import contextlib
import os
import pty
import random
import re
import signal
import subprocess
import threading

from lib import (HTTP, Proc, TAPLINE, Tapline, at_least, curl, equal, free_port, run, select_rows,
                 temp_dir, wait_for, wait_listening)
from raw import LOCALHOST, Puppet, response_bytes, shows

_random = random.Random(1)
ESCAPES = b"\x1b[31mred\x1b[2J\x1b]0;title\x07\x9b31m\xc2\x9b1m\x08\x7f"

REQUESTS = {
    "escapes": b"GET /" + ESCAPES + b" HTTP/1.1\r\nHost: " + ESCAPES + b"\r\n\r\n",
    "method": b"\x1b[31m /x HTTP/1.1\r\n\r\n",
    "nul": b"GET /nul\0nul HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    "utf8": b"GET /\xff\xfe\xc0\xaf\xed\xa0\x80\xf5 HTTP/1.1\r\nHost: caf\xe9\r\n\r\n",
    "bidi": "GET /\u202egpj.exe HTTP/1.1\r\nHost: \u2066x\r\n\r\n".encode(),
    "lines": b"GET /a\nb\x0bc\x0cd HTTP/1.1\r\nHost: l\r\n\r\n",
    "json": b'GET /"},{"x":"\\u0000\\ HTTP/1.1\r\nHost: "\r\n\r\n',
    "csv": b'GET /=cmd,"a";b HTTP/1.1\r\nHost: ,\r\n\r\n',
    "http09": b"GET /\r\n",
    "no_path": b"GET \r\n\r\n",
    "get": b"GET",
    "blank": b"\r\n\r\n\r\n",
    "one": b"\x1b",
    "spaces": b" " * 5000,
    "response": b"HTTP/1.1 200 OK\r\n\r\n",
    "negative": b"POST /n HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "huge": b"POST /h HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "two_lengths": b"POST /t HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "bad_chunk": b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n" + b"\xff" * 40,
    "random": _random.randbytes(3000),
    "tls_like": b"\x16\x03\x01\xff\xff\x01\x00\xff\xfb\x03\x03" + _random.randbytes(600),
    "h2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _random.randbytes(60),
}
RESPONSES = [
    b"HTTP/1.1 999999 \x1b[31m\r\n\r\n",
    b"HTTP/1.1 -1 x\r\n\r\n",
    b"\0" * 100,
    b"HTTP/1.1 200 OK\r\n\x1b]0;x\x07: y\r\nContent-Length: 18446744073709551617\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    _random.randbytes(2000),
    b"\x1b[31m",
]


def talk(s, c, port, request, response):
    """One connection with one exchange of these bytes; the client's port."""
    client_port = c.connect(port)
    s.accept()
    c.send(request)
    s.recv(len(request))
    if response:
        s.send(response)
        c.recv(len(response))
    c.close()
    s.close()
    return client_port


def talk_all(s, c, port):
    """{client port: (request, response)} of every hostile request and response."""
    said = {}
    for i, request in enumerate(REQUESTS.values()):
        response = RESPONSES[i % len(RESPONSES)]
        said[talk(s, c, port, request, response)] = (request, response)
    for response in RESPONSES:
        request = b"GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"
        said[talk(s, c, port, request, response)] = (request, response)
    said[talk(s, c, port, b"GET /last HTTP/1.1\r\nHost: h\r\n\r\n", response_bytes())] = (b"", b"")
    return said


@contextlib.contextmanager
def ends():
    with Puppet() as s, Puppet() as c:
        yield s, c, s.listen()


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for v in value:
            yield from strings(v)


def test_json():
    """Each line is strict JSON in UTF-8, and every byte of both turns is accounted for."""
    with ends() as (s, c, port), Tapline("--port", port) as tap:
        said = talk_all(s, c, port)
        tap.expect_rows(1, path="/last")
        rows = tap.stop()
        for client_port, (request, response) in said.items():
            mine = select_rows(rows, client_port=client_port)
            at_least(len(mine), 1, f"rows of {request[:40]!r}")
            if request:
                for key, said_bytes in (("request_bytes", request), ("response_bytes", response)):
                    equal(sum(r[key] for r in mine), len(said_bytes), f"{key} of {said_bytes[:40]!r}")
            for row in mine:
                shows(row, client_pid=c.pid, server_pid=s.pid)
                if not re.match(rb"HTTP/1.1 \d\d\d ", response) and request:
                    equal(row["status"], None, f"status in {response[:30]!r}")
        for row in rows:
            for text in (t for v in row.values() for t in strings(v)):
                text.encode("utf-8")  # a lone surrogate is no text


def harmless(text, what):
    """Nothing but printable text and line ends: no ESC, C0, C1, DEL, nor a change of direction."""
    found = re.findall(r"[^\n]{0,30}[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    equal(found, [], what)


def test_table_in_a_pipe():
    with ends() as (s, c, port), Tapline("--port", port, json_rows=False) as tap:
        talk_all(s, c, port)
        wait_for(lambda: "/last" in tap.text, 10, "the last row")
        tap.stop()
    harmless(tap.out.decode("utf-8"), "control characters in the table")
    harmless(tap.ledger_text, "control characters in the ledger")


def test_csv():
    with ends() as (s, c, port), Tapline("--port", port, "-o", "csv", json_rows=False) as tap:
        talk_all(s, c, port)
        wait_for(lambda: "/last" in tap.text, 10, "the last row")
        tap.stop()
    text = tap.out.decode("utf-8")
    equal(re.findall(r".{0,30}[\x00\x1b\x07\x9b]", text), [], "control characters in CSV")


def test_heads():
    with ends() as (s, c, port), Tapline("--port", port, "-H", json_rows=False) as tap:
        talk_all(s, c, port)
        wait_for(lambda: "/last" in tap.text, 10, "the last row")
        tap.stop()
    harmless(tap.out.decode("utf-8"), "control characters in the heads")


def test_table_on_a_terminal():
    """There it may colour and move; what the traffic wants from the terminal never gets out."""
    with ends() as (s, c, port):
        ours, theirs = pty.openpty()
        ready_read, ready_write = os.pipe()
        env = {**os.environ, "TERM": "xterm", "TAPLINE_READY_FD": str(ready_write)}
        env.pop("NO_COLOR", None)
        with Proc(TAPLINE, "requests", "--port", port, stdout=theirs, env=env,
                  pass_fds=[ready_write], stop_signal=signal.SIGINT) as p:
            os.close(theirs)
            os.close(ready_write)
            out = bytearray()
            reader = threading.Thread(target=read_all, args=(ours, out), daemon=True)
            reader.start()
            equal(os.read(ready_read, 64), b"ready\n", "ready")
            talk_all(s, c, port)
            wait_for(lambda: b"/last" in out, 10, "the last row")
            equal(p.stop(), 0, "exit status")
        reader.join(5)
        os.close(ready_read)
        os.close(ours)
    text = out.decode("utf-8").replace("\r\n", "\n")
    assert "\x1b[" in text, "no colour on a terminal"
    assert "\x1b[2J" not in text and "\x1b]" not in text, "the traffic reached the terminal"
    harmless(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text), "control characters on a terminal")


def read_all(fd, into):
    with contextlib.suppress(OSError):
        while piece := os.read(fd, 4096):
            into += piece


# ---- odd, but right ----


def odd(request, response=response_bytes(b"odd")):
    """The one row of that exchange."""
    with ends() as (s, c, port), Tapline("--port", port) as tap:
        talk(s, c, port, request, response)
        tap.expect_rows(1)
        rows = tap.stop()
    equal(len(rows), 1, "rows")
    shows(rows[0], request_bytes=len(request), response_bytes=len(response))
    return rows[0]


def test_long_path():
    path = "/" + "abcdefghi/" * 6554
    row = odd(f"GET {path} HTTP/1.1\r\nHost: long.test\r\n\r\n".encode())
    shows(row, protocol=HTTP, method="GET", status=200, quality=["head_cut"])
    assert row["path"].startswith(path[:200]), row["path"]


def test_header_folding():
    row = odd(b"GET /fold HTTP/1.1\r\nX-A: one\r\n two\r\n\tthree\r\nHost: fold.test\r\n\r\n",
              b"HTTP/1.1 203 OK\r\nX-B: a\r\n Content-Length: 9\r\nContent-Length: 3\r\n\r\nabc")
    shows(row, path="/fold", host="fold.test", status=203, quality=[])


def test_bare_line_feeds():
    row = odd(b"GET /lf HTTP/1.1\nHost: lf.test\n\n", b"HTTP/1.1 404 No\nContent-Length: 2\n\nno")
    shows(row, path="/lf", host="lf.test", status=404, quality=[])


def test_empty_lines_first():
    """RFC 9112 2.2: a server skips an empty line before the request line."""
    row = odd(b"\r\nGET /crlf HTTP/1.1\r\nHost: crlf.test\r\n\r\n")
    shows(row, path="/crlf", host="crlf.test", status=200, quality=[])


def test_raw_text():
    """A protocol nobody knows shows its printable start."""
    row = odd(b"\x01\x02hello\x1b[31m world\xff\n", b"\x02\x01\n")
    shows(row, protocol="tcp", method=None, path=None, host=None, status=None)
    assert "hello" in row["request"] and "world" in row["request"], row["request"]
    assert row["request"].isprintable(), row["request"]


def test_tls():
    """TLS says tls, with the host name that the client asked for in the clear."""
    with temp_dir() as temp:
        key, cert, port = f"{temp}/key", f"{temp}/cert", free_port()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-subj", "/CN=sni.test", "-days", 2, "-keyout", key, "-out", cert)
        with Proc("openssl", "s_server", "-accept", port, "-key", key, "-cert", cert, "-www", "-quiet",
                  stdin=subprocess.PIPE) as s:
            wait_listening(s, port)
            with Tapline("--port", port) as tap:
                asked = curl("-k", "--resolve", f"sni.test:{port}:{LOCALHOST}",
                             f"https://sni.test:{port}/")
                equal(asked["response_code"], 200, "curl's status")
                tap.expect_rows(1, host="sni.test")
                rows = tap.stop()
    for row in rows:
        shows(row, protocol="tls", status=None, method=None, path=None, client_pid=asked["pid"],
              client_comm="curl", server_pid=s.pid, server_comm="openssl")
    shows(rows[0], host="sni.test", quality=[])
