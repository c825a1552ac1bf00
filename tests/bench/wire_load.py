# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the measures on the wire are made of: two hosts joined by a veth pair, datagrams between them, and
who watches the server's end of it. Everything started here is a context manager."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import lib
import load

UDP_PORT, MARKED_PORT = 9000, 9001


# ---- the wire ----


@dataclass
class Wire:
    """Two namespaces and the pair of interfaces between them; interface is the server's end."""

    client: lib.Netns
    server: lib.Netns
    far: str
    interface: str
    address: str = "10.213.7.2"
    port: int = 80  # of the HTTP server: other programs know it without being told


@contextlib.contextmanager
def wire():
    """Nothing passes but the load: no IPv6, and neighbours are known."""
    with lib.Netns("a") as a, lib.Netns("b") as b:
        for ns in (a, b):
            lib.sysctl("net.ipv6.conf.all.disable_ipv6", 1, ns=ns)
        far, near = lib.veth(a, "10.213.7.1/24", b, "10.213.7.2/24")
        for ns, link, to, to_ns, to_link in ((a, far, "10.213.7.2", b, near),
                                             (b, near, "10.213.7.1", a, far)):
            lib.run("ip", "-n", ns, "neigh", "replace", to, "lladdr", link_state(to_ns, to_link)["address"],
                    "dev", link, "nud", "permanent")
        yield Wire(a, b, far, near)


def link_state(ns, link):
    return json.loads(lib.run("ip", "-n", ns, "-s", "-j", "link", "show", link).stdout)[0]


def passed(w):
    """(packets that the server's interface has received and sent, packets lost on the way to it)."""
    near, far = (link_state(*end)["stats64"] for end in ((w.server, w.interface), (w.client, w.far)))
    return near["rx"]["packets"] + near["tx"]["packets"], far["tx"]["dropped"] + near["rx"]["dropped"]


def settled(wire):
    """passed() once nothing passes any more: connections are closed after the load has ended."""
    last = passed(wire)
    while True:
        time.sleep(0.1)
        now = passed(wire)
        if now == last:
            return now
        last = now


# ---- datagrams ----


class Sink(lib.Proc):
    """Takes the datagrams, so that none is answered."""

    def __init__(self, w):
        super().__init__(lib.program("udp_load"), "sink", UDP_PORT, MARKED_PORT, ns=w.server,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None)
        if self.p.stdout.readline() != b"ready\n":
            self.stop()
            raise AssertionError("the sink for datagrams cannot be opened")

    def __exit__(self, *_):
        self.stop()
        self.p.stdin.close()
        self.p.stdout.close()


def datagrams(w, seconds, rate=0):
    """Sends them from one CPU, at most so many a second (0: as fast as it can)."""
    text = lib.run("taskset", "-c", load.CLIENT_CPUS[-1], lib.program("udp_load"), "send", w.address,
                   UDP_PORT, MARKED_PORT, seconds, rate, ns=w.client, timeout=seconds + 30).stdout
    sent, marked, ns = map(int, text.split())
    return {"sent": sent, "marked": marked, "rate": sent / ns * 1e9}


# ---- who watches ----


@dataclass
class Program:
    """Somebody else's: its command line, and what it says at its end of packets that it lost and of HTTP
    messages that it showed (None: nothing). @ is the interface."""

    command: str
    lost: str = None
    shown: str = None


PROGRAMS = {
    "tcpdump": Program("tcpdump -Z root -i @ -w /dev/null", r"(\d+) packets? dropped by kernel"),
    "ngrep": Program("ngrep -q -d @ HTTP"),
    "httpry": Program("httpry -i @ -o /dev/null", r"(\d+) packets dropped", r"(\d+) http packets parsed"),
    # Of dropped packets it says nothing when there were none.
    "tshark": Program("tshark -i @ -Y http", r"(\d+) packets? dropped from|\Z", r"(\d+) packets? captured"),
}


def installed():
    """Names of those that are here, and of those that are not."""
    here = [name for name in PROGRAMS if shutil.which(name)]
    return here, sorted(set(PROGRAMS) - set(here))


def versions(names):
    """name -> what it says of itself, asked for its help as it has no word for the version alone."""

    def ask(name):
        done = lib.run(name, "-V" if name == "ngrep" else "-h", check=False)
        m = re.search(rf"{name}[^\d\n]*([\d.]*\d)", done.stdout + done.stderr, re.I)
        return m[1] if m else "unknown"

    return {name: ask(name) for name in names}


def packet_sockets(w):
    """How many are bound to the server's interface."""
    index = str(link_state(w.server, w.interface)["ifindex"])
    lines = lib.run("cat", "/proc/net/packet", ns=w.server).stdout.splitlines()[1:]
    return sum(word[4] == index and word[5] == "1" for word in map(str.split, lines))


class Peer(load.Peer):
    """One of PROGRAMS on the server's interface, once its packet socket is there."""

    def __init__(self, name, w):
        self.program, self.name, self.wire = PROGRAMS[name], name, w
        super().__init__(*self.program.command.replace("@", w.interface).split(), ns=w.server)

    def wait_ready(self):
        lib.wait_for(lambda: packet_sockets(self.wire), 20, f"{self.name} to open its packet socket")

    def _number(self, pattern):
        if not pattern:
            return None
        m = re.search(pattern, self.said)
        assert m, f"{self.program.command} said: {self.said[-1000:]}"
        return int(m[1] or 0)

    def lost(self):
        return self._number(self.program.lost)

    def shown(self):
        """Calls: a message is half of one."""
        messages = self._number(self.program.shown)
        return messages if messages is None else messages / 2


# ---- what the kernel says ----


def idle_seconds():
    """Idle time of all CPUs together. The kernel keeps it exactly, where it samples who was busy."""
    with open("/proc/stat") as f:
        word = f.readline().split()
    return (int(word[4]) + int(word[5])) / os.sysconf("SC_CLK_TCK")


SOCKET_FILTER = "1"  # BPF_PROG_TYPE_SOCKET_FILTER of linux/bpf.h


def filter_times(pid):
    """(runs, ns) of the socket filters that this process holds, and ns of its other programs. One that is
    tail-called is timed with its caller, and has no runs of its own."""
    programs = {info["prog_id"]: info for info in load.fdinfos(pid) if "run_cnt" in info}
    runs, ns, other = 0, 0, 0
    for info in programs.values():
        if info["prog_type"] == SOCKET_FILTER:
            runs, ns = runs + int(info["run_cnt"]), ns + int(info["run_time_ns"])
        else:
            other += int(info["run_time_ns"])
    return runs, ns, other
