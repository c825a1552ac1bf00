# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Writes docs/SOAK.md, its plot docs/soak.svg and its numbers docs/soak.json from what a soak run found."""

import json
import os

import client
import judge
import lib
import load
import plot
import report_parts

DOCS = os.path.join(lib.ROOT, "docs")
KINDS = {
    "keep": "GET on kept connections", "short": "GET, a connection each", "upload": "PUT of 20 kB",
    "chunked-up": "PUT, chunked", "chunked": "GET, answered chunked and compressed", "pipe": "four GETs pipelined",
    "big": "GET of 100 kB", "echo": "echo, not HTTP", "reset": "given up by RST", "timeout": "given up by FIN",
    "refused": "answered by RST", "stream": "upgrade, then frames both ways at once", "idle": "one GET of a connection that is idle else",
}


def traffic_table(result):
    rows = [(KINDS[kind], f"{t['sent']:,}", f"{result['nginx'][kind]:,}" if kind in result["nginx"] else "",
             f"{t['rows']:,}", f"{t['missing']:,}", f"{t['doubled']:,}",
             f"{t['sent_bytes'] + t['received_bytes']:,}")
            for kind, t in result["traffic"].items()]
    return report_parts.table(("calls", "sent", "in nginx's log", "rows", "missing", "doubled", "bytes both ways"), rows)


def memory_table(result):
    rows = []
    for tool in result["ledgers"]:
        rss = judge.judged(result, tool, lambda s: s["rss_kb"])
        heap = judge.judged(result, tool, lambda s: s["heap_kb"])
        maps = judge.judged(result, tool, lambda s: s["map_kb"])
        fds = judge.judged(result, tool, lambda s: s["fds"])
        last = result["samples"][-1]["tools"][tool]
        seconds = last["cpu_s"] - result["samples"][0]["tools"][tool]["cpu_s"]
        rows.append((f"`{tool}`", f"{last['rows']:,}", *(f"{p[0][1]:,.0f}, {p[-1][1]:,.0f}" for p in (rss, heap, maps, fds)),
                     f"{judge.slope(rss):+.0f}", f"{100 * seconds / result['samples'][-1]['s']:.1f}%"))
    return report_parts.table(("process", "rows", "RSS, KB", "heap, KB", "maps, KB", "descriptors", "RSS, KB an hour", "CPU"), rows)


def entries_table(result):
    rows = []
    for tool in result["ledgers"]:
        for name in result["samples"][0]["tools"][tool]["entries"]:
            quiet = judge.judged(result, tool, lambda s, name=name: s["entries"][name])
            most = max(s["tools"][tool]["entries"][name] for s in result["samples"])
            if most:
                kept = judge.KEPT.get(name)
                rows.append((f"`{tool}`", name, f"{most:,}", f"{quiet[0][1]:,}, {quiet[-1][1]:,}",
                             kept[3] if kept and kept[0] == tool else ""))
    return report_parts.table(("process", "map", "most", "in quiet", "kept by design"), rows)


def sums_table(result):
    conns, made, (low, high) = result["conns"], result["connections"], result["interface_packets"]
    carried = sum(t["sent_bytes"] + t["received_bytes"] for t in result["traffic"].values())
    rows = [("connections made by the clients", f"{made:,}", "`conns`: connect, accept, close (two ends)",
             ", ".join(f"{conns.get(e, 0):,}" for e in ("connect", "accept", "close"))),
            ("the same", f"{made:,}", "`latency`: cases of connect, accept",
             ", ".join(f"{result['latency'].get(k, 0):,}" for k in ("connect", "accept"))),
            ("bytes sent and received by the clients", f"{carried:,}", "`top`: received, both ends", f"{result['top_received']:,}"),
            ("packets, by the interfaces' counters", f"{low:,} to {high:,}", "`count`: packets", f"{result['count_packets']:,}")]
    return report_parts.table(("counted by others", "", "shown", ""), rows)


