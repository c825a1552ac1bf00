# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""tapline requests beside other programs that show HTTP requests, under the same load of numbered requests: which
rows are right, and what they cost. Returns raw numbers for docs/performance.json; report_peers.py judges them."""

import shutil
import time

import lib
import load
import peer_load
import peer_rows
import wire_load
from measures import say, turned

RATES = {"1k": 1000, "5k": 5000, "20k": 20000, "most": 0}


def under(name, wire, rate, seconds):
    """One load beside what is named. cpu_s: of its processes, from when it was ready until it had caught up."""
    with lib.temp_dir() as directory, peer_load.server(wire) as server, \
            peer_load.watched(name, wire, directory) as w:
        before = w and w.cpu()
        result = peer_load.ask(server, seconds, rate)
        if w:
            result["behind_s"] = peer_load.caught_up(w)
            result["cpu_s"] = w.cpu() - before
            result["peak_kb"], result["rss_kb"] = (peer_load.memory_kb(w, what) for what in ("VmHWM", "VmRSS"))
            w.stop()
            result["lost"] = w.lost()
            if peer_load.TOOLS[name].afterwards:
                result["read_cpu_s"] = peer_load.read_afterwards(name, w, directory)
        server.stop()
        want = peer_rows.truth(server.log_path)
        lib.equal(len(want), result["requests"], "lines of nginx's log, all different, of the generator's requests")
        if w:
            result.update(peer_rows.judged(peer_load.rows(name, w), want))
    if w and rate == RATES["1k"]:
        # It may lose and may be wrong, but what shows nothing at this rate was not started as it should be.
        lib.at_least(result["right"] + result["partly"], 1, f"rows of {name} that are not wrong")
    return result


def rounds(wire, plan, names):
    done = []
    for i in range(plan.peer_rounds):
        found = {}
        for k, (words, rate) in enumerate(RATES.items()):
            found[words] = {}
            for name in turned(["nothing", *names], i + k):
                r = found[words][name] = under(name, wire, rate, plan.peer_seconds)
                told = "" if name == "nothing" else (
                    f"{r['right']:,} right, {r['partly']:,} partly, {r['wrong']:,} wrong, {r['missing']:,} missing, "
                    f"{r['extra']:,} extra, {r['cpu_s']:.2f} s of CPU, {r['peak_kb'] / 1024:.0f} MB, "
                    f"behind {r['behind_s']}")
                say(f"peers {words:5}{name:10} {r['rate']:,.0f}/s, p99 {r['p99_us']:,} us  {told}")
        done.append(found)
    return done


def first_rows(wire, plan, names):
    """Rounds of name -> seconds, while a request comes each 10 ms."""
    done = []
    with peer_load.server(wire) as server:
        most = 40 * len(names) * plan.peer_starts
        with lib.Proc(*peer_load.asking(server, most, 100, 10)) as generator:
            time.sleep(0.2)
            for i in range(plan.peer_starts):
                done.append({name: peer_load.first_row(name, wire) for name in turned(names, i)})
                say("first row    " + "  ".join(f"{k} {v:.3f}" if v else f"{k} none"
                                                for k, v in sorted(done[-1].items())))
            assert generator.p.poll() is None, "the generator has ended"
    return done


def others(wire, plan):
    with peer_load.server(wire) as server, lib.Proc(*peer_load.asking(server, 600, 100, 10)):
        found = peer_load.tried(server, plan.peer_seconds + 1)
    for name, r in found.items():
        say(f"{name:12} " + (r.get("why") or f"{r['lines']} lines, {r['paths']} with a path"))
    return found


def refused(names):
    """name -> why, of those that do not start here."""
    why = {name: "not installed" for name in names
           if name not in peer_load.OURS and not shutil.which(peer_load.TOOLS[name].program)}
    if "bpftrace" not in why:
        try:
            with peer_load.watched("bpftrace", None, None):
                pass
        except peer_load.tcp_load.NotStarted as e:
            why["bpftrace"] = str(e)
    return why


def measure(plan):
    """The part of docs/performance.json named peers."""
    machine = load.machine()
    why = refused(peer_load.TOOLS)
    names = [name for name in peer_load.TOOLS if name not in why]
    with wire_load.wire() as wire:
        return {
            "machine": machine,
            "versions": peer_load.versions(),
            "refused": why,
            "seconds": plan.peer_seconds,
            "rates": RATES,
            "others": others(wire, plan),
            "rounds": rounds(wire, plan, names),
            "first_row": first_rows(wire, plan, [n for n in names if not peer_load.TOOLS[n].afterwards]),
        }
