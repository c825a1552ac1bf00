# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Calls that do not end well: no answer, reset midway, client gone, server killed, refused.
The row says so, says how long it was waited, and invents nothing."""

import contextlib
import time

from lib import HTTP, Tapline, at_least, at_most, equal, one
from raw import Puppet, request_bytes, response_bytes, shows

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000
WAIT = 0.5


@contextlib.contextmanager
def asked(path="/wait"):
    """A request that has been sent, and read by the server: (server, client, tapline, request)."""
    with Puppet() as s, Puppet() as c:
        port = s.listen()
        with Tapline("--port", port) as tap:
            c.connect(port)
            s.accept()
            request = request_bytes(path)
            c.send(request)
            yield s, c, tap, request


def check_end(tap, s_pid, c_pid, request, quality, status=None, response=0, waited=WAIT):
    tap.expect_rows(1, path="/wait")
    rows = tap.stop()
    row = one(rows, path="/wait")
    equal(len(rows), 1, "rows")
    equal(sorted(row["quality"]), sorted(quality), "quality")
    shows(row, protocol=HTTP, method="GET", status=status, request_bytes=len(request),
          client_pid=c_pid, server_pid=s_pid)
    equal(row["response_bytes"] or 0, response, "response_bytes")
    if not response:
        equal(row["ttfb_us"], None, "ttfb_us of no answer")
    at_least(row["total_us"], int(waited * 1e6), "the time waited")
    at_most(row["total_us"], int((waited + 3) * 1e6), "the time waited")


def test_client_gives_up():
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        time.sleep(WAIT)
        c.close()
        equal(s.recv(1), b"", "end of file")
        s.close()
        check_end(tap, s.pid, c.pid, request, ["unanswered"])


def test_server_closes_without_an_answer():
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        time.sleep(WAIT)
        s.close()
        equal(c.recv(1), b"", "end of file")
        c.close()
        check_end(tap, s.pid, c.pid, request, ["unanswered"])


def test_server_killed():
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        time.sleep(WAIT)
        pid = s.pid
        s.kill()
        equal(c.recv(1), b"", "end of file")
        c.close()
        check_end(tap, pid, c.pid, request, ["unanswered"])


def test_client_killed():
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        time.sleep(WAIT)
        pid = c.pid
        c.kill()
        equal(s.recv(1), b"", "end of file")
        s.close()
        check_end(tap, s.pid, pid, request, ["unanswered"])


def test_server_resets_without_an_answer():
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        time.sleep(WAIT)
        s.reset()
        check_end(tap, s.pid, c.pid, request, ["reset", "unanswered"])


def test_client_resets_without_an_answer():
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        time.sleep(WAIT)
        c.reset()
        check_end(tap, s.pid, c.pid, request, ["reset", "unanswered"])


def test_server_resets_midway():
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        s.send(HALF)
        c.recv(len(HALF))
        s.reset()
        check_end(tap, s.pid, c.pid, request, ["reset"], 200, len(HALF), 0)


def test_client_resets_midway():
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        s.send(HALF)
        c.recv(len(HALF))
        c.reset()
        check_end(tap, s.pid, c.pid, request, ["reset"], 200, len(HALF), 0)


def test_no_answer_yet():
    """Still waiting when tapline ends: it is a row with its age, and no status."""
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        time.sleep(WAIT)
        row = one(tap.stop(), path="/wait")
        assert "unanswered" in row["quality"], row["quality"]
        shows(row, status=None, ttfb_us=None, request_bytes=len(request), server_pid=s.pid)


def test_refused():
    """A refused connection is no call; the next one, to the same port, is."""
    with Puppet() as s, Puppet() as c:
        port = s.listen()
        s.unlisten()
        with Tapline("--port", port) as tap:
            equal(c.connect(port), None, "refused")
            equal(s.listen(port=port), port, "port")
            c.connect(port)
            s.accept()
            request = request_bytes("/then")
            c.send(request)
            s.recv(len(request))
            s.send(response_bytes())
            c.recv(len(response_bytes()))
            c.close()
            s.close()
            tap.expect_rows(1)
            rows = tap.stop()
    equal([(r["path"], r["status"], r["quality"]) for r in rows], [("/then", 200, [])], "rows")
