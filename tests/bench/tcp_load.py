# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the measures of TCP tools are made of: the tools themselves, how each is started and seen to be ready, and
connections by ab. Everything started here is a context manager."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import lib
import load
import tcp_rows
from load import Floor, Watch

CLOSE_BT = """tracepoint:sock:inet_sock_set_state /args->protocol == 6/ {
 if (args->newstate == 4 || args->newstate == 9) { @pid[args->skaddr] = pid; }
 if (args->newstate == 7) { $s = (struct tcp_sock *)args->skaddr; printf("%d %d %d %llu %llu\\n",
  @pid[args->skaddr], args->sport, args->dport, $s->bytes_acked, $s->bytes_received); delete(@pid[args->skaddr]); } }"""
CONNECT_BT = """tracepoint:sock:inet_sock_set_state {
 $sk = args->skaddr; $old = args->oldstate; $new = args->newstate; $from = args->sport; $to = args->dport;
 if ($new == 2) { @ns[$sk] = nsecs; @pid[$sk] = pid; }
 if ($old == 2) { if ($new == 1) { printf("%d %d %d %llu\\n", @pid[$sk], $from, $to, (nsecs - @ns[$sk]) / 1000); }
  delete(@ns[$sk]); delete(@pid[$sk]); } }"""
RTT_BT = "tracepoint:tcp:tcp_probe { @us = hist(args->srtt); }"
EACH_RTT_BT = 'tracepoint:tcp:tcp_probe { printf("0 %d %d %d\\n", args->sport, args->dport, args->srtt); }'

# Our own: its tool and arguments. Another's: its command line, and how its rows are read.
OURS = {
    "conns_close": ("conns", "--event", "close", "-o", "json"),
    "conns_connect": ("conns", "--event", "connect", "-o", "json"),
    "latency_connect": ("latency", "connect", "3600", "--by", "port", "-o", "json"),
    "latency_rtt": ("latency", "rtt", "3600", "--by", "process", "-o", "json"),
    "latency_all": ("latency", "-o", "json"),
    "top": ("top", "--by", "process", "-o", "json"),
    "top_ends": ("top", "--by", "connection", "-o", "json"),
}
THEIRS = {
    "tcplife": (("tcplife",), tcp_rows.tcplife),
    "tcpstates": (("tcpstates",), tcp_rows.tcpstates),
    "tcpconnlat": (("tcpconnlat", "-L"), None),
    "tcprtt": (("tcprtt",), None),
    "tcptop": (("tcptop", "-C"), None),
    "bpftrace_close": (("bpftrace", "-e", CLOSE_BT), tcp_rows.numbers),
    "bpftrace_connect": (("bpftrace", "-e", CONNECT_BT), tcp_rows.numbers),
    "bpftrace_rtt": (("bpftrace", "-e", RTT_BT), None),
    "bpftrace_each_rtt": (("bpftrace", "-e", EACH_RTT_BT), tcp_rows.numbers),
}
# Tracepoints of perf are asked for by their files, which not every host has mounted. The mount is the tool's own.
MOUNT = 'mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null; exec "$@"'
TRACEFS = ("unshare", "--mount", "sh", "-c", MOUNT, "sh")
SS = ("ss", "-tinpOH")


# ---- who watches ----


class NotStarted(Exception):
    """str() is what the tool itself said."""


def programs_ran(pid):
    """Has a BPF program run that this process holds?"""
    return any(int(info.get("run_cnt", 0)) for info in load.fdinfos(pid))


