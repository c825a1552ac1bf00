# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Writes docs/SOAK.md, its plots docs/soak*.svg and its numbers docs/soak.json from what a soak run found."""

import json
import os

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
    "refused": "answered by RST", "stream": "upgrade, then frames both ways at once",
    "idle": "one GET of a connection that is idle else",
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
        held = [f"{p[0][1]:,.0f}, {p[-1][1]:,.0f}" for p in (rss, heap, maps, fds)]
        rows.append((f"`{tool}`", f"{last['rows']:,}", *held, f"{judge.slope(rss):+.0f}", f"{100 * seconds / result['samples'][-1]['s']:.1f}%"))
    return report_parts.table(("process", "rows", "RSS, KB", "heap, KB", "maps, KB", "descriptors", "RSS, KB an hour",
                               "CPU"), rows)


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
            ("bytes sent and received by the clients", f"{carried:,}", "`top`: received, both ends",
             f"{result['top_received']:,}"),
            ("packets, by the interfaces' counters", f"{low:,} to {high:,}", "`count`: packets",
             f"{result['count_packets']:,}")]
    return report_parts.table(("counted by others", "", "shown", ""), rows)


def verdict(result):
    failed = [what for ok, what in result["checks"] if not ok]
    if not failed:
        return f"**All {len(result['checks'])} checks hold**: each call has one row, nothing was lost, and what was held came back or stayed within its limits."
    return f"**{len(failed)} of {len(result['checks'])} checks fail**:\n\n" + "\n".join(f"- {what}" for what in failed)


def pictures(result):
    """{file: memory over the time, and what there is to be held}."""
    def line(value):
        return [(s["s"] / 60, value(s)) for s in result["samples"]]

    memory = {tool: line(lambda s, t=tool: s["tools"][t]["rss_kb"] / 1024) for tool in result["ledgers"]}
    held = {"TCP sockets of the host": line(lambda s: s["tcp_sockets"])}
    for tool, name in (("requests", "conns"), ("requests", "heads"), ("conns", "times"), ("latency", "cells")):
        held[f"{tool}: map {name}"] = line(lambda s, t=tool, n=name: s["tools"][t]["entries"][n])
    return {"soak.svg": plot.lines("Resident memory", "MiB", memory, "minutes"),
            "soak-entries.svg": plot.lines("Sockets, and entries of maps", "entries", held, "minutes", log=True)}


def machine_words(result):
    words = report_parts.machine_words(result["machine"], {"nginx": load.versions()["nginx"]})
    return report_parts.wrapped(f"Machine: {words}, as others use it too. The run took {result['cpu_share']:.2f} of a "
                                "CPU, clients and servers included.")


PAGE = """# Soak

Made by `make soak HOURS={hours:g}` (`scripts/soak.sh`), which writes this page, its plots and its numbers (`soak.json` beside it); do
not edit it. Five tools run at once, each a process, under mixed traffic in {cycles} cycles of {cycle:.0f} s that are all alike: four parts of
different load, then a quiet one in which every connection of the clients has been closed. Two clients, one of them behind a
veth pair and one on loopback, a quarter of it IPv6. What is compared are the quiet parts, without the first quarter of the run.

{machine}

{verdict}

![Resident memory of each process over the time](soak.svg)

## Calls

Each request has a number in it, so that a missing row and a doubled one do not cancel. Bytes of all rows are those that the clients
counted. Rows of calls without an answer say so, all others are whole.

{traffic}
Streams: {stream_rows:,} more rows of what came after the upgrade, and what the ledger has as `upgraded_bytes`.

{sums}
## What was held

Two numbers: in the quiet part of the first cycle that counts, and of the last. RSS and heap may grow by {growth} KB an hour, for
the reason in `tests/soak/judge.py`; descriptors, threads and entries of maps have to come back. Several maps follow every socket of
the host, whatever the filter, so other programs' sockets are among their entries. What storage of sockets takes is not in the KB of maps.

{memory}
![Sockets and entries of maps over the time](soak-entries.svg)

{entries}
## Ledgers

{ledgers}"""


def write(result):
    ledgers = "\n".join(f"`{tool}`:\n\n```\n{text.strip()}\n```\n" for tool, text in result["ledgers"].items())
    text = PAGE.format(
        hours=result["hours"], cycles=result["cycles"], cycle=result["cycle_s"], machine=machine_words(result),
        verdict=verdict(result), traffic=traffic_table(result), stream_rows=result["stream_rows"],
        sums=sums_table(result), growth=judge.GROWTH_KB_HOUR, memory=memory_table(result),
        entries=entries_table(result), ledgers=ledgers)
    files = {"SOAK.md": text, "soak.json": json.dumps(result, separators=(",", ":")) + "\n", **pictures(result)}
    for name, content in files.items():
        with open(os.path.join(DOCS, name), "w", encoding="utf-8") as f:
            f.write(content)
