# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the measures of peers are made of: programs that show HTTP requests, how each is started, seen to be ready,
seen to have caught up and read, and a load of numbered requests. Everything started here is a context manager."""

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass

import lib
import load
import peer_rows
import tcp_load
import wire_load

# What a person would write who has bpftrace: first bytes of what nginx reads and writes, with the port of who was
# accepted. Structures have names of their own, as those of the kernel's headers would not compile.
HTTP_BT = """struct address_in { uint16_t family; uint16_t port; uint32_t address; };
struct piece { char *base; uint64_t length; };
tracepoint:syscalls:sys_enter_accept4 /comm == "nginx"/ { @peer[tid] = args->upeer_sockaddr; }
tracepoint:syscalls:sys_exit_accept4 /comm == "nginx" && args->ret >= 0/ {
 $a = (struct address_in *)@peer[tid]; $p = $a->port; @port[pid, args->ret] = ($p >> 8) | (($p & 255) << 8); }
tracepoint:syscalls:sys_enter_recvfrom /comm == "nginx"/ { @buffer[tid] = args->ubuf; @fd[tid] = args->fd; }
tracepoint:syscalls:sys_exit_recvfrom /comm == "nginx" && args->ret > 0/ {
 printf("%d > %s\\n", @port[pid, @fd[tid]], str(@buffer[tid], 32)); }
tracepoint:syscalls:sys_enter_writev /comm == "nginx"/ {
 $v = (struct piece *)args->vec; printf("%d < %s\\n", @port[pid, args->fd], str($v->base, 16)); }"""
FIELDS = "tcp.srcport tcp.dstport http.request.method http.request.uri http.response.code".split()


@dataclass
class Tool:
    """command: @ is the interface, FILE a file for packets. read: a file of rows -> messages or rows. lost: what it
    says at its end of what it lost. afterwards: what shows the packets of FILE, where rows are not shown at once."""

    command: list
    read: object
    lost: str = None
    afterwards: list = None

    @property
    def program(self):
        return self.command[0]


ON_PORT = ["tcp", "port", "80"]
DROPPED = r"(\d+) packets? dropped by kernel"
TOOLS = {
    "tapline": Tool(["tapline", "requests", "-o", "json", "--port", "80"], peer_rows.tapline),
    "tapline_i": Tool(["tapline", "requests", "-o", "json", "-i", "@", "tcp port 80"], peer_rows.tapline),
    "tshark": Tool(["tshark", "-l", "-n", "-i", "@", "-f", "tcp port 80", "-Y", "http", "-T", "fields",
                    *[w for f in FIELDS for w in ("-e", f)]], peer_rows.columns, r"(\d+) packets? dropped from|\Z"),
    "httpry": Tool(["httpry", "-F", "-i", "@", "-f", "source-port,dest-port,method,request-uri,status-code",
                    "tcp port 80"], peer_rows.columns, r"(\d+) packets dropped"),
    "ngrep": Tool(["ngrep", "-q", "-l", "-W", "byline", "-d", "@", "HTTP", *ON_PORT], peer_rows.ngrep),
    "tcpdump_l": Tool(["tcpdump", "-l", "-n", "-A", "-i", "@", *ON_PORT], peer_rows.tcpdump, DROPPED),
    "tcpdump": Tool(["tcpdump", "-n", "-A", "-i", "@", *ON_PORT], peer_rows.tcpdump, DROPPED),
    "tcpdump_w": Tool(["tcpdump", "-n", "-w", "FILE", "-i", "@", *ON_PORT], peer_rows.tcpdump, DROPPED,
                      ["tcpdump", "-n", "-r", "FILE"]),
    "bpftrace": Tool(["bpftrace", "-B", "line", "-e", HTTP_BT], peer_rows.bpftrace),
}
OURS = ("tapline", "tapline_i")

# Programs of the same kind that have no rows of requests: run, and their lines counted. PIDS are nginx's workers.
OTHERS = {
    "perf trace": ["perf", "trace", "-e", "recvfrom,writev", "-p", "PIDS"],
    "pidstat": ["pidstat", "-p", "PIDS", "1"],
    "tcptracer": ["tcptracer"],
    "tcpconnect": ["tcpconnect"],
    "tcplife": ["tcplife"],
    "tcptop": ["tcptop", "-C", "1"],
}


def versions():
    def ask(pattern, *command):
        done = lib.run(*command, check=False)
        m = re.search(pattern, done.stdout + done.stderr)
        return m[1] if m else "unknown"

    here = [t for t in ("tcpdump", "ngrep", "httpry", "tshark") if shutil.which(t)]
    return {"nginx": load.versions()["nginx"], **wire_load.versions(here),
            "bpftrace": ask(r"v([\d.]+)", "bpftrace", "--version"), "perf": ask(r"([\d.]+)", "perf", "--version"),
            "sysstat": ask(r"([\d.]+)", "pidstat", "-V"),
            "libbpf-tools": ask(r"([\d.]+)", "dpkg-query", "-W", "-f", "${Version}", "libbpf-tools")}


# ---- load ----

ANSWERS = f"location ~ 7$ {{ return 404 '{'x' * 1024}'; }}"


def server(wire):
    return load.nginx(log=True, pinned=True, wire=wire, more=ANSWERS)


def asking(server, seconds, rate, connections=load.CONNECTIONS):
    """The command line of tests/programs/http_load.c; rate 0 is as fast as it can."""
    command = [lib.program("http_load"), server.wire.address, server.port, connections, seconds, rate]
    return load.generator(server, *map(str, command))


def ask(server, seconds, rate):
    """What the generator says of itself."""
    text = lib.run(*asking(server, seconds, rate), timeout=seconds + 60).stdout
    asked, answered, ns, p50, p99, longest = map(int, text.split())
    lib.equal(answered, asked, "answers to the generator")
    return {"requests": asked, "rate": asked / ns * 1e9, "p50_us": p50, "p99_us": p99, "max_us": longest}


# ---- who watches ----


def command_of(name, wire, file):
    own = {"@": wire.interface, "FILE": file, "tapline": lib.TAPLINE}
    return [own.get(word, word) for word in TOOLS[name].command]


class Captures(load.Peer):
    """A program that captures packets on the server's interface, ready once its packet socket is there."""

    def __init__(self, name, wire, directory):
        self.rows_path, self.name, self.wire = os.path.join(directory, "rows"), name, wire
        with open(self.rows_path, "wb") as out:
            super().__init__(*command_of(name, wire, f"{directory}/packets"), ns=wire.server, stdout=out)

    def wait_ready(self):
        lib.wait_for(lambda: self.p.poll() is not None or wire_load.packet_sockets(self.wire), 20,
                     f"{self.name} to open its packet socket")
        assert self.p.poll() is None, f"{self.name} ended with {self.p.returncode}"

    def lost(self):
        pattern = TOOLS[self.name].lost
        m = re.search(pattern, self.said) if pattern else None
        assert m or not pattern, f"{self.name} said: {self.said[-1000:]}"
        return int(m[1] or 0) if m else None