def verdict(result):
    failed = [what for ok, what in result["checks"] if not ok]
    if not failed:
        return f"**All {len(result['checks'])} checks hold**: each call has one row, nothing was lost, nothing grew."
    return f"**{len(failed)} of {len(result['checks'])} checks fail**:\n\n" + "\n".join(f"- {what}" for what in failed)


def picture(result):
    """Memory, and what there is to be held, over the time; the quiet parts are shaded."""
    def line(value):
        return [(s["s"] / 60, value(s)) for s in result["samples"]]

    cycle = result["cycle_s"] / 60
    bands = [((n + client.BUSY) * cycle, (n + 1) * cycle) for n in range(result["cycles"])]
    tools = list(result["ledgers"])
    memory = [(t, line(lambda s, t=t: s["tools"][t]["rss_kb"] / 1024)) for t in tools]
    held = [("sockets of the host", line(lambda s: s["tcp_sockets"])),
            ("requests: connections", line(lambda s: s["tools"]["requests"]["entries"]["conns"])),
            ("conns: sockets", line(lambda s: s["tools"]["conns"]["entries"]["times"])),
            ("top: sockets", line(lambda s: s["tools"]["top"]["entries"]["socket_users"]))]
    maps = [(t, line(lambda s, t=t: s["tools"][t]["map_kb"] / 1024)) for t in tools]
    return plot.svg("Memory and entries of five tapline processes over a soak run", [
        plot.Panel("Resident memory, MiB (shaded: quiet, all connections closed)", "minutes", memory, bands),
        plot.Panel("Sockets, and entries of maps that follow them", "minutes", held, bands),
        plot.Panel("Kernel memory of the maps, MiB (without storage of sockets)", "minutes", maps, bands)])


PAGE = """# Soak

Made by `make soak HOURS={hours:g}` (`scripts/soak.sh`), which writes this page, its plot and its numbers (`soak.json` beside it); do
not edit it. Five tools run at once, each a process, under mixed traffic in {cycles} cycles of {cycle:.0f} s that are all alike: four parts of
different load, then a quiet one in which every connection of the clients has been closed. Two clients, one of them behind a
veth pair and one on loopback, a quarter of it IPv6. What is compared are the quiet parts, without the first quarter of the run.

Machine: {machine}. The run took {cpu:.2f} of a CPU, clients and servers included.

{verdict}

![Memory and entries over the time](soak.svg)

## Calls

Each request has a number in it, so that a missing row and a doubled one do not cancel. Bytes of all rows are those that the clients
counted. Rows of calls without an answer say so, all others are whole.

{traffic}
Streams: {stream_rows:,} more rows of what came after the upgrade, and what the ledger has as `upgraded_bytes`.

{sums}
## What was held

Two numbers: in the quiet part of the first cycle that counts, and of the last. RSS and heap may grow by {growth} KB an hour, for
the reason in `tests/soak/judge.py`; descriptors, threads, kernel memory of the maps and their entries have to come back.

{memory}
{entries}
## Ledgers

{ledgers}"""


def write(result):
    ledgers = "\n".join(f"`{tool}`:\n\n```\n{text.strip()}\n```\n" for tool, text in result["ledgers"].items())
    text = PAGE.format(
        hours=result["hours"], cycles=result["cycles"], cycle=result["cycle_s"], cpu=result["cpu_share"],
        machine=report_parts.machine_words(result["machine"], {"nginx": load.versions()["nginx"]}),
        verdict=verdict(result), traffic=traffic_table(result), stream_rows=result["stream_rows"],
        sums=sums_table(result), growth=judge.GROWTH_KB_HOUR, memory=memory_table(result),
        entries=entries_table(result), ledgers=ledgers)
    for name, content in (("SOAK.md", text), ("soak.svg", picture(result)),
                          ("soak.json", json.dumps(result, separators=(",", ":")) + "\n")):
        with open(os.path.join(DOCS, name), "w", encoding="utf-8") as f:
            f.write(content)
