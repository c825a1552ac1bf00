# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The measures. Each returns raw numbers for docs/performance.json; report.py judges them.

What is compared alternates within a round, and the order turns from round to round, so that the
machine's own drift hits all alike.
"""

import contextlib
import shutil
import statistics
import subprocess
import tempfile
import time

import lib
import load
from load import Floor, Sniffer, Watch

BY_PATH = ("--by", "path")
JSON = ("-o", "json")


def turned(things, round_number):
    """The same things, beginning with another one each round."""
    k = round_number % len(things)
    return things[k:] + things[:k]


def say(text):
    print(text, flush=True)


# ---- throughput ----


@contextlib.contextmanager
def watched(name, lost):
    """One of the things that are compared, for the time of the block. Losses go into lost."""
    if name == "nothing":
        yield None
    elif name == "floor":
        with Floor("empty"):
            yield None
    else:
        args, rows = {"by_path": (BY_PATH, False), "json": (JSON, True)}[name]
        with Watch(*args, rows=rows) as w:
            yield w
            w.stop()
            lost.append(w.lost())


def throughput(plan, names=("nothing", "floor", "by_path", "json"), pinned=False):
    rounds, lost = [], []
    with load.nginx(pinned=pinned) as server:
        load.wrk(server, 1)
        for i in range(plan.rounds * 2):
            rates = {}
            for name in turned(list(names), i):
                with watched(name, lost):
                    rates[name] = load.wrk(server, plan.seconds // 2)
            rounds.append(rates)
            say(f"throughput{' pinned' if pinned else ''}  " +
                "  ".join(f"{k} {v:,.0f}" for k, v in sorted(rates.items())))
    return {"seconds": plan.seconds // 2, "rounds": rounds, "lost": sum(lost)}


def throughput_pinned(plan):
    return throughput(plan, ("nothing", "floor", "by_path"), pinned=True)


def orientation(plan):
    rounds = []
    with load.nginx() as server:
        commands, missing = load.sniffers(server.port)
        for i in range(plan.few):
            rates = {}
            for name in turned(["nothing", *commands], i):
                with Sniffer(*commands[name]) if name in commands else contextlib.nullcontext():
                    rates[name] = load.wrk(server, plan.seconds)
            rounds.append(rates)
            say("orientation " + "  ".join(f"{k} {v:,.0f}" for k, v in sorted(rates.items())))
    return {"seconds": plan.seconds, "rounds": rounds, "missing": missing}


# ---- latency ----


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def latency(plan):
    rounds, lost = [], []
    with load.nginx() as server, lib.temp_dir() as directory:
        full = max(load.h2load(server, plan.seconds) for _ in range(2))
        for i in range(plan.rounds):
            times = {}
            for name in turned(["nothing", "by_path", "json"], i):
                with watched(name, lost):
                    rate = load.h2load(server, plan.seconds, full / 2, f"{directory}/log")
                took = load.latencies(f"{directory}/log")
                times[name] = {"rate": rate, "p50_us": percentile(took, 0.50),
                               "p99_us": percentile(took, 0.99)}
            rounds.append(times)
            say("p99, us     " + "  ".join(f"{k} {v['p99_us']}" for k, v in sorted(times.items())))
    return {"seconds": plan.seconds, "full_rate": full, "rounds": rounds, "lost": sum(lost)}


# ---- 60 seconds at saturation: losses, CPU of the user side, memory ----


def saturation(plan):
    return {"by_path": saturate(plan.long, BY_PATH), "json": saturate(plan.long, ())}


def saturate(seconds, args, wire=None):
    """args: BY_PATH, or () for a row a call. Both as JSON, which is read back here. wire: on the wire
    tap, where server and load are its two hosts."""
    tap, ns = (("-i", wire.interface), wire.server) if wire else ((), None)
    with load.nginx(log=True, wire=wire) as server, Watch(*JSON, *tap, *args, rows=True, ns=ns) as w:
        cpu = w.cpu()
        with lib.Proc(*load.wrk_command(server, seconds)) as generator:
            time.sleep(seconds / 2)
            rss = w.rss_kb()
            lib.equal(generator.p.wait(seconds + 30), 0, "exit status of wrk")
        time.sleep(1)  # the last records are drained
        cpu = w.cpu() - cpu
        rss_end = w.rss_kb()
        w.stop()
        server.stop()
        lines = count_lines(server.log_path)
        if BY_PATH[0] in args:
            rows = sum(r["calls"] for r in w.table() if r["path"] == load.PATH)
        else:
            rows = w.rows_with(f'"path":"{load.PATH}"')
        result = {"seconds": seconds, "log_lines": lines, "calls": rows, "lost": w.lost(),
                  "ledger": w.ledger, "cpu_s": cpu, "rss_kb": rss, "rss_end_kb": rss_end}
    say(f"{seconds} s at saturation: {lines:,} log lines, {rows:,} calls, {w.lost()} lost, "
        f"{cpu / max(rows, 1) * 1e6:.2f} us of CPU a call, {rss / 1024:.1f} MB")
    return result


def count_lines(path):
    done = lib.run("wc", "-l", path, timeout=300)
    return int(done.stdout.split()[0])


# ---- nanoseconds a program ----


def timed(pid, server, plan):
    """hook -> (runs, ns) during the load."""
    before = load.program_times(pid)
    load.wrk(server, plan.seconds)
    after = load.program_times(pid)
    return {h: (after[h][0] - before[h][0], after[h][1] - before[h][1]) for h in after}


def kernel_time(plan):
    rounds = []
    with load.nginx() as server:
        for _ in range(plan.few):
            with Floor("empty", "stats") as floor:
                empty = timed(floor.pid, server, plan)
            # The counter is attached after tapline and runs after it: it warms no cache for it.
            with Watch(*BY_PATH) as w, Floor("count", "stats") as counter:
                full = timed(w.pid, server, plan)
                received, received_data, sent, sent_data = counter.end()
                w.stop()
            rounds.append({"empty": empty, "tapline": full, "packets": {
                "ingress": {"all": received, "data": received_data},
                "egress": {"all": sent, "data": sent_data}}})
            say("ns a run    " + "  ".join(f"{h} {full[h][1] / max(full[h][0], 1):.0f} "
                                           f"(empty {empty[h][1] / max(empty[h][0], 1):.0f})"
                                           for h in sorted(full) if h in empty))
    return {"seconds": plan.seconds, "rounds": rounds}


# ---- start ----


def start(plan):
    times = []
    for _ in range(plan.starts):
        with Watch() as w:
            times.append(w.ready_s * 1000)
            w.stop()
    say(f"ready in {statistics.median(times):.1f} ms")
    return {"ready_ms": times}


# ---- idle connections ----


@contextlib.contextmanager
def idle(count, request, ns):
    """Idle connections with both ends in ns."""
    more = ["request"] if request else []
    with lib.Proc(lib.program("idle_conns"), count, *more, ns=ns, stdin=subprocess.PIPE,
                  stdout=subprocess.PIPE, stderr=None) as p:
        lib.equal(p.p.stdout.readline(), f"ready {count}\n".encode(), "idle_conns")
        yield
        p.p.stdin.close()
        p.p.wait(60)
        p.p.stdout.close()


def freed_bytes(count, request):
    """Kernel memory that is given back when tapline ends while so many connections are idle. They are
    in a namespace, whose end clears TIME_WAIT."""
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(lib.Netns("idle"))
        w = stack.enter_context(Watch())
        if count:
            stack.enter_context(idle(count, request, ns))
        before = load.settled_bytes()
        w.stop()
        return before - load.settled_bytes()


def cpu_share(count, seconds):
    """Share of a CPU that tapline takes while so many connections, each used once, are idle."""
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(lib.Netns("idle"))
        w = stack.enter_context(Watch())
        if count:
            stack.enter_context(idle(count, True, ns))
        time.sleep(2)
        from_cpu, from_time = w.cpu(), time.monotonic()
        time.sleep(seconds)
        return (w.cpu() - from_cpu) / (time.monotonic() - from_time)


def idle_connections(plan):
    freed = {"none": [], "unused": [], "used": []}
    for _ in range(plan.few):
        freed["none"].append(freed_bytes(0, False))
        for kind, request in (("unused", False), ("used", True)):
            freed[kind].append(freed_bytes(plan.idle, request))
            more = (freed[kind][-1] - freed["none"][-1]) / plan.idle
            say(f"{plan.idle:,} idle, {kind}: {more:.0f} bytes a connection")
    shares = [{"idle": cpu_share(plan.idle, plan.long / 4), "none": cpu_share(0, plan.long / 4)}
              for _ in range(plan.few)]
    say(f"sweep: {statistics.median(s['idle'] for s in shares):.2%} of a CPU")
    return {"connections": plan.idle, "freed_bytes": freed, "cpu": shares}


def room_for_rows(plan):
    """Is there room for the rows of the long run? 700 bytes a row is more than this load makes."""
    return shutil.disk_usage(tempfile.gettempdir()).free > plan.long * 150_000 * 700 * 2
