# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tapline top takes: a refresh of many open sockets, and of the throughput of whom it watches. Returns raw
numbers for docs/performance.json; report_top.py judges them."""

import contextlib
import statistics
import subprocess
import time

import lib
import load
from load import Floor, Watch
from measures import say, turned

KINDS = ("connection", "process")
BLOCKS = 5  # of a round
TURNS = 6  # readings of 10 ms within which a block is surely taken


class Sockets(lib.Proc):
    """So many open sockets, both ends of half as many connections, in ns."""

    def __init__(self, count, ns):
        super().__init__(lib.program("idle_conns"), count // 2, ns=ns, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=None)
        lib.equal(self.p.stdout.readline(), f"ready {count // 2}\n".encode(), "idle_conns")

    def use(self):
        self.p.stdin.write(b"x")
        self.p.stdin.flush()
        lib.equal(self.p.stdout.readline(), b"used\n", "idle_conns")

    def __exit__(self, *_):
        self.p.stdin.close()
        self.p.wait(60)
        self.p.stdout.close()


def block_ms(w):
    """CPU that a block took: the most of any 60 ms of a second, as it is taken in one piece."""
    readings, end = [w.cpu()], time.monotonic() + 1.05
    while time.monotonic() < end:
        time.sleep(0.01)
        readings.append(w.cpu())
    return max(b - a for a, b in zip(readings, readings[TURNS:])) * 1000


def refresh(plan):
    """Rounds of kind -> ms a block, while the sockets are idle and while each is used in each second."""
    rounds = []
    with lib.Netns("top") as ns, Sockets(plan.idle, ns) as sockets:
        for i in range(plan.few):
            found = {}
            for kind in turned(list(KINDS), i):
                with Watch("1", "--by", kind, "-n", "50", tool="top") as w:
                    time.sleep(1.5)
                    idle = [block_ms(w) for _ in range(BLOCKS)]
                    used = []
                    for _ in range(BLOCKS):
                        sockets.use()
                        used.append(block_ms(w))
                    w.stop()
                    lib.equal(w.lost(), 0, "lost")
                found[kind] = {"idle": idle, "used": used}
            rounds.append(found)
            say("top, ms      " + "  ".join(f"{k} idle {statistics.median(v['idle']):.1f} used "
                                            f"{statistics.median(v['used']):.1f}" for k, v in sorted(found.items())))
    return rounds


def throughput(plan):
    """Rounds of requests a second that wrk counted, with nothing, the empty programs and tapline top."""
    rounds = []
    with load.nginx() as server:
        load.wrk(server, 1)
        for i in range(plan.rounds):
            rates = {}
            for name in turned(["nothing", "floor", "top"], i):
                beside = {"nothing": contextlib.nullcontext, "floor": lambda: Floor("empty"),
                          "top": lambda: Watch("1", "--by", "process", tool="top")}[name]()
                with beside:
                    rates[name] = load.wrk(server, plan.seconds // 2)
            rounds.append(rates)
            say("top          " + "  ".join(f"{k} {v:,.0f}" for k, v in sorted(rates.items())))
    return rounds


def kernel_time(plan):
    """hook -> (runs, ns), under wrk."""
    with load.nginx() as server, Floor("empty", "stats"), Watch("1", "--by", "process", tool="top") as w:
        before = load.program_times(w.pid)
        load.wrk(server, plan.seconds)
        after = load.program_times(w.pid)
    return {h: (after[h][0] - before[h][0], after[h][1] - before[h][1]) for h in after}


def measure(plan):
    return {"machine": load.machine(), "versions": load.versions(), "sockets": plan.idle, "refresh": refresh(plan),
            "seconds": plan.seconds // 2, "throughput": throughput(plan), "kernel_time": kernel_time(plan)}
