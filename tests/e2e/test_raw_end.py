# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Calls that do not end well: no answer, reset midway, client gone, server killed, refused.
The row says so, says how long it was waited, and invents nothing."""

import contextlib
import time

from lib import HTTP, Tapline, at_least, at_most, equal, one
from raw import Puppet, request_bytes, response_bytes, shows

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000
WAIT = 0.5


before = 0  # calls on the same connection, with time for the tap to learn whose its ends are


def kept(test):
    """The same on a connection that was used before, whose requester is not tracked any longer."""
    def run():
        global before  # pylint: disable=global-statement
        before = 3
        try:
            test()
        finally:
            before = 0
    return run


@contextlib.contextmanager
def asked(path="/wait", more=()):
    """A request that has been sent, and read by the server: (server, client, tapline, request)."""
    with Puppet() as s, Puppet() as c:
        port = s.listen()
        with Tapline("--port", port, *more) as tap:
            c.connect(port)
            s.accept()
            for _ in range(before):
                ask(s, c, "/before")
                time.sleep(0.1)
            request = request_bytes(path)
            c.send(request)
            yield s, c, tap, request


def ask(s, c, path):
    c.send(request_bytes(path))
    s.recv(len(request_bytes(path)))
    s.send(response_bytes())
    c.recv(len(response_bytes()))


def check_end(tap, s_pid, c_pid, request, quality, status=None, response=0, waited=WAIT):
    tap.expect_rows(1, path="/wait")
    rows = tap.stop()
    row = one(rows, path="/wait")
    equal(len(rows), before + 1, "rows")
    equal([(r["client_pid"], r["server_pid"], r["side"], r["quality"]) for r in rows
           if r["path"] == "/before"], [(c_pid, s_pid, "both", [])] * before, "calls before")
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


def test_answer_after_the_client_gave_up():
    """One row, made when the client left; the late answer is not another."""
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        time.sleep(WAIT)
        pid = c.pid
        c.close()
        tap.expect_rows(1, path="/wait")
        s.send(response_bytes())
        s.close()
        time.sleep(0.5)
        check_end(tap, s.pid, pid, request, ["unanswered"])


def test_half_closed_and_answered():
    """A client that sends FIN behind its request may still be waiting."""
    with asked() as (s, c, tap, request):
        s.recv(len(request))
        c.shutdown()
        time.sleep(WAIT)
        s.send(response_bytes())
        c.recv(len(response_bytes()))
        s.close()
        c.close()
        check_end(tap, s.pid, c.pid, request, [], 200, len(response_bytes()))


def test_kept_in_flight():
    """What waits is shown with both its ends."""
    with asked(more=["--in-flight"]) as (s, c, tap, request):
        s.recv(len(request))
        tap.expect_rows(1, path="/wait")
        for row in tap.stop():
            shows(row, client_pid=c.pid, server_pid=s.pid, side="both", path="/wait")


test_kept_in_flight = kept(test_kept_in_flight)
test_kept_client_gives_up = kept(test_client_gives_up)
test_kept_client_killed = kept(test_client_killed)
test_kept_server_closes_without_an_answer = kept(test_server_closes_without_an_answer)
test_kept_server_killed = kept(test_server_killed)
test_kept_server_resets_without_an_answer = kept(test_server_resets_without_an_answer)
test_kept_client_resets_without_an_answer = kept(test_client_resets_without_an_answer)
test_kept_server_resets_midway = kept(test_server_resets_midway)
test_kept_client_resets_midway = kept(test_client_resets_midway)
test_kept_no_answer_yet = kept(test_no_answer_yet)
test_kept_answer_after_the_client_gave_up = kept(test_answer_after_the_client_gave_up)
test_kept_half_closed_and_answered = kept(test_half_closed_and_answered)
