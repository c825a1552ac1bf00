# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the commands on the wire tap cost beside programs that capture packets: on a veth pair, under wrk
and under datagrams. Each measure returns raw numbers; report_wire.py judges them."""

import contextlib
import json
import os
import time

import lib
import load
import measures
import wire_load
from load import Floor, Watch
from measures import BY_PATH, JSON, say, turned
from wire_load import MARKED_PORT, Peer

STEADY = 50_000  # datagrams a second: what each of those that watch could take, where it has a CPU
OURS = ("nothing", "empty", "count", "packets", "by_path", "json")
TIMED = ("empty", "count", "packets", "by_path")

# What one packet in 1,000 is: of TCP by the number that each packet of a connection counts up (IPv4's
# identification), of UDP by its port.
ONE_IN_1000 = f"udp port {MARKED_PORT} or (tcp and ip[4:2] % 1000 = 0)"


@contextlib.contextmanager
def watched(name, wire):
    """What is compared, for the time of the block: None, or something with pid, cpu(), stop() and lost()."""
    on = ("-i", wire.interface)
    ours = {"count": ("count", (*JSON, *on)), "packets": ("packets", (*JSON, *on, ONE_IN_1000)),
            "by_path": ("requests", (*on, *BY_PATH)), "json": ("requests", (*JSON, *on))}
    if name == "nothing":
        yield None
    elif name == "empty":
        with Floor("on", wire.interface, ns=wire.server) as floor:
            yield floor
    elif name in ours:
        tool, args = ours[name]
        with Watch(*args, tool=tool, rows=True, ns=wire.server) as w:
            yield w
    else:
        with Peer(name, wire) as peer:
            yield peer


def counted(w):
    """Packets in the last totals that count printed."""
    with open(w.rows_path) as f:
        rows = [json.loads(line) for line in f]
    return sum(r["packets"] for r in rows if r["time"] == rows[-1]["time"])


def told(name, w, result):
    """What the watcher, which has ended, told of what there was."""
    result["lost"] = w.lost()
    if isinstance(w, Peer):
        result["shown"] = w.shown()
    elif name == "json" and "requests" in result:
        result["shown"] = w.rows_with(f'"path":"{load.PATH}"')
    elif name == "packets":
        result["rows"] = w.rows_with(f'"dst_port":{MARKED_PORT}')
    elif name == "count":
        result["counted"] = counted(w)


def under(name, wire, apply):
    """Runs apply(), which returns what the load says of itself, beside what is named. cpu: CPUs that the
    watcher's own process took; busy: that the whole machine did."""
    quiet = name in ("nothing", "empty")
    with watched(name, wire) as w:
        passed, dropped = wire_load.settled(wire)
        cpu = 0 if quiet else w.cpu()
        begin, idle = time.monotonic(), wire_load.idle_seconds()
        result = apply()
        took = time.monotonic() - begin
        result["busy"] = os.cpu_count() - (wire_load.idle_seconds() - idle) / took
        if not quiet:
            result["cpu"] = (w.cpu() - cpu) / took
        now, now_dropped = wire_load.settled(wire)
        if not quiet:
            w.stop()
            told(name, w, result)
    result.update(passed=now - passed, dropped=now_dropped - dropped)
    return result


def rounds(what, wire, plan, apply, peers, number=None):
    """Peers are in every other round: they take long, and no target needs them oftener."""
    done = []
    for i in range(number or plan.wire_rounds):
        names = turned([*OURS, *(peers if number or i % 2 == 0 else [])], i)
        done.append({name: under(name, wire, apply) for name in names})
        say(f"{what:12}" + "  ".join(
            f"{name} {v['rate']:,.0f}" + (f" ({v['cpu']:.0%})" if "cpu" in v else "")
            for name, v in sorted(done[-1].items())))
    return done


def under_wrk(wire, plan, peers):
    with load.nginx(pinned=True, wire=wire) as server:
        load.wrk(server, 1)

        def apply():
            requests, rate = load.wrk_counted(server, plan.wire_seconds)
            return {"requests": requests, "rate": rate}

        return rounds("wire, wrk", wire, plan, apply, peers)


def under_datagrams(wire, plan, peers, rate=0, number=None):
    return rounds("wire, UDP" + " steady" * bool(rate), wire, plan,
                  lambda: wire_load.datagrams(wire, plan.wire_seconds, rate), peers, number)


# ---- nanoseconds a packet ----


def timed(name, wire, apply):
    """(runs, ns) of its socket filters, and ns of its other programs, while apply() runs."""
    with watched(name, wire) as w:
        before = wire_load.filter_times(w.pid)
        apply()
        return [now - then for now, then in zip(wire_load.filter_times(w.pid), before)]


def kernel_time(what, wire, plan, apply):
    done = []
    with Floor("stats"):
        for i in range(plan.few * 2):
            done.append({name: timed(name, wire, apply) for name in turned(TIMED, i)})
            say(f"{what}, ns a packet  " + "  ".join(
                f"{name} {(ns + other) / max(runs, 1):.0f}" for name, (runs, ns, other) in done[-1].items()))
    return done


def kernel_times(wire, plan):
    with load.nginx(pinned=True, wire=wire) as server:
        by_wrk = kernel_time("wrk", wire, plan, lambda: load.wrk(server, plan.wire_seconds))
    by_udp = kernel_time("UDP", wire, plan, lambda: wire_load.datagrams(wire, plan.wire_seconds))
    return {"wrk": by_wrk, "udp": by_udp}


def measure(plan):
    """The part of docs/performance.json named wire."""
    here, missing = wire_load.installed()
    machine = load.machine()
    with wire_load.wire() as wire, wire_load.Sink(wire):
        return {
            "machine": machine,
            "versions": {**load.versions(), **wire_load.versions(here)},
            "missing": missing,
            "seconds": plan.wire_seconds,
            "steady_rate": STEADY,
            "wrk": under_wrk(wire, plan, here),
            "udp": under_datagrams(wire, plan, here),
            "udp_steady": under_datagrams(wire, plan, here, STEADY, plan.few),
            "kernel_time": kernel_times(wire, plan),
            "saturation": measures.saturate(plan.long // 2, (*BY_PATH,), wire),
        }