class Peer(load.Peer):
    """One of THEIRS, or a command, ready once connections make a program of it run."""

    def __init__(self, name, command=None):
        self.directory = contextlib.ExitStack()
        self.rows_path = os.path.join(self.directory.enter_context(lib.temp_dir()), "rows")
        with Floor("stats"), open(self.rows_path, "wb") as out:
            self.begin = time.perf_counter()
            super().__init__(*TRACEFS, *(command or THEIRS[name][0]), stdout=out)

    def wait_ready(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            end = time.monotonic() + 30
            while not programs_ran(self.pid):
                if self.p.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise NotStarted(self._words())
                with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
                    client.sendall(b"x")
                    server.recv(1)
        self.ready_s = time.perf_counter() - self.begin

    def _words(self):
        lines = [line for line in self.said.splitlines() if "RLIMIT_MEMLOCK" not in line] or ["it says nothing"]
        return next((line for line in lines if "failed" in line), lines[0])

    def __exit__(self, *_):
        super().__exit__()
        self.directory.close()

    def peak_kb(self):
        return load.memory_kb(self.pid, "VmHWM")

    def lost(self):
        """What it says of events that it did not get."""
        with open(self.rows_path, errors="replace") as f:
            said = self.said + "".join(line for line in f if line.startswith("Lost "))
        return sum(map(int, re.findall(r"lost (\d+) events", said, re.I)))


class Polled:
    """ss every so many seconds, and once more at the end; its CPU is that of all these processes."""

    def __init__(self, seconds=1, ns=None):
        self.seconds, self.ns = seconds, ns
        self.took, self.used, self.peak = [], 0.0, 0
        self.over = threading.Event()

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.rows_path = os.path.join(self.stack.enter_context(lib.temp_dir()), "rows")
        self.poll()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def _run(self):
        while not self.over.wait(self.seconds):
            self.poll()

    def poll(self):
        begin = time.perf_counter()
        with open(self.rows_path, "ab") as out:
            p = subprocess.Popen(lib.in_ns(self.ns, SS), stdout=out, stdin=subprocess.DEVNULL)
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
        self.took.append(time.perf_counter() - begin)
        self.used += usage.ru_utime + usage.ru_stime
        self.peak = max(self.peak, usage.ru_maxrss)

    @property
    def ready_s(self):
        return self.took[0]

    def cpu(self):
        return self.used

    def peak_kb(self):
        return self.peak

    def stop(self):
        self.over.set()
        self.thread.join()
        self.poll()

    def lost(self):
        return None

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.stack.close()


class Ours(Watch):
    """One of OURS, with more arguments."""

    def __init__(self, name, *args):
        tool, *own = OURS[name]
        super().__init__(*own, *args, tool=tool, rows=True)

    def peak_kb(self):
        return self.rss_kb("VmHWM")


def watch(name):
    """What is compared, as a context manager: None, or ready_s, cpu(), peak_kb(), stop(), lost(), rows_path."""
    if name == "nothing":
        return contextlib.nullcontext()
    if name == "ss":
        return Polled()
    return Ours(name) if name in OURS else Peer(name)


def refused(names):
    """name -> why, of those that do not start here."""
    why = {}
    for name in names:
        if not shutil.which(THEIRS[name][0][0]):
            why[name] = "not installed"
            continue
        try:
            with Peer(name):
                pass
        except NotStarted as e:
            why[name] = str(e)
    return why


def versions():
    """Of what is compared; libbpf-tools have no version of their own."""

    def ask(pattern, *command):
        done = lib.run(*command, check=False)
        m = re.search(pattern, done.stdout + done.stderr)
        return m[1] if m else "unknown"

    return {"nginx": ask(r"nginx/([\d.]+)", "nginx", "-v"), "wrk": ask(r"wrk \D*([\d.]+)", "wrk", "-v"),
            "ab": ask(r"Version ([\d.]+)", "ab", "-V"), "bpftrace": ask(r"v([\d.]+)", "bpftrace", "--version"),
            "libbpf-tools": ask(r"([\d.]+)", "dpkg-query", "-W", "-f", "${Version}", "libbpf-tools"),
            "iproute2": ask(r"iproute2-([\d.]+)", "ss", "-V")}


# ---- load ----

CONCURRENCY = 20


def ab(server, n):
    """(pid, connections a second): n connections of one request each."""
    url = server.url(load.PATH)
    with lib.Proc(*load.generator(server, "ab", "-q", "-n", str(n), "-c", str(CONCURRENCY), url),
                  stdout=subprocess.PIPE) as p:
        text = p.p.stdout.read().decode()
        lib.equal(p.p.wait(60), 0, "exit status of ab")
        p.p.stdout.close()
    assert re.search(r"^Failed requests: +0$", text, re.M), text
    return p.pid, float(re.search(r"^Requests per second: +([\d.]+)", text, re.M)[1])
