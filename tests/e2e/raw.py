# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Peers for the test_raw_* tests: a process of its own for each end, and raw TCP in its hands.

Each end runs in a forked process, so that it has its own pid, network namespace and cgroup, and
counts what it sent and got itself: what a row says is compared with that."""

import collections
import ctypes
import os
import signal
import socket
import struct
import threading
import time
import traceback
from multiprocessing import Pipe

from lib import HTTP, at_least, at_most, equal, one, whole

LOCALHOST = "127.0.0.1"
_libc = ctypes.CDLL(None, use_errno=True)


class Peer:
    """fn(pipe, *args) in a forked process; pipe.send() and pipe.recv() talk with the test."""

    def __init__(self, fn, *args, netns=None, cgroup=None):
        self.pipe, theirs = Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _run(theirs, fn, args, netns, cgroup)
        theirs.close()
        self.alive = True

    def hear(self, timeout=20):
        """The next object that the peer says."""
        if not self.pipe.poll(timeout):
            raise TimeoutError(f"peer {self.pid} says nothing")
        said = self.pipe.recv()
        if isinstance(said, PeerFailed):
            raise said
        return said

    def say(self, what=None):
        self.pipe.send(what)

    def ask(self, what=None, timeout=20):
        self.say(what)
        return self.hear(timeout)

    def kill(self, signal_number=signal.SIGKILL):
        """Ends the process and reaps it."""
        if self.alive:
            self.alive = False
            os.kill(self.pid, signal_number)
            os.waitpid(self.pid, 0)
        self.pipe.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class PeerFailed(Exception):
    pass


def _run(pipe, fn, args, netns, cgroup):
    status = 1
    try:
        _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no peer outlives its test
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if cgroup:
            with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as f:
                f.write(str(os.getpid()))
        if netns:
            enter_netns(netns)
        fn(pipe, *args)
        status = 0
    except BaseException:  # pylint: disable=broad-except
        try:
            pipe.send(PeerFailed(traceback.format_exc()))
        except OSError:
            pass
    finally:
        os._exit(status)  # the test's own clean-up is not this process's


def enter_netns(name):
    with open(f"/run/netns/{name}", "rb") as f:
        if _libc.setns(f.fileno(), 0x40000000):  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "setns")


# ---- sockets ----


def listen(address=LOCALHOST, options=(), port=0):
    """A listener on port (0: a free one), with (level, option, value) set before listen."""
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option in options:
        s.setsockopt(*option)
    s.bind((address, port))
    s.listen(1024)
    return s


def port_of(listener):
    return listener.getsockname()[1]


def connect(port, address=LOCALHOST, options=()):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    for option in options:
        s.setsockopt(*option)
    s.settimeout(20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.connect((address, port))
    return s


def reset(s):
    """Closes with RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def drain(s):
    """Reads to the end of file; how many bytes came."""
    n = 0
    while True:
        got = s.recv(1 << 20)
        if not got:
            return n
        n += len(got)


# ---- an end that does what the test says, step by step ----


class Puppet(Peer):
    """One end of one connection: p.listen(), p.accept(), p.connect(port), p.send(bytes), ..."""

    def __init__(self, **where):
        super().__init__(_act, **where)

    def __getattr__(self, name):
        return lambda *args, **more: self.ask((name, args, more))


def _act(pipe):
    actor = _Actor()
    while True:
        name, args, more = pipe.recv()
        pipe.send(getattr(actor, name)(*args, **more))


class _Actor:
    def listen(self, address=LOCALHOST, options=(), port=0):
        self.listener = listen(address, options, port=port)
        return port_of(self.listener)

    def accept(self):
        self.s, peer = self.listener.accept()
        self.s.settimeout(20)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return peer[1]

    def unlisten(self):
        self.listener.close()

    def connect(self, port, address=LOCALHOST, options=()):
        """The local port, or None: refused."""
        try:
            self.s = connect(port, address, options)
        except ConnectionRefusedError:
            return None
        return port_of(self.s)

    def send(self, data):
        self.s.sendall(data)

    def recv(self, n):
        """n bytes, fewer at the end of file."""
        return _up_to(self.s, n)

    def shutdown(self):
        self.s.shutdown(socket.SHUT_WR)

    def close(self):
        self.s.close()

    def reset(self):
        reset(self.s)


