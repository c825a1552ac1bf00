# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tapline costs: bench.py [--quick] [--only wire|tcp|top|peers] [--rounds N]. Measures, prints the numbers beside their targets,
and writes docs/performance.json and docs/PERFORMANCE.md. Ends with 1 when calls were lost or too little was
kept.

--quick: a few seconds of each, to see that the benchmark works; judges losses only, and writes nothing.
--only: only what is measured on the wire tap, beside TCP tools, of tapline top, or beside other programs that
show requests; the other numbers stay as they are. --rounds: of the last of these.
"""

import argparse
import os
import signal
import sys
import time
from dataclasses import dataclass

sys.dont_write_bytecode = True
import load  # sets the way to lib
import lib
import measures
import peer_measures
import report
import tcp_measures
import top_measures
import wire_measures


@dataclass
class Plan:
    rounds: int = 12
    few: int = 3  # rounds of what is steadier, or for orientation
    seconds: int = 4
    long: int = 60
    starts: int = 20
    idle: int = 20000
    wire_rounds: int = 12
    wire_seconds: int = 2
    tcp_rounds: int = 7
    tcp_seconds: int = 2
    tcp_connections: int = 10007  # a prime: what is counted twice or by halves does not give it
    tcp_values: int = 100
    peer_rounds: int = 3
    peer_seconds: int = 2
    peer_starts: int = 7


QUICK = Plan(rounds=2, few=1, seconds=2, long=4, starts=3, idle=2000, wire_rounds=1, wire_seconds=1,
             tcp_rounds=1, tcp_seconds=1, tcp_connections=1009, tcp_values=20,
             peer_rounds=1, peer_seconds=1, peer_starts=1)


def measure(plan, only):
    busy = load.machine()["load_before"]
    if busy > 0.5:
        print(f"bench: this machine is busy (load {busy:.1f}): the numbers will show it")
    apart = {"wire": wire_measures, "tcp": tcp_measures, "top": top_measures, "peers": peer_measures}
    if only:
        return {only: apart[only].measure(plan)}
    return {
        "machine": load.machine(),
        "versions": load.versions(),
        "throughput": measures.throughput(plan),
        "throughput_pinned": measures.throughput_pinned(plan),
        "latency": measures.latency(plan),
        "saturation": measures.saturation(plan),
        "kernel_time": measures.kernel_time(plan),
        "start": measures.start(plan),
        "idle_connections": measures.idle_connections(plan),
        "orientation": measures.orientation(plan),
        **{name: measures_of.measure(plan) for name, measures_of in apart.items()},
    }


def show(found, quick):
    for r in found:
        word = "met" if r.ok else "MISSED"
        print(f"{'' if quick else word:8}{r.what}: {r.text} (target: {r.target})")


def check_here(plan):
    if os.geteuid() != 0:
        sys.exit("bench: it loads BPF programs: run it as root")
    if not measures.room_for_rows(plan):
        sys.exit("bench: too little room for the rows of the long run; point TMPDIR to a larger disk")


def main():
    parser = argparse.ArgumentParser(prog="bench.sh", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds of each; writes nothing")
    parser.add_argument("--only", choices=["wire", "tcp", "top", "peers"],
                        help="only this part; the page's others stay")
    parser.add_argument("--rounds", type=int, help="of the part peers: 3")
    args = parser.parse_args()
    quick = args.quick
    plan = QUICK if quick else Plan()
    plan.peer_rounds = args.rounds or plan.peer_rounds
    check_here(plan)
    begin = time.monotonic()
    raw = measure(plan, args.only)
    found = report.results(raw)
    show(found, quick)
    if not quick:
        report.write({**report.read(), **raw} if args.only else raw)
    print(f"took {(time.monotonic() - begin) / 60:.1f} minutes")
    lost = ("lost_", "rows_")
    return int(any(r.hard and not r.ok and (not quick or r.key.startswith(lost)) for r in found))


def interrupted(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    lib.become_subreaper()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    status = 1
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    finally:
        lib.kill_descendants()
        lib.delete_namespaces(os.getpid())
    sys.exit(status)