@contextlib.contextmanager
def watched(name, wire, directory):
    """A tool for the time of the block: pid, cpu(), stop(), lost() and rows_path. None: nothing watches."""
    if name == "nothing":
        yield None
    elif name in OURS:
        tool, *args = command_of(name, wire, None)[1:]
        with load.Watch(*args, tool=tool, rows=True, ns=wire.server if name == "tapline_i" else None) as w:
            yield w
    elif name == "bpftrace":
        with tcp_load.Peer(name, TOOLS[name].command) as w:
            yield w
    else:
        with Captures(name, wire, directory) as w:
            yield w


def family(w):
    return [w.pid, *lib.children(w.pid)]


def memory_kb(w, what):
    """VmRSS, or VmHWM, the most there was, of all its processes together."""
    return sum(load.memory_kb(pid, what) for pid in family(w))


QUIET = 1.5  # s: libpcap hands out a block of packets that did not fill after one second


def caught_up(w, most=40):
    """Waits until it has nothing to do any more, and returns how many seconds it worked: until it takes less than 4%
    of a CPU in each twentieth of a second for so long. None: not within most seconds."""
    begin = worked = time.monotonic()
    before = w.cpu()
    while worked < begin + most:
        time.sleep(0.05)
        used = w.cpu()
        if used - before > 0.002:
            worked = time.monotonic()
        elif time.monotonic() > worked + QUIET:
            return worked - begin
        before = used
    return None


def read_afterwards(name, w, directory):
    """Shows the packets that were written; CPU seconds of that."""
    command = [word.replace("FILE", f"{directory}/packets") for word in TOOLS[name].afterwards]
    with open(w.rows_path, "wb") as out:
        p = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    lib.equal(p.returncode, 0, f"exit status of {command[0]} reading")
    return usage.ru_utime + usage.ru_stime


def rows(name, w):
    found = TOOLS[name].read(w.rows_path)
    return found if name in OURS else peer_rows.paired(found)


# ---- the first row ----


def start(name, wire, out):
    """The tool with its rows in out, a pipe or file; nobody waits for it."""
    command = command_of(name, wire, None)
    if name == "bpftrace":
        command = [*tcp_load.TRACEFS, *command]
    return subprocess.Popen(lib.in_ns(None if name in ("tapline", "bpftrace") else wire.server, command),
                            stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def first_row(name, wire, most=30):
    """Seconds from its start to the first row with a request in it."""
    begin = time.perf_counter()
    p = start(name, wire, subprocess.PIPE)
    try:
        said = b""
        while b" /r/" not in said and b"\t/r/" not in said and b'"/r/' not in said:
            left = begin + most - time.perf_counter()
            if left <= 0 or not select.select([p.stdout], [], [], left)[0]:
                return None
            piece = os.read(p.stdout.fileno(), 1 << 16)
            assert piece, f"{name} ended before its first row"
            said += piece
        return time.perf_counter() - begin
    finally:
        p.send_signal(signal.SIGINT)
        try:
            p.communicate(timeout=20)  # what it still says is read, as a full pipe would hold it
        except subprocess.TimeoutExpired:
            lib.kill_descendants(p.pid)
            p.kill()
            p.communicate()


# ---- others ----


def tried(server, seconds):
    """name -> lines that it printed, how many of them have a request's path, and its words when it ended by itself."""
    found = {}
    for name, command in OTHERS.items():
        if not shutil.which(command[0]):
            found[name] = {"why": "not installed"}
            continue
        command = [w.replace("PIDS", ",".join(map(str, server.workers))) for w in command]
        with lib.temp_dir() as directory, open(f"{directory}/said", "w+") as out:
            with lib.Proc(*tcp_load.TRACEFS, *command, stop_signal=signal.SIGINT, stdout=out, stderr=out) as p:
                time.sleep(seconds)
                ended = p.p.poll() is not None
            out.seek(0)
            said = [line.strip() for line in out if line.strip() and "RLIMIT_MEMLOCK" not in line]
        found[name] = {"lines": len(said), "paths": sum("/r/" in line for line in said)}
        if ended:
            found[name] = {"why": next((line for line in said if "fail" in line), said[0] if said else "it ended")}
    return found
