# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judges raw numbers of the benchmark and writes docs/PERFORMANCE.md from them.
By itself, python3 tests/bench/report.py writes the page again from docs/performance.json."""

import json
import os
import statistics
import sys

sys.dont_write_bytecode = True
import prose_tcp
import prose_wire
import report_peers
import report_tcp
import report_top
import report_wire
from prose import HEAD, METHOD, PINNED, WOULD_TAKE
from report_parts import Result, machine_words, ratios, spread, table, wrapped

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs")
RAW = os.path.join(DOCS, "performance.json")
PAGE = os.path.join(DOCS, "PERFORMANCE.md")
NAMES = {"nothing": "nothing", "floor": "four empty programs", "by_path": "`tapline --by path`",
         "json": "`tapline -o json` to a file"}


# Measured by themselves with --only, and judged and written by modules of their own.
PARTS = {"wire": report_wire, "tcp": report_tcp, "top": report_top, "peers": report_peers}


def hook_times(raw):
    """hook -> empty ns, tapline ns, net ns a run, runs, share of packets with data (1 for socket hooks).
    All rounds together."""
    rounds = raw["kernel_time"]["rounds"]
    hooks = {}
    for hook in rounds[0]["tapline"]:
        runs, ns, empty_runs, empty_ns, packets, data = 0, 0, 0, 0, 0, 0
        for r in rounds:
            runs, ns = runs + r["tapline"][hook][0], ns + r["tapline"][hook][1]
            empty_runs, empty_ns = empty_runs + r["empty"][hook][0], empty_ns + r["empty"][hook][1]
            counted = r["packets"].get(hook, {"all": 1, "data": 1})
            packets, data = packets + counted["all"], data + counted["data"]
        empty = empty_ns / empty_runs
        share = data / packets
        hooks[hook] = {"empty": empty, "tapline": ns / runs, "net": ns / runs - empty, "runs": runs,
                       "share": share, "net_data": (ns / runs - empty) / share}
    return hooks


def packet_ns(hooks):
    """Net ns a data packet, over both directions."""
    both = [hooks["ingress"], hooks["egress"]]
    return sum(h["net"] * h["runs"] for h in both) / sum(h["runs"] * h["share"] for h in both)


def idle_bytes(raw, kind):
    """Bytes that tapline adds to each connection, both ends."""
    idle = raw["idle_connections"]
    freed = idle["freed_bytes"]
    return [(held - fixed) / idle["connections"] for held, fixed in zip(freed[kind], freed["none"])]


def throughput_results(raw):
    rounds = raw["throughput"]["rounds"]
    for name, target in (("by_path", 0.95), ("json", 0.90)):
        values = ratios(rounds, name, "floor")
        yield Result(f"{name}_floor", f"throughput, {NAMES[name]}, of the floor's", f"≥ {target:.2f}",
                     spread(values, ".3f"), statistics.median(values) >= target)
    values = ratios(rounds, "by_path", "nothing")
    yield Result("kept", "throughput kept, `tapline --by path`", "≥ 0.87, or the job is not done",
                 spread(values, ".3f"), statistics.median(values) >= 0.87, hard=True)


def latency_results(raw):
    for name in ("by_path", "json"):
        values = ratios(raw["latency"]["rounds"], name, "nothing", lambda v: v["p99_us"])
        yield Result(f"p99_{name}", f"p99 at half load, {NAMES[name]}, of that without", "≤ 1.05",
                     spread(values, ".3f"), statistics.median(values) <= 1.05)


def saturation_results(raw):
    for name, cpu in (("by_path", 0.5), ("json", 1.2)):
        s = raw["saturation"][name]
        whole = f"{s['seconds']} s at saturation, {NAMES[name]}"
        yield Result(f"lost_{name}", f"{whole}: lost", "0, or the job is not done", f"{s['lost']:,}",
                     s["lost"] == 0, hard=True)
        yield Result(f"rows_{name}", f"{whole}: calls, of nginx's log lines", "all, or the job is not done",
                     f"{s['calls']:,} of {s['log_lines']:,}", s["calls"] == s["log_lines"], hard=True)
        us = s["cpu_s"] / s["calls"] * 1e6 if s["calls"] else 0
        yield Result(f"cpu_{name}", f"{whole}: CPU of the user side a call", f"≤ {cpu} µs",
                     f"{us:.2f} µs", 0 < us <= cpu)
        mb = s["rss_kb"] / 1024
        yield Result(f"rss_{name}", f"{whole}: resident memory halfway", "≤ 12 MB", f"{mb:.1f} MB",
                     mb <= 12)


def kernel_results(raw):
    hooks = hook_times(raw)
    for key, what, ns in (("ingress", "a data packet received", hooks["ingress"]["net_data"]),
                          ("egress", "a data packet sent", hooks["egress"]["net_data"]),
                          ("packet", "a data packet, both directions together", packet_ns(hooks))):
        yield Result(f"ns_{key}", f"in the kernel, net of the empty program: {what}", "≤ 110 ns",
                     f"{ns:.0f} ns", ns <= 110)
    for key, what in (("send", "the send hook"), ("read", "the read hook")):
        if key not in hooks:
            continue  # another rung of the ladder, which this cannot time
        ns = hooks[key]["net"]
        yield Result(f"ns_{key}", f"in the kernel, net of the empty program: {what}", "≤ 50 ns",
                     f"{ns:.0f} ns", ns <= 50)


def other_results(raw):
    ready = statistics.median(raw["start"]["ready_ms"])
    yield Result("ready", "ready", "≤ 60 ms", f"{ready:.1f} ms", ready <= 60)
    each = statistics.median(idle_bytes(raw, "used"))
    count = f"{raw['idle_connections']['connections']:,} idle connections, each used once"
    for key, what, value in (("idle_end", "kernel memory added, an end", each / 2),
                             ("idle", "kernel memory added, a connection (both ends are here)", each)):
        yield Result(key, f"{count}: {what}", "≤ 1,024 bytes", f"{value:,.0f} bytes", value <= 1024)
    share = statistics.median(s["idle"] - s["none"] for s in raw["idle_connections"]["cpu"])
    yield Result("sweep", f"{count}: share of a CPU that the sweep takes", "≤ 1%", f"{share:.2%}",
                 share <= 0.01)


def results(raw):
    """Of the parts that were measured."""
    parts = (throughput_results, latency_results, saturation_results, kernel_results, other_results)
    found = [r for part in parts for r in part(raw)] if "throughput" in raw else []
    return found + [r for name, part in PARTS.items() if name in raw for r in part.results(raw[name])]


# ---- the page ----


def rates_table(rounds, names):
    rows = []
    for name, shown in names.items():
        kept = spread(ratios(rounds, name, "nothing"), ".3f") if name != "nothing" else ""
        rows.append([shown, f"{statistics.median(r[name] for r in rounds):,.0f}", kept])
    return table(["beside the load", "requests/s, median", "of nothing beside it"], rows)


def latency_table(raw):
    rounds = raw["latency"]["rounds"]
    rows = [[NAMES[n], *[f"{statistics.median(r[n][k] for r in rounds):,.0f}"
                         for k in ("rate", "p50_us", "p99_us")]] for n in ("nothing", "by_path", "json")]
    return table(["beside the load", "requests/s", "p50, µs", "p99, µs"], rows)


def kernel_table(raw):
    names = {"ingress": "cgroup_skb/ingress", "egress": "cgroup_skb/egress", "send": "sends",
             "read": "reads"}
    hooks = hook_times(raw)
    rows = [[names[h], f"{v['empty']:.0f}", f"{v['tapline']:.0f}", f"{v['net']:.0f}",
             f"{v['share']:.3f}" if h in ("ingress", "egress") else "",
             f"{v['net_data']:.0f}" if h in ("ingress", "egress") else ""]
            for h, v in ((h, hooks[h]) for h in names if h in hooks)]
    return table(["hook", "empty, ns", "tapline, ns", "net, ns", "packets with data", "net ns a data packet"],
                 rows)


def idle_table(raw):
    rows = []
    for kind, words in (("unused", "opened, never used"), ("used", "one HTTP call each")):
        values = idle_bytes(raw, kind)
        rows.append([words, spread(values, ",.0f"), f"{statistics.median(values) / 2:,.0f}"])
    return table(["connections", "bytes a connection (both ends)", "bytes an end"], rows)


def sweep_words(raw):
    cpu = raw["idle_connections"]["cpu"]
    idle = statistics.median(s["idle"] for s in cpu)
    none = statistics.median(s["none"] for s in cpu)
    return (f"With them tapline took {idle:.2%} of a CPU in all, with no connection {none:.2%}: "
            "the rest is the timer that drains the ring.\n")


def orientation_words(raw):
    missing = raw["orientation"]["missing"]
    return f"Not installed, and so not measured: {', '.join(missing)}.\n" if missing else ""


def missed_section(found):
    missed = [r for r in found if not r.ok]
    if not missed:
        return ""
    words = {**WOULD_TAKE, **prose_wire.WOULD_TAKE, **prose_tcp.WOULD_TAKE}
    lines = [f"- {r.what}: {r.text}, wanted {r.target}." +
             (f" {words[r.key]}" if r.key in words else "") for r in missed]
    return "## Not reached, and what it would take\n\n" + "\n".join(lines) + "\n\n"


def page(raw):
    found = results(raw)
    rounds = raw["throughput"]["rounds"]
    pinned = raw["throughput_pinned"]["rounds"]
    tools = {n: f"`{n}`" if n != "nothing" else n for n in raw["orientation"]["rounds"][0]}
    full = raw["latency"]["full_rate"]
    return (
        wrapped(HEAD.format(machine=machine_words(raw["machine"], raw["versions"]), half=raw["machine"]["cores"] // 2 or 1))
        + table(["what", "target", "measured", ""], [[r.what, r.target, r.text, r.verdict] for r in found])
        + "\n" + missed_section(found)
        + f"## Throughput at saturation ({len(rounds)} rounds of {raw['throughput']['seconds']} s)\n\n"
        + rates_table(rounds, NAMES)
        + "\n" + PINNED + "\n\n"
        + rates_table(pinned, {n: NAMES[n] for n in NAMES if n in pinned[0]})
        + f"\n## Latency at half load ({len(raw['latency']['rounds'])} rounds; "
        + f"h2load's full load is {full:,.0f} requests/s)\n\n" + latency_table(raw)
        + "\n## In the kernel\n\n" + kernel_table(raw)
        + f"\n## {raw['idle_connections']['connections']:,} idle connections\n\n" + idle_table(raw)
        + "\n" + sweep_words(raw)
        + "\n## For orientation: programs that capture packets, on the same load\n\n"
        + rates_table(raw["orientation"]["rounds"], tools) + "\n" + orientation_words(raw)
        + "".join(part.section(raw[name]) for name, part in PARTS.items() if name in raw)
        + METHOD
    )


def read():
    with open(RAW) as f:
        return json.load(f)


def write(raw):
    with open(RAW, "w") as f:
        json.dump(raw, f, indent=1)
        f.write("\n")
    with open(PAGE, "w") as f:
        f.write(page(raw))
    for name, part in PARTS.items():
        for file, svg in part.plots(raw[name]).items() if name in raw and hasattr(part, "plots") else ():
            with open(os.path.join(DOCS, file), "w") as f:
                f.write(svg)


if __name__ == "__main__":
    write(read())
