# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The traffic of a soak run: every kind of call and connection, in cycles that are all alike.

usage: client.py LETTER CYCLE_SECONDS CYCLES ADDRESS4 ADDRESS6 NGINX_PORT ECHO_PORT HOLE_PORT STREAM_PORT

It works in one thread, so that what it counts is what it did. Each request has LETTER and a number of
its kind in it, so that each row can be found again. At the end, and after each cycle, a line of JSON
on standard output says of each kind how many requests were sent, and the bytes both ways.
"""

import collections
import json
import random
import select
import socket
import sys
import time

# Of a cycle: until which part of it, with how many ticks' work a tick. Then all is closed and quiet.
PHASES = ((0.2, 0.5), (0.4, 1.0), (0.6, 2.0), (0.8, 0.7))
BUSY = PHASES[-1][0]
TICK = 0.1
ODDS = {"keep": 7, "short": 1.5, "upload": 0.4, "chunked-up": 0.4, "chunked": 0.8, "pipe": 0.2, "big": 0.3,
        "echo": 3, "reset": 0.15, "timeout": 0.1, "refused": 0.15, "stream": 0.05, "idle": 0.7}
POOL = 24  # connections that are kept
PIPELINE = 4
BODY = b"b" * 20000
RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 s
FRAME = b"\x81\x10" + b"c" * 16


class Wire:
    """A connection whose bytes are counted for the kind of call that uses it."""

    def __init__(self, load, port):
        # Three of four by IPv4, decided by lot with a fixed seed.
        self.s = socket.create_connection((load.random.choice(load.hosts), port), 10)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.load, self.buffer = load, b""
        load.connections[port] += 1

    def send(self, kind, data):
        self.s.sendall(data)
        self.load.sent_bytes[kind] += len(data)

    def receive(self, kind):
        piece = self.s.recv(1 << 18)
        self.load.received_bytes[kind] += len(piece)
        return piece

    def until(self, kind, mark):
        """What comes up to and with mark; the rest stays for later."""
        while mark not in self.buffer:
            piece = self.receive(kind)
            assert piece, f"{kind}: closed before {mark!r}: {self.buffer[-200:]!r}"
            self.buffer += piece
        got, _, self.buffer = self.buffer.partition(mark)
        return got + mark

    def answer(self, kind):
        """One whole HTTP response."""
        head = self.until(kind, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 2"), head
        if b"chunked" in head:
            self.until(kind, b"\r\n0\r\n\r\n")
            return
        length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
        left = int(length or 0)
        while len(self.buffer) < left:
            piece = self.receive(kind)
            assert piece, f"{kind}: closed {left - len(self.buffer)} bytes early"
            self.buffer += piece
        self.buffer = self.buffer[left:]

    def close(self, reset=False):
        if reset:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.s.close()


class Load:
    def __init__(self, letter, seconds, hosts, ports):
        self.scale = min(1, seconds / 100)  # short cycles have short waits, so that they have their quiet part
        self.letter, self.hosts = letter, [hosts[0]] * 3 + [hosts[1]]
        self.nginx, self.echo_port, self.hole, self.stream_port = ports
        self.random = random.Random(letter)
        self.sent, self.connections = collections.Counter(), collections.Counter()
        self.sent_bytes, self.received_bytes = collections.Counter(), collections.Counter()
        self.pools = {}
        self.later = []  # (when, what to do)
        self.streams = []
        self.work = {kind: 0.0 for kind in ODDS}

    def head(self, kind, method="GET", more=""):
        self.sent[kind] += 1
        return (f"{method} /{kind}/{self.letter}/{self.sent[kind]} HTTP/1.1\r\nHost: soak\r\n{more}\r\n").encode()

    def pooled(self, port):
        """A kept connection, and now and then a new one in its place."""
        pool = self.pools.setdefault(port, [])
        place = self.random.randrange(POOL)
        if place >= len(pool):
            pool.append(Wire(self, port))
            return pool[-1]
        if self.random.random() < 0.01:
            pool[place].close()
            pool[place] = Wire(self, port)
        return pool[place]

    def call(self, wire, kind, *head, body=b""):
        wire.send(kind, self.head(kind, *head) + body)
        wire.answer(kind)

    # ---- the kinds; what is between two ticks is put into self.later ----

    def keep(self, kind):
        self.call(self.pooled(self.nginx), kind)

    big = keep

    def chunked(self, kind):
        self.call(self.pooled(self.nginx), kind, "GET", "Accept-Encoding: gzip\r\n")

    def upload(self, kind):
        self.call(self.pooled(self.nginx), kind, "PUT", f"Content-Length: {len(BODY)}\r\n", body=BODY)

    def chunked_up(self, kind):
        half = len(BODY) // 2
        body = b"".join(b"%x\r\n%s\r\n" % (half, BODY[:half]) for _ in range(2)) + b"0\r\n\r\n"
        self.call(self.pooled(self.nginx), kind, "PUT", "Transfer-Encoding: chunked\r\n", body=body)

    def short(self, kind):
        wire = Wire(self, self.nginx)
        self.call(wire, kind, "GET", "Connection: close\r\n")
        assert not wire.receive(kind)
        wire.close()

    def pipe(self, kind):
        wire = self.pooled(self.nginx)
        wire.send(kind, b"".join(self.head(kind) for _ in range(PIPELINE)))
        for _ in range(PIPELINE):
            wire.answer(kind)

    def echo(self, kind):
        wire = self.pooled(self.echo_port)
        self.sent[kind] += 1
        message = f"{kind}/{self.letter}/{self.sent[kind]}/".encode().ljust(self.random.randrange(40, 3000), b".")
        wire.send(kind, message)
        got = 0
        while got < len(message):
            piece = wire.receive(kind)
            assert piece, "echo: closed"
            got += len(piece)

    def unanswered(self, kind, seconds, reset):
        wire = Wire(self, self.hole)
        wire.send(kind, self.head(kind))
        self.at(seconds, lambda: wire.close(reset))

    def reset(self, kind):
        self.unanswered(kind, 0.3, True)

    def timeout(self, kind):
        self.unanswered(kind, 1.5, False)

    def refused(self, kind):
        """The server resets instead of an answer."""
        self.unanswered(kind, 0.3, False)

    def idle(self, kind):
        """Open for long, with one call on the way."""
        wire = Wire(self, self.nginx)
        self.at(4, lambda: self.call(wire, kind))
        self.at(8, wire.close)

    def stream(self, kind):
        wire = Wire(self, self.stream_port)
        wire.send(kind, self.head(kind, "GET", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
        wire.until(kind, b"\r\n\r\n")
        self.streams.append(wire)
        self.at(3, lambda: self.end_stream(kind, wire))

    def end_stream(self, kind, wire):
        self.streams.remove(wire)
        wire.send(kind, b"\x88\x03bye")
        wire.until(kind, b"\x88\x03bye")
        wire.close()

    # ---- time ----

    def at(self, seconds, what):
        self.later.append((self.now + seconds * self.scale, what))

    def pump(self):
        """A frame to each stream, whatever it sends, and what it has sent."""
        for wire in self.streams:
            wire.send("stream", FRAME)
        for s in select.select([w.s for w in self.streams], [], [], 0)[0]:
            next(w for w in self.streams if w.s is s).buffer = b""
            self.received_bytes["stream"] += len(s.recv(1 << 18))

    def tick(self, now, rate):
        self.now = now
        due = [what for when, what in self.later if when <= now]
        self.later = [(when, what) for when, what in self.later if when > now]
        for what in due:
            what()
        self.pump()
        for kind, odds in ODDS.items():
            self.work[kind] += odds * rate
            while self.work[kind] >= 1:
                self.work[kind] -= 1
                getattr(self, kind.replace("-", "_"))(kind)

    def finish(self, now):
        """Lets what waits come to its end, and closes all that is kept."""
        while self.later:
            time.sleep(TICK)
            self.tick(time.monotonic(), 0)
        for pool in self.pools.values():
            while pool:
                pool.pop().close()

    def report(self, cycle):
        print(json.dumps({"cycle": cycle, "sent": self.sent, "connections": self.connections,
                          "sent_bytes": self.sent_bytes, "received_bytes": self.received_bytes}), flush=True)


def cycle(load, start, seconds):
    """From start on; its quiet part is the sleep of the caller."""
    busy = start + seconds * BUSY
    next_tick = start
    while (now := time.monotonic()) < busy:
        part = (now - start) / seconds
        load.tick(now, next(rate for until, rate in PHASES if part < until))
        next_tick = max(next_tick + TICK, now)  # what could not be done in time is not made up for
        time.sleep(max(0, next_tick - time.monotonic()))
    load.finish(time.monotonic())


def main():
    letter, seconds, cycles, *hosts = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6]
    load = Load(letter, seconds, hosts, [int(port) for port in sys.argv[6:10]])
    start = time.monotonic()
    for n in range(cycles):
        time.sleep(max(0, start + n * seconds - time.monotonic()))
        cycle(load, start + n * seconds, seconds)
        load.report(n + 1)
    time.sleep(max(0, start + cycles * seconds - time.monotonic()))


if __name__ == "__main__":
    main()
