# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Frames made by hand: whole HTTP conversations, segment by segment, in every kind of packet and tunnel.
What a conversation's rows must show follows from how it was made (facts), never from tapline.

Checksums are never right (they are 0): no row depends on them."""

import dataclasses
import datetime
import socket
import struct

from lib import equal, same
from wire import ethernet, extension

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
IPV4, IPV6, VLAN, QINQ, TRANSPARENT = 0x800, 0x86DD, 0x8100, 0x88A8, 0x6558
START = 1700000000123456789  # when a conversation begins, unless told


# ---- segments ----


@dataclasses.dataclass(frozen=True)
class Ends:
    """Who talks. Every client has its own number, so that conversations do not meet."""
    port: int
    server_port: int = 80
    host: int = 1

    def address(self, version, client):
        if version == 4:
            return f"192.0.2.{self.host}" if client else "198.51.100.2"
        return f"2001:db8::{self.host:x}" if client else "2001:db8:1::2"


@dataclasses.dataclass(frozen=True)
class Segment:
    ends: Ends
    ns: int
    client: bool  # sent by it
    flags: int
    seq: int
    ack: int
    payload: bytes = b""

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


class Talk:
    """One connection. Its segments are in order; facts are what its rows must show, one a call."""

    def __init__(self, ends, first=(1000, 70000), mss=700, start=START, step=1234567):
        self.ends, self.mss, self.step = ends, mss, step
        self.next = list(first)  # sequence numbers: the client's, the server's
        self.ns = start
        self.segments, self.facts = [], []

    def put(self, client, flags, payload=b""):
        """One segment; it acknowledges all that the other side has sent."""
        mine = 0 if client else 1
        self.segments.append(Segment(self.ends, self.ns, client, flags, self.next[mine],
                                     self.next[1 - mine] if flags & ACK else 0, payload))
        self.next[mine] = (self.next[mine] + len(payload) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        self.ns += self.step
        return self.segments[-1].ns

    def data(self, client, payload):
        """As many segments as it takes; (time of the first, of the last)."""
        times = [self.put(client, ACK | PSH, payload[i:i + self.mss]) for i in range(0, len(payload), self.mss)]
        return times[0], times[-1]

    def open(self):
        self.syn = self.put(True, SYN)
        self.connect_us = (self.put(False, SYN | ACK) - self.syn) // 1000
        self.put(True, ACK)
        return self

    def call(self, path, status=200, body=b"b" * 1500, method="GET", upload=b"", head=""):
        request = f"{method} {path} HTTP/1.1\r\nHost: made.test\r\nContent-Length: {len(upload)}\r\n{head}\r\n"
        answer = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        request = request.encode() + upload
        asked = self.data(True, request)
        answered = self.data(False, answer)
        self.put(True, ACK)
        self.facts.append({
            "method": method, "path": path, "status": status, "host": "made.test",
            "client_port": self.ends.port, "server_port": self.ends.server_port,
            "request_bytes": len(request), "response_bytes": len(answer), "time_ns": asked[0],
            "ttfb_us": (answered[0] - asked[1]) // 1000, "total_us": (answered[1] - asked[0]) // 1000,
            "connect_us": None if self.facts else getattr(self, "connect_us", None)})
        return self

    def close(self):
        for client, flags in ((True, FIN | ACK), (False, FIN | ACK), (True, ACK)):
            self.put(client, flags)
        return self


def conversation(ends, paths=("/first", "/second"), **more):
    """Opened, a call for each path with its own status, closed."""
    talk = Talk(ends, **more).open()
    for i, path in enumerate(paths):
        talk.call(path, status=200 + i)
    return talk.close()


# ---- packets ----


def tcp(s, options=b""):
    """RFC 9293 3.1."""
    port, other = s.ends.port, s.ends.server_port
    if not s.client:
        port, other = other, port
    return struct.pack("!HHIIBBHHH", port, other, s.seq, s.ack, 5 + len(options) // 4 << 4, s.flags, 1024, 0, 0) \
        + options + s.payload


def ipv4(payload, source, destination, protocol=6, options=b"", fragment=0, length=None):
    """RFC 791 3.1."""
    size = 20 + len(options) + len(payload) if length is None else length
    return struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, size, 7, fragment, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination)) + options + payload


def ipv6(payload, source, destination, following=6, headers=(), length=None):
    """RFC 8200 3; headers: types of extension headers in front of the payload."""
    kinds = [*headers, following]
    between = b"".join(extension(after, i % 3) for i, after in enumerate(kinds[1:]))
    size = len(between) + len(payload) if length is None else length
    return struct.pack("!IHBB16s16s", 6 << 28, size, kinds[0], 64, socket.inet_pton(socket.AF_INET6, source),
                       socket.inet_pton(socket.AF_INET6, destination)) + between + payload


def gre(payload, kind, checksum=False, key=None, sequence=None):
    """RFC 2784 2.1, RFC 2890 2."""
    flags = 0x8000 * checksum + 0x2000 * (key is not None) + 0x1000 * (sequence is not None)
    more = b"".join(struct.pack("!I", v) for v in (0 if checksum else None, key, sequence) if v is not None)
    return struct.pack("!HH", flags, kind) + more + payload


def vxlan(frame, network, port=4789):
    """RFC 7348 5, with its UDP header (RFC 768)."""
    return struct.pack("!HHHHII", 50000, port, 16 + len(frame), 0, 0x08000000, network << 8) + frame


def four(s, options=b"", **more):
    """The segment in IPv4."""
    return ipv4(tcp(s, options), s.ends.address(4, s.client), s.ends.address(4, not s.client), **more)


def six(s, before=(6, b""), **more):
    """The segment in IPv6; before: one header more in front of it, as its number and its bytes."""
    return ipv6(before[1] + tcp(s), s.ends.address(6, s.client), s.ends.address(6, not s.client), before[0], **more)


def over4(s, payload, protocol, **more):
    """Between the ends of a tunnel, the way the segment goes."""
    ends = ("203.0.113.1", "203.0.113.2") if s.client else ("203.0.113.2", "203.0.113.1")
    return ipv4(payload, *ends, protocol=protocol, **more)


def over6(s, payload, following, **more):
    ends = ("fd00::1", "fd00::2") if s.client else ("fd00::2", "fd00::1")
    return ipv6(payload, *ends, following=following, **more)


NOP = bytes([1]) * 40
UDP, GRE = 17, 47
# {name: (IP version of the connection, frame of a segment)}
KINDS = {
    "ipv4": (4, lambda s: ethernet(four(s), IPV4)),
    "ipv6": (6, lambda s: ethernet(six(s), IPV6)),
    "tcp options": (4, lambda s: ethernet(four(s, NOP), IPV4)),
    "ip options": (4, lambda s: ethernet(ipv4(tcp(s), s.ends.address(4, s.client), s.ends.address(4, not s.client),
                                              options=NOP), IPV4)),
    "do not fragment": (4, lambda s: ethernet(four(s, fragment=0x4000), IPV4)),
    "extension headers": (6, lambda s: ethernet(six(s, headers=(0, 60, 43, 60)), IPV6)),
    "atomic fragment": (6, lambda s: ethernet(six(s, before=(44, struct.pack("!BBHI", 6, 0, 0, 9))), IPV6)),
    "authentication": (6, lambda s: ethernet(six(s, before=(51, bytes([6, 4]) + bytes(22))), IPV6)),
    "vlan": (4, lambda s: ethernet(four(s), VLAN, IPV4)),
    "vlan, ipv6": (6, lambda s: ethernet(six(s), VLAN, IPV6)),
    "qinq": (4, lambda s: ethernet(four(s), QINQ, VLAN, IPV4)),
    "padding": (4, lambda s: ethernet(four(s), IPV4).ljust(60, b"P") + b"FCS!"),
    "padding, ipv6": (6, lambda s: ethernet(six(s), IPV6) + b"GET / HTTP/1.1\r\n"),
    "ipv4 in ipv4": (4, lambda s: ethernet(over4(s, four(s), 4), IPV4)),
    "ipv6 in ipv4": (6, lambda s: ethernet(over4(s, six(s), 41), IPV4)),
    "ipv4 in ipv6": (4, lambda s: ethernet(over6(s, four(s), 4), IPV6)),
    "gre": (4, lambda s: ethernet(over4(s, gre(four(s), IPV4), GRE), IPV4)),
    "gre, ipv6": (6, lambda s: ethernet(over4(s, gre(six(s), IPV6), GRE), IPV4)),
    "gre, checksum": (4, lambda s: ethernet(over4(s, gre(four(s), IPV4, checksum=True), GRE), IPV4)),
    "gre, key": (4, lambda s: ethernet(over4(s, gre(four(s), IPV4, key=7), GRE), IPV4)),
    "gre, all": (4, lambda s: ethernet(over4(s, gre(four(s), IPV4, True, 7, 9), GRE, options=NOP), IPV4)),
    "gre over ipv6": (4, lambda s: ethernet(over6(s, gre(four(s), IPV4, key=1), GRE, headers=(60,)), IPV6)),
    "gre, ethernet": (4, lambda s: ethernet(over4(s, gre(ethernet(four(s), IPV4), TRANSPARENT), GRE), IPV4)),
    "gre, ethernet, vlan": (6, lambda s: ethernet(
        over4(s, gre(ethernet(six(s), VLAN, IPV6), TRANSPARENT), GRE), VLAN, IPV4)),
    "vxlan": (4, lambda s: ethernet(over4(s, vxlan(ethernet(four(s), IPV4), 1), UDP), IPV4)),
    "vxlan, ipv6": (6, lambda s: ethernet(over4(s, vxlan(ethernet(six(s), IPV6), 0xFFFFFF), UDP), IPV4)),
    "vxlan, 8472": (4, lambda s: ethernet(over4(s, vxlan(ethernet(four(s), IPV4), 1, 8472), UDP), IPV4)),
    "vxlan, vlan": (4, lambda s: ethernet(over4(s, vxlan(ethernet(four(s), VLAN, IPV4), 1), UDP), IPV4)),
    "vxlan, qinq": (6, lambda s: ethernet(
        over4(s, vxlan(ethernet(six(s, headers=(0,)), QINQ, VLAN, IPV6), 1), UDP), QINQ, VLAN, IPV4)),
    "vxlan over ipv6": (4, lambda s: ethernet(over6(s, vxlan(ethernet(four(s), IPV4), 1), UDP), IPV6)),
}


@dataclasses.dataclass
class Traffic:
    """Frames with their times, in the order they were sent, and the facts of all their calls."""
    frames: list  # (ns, bytes)
    facts: list


def framed(talk, kind):
    """[(ns, frame)] of a conversation, and its facts with the addresses."""
    version, frame = KINDS[kind]
    ends = {"client": talk.ends.address(version, True), "server": talk.ends.address(version, False)}
    return Traffic([(s.ns, frame(s)) for s in talk.segments], [{**f, **ends} for f in talk.facts])


def together(*traffics):
    """Several at once, by time; what has the same time keeps its order."""
    frames = sorted((f for t in traffics for f in t.frames), key=lambda f: f[0])
    return Traffic(frames, [f for t in traffics for f in t.facts])


# ---- rows ----

COMPARED = "client client_port server server_port method host path status request_bytes response_bytes".split()
TIMES = "time connect_us ttfb_us total_us".split()


def iso(ns):
    """As a row shows a time: UTC, whole microseconds."""
    when = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=ns // 1000)
    return when.isoformat(timespec="microseconds") + "Z"


def compare(rows, facts, times=False, quality=()):
    """Each fact has its one row and no row is more; with their times, where these are a file's."""
    keys = COMPARED + (TIMES if times else [])
    same([tuple(r[k] for k in keys) for r in rows],
         [tuple({**f, "time": iso(f["time_ns"])}[k] for k in keys) for f in facts], "rows")
    for row in rows:
        equal(tuple(row["quality"]), tuple(quality), f"quality of {row['path']} on port {row['client_port']}")
