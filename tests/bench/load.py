# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the measures are made of: the server, the load, tapline and what stands in its place, and the
readings of /proc. Everything started here is a context manager."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
sys.dont_write_bytecode = True
import lib

CONNECTIONS = 50
_cpus = sorted(os.sched_getaffinity(0))
SERVER_CPUS = _cpus[:max(1, len(_cpus) // 2)]
CLIENT_CPUS = _cpus[len(SERVER_CPUS):] or _cpus
PATH = "/1k"
FLOOR = os.path.join(lib.BUILD, "bench", "floor")


def nginx(log=False, pinned=False, wire=None, more=""):
    """nginx that answers 1 KB from memory, with a worker for each CPU of the server's half; without a log
    it is faster, and tapline's share larger. pinned: each worker to a CPU, and its load to the others.
    wire: server and load are its two hosts (wire_load.Wire), else both are on loopback. more: of its server
    block."""
    quiet = "" if log else "access_log off;"
    server = lib.Nginx(f"{quiet} location / {{ return 200 '{'x' * 1024}'; }} {more}", workers=len(SERVER_CPUS),
                       buffered=log, ns=wire and wire.server, port=wire and wire.port)
    server.pinned, server.wire = pinned, wire
    for worker, cpu in zip(lib.children(server.pid), SERVER_CPUS if pinned else ()):
        os.sched_setaffinity(worker, {cpu})
    return server


def generator(server, *command):
    """The command line of a load generator, in its namespace and on the CPUs that are its own."""
    own = ["taskset", "-c", ",".join(map(str, CLIENT_CPUS))] if server.pinned else []
    return lib.in_ns(server.wire and server.wire.client, [*own, *command])


# ---- load ----


def wrk_command(server, seconds):
    url = server.url(PATH, server.wire.address) if server.wire else server.url(PATH)
    # A machine that stands still for two seconds, which is wrk's own limit, makes a slow round and no failure.
    return generator(server, "wrk", f"-t{len(CLIENT_CPUS)}", f"-c{CONNECTIONS}", "--timeout", "10s", f"-d{seconds}s", url)


def wrk_counted(server, seconds):
    """(requests, requests a second) that wrk counted; it leaves out those in flight at its end."""
    text = lib.run(*wrk_command(server, seconds), timeout=seconds + 30).stdout
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    return (int(re.search(r"^\s*(\d+) requests in", text, re.M)[1]),
            float(re.search(r"^Requests/sec:\s+([\d.]+)", text, re.M)[1]))


def wrk(server, seconds):
    """Requests a second that wrk counted."""
    return wrk_counted(server, seconds)[1]


def h2load(server, seconds, rps=None, log=None):
    """Requests a second that h2load counted; rps is for all connections together."""
    more = [f"--rps={rps / CONNECTIONS:.3f}", f"--log-file={log}"] if rps else []
    text = lib.run("h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"-D{seconds}", *more, server.url(PATH),
                   timeout=seconds + 60).stdout
    m = re.search(r"^finished in [\d.]+s, ([\d.]+) req/s", text, re.M)
    assert m and " 0 failed, 0 errored, 0 timeout" in text, text
    return float(m[1])


def latencies(log):
    """Sorted response times in us of h2load's log: start, status, time. The first half second, in which
    connections are made and caches fill, is left out."""
    rows = []
    with open(log) as f:
        for line in f:
            start, _, took = line.split()
            rows.append((int(start), int(took)))
    begin = min(r[0] for r in rows) + 500_000
    return sorted(took for start, took in rows if start >= begin)


# ---- who watches ----


def cpu_seconds(pid):
    """CPU time of a process so far, user and system."""
    # The clock id of another process's CPU time, as clock_getcpuclockid(3) makes it.
    return time.clock_gettime((~pid << 3) | 2)


def memory_kb(pid, what):
    """VmRSS, or VmHWM, the most there was, of a process."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(rf"{what}:\s+(\d+)", f.read())[1])


class Peer(lib.Proc):
    """Somebody else's program, until Ctrl-C; said: what it wrote on standard error, after its end."""

    def __init__(self, *args, ns=None, **more):
        self.said, self.err = "", tempfile.TemporaryFile("w+")
        super().__init__(*args, ns=ns, stop_signal=signal.SIGINT, stderr=self.err, **more)
        try:
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise

    def wait_ready(self):
        """Returns when it sees what happens."""
        raise NotImplementedError

    def __exit__(self, *_):
        super().stop()
        self.err.close()

    def cpu(self):
        """Some work in processes of their own."""
        return sum(map(cpu_seconds, [self.pid, *lib.children(self.pid)]))

    def stop(self, seconds=60):
        super().stop(seconds)
        self.err.seek(0)
        self.said = self.err.read()


class Watch:
    """A tapline command while the block runs; rows go to a file of its own, or nowhere.

    cpu(): seconds of CPU so far, user and system. ledger: a dict, after the block.
    """

    def __init__(self, *args, tool="requests", rows=False, ns=None):
        self.args = [lib.TAPLINE, tool, *args]
        self.rows, self.ns = rows, ns
        self.p = None
        self.ledger = {}

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        directory = self.stack.enter_context(lib.temp_dir())
        self.rows_path = os.path.join(directory, "rows") if self.rows else os.devnull
        self.err_path = os.path.join(directory, "err")
        try:
            with open(self.rows_path, "wb") as out, open(self.err_path, "wb") as err:
                begin = time.perf_counter()
                self.p, ready = lib.start_tapline(self.args, ns=self.ns, stdout=out, stderr=err)
                self.pid = self.p.pid
                lib.wait_ready(ready)
                self.ready_s = time.perf_counter() - begin
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.p and self.p.poll() is None:
            self.p.kill()
            self.p.wait()
        self.stack.close()

    def stop(self):
        """Ends it as Ctrl-C does and reads the ledger; its rows can be read until the block ends."""
        self.p.send_signal(signal.SIGINT)
        lib.equal(self.p.wait(30), 0, "exit status of tapline")
        with open(self.err_path) as f:
            text = f.read()
        self.ledger = {k: int(v) for k, v in re.findall(r"^ +(\w+) +(\d+) ", text, re.M)}
        lib.at_least(self.ledger.get("rows"), 0, f"rows in the ledger {text!r}")

    def lost(self):
        return sum(v for k, v in self.ledger.items() if k.startswith("lost_") or k == "malformed")

    def cpu(self):
        return cpu_seconds(self.pid)

    def rss_kb(self, what="VmRSS"):
        return memory_kb(self.pid, what)

    def rows_with(self, text):
        """Rows in which this text stands; by grep, as there are millions."""
        done = lib.run("grep", "-c", "-F", "-e", text, self.rows_path, check=False, timeout=300)
        return int(done.stdout)

    def table(self):
        """Rows of a --by run, which are few."""
        with open(self.rows_path) as f:
            return [json.loads(line) for line in f]


class Floor(lib.Proc):
    """The benchmark's own BPF programs, as words of the floor program's usage."""

    def __init__(self, *words, ns=None):
        super().__init__(FLOOR, *words, ns=ns, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None)
        if self.p.stdout.readline() != b"ready\n":
            self.stop()
            raise AssertionError("the floor's programs cannot be attached here")

    def __exit__(self, *_):
        self.stop()
        self.p.stdout.close()

    def end(self):
        """Ends it; the packets it counted: received, with data, sent, with data."""
        self.p.stdin.close()
        counts = [int(n) for n in self.p.stdout.read().split()]
        lib.equal(self.p.wait(10), 0, "exit status of floor")
        return counts


def packet_sockets():
    with open("/proc/net/packet") as f:
        return len(f.readlines())


class Sniffer(lib.Proc):
    """A packet capture program on loopback, once its socket is there."""

    def __init__(self, *args):
        before = packet_sockets()
        super().__init__(*args)
        try:
            lib.wait_for(lambda: packet_sockets() > before, 10, f"{args[0]} to open its packet socket")
        except BaseException:
            self.stop()
            raise


def sniffers(port):
    """Command lines by name, of those that are for orientation, and the names that are not installed."""
    only = f"tcp port {port}"
    commands = {
        "tcpdump": ["tcpdump", "-i", "lo", "-Z", "root", "-w", "/dev/null", only],
        "httpry": ["httpry", "-i", "lo", "-o", "/dev/null", only],
        "ngrep": ["ngrep", "-q", "-d", "lo", "HTTP", only],
        "tshark": ["tshark", "-i", "lo", "-f", only, "-d", f"tcp.port=={port},http", "-Y", "http"],
    }
    here = {name: c for name, c in commands.items() if shutil.which(name)}
    return here, sorted(set(commands) - set(here))


# ---- readings ----

ATTACH_TYPES = {"0": "ingress", "1": "egress"}  # BPF_CGROUP_INET_INGRESS, _EGRESS of linux/bpf.h
TRACEPOINTS = {"sock_send_length": "send", "tcp_rcv_space_adjust": "read", "sock_recv_length": "receive"}


def fdinfos(pid):
    """What the kernel says of each open file of this process, as a dict."""
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/fdinfo/{fd}") as f:
            yield dict(re.findall(r"^(\w+):\s+(.*)$", f.read(), re.M))


def program_times(pid):
    """What the kernel's statistics say of the programs that this process holds attached:
    hook -> (runs, ns). Hooks are ingress, egress, send, read and receive."""
    hooks, times = {}, {}
    for info in fdinfos(pid):
        if "run_cnt" in info:
            times[info["prog_id"]] = (int(info["run_cnt"]), int(info["run_time_ns"]))
        elif info.get("link_type") == "cgroup":
            hooks[info["prog_id"]] = ATTACH_TYPES.get(info["attach_type"])
        elif info.get("link_type") == "raw_tracepoint":
            hooks[info["prog_id"]] = TRACEPOINTS.get(info["tp_name"])
        elif info.get("link_type") == "tracing":
            hooks[info["prog_id"]] = "send"  # where the tracepoint is missing
    return {hook: times[prog] for prog, hook in hooks.items() if hook and prog in times}


def all_times(pid):
    """ns of all programs that this process holds, by the same statistics."""
    programs = {info["prog_id"]: int(info["run_time_ns"]) for info in fdinfos(pid) if "run_cnt" in info}
    return sum(programs.values())


def allocated_bytes():
    """Bytes in the kernel's general-purpose slabs, from which socket storage is taken. Objects in use
    and not pages: a page that is half empty since an earlier run would hide it."""
    total = 0
    with open("/proc/slabinfo") as f:
        for line in f:
            if line.startswith("kmalloc"):
                word = line.split()
                total += int(word[1]) * int(word[3])
    return total


def settled_bytes(seconds=6):
    """allocated_bytes() once it stands still: freeing is deferred (RCU)."""
    end = time.monotonic() + seconds
    time.sleep(1)
    last = allocated_bytes()
    while True:
        time.sleep(0.5)
        now = allocated_bytes()
        if abs(now - last) <= 1 << 16 or time.monotonic() > end:
            return now
        last = now


def machine():
    """The machine in words and numbers, without its name."""
    with open("/proc/meminfo") as f:
        memory = int(re.search(r"MemTotal:\s+(\d+)", f.read())[1]) / (1 << 20)
    with open("/proc/cpuinfo") as f:
        virtual = " hypervisor" in f.read()
    version = re.match(r"[\d.]+", os.uname().release)[0]
    return {"cores": os.cpu_count(), "memory_gib": round(memory), "virtual": virtual,
            "architecture": os.uname().machine, "kernel": version, "load_before": os.getloadavg()[0]}


def versions():
    def ask(pattern, *command):
        done = lib.run(*command, check=False)
        m = re.search(pattern, done.stdout + done.stderr)
        return m[1] if m else "unknown"

    return {"nginx": ask(r"nginx/([\d.]+)", "nginx", "-v"), "wrk": ask(r"wrk \D*([\d.]+)", "wrk", "-v"),
            "h2load": ask(r"nghttp2/([\d.]+)", "h2load", "--version")}
