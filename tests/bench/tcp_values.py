# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Times that tools tell, held against a way of known delay (tests/e2e/slow.py): the truth lies between that delay and
what the client measured around its own call."""

import contextlib
import subprocess
import time

import lib
import tcp_load
import tcp_rows
from measures import percentile, say
from prose_tcp import AWAY
from slow import ANSWER, slow_way

FAST, SLOW = (us / 1e6 for us in AWAY.values())
SLOW_EACH = 5  # one of so many takes the slow way: not the median, but the 90th percentile

# Connects, or asks and waits for the answer, for each line that it reads; what each took, in microseconds.
CLIENT = """
import socket, sys, time
for line in iter(sys.stdin.readline, ''):
    begin = time.monotonic()
    if line == 'connect\\n':
        s = socket.create_connection(('10.9.0.2', int(sys.argv[1])))
    else:
        s.sendall(b'x' * 100)
        assert len(s.recv(1000)) == 10
    print((time.monotonic() - begin) * 1e6, flush=True)
"""

JOBS = {"connect": ("conns_connect", "latency_connect", "bpftrace_connect"),
        "call": ("latency_rtt", "bpftrace_each_rtt", "ss")}


class Way:
    """The client at one end; what it measured itself."""

    def __init__(self, client, change):
        self.client, self.change = client, change

    def ask(self, word):
        self.client.p.stdin.write(f"{word}\n")
        self.client.p.stdin.flush()
        return float(self.client.p.stdout.readline())

    def asked(self, word, n):
        took = []
        for i in range(n):
            self.change(SLOW if i % SLOW_EACH == 1 else FAST)
            took.append(self.ask(word))
        return took


@contextlib.contextmanager
def way():
    """(Way, a: the client's namespace, port)"""
    port = lib.free_port()
    with contextlib.ExitStack() as stack:
        a, b, change = stack.enter_context(slow_way(FAST))
        server = stack.enter_context(lib.Proc("python3", "-c", ANSWER, port, ns=b, stdout=subprocess.PIPE, text=True))
        lib.equal(server.p.stdout.readline(), "ready\n", "server")
        client = stack.enter_context(lib.Proc("python3", "-c", CLIENT, port, ns=a, stdin=subprocess.PIPE,
                                              stdout=subprocess.PIPE, stderr=None, text=True))
        yield Way(client, change), a, port


def summary(values):
    values = sorted(values)
    return {"count": len(values), "p50_us": percentile(values, 0.50), "p90_us": percentile(values, 0.90),
            "max_us": values[-1]} if values else {"count": 0}


def told(name, w, client, port):
    """Of the client's end alone: each has its process or its port."""
    if name.startswith("latency"):
        found = [r for r in tcp_rows.rows(w.rows_path) if client == r.get("pid") or port == r.get("port")]
        return {k: found[-1][k] for k in ("count", "p50_us", "p90_us", "max_us")} if found else {"count": 0}
    if name == "ss":
        ends = tcp_rows.ss_each(w.rows_path)
    else:
        ends = tcp_rows.connects(w.rows_path) if name == "conns_connect" else tcp_rows.numbers(w.rows_path)
    return summary([e.us for e in ends if e.remote_port == port and e.us is not None])


def watch(name, a):
    return tcp_load.Polled(0.1, a) if name == "ss" else tcp_load.watch(name)


def value(word, name, n):
    with way() as (w, a, port):
        if word == "call":
            w.ask("connect")
        with watch(name, a) as watcher:
            took = w.asked(word, n)
            time.sleep(0.3)
            watcher.stop()
            result = {"told": told(name, watcher, w.client.pid, port), "client": summary(took)}
    say(f"{word:12}{name}  told {result['told']}, client {result['client']}")
    return result


def measure(plan, there):
    return {word: {name: value(word, name, plan.tcp_values) for name in there(names)} for word, names in JOBS.items()}
