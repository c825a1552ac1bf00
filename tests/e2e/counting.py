# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the tests of count have in common, live and from files: its rows, and frames of every kind that it tells
apart, each with the name that it must give it."""

import contextlib
import struct

from lib import Tapline
from wire import Tcpdump, ethernet, ipv4, ipv6, tcp

KINDS = "protocol host port connection size process".split()


def count(*args, ns=None):
    return Tapline(*args, tool="count", ns=ns)


def last_block(t):
    rows = t.stop()
    return [r for r in rows if r["time"] == rows[-1]["time"]] if rows else []


def by_name(rows, key="protocol"):
    return {r[key]: r["packets"] for r in rows}


def total(rows):
    return sum(r["packets"] for r in rows), sum(r["bytes"] for r in rows)


@contextlib.contextmanager
def counted(ns, interface, *args, kinds=KINDS):
    """All kinds at once, and tcpdump: yields (dump, {kind: Tapline}), all of them attached."""
    with contextlib.ExitStack() as stack:
        dump = stack.enter_context(Tcpdump(interface, ns))
        yield dump, {k: stack.enter_context(count("-i", interface, "--by", k, *args, ns=ns)) for k in kinds}


def ports(source=4000, destination=80):
    return struct.pack("!HH", source, destination) + bytes(4)


def labelled():
    """[(name that count must give it, frame)]."""
    frames = []
    for tags in ((), (0x8100,), (0x88A8, 0x8100)):
        for protocol, name, payload in ((1, "ICMP", bytes(8)), (6, "TCP", tcp(80, b"payload", source=4000)),
                                        (17, "UDP", ports()), (47, "GRE", bytes(4)), (132, "SCTP", ports() + bytes(4)),
                                        (50, "ESP", bytes(16)), (253, "253", bytes(9))):
            frames.append((name, ethernet(ipv4(protocol, payload), *tags, 0x800)))
            for fragment in (0x2000, 0x2001, 0x0001):
                frames.append((name, ethernet(ipv4(protocol, payload, fragment), *tags, 0x800)))
        for protocol, name, payload in ((58, "ICMPv6", bytes(8)), (6, "TCP", tcp(80, source=4000)), (17, "UDP", ports()),
                                        (59, "IPv6-NoNxt", b"")):
            frames.append((name, ethernet(ipv6(protocol, payload), *tags, 0x86DD)))
            options = struct.pack("!BB", 60, 0) + bytes(6) + struct.pack("!BB", protocol, 1) + bytes(14)
            frames.append((name, ethernet(ipv6(0, options + payload), *tags, 0x86DD)))
            frames.append((name, ethernet(ipv6(44, struct.pack("!BBHI", protocol, 0, 1, 9) + payload), *tags, 0x86DD)))
            frames.append((name, ethernet(ipv6(44, struct.pack("!BBHI", protocol, 0, 8, 9) + payload), *tags, 0x86DD)))
            frames.append((name, ethernet(ipv6(51, struct.pack("!BB", protocol, 4) + bytes(22) + payload), *tags,
                                          0x86DD)))
        frames.append(("TCP", ethernet(ipv4(6, tcp(80, source=4000)[:7]), *tags, 0x800)))
        frames.append(("TCP", ethernet(ipv4(6, b""), *tags, 0x800)))
        frames.append(("UDP", ethernet(ipv6(17, b"\0"), *tags, 0x86DD)))
        frames.append(("IPv4", ethernet(ipv4(6, tcp(80, source=4000))[:19], *tags, 0x800)))
        frames.append(("IPv6", ethernet(ipv6(6, tcp(80, source=4000))[:39], *tags, 0x86DD)))
        frames.append(("ARP", ethernet(bytes(28), *tags, 0x806)))
        frames.append(("LLDP", ethernet(bytes(30), *tags, 0x88CC)))
        frames.append(("0x88b5", ethernet(bytes(30), *tags, 0x88B5)))
    return frames