def _up_to(s, n):
    data = b""
    while len(data) < n and (got := s.recv(n - len(data))):
        data += got
    return data


# ---- HTTP by hand ----


class Http:
    """One connection's buffered reader of HTTP messages; counts the bytes of each."""

    def __init__(self, s):
        self.s, self.buffer = s, b""

    def until(self, mark):
        while mark not in self.buffer:
            got = self.s.recv(1 << 16)
            if not got:
                raise EOFError
            self.buffer += got
        head, mark, self.buffer = self.buffer.partition(mark)
        return head + mark

    def exactly(self, n):
        while len(self.buffer) < n:
            got = self.s.recv(1 << 16)
            if not got:
                raise EOFError
            self.buffer += got
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def request(self):
        """The head of the next request."""
        return self.until(b"\r\n\r\n")

    def response(self):
        """(status, bytes of head and body, body) of the next response."""
        head = self.until(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = self.exactly(length)
        return int(head.split()[1]), len(head) + length, body


def request_bytes(path, host="raw.test", extra=""):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode()


def response_bytes(body=b"ok", status="200 OK", extra=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def path_of(head):
    return head.split()[1].decode()


def serve_http(s, answer):
    """Answers each request on s with what answer(head) returns, until the client closes."""
    h = Http(s)
    try:
        while True:
            s.sendall(answer(h.request()))
    except (EOFError, OSError):
        s.close()


def fetch(port, paths, address=LOCALHOST, options=()):
    """Asks for paths on one kept connection. A list of the facts that its rows must show."""
    s = connect(port, address, options)
    facts = ask_all(s, paths)
    s.close()
    return facts


def ask_all(s, paths):
    h, facts = Http(s), []
    for path in paths:
        sent = request_bytes(path)
        start = time.monotonic()
        s.sendall(sent)
        status, n, body = h.response()
        us = int((time.monotonic() - start) * 1e6)
        facts.append({"path": path, "status": status, "request_bytes": len(sent),
                      "response_bytes": n, "body": body, "us": us})
    return facts


def echo_path(head):
    """The answer of the plain server: its pid and the path, so that a client knows who served."""
    return response_bytes(f"{os.getpid()} {path_of(head)}".encode())


def server(pipe, address=LOCALHOST, options=(), answer=echo_path):
    """A Peer: says its port, then serves each connection in a thread, for ever."""
    listener = listen(address, options)
    pipe.send(port_of(listener))
    while True:
        s, _ = listener.accept()
        threading.Thread(target=serve_http, args=(s, answer), daemon=True).start()


def fetcher(pipe, port, address=LOCALHOST, options=()):
    """A Peer: for each list of lists of paths it hears, asks for each inner list on a connection of
    its own, and says the facts."""
    while True:
        pipe.send([f for paths in pipe.recv() for f in fetch(port, paths, address, options)])


def shows(row, **columns):
    """The row has these values."""
    for key, value in columns.items():
        equal(row[key], value, key)


def check(rows, facts, **same):
    """Each fact has its one whole row, and there is no other row. same: columns alike in all."""
    got = collections.Counter(str(r["path"]) for r in rows)
    want = collections.Counter(f["path"] for f in facts)
    equal((dict(got - want), dict(want - got)), ({}, {}), "(rows too many, rows missing)")
    for fact in facts:
        check_row(one(rows, path=fact["path"]), fact, **same)


def check_row(row, fact, **same):
    same = {"method": "GET", "host": "raw.test", "protocol": HTTP, "side": "both", **same}
    shows(row, **same, **{k: fact[k] for k in ("path", "status", "request_bytes", "response_bytes")})
    whole(row)
    at_least(row["ttfb_us"], 0, f"ttfb_us of {fact['path']}")
    at_most(row["ttfb_us"], row["total_us"], f"ttfb_us of {fact['path']}")
    at_most(row["total_us"], fact["us"] + 1, f"total_us of {fact['path']}")

