# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tests of tools on an interface are written with: tcpdump beside them, and frames made by hand
of what a network never sends by itself (tags, fragments, cut headers)."""

import contextlib
import os
import re
import socket
import struct
import tempfile

from lib import Netns, Proc, equal, run, sysctl, veth, wait_for


class Tcpdump(Proc):
    """tcpdump on an interface, writing to a file; packets() after the block has ended."""

    def __init__(self, interface, ns=None, expression=None, size=128):
        self.file = tempfile.NamedTemporaryFile(prefix="tapline-pcap-")
        self.err = tempfile.TemporaryFile()
        super().__init__("tcpdump", "-i", interface, "--immediate-mode", "-U", "-s", size, "-B", "65536", "-Z", "root", "-n", "-w",
                         self.file.name, *([expression] if expression else []), ns=ns, stderr=self.err)
        wait_for(lambda: b"listening on" in self.said(), 10, "tcpdump to listen")

    def said(self):
        self.err.seek(0)
        return self.err.read()

    def __exit__(self, *_):
        self.stop()
        equal(re.findall(rb"(\d+) packets dropped by kernel", self.said()), [b"0"], "packets that tcpdump lost")

    def packets(self):
        """[(bytes on the wire, captured bytes)]: a pcap file in this machine's byte order."""
        with open(self.file.name, "rb") as f:
            data = f.read()
        found, at = [], 24
        while at < len(data):
            captured, length = struct.unpack_from("=8xII", data, at)
            found.append((length, data[at + 16:at + 16 + captured]))
            at += 16 + captured
        return found

    def seen(self, n):
        """Has it written n packets?"""
        return os.path.getsize(self.file.name) > 24 and len(self.packets()) >= n

    def settled(self):
        """Waits until nothing more comes, and returns what has come."""
        seen = [-1]

        def same():
            n = len(self.packets())
            done = n == seen[-1]
            seen.append(n)
            if not done:
                run("sleep", "0.3")
            return done

        wait_for(same, 30, "the traffic to end")
        return self.packets()

    def lines(self, expression=""):
        """What tcpdump says of each packet, without times and names."""
        return run("tcpdump", "-nn", "-t", "-r", self.file.name, expression).stdout.splitlines()

    def count(self, expression):
        return len(self.lines(expression))


# ---- frames made by hand ----

FOUR = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
SIX = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "2001:db8::2")


def ethernet(payload, *types, to="020000000002"):
    """An Ethernet frame; every type but the last is a tag's, for the VLANs 5, 6 and so on."""
    tags = b"".join(struct.pack("!HH", t, 5 + i) for i, t in enumerate(types[:-1]))
    return bytes.fromhex(to + "020000000001") + tags + struct.pack("!H", types[-1]) + payload


def ipv4(protocol, payload, fragment=0, words=5, length=None, ends=FOUR):
    """An IPv4 packet (RFC 791); words: what it says of its header's length."""
    return struct.pack("!BBHHHBBH", 0x40 | words, 0, length or 20 + len(payload), 7, fragment, 64, protocol,
                       0) + ends + payload


def ipv6(following, payload, length=None):
    """An IPv6 packet (RFC 8200); following is the number of the header that comes next."""
    return struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, following, 64) + SIX + payload


def extension(following, words=0):
    """An IPv6 extension header of 8 bytes and so many times 8 more, filled by one PadN option."""
    return struct.pack("!BBBB", following, words, 1, 4 + 8 * words) + bytes(4 + 8 * words)


def tcp(port, payload=b"", words=5, flags=0x10, source=999):
    """A TCP segment (RFC 9293) whose header says that it is so many words long."""
    return struct.pack("!HHIIBBHHH", source, port, 1, 1, words << 4, flags, 1024, 0, 0) + payload


def udp(port, payload=b"", source=999):
    return struct.pack("!HHHH", source, port, 8 + len(payload), 0) + payload


SENDER = """import os, socket, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # frames sent from several CPUs overtake each other
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
frames = [bytes.fromhex(line) for line in sys.stdin]
for _ in range(int(sys.argv[2])):
    for f in frames:
        s.send(f)
"""


def send_frames(ns, frames, times=1, link="v0"):
    run("python3", "-c", SENDER, link, times, ns=ns, input="\n".join(f.hex() for f in frames))


def silence(*namespaces):
    """Interfaces that come will say nothing by themselves, as IPv6 does at any time."""
    for ns in namespaces:
        sysctl("net.ipv6.conf.default.disable_ipv6", 1, ns=ns)


@contextlib.contextmanager
def silent_hosts():
    """Two namespaces joined by a veth pair (v0, v1) that nothing uses but the test."""
    with Netns("a") as a, Netns("b") as b:
        silence(a, b)
        veth(a, "10.213.7.1/24", b, "10.213.7.2/24")
        yield a, b


# ---- datagrams ----


def send_udp(ns, address="127.0.0.1", port=9, payload="datagram", source=0):
    run("python3", "-c", "import socket,sys\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.bind(('', int(sys.argv[4])))\n"
        "s.sendto(sys.argv[3].encode(), (sys.argv[1], int(sys.argv[2])))", address, port, payload, source, ns=ns)


RECEIVER = """import socket, sys
s = socket.socket(type=socket.SOCK_DGRAM)
s.bind(("", int(sys.argv[1])))
print("bound", flush=True)
s.recv(100)
print("received", flush=True)
sys.stdin.read()
"""


class Receiver(Proc):
    """A process with a UDP socket that only receives."""

    def __init__(self, port, ns=None):
        super().__init__("python3", "-c", RECEIVER, port, ns=ns, stdin=-1, stdout=-1, text=True)
        self.wait("bound")

    def wait(self, word="received"):
        equal(self.p.stdout.readline(), word + "\n", "what the receiver says")
