# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who reads and writes: prefork, descriptors handed on, threads, SO_REUSEPORT, io_uring.
Each server says its own pid in its answer; the row must say the same."""

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import time

from lib import Proc, Skip, Tapline, at_least, curl, equal, program
from raw import (LOCALHOST, Peer, ask_all, check, connect, echo_path, fetcher, listen, port_of, serve_http, server,
                 shows)

LISTS = [[f"/owner/{i}/0", f"/owner/{i}/1"] for i in range(30)]


def owners(server_fn, *args, processes=1, comm=None):
    """Runs LISTS against a Peer; the pid of each row is the pid that answered. Those pids."""
    with Peer(server_fn, *args) as s:
        port = s.hear()
        with Peer(fetcher, port) as c, Tapline("--port", port) as tap:
            facts = c.ask(LISTS)
            tap.expect_rows(len(facts))
            rows = tap.stop()
        check(rows, facts, client_pid=c.pid)
        answered = {f["path"]: int(f["body"].split()[0]) for f in facts}
        equal({r["path"]: r["server_pid"] for r in rows}, answered, "server_pid")
        at_least(len(set(answered.values())), processes, "processes that answered")
        with open(f"/proc/{s.pid}/comm", encoding="utf-8") as f:
            comm = f.read().strip()
        equal({r["server_comm"] for r in rows}, {comm}, "server_comm")
        return s.pid, set(answered.values())


def accept_for_ever(listener):
    while True:
        serve_http(listener.accept()[0], echo_path)


def prefork(pipe, options=(), shared=True):
    """A Peer: three children that accept, each from the shared listener or from its own."""
    listeners = [listen(options=options)]
    port = port_of(listeners[0])
    while len(listeners) < 3:
        listeners.append(listeners[0] if shared else listen(options=options, port=port))
    for mine in listeners:
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
            for other in listeners:
                if other is not mine:
                    other.close()
            accept_for_ever(mine)
    for mine in listeners:
        mine.close()
    pipe.send(port)
    pipe.recv()


def test_prefork():
    bound, answered = owners(prefork)
    assert bound not in answered, "the parent answered"


def test_reuseport():
    option = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound, answered = owners(prefork, [option], False, processes=2)
    assert bound not in answered, "the parent answered"


def threaded(pipe):
    """A Peer: each connection has a thread, with a name of its own."""

    def named(s):
        ctypes.CDLL(None).prctl(15, b"handler-thread")  # PR_SET_NAME
        serve_http(s, echo_path)

    listener = listen()
    pipe.send(port_of(listener))
    while True:
        threading.Thread(target=named, args=(listener.accept()[0],), daemon=True).start()


def test_threads():
    """comm is the process's, whatever its threads are called."""
    bound, answered = owners(threaded)
    equal(answered, {bound}, "processes that answered")


def hands_on(pipe):
    """A Peer: accepts, and gives every connection to another process by SCM_RIGHTS."""
    listener = listen()
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        mine.close()
        listener.close()
        while True:
            _, fds, _, _ = socket.recv_fds(theirs, 1, 1)
            if not fds:
                os._exit(0)
            serve_http(socket.socket(fileno=fds[0]), echo_path)
    theirs.close()
    pipe.send(port_of(listener))
    while True:
        s, _ = listener.accept()
        socket.send_fds(mine, [b"c"], [s.fileno()])
        s.close()


def test_accept_here_serve_there():
    bound, answered = owners(hands_on)
    equal(len(answered), 1, "processes that answered")
    assert bound not in answered, "the accepting process answered"


# ---- io_uring ----


