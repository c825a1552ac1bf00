# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Capture files made by hand, in every byte order and time resolution, and Wireshark's tools to read any.
pcap is draft-ietf-opsawg-pcap, pcapng is draft-ietf-opsawg-pcapng."""

import os
import struct

from lib import run

ETHERNET, RAW, COOKED, COOKED2, BSD_LOOPBACK = 1, 101, 113, 276, 0


def _packet(ns, frame, length=None):
    return ns, frame, len(frame) if length is None else length


def pcap(link, packets, order="<", nano=False):
    """packets: (ns, bytes) or (ns, bytes, length on the wire)."""
    unit = 1 if nano else 1000
    out = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)]
    for ns, frame, length in (_packet(*p) for p in packets):
        seconds, part = divmod(ns, 10**9)
        out += struct.pack(order + "IIII", seconds, part // unit, len(frame), length), frame
    return b"".join(out)


def padded(data):
    return data + bytes(-len(data) % 4)


def block(order, kind, body):
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def options(order, *pairs):
    return b"".join(struct.pack(order + "HH", code, len(value)) + padded(value) for code, value in pairs)


def pcapng(link, packets, order="<", resolution=9, offset=0):
    """One section, with a block that nobody knows; times are what they would be without an offset."""
    per_second = 2 ** (resolution & 127) if resolution & 128 else 10**resolution
    out = [block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
           block(order, 1, struct.pack(order + "HHI", link, 0, 262144) + options(
               order, (2, b"if0"), (9, bytes([resolution])), (14, struct.pack(order + "q", offset)), (0, b""))),
           block(order, 0x7777, b"not known to anybody")]
    for i, (ns, frame, length) in enumerate(_packet(*p) for p in packets):
        units = (ns - offset * 10**9) * per_second // 10**9
        head = struct.pack(order + "IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(frame), length)
        out.append(block(order, 6, head + padded(frame) + options(order, (1, b"number %d" % i), (0, b""))))
    return b"".join(out)


def save(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def tshark(path, *fields, check=True, more=()):
    """One list of fields for each packet; a field that a packet has twice is joined by commas."""
    words = [word for f in fields for word in ("-e", f)]
    done = run("tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=\x01", *more, *words, check=check)
    return [line.split("\x01") for line in done.stdout.splitlines()]


def ahead(a, b):
    """How far sequence number a is behind b; they wrap around."""
    return (a - b + (1 << 31)) % (1 << 32) - (1 << 31)


def nanoseconds(text):
    """Of a time of tshark's."""
    seconds, _, part = text.partition(".")
    return int(seconds) * 10**9 + int((part + "0" * 9)[:9])


def capinfos(path, *more):
    return run("capinfos", *more, path).stdout
