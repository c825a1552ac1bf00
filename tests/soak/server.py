# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The servers of a soak run beside nginx: echo, one that never answers, and one that talks at once.

usage: server.py ECHO_PORT HOLE_PORT STREAM_PORT; serves until it is ended by a signal. It counts
nothing: what was asked and answered is counted by the clients (client.py) and by nginx.
"""

import contextlib
import selectors
import socket
import sys
import time

FRAME = b"\x81\x20" + b"s" * 32  # of the server, to every stream
EVERY = 0.05  # seconds between two of them
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 s


def listener(port):
    s = socket.create_server(("::", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)
    s.setblocking(False)
    return s


def echo(_, s, data):
    s.sendall(data)


def hole(_, s, data):
    if data.startswith(b"GET /refused"):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return True  # closed, with RST
    return None


def stream(streams, s, data):
    """The first bytes are the request for an upgrade; what follows are frames, which say nothing."""
    if s not in streams and b"\r\n\r\n" in data:
        s.sendall(UPGRADED)
        streams.add(s)
    if b"bye" in data:
        streams.discard(s)
        s.sendall(b"\x88\x03bye")


def serve(ports):
    selector, streams, last = selectors.DefaultSelector(), set(), time.monotonic()
    for port, action in zip(ports, (echo, hole, stream)):
        selector.register(listener(port), selectors.EVENT_READ, (True, action))
    while True:
        for key, _ in selector.select(EVERY):
            listens, action = key.data
            if listens:
                s, _ = key.fileobj.accept()
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(s, selectors.EVENT_READ, (False, action))
                continue
            s, over = key.fileobj, True
            with contextlib.suppress(OSError):
                data = s.recv(1 << 16)
                over = not data or action(streams, s, data)
            if over:
                selector.unregister(s)
                streams.discard(s)
                s.close()
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            for s in streams:
                s.sendall(FRAME)


if __name__ == "__main__":
    serve([int(port) for port in sys.argv[1:4]])