@contextlib.contextmanager
def uring_server(mode):
    with Proc(program("uring_server"), *mode, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as s:
        line = s.p.stdout.readline()
        if not line:
            raise Skip("no io_uring on this kernel" if s.p.wait() == 77 else "uring_server failed")
        yield s, int(line)


def uring_client(port, n, mode):
    """(pid, bytes that it counted) of a client that made n requests."""
    with Proc(program("uring_client"), port, n, *mode, stdout=subprocess.PIPE) as c:
        out = c.p.communicate(timeout=30)[0].split()
        equal((c.p.returncode, int(out[0])), (0, n), "uring_client")
        return c.pid, int(out[1])


def uring_test(server_mode, client_mode, n=50):
    """Both ends by io_uring; async: the work is done by iou-wrk threads."""
    with uring_server(server_mode) as (s, port), Tapline("--port", port) as tap:
        client_pid, counted = uring_client(port, n, client_mode)
        tap.expect_rows(n)
        rows = tap.stop()
    equal([r["path"] for r in rows], [f"/uring/{i}" for i in range(n)], "paths")
    equal(sum(r["response_bytes"] for r in rows), counted, "response_bytes")
    for row in rows:
        shows(row, status=200, server_pid=s.pid, server_comm="uring_server", client_pid=client_pid,
              client_comm="uring_client", side="both", quality=[])


def test_uring():
    uring_test([], [])


def test_uring_workers():
    uring_test(["async"], ["async"])


def test_uring_server_for_curl():
    with uring_server(["async"]) as (s, port), Tapline("--port", port) as tap:
        asked = curl(f"http://{LOCALHOST}:{port}/from/curl")
        row = tap.expect_rows(1)[0]
    shows(row, path="/from/curl", status=200, server_pid=s.pid, server_comm="uring_server",
          client_pid=asked["pid"], client_comm="curl", quality=[])


def test_uring_client_for_python():
    with Peer(server) as s:
        port = s.hear()
        with Tapline("--port", port) as tap:
            client_pid, counted = uring_client(port, 10, ["async"])
            tap.expect_rows(10)
            rows = tap.stop()
        equal({(r["client_pid"], r["client_comm"], r["server_pid"]) for r in rows},
              {(client_pid, "uring_client", s.pid)}, "ends")
        equal(sum(r["response_bytes"] for r in rows), counted, "response_bytes")


def passed_on(pipe, port):
    """A Peer: asks on a connection, then a child of it goes on there; says the child's facts."""
    s = connect(port)
    for i in range(3):
        ask_all(s, [f"/own/{i}"])
        time.sleep(0.1)  # the tap learns whose it is, and tracks it no longer
    child = os.fork()
    if child == 0:
        ask_all(s, ["/first"])
        time.sleep(0.1)
        ask_all(s, [f"/child/{i}" for i in range(5)])
        os._exit(0)
    os.waitpid(child, 0)
    s.close()
    pipe.send(child)
    pipe.recv()


def test_client_socket_passed_on():
    """A kept connection changes hands: the calls after its new owner's first read are that one's."""
    with Peer(server) as s:
        port = s.hear()
        with Tapline("--port", port) as tap, Peer(passed_on, port) as c:
            child = c.hear()
            tap.expect_rows(9)
            rows = tap.stop()
    owner = {r["path"]: r["client_pid"] for r in rows}
    equal(len(rows), 9, "rows")
    equal({p: o for p, o in owner.items() if p.startswith("/own/")},
          {f"/own/{i}": c.pid for i in range(3)}, "client_pid before")
    equal({p: o for p, o in owner.items() if p.startswith("/child/")},
          {f"/child/{i}": child for i in range(5)}, "client_pid after")


def test_client_socket_passed_on_before_an_interface():
    """There the owner is asked for when a row is made: that of the last call before may be either."""
    with Peer(server) as s:
        port = s.hear()
        with Tapline("-i", "lo", "--port", port) as tap, Peer(passed_on, port) as c:
            child = c.hear()
            tap.expect_rows(9)
            rows = tap.stop()
    owner = {r["path"]: r["client_pid"] for r in rows if r["path"] != "/own/2"}
    equal(owner, {"/own/0": c.pid, "/own/1": c.pid, "/first": child, **{f"/child/{i}": child for i in range(5)}},
          "client_pid")
