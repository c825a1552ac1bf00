# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The verdict on a soak run: does what was shown add up to what was sent, and has anything grown?"""

import collections
import re
import statistics

import client

# KB an hour that a process may grow. A run has some 300 calls a second, a million an hour: one byte lost
# for four calls is more than this, and 4 KB pages that are touched for the first time are less.
GROWTH_KB_HOUR = 256
# A run of minutes is still growing to its size (tables double, pages are touched for the first time): it may grow
# by so much in all, which finds no more than a leak of 100 bytes a call.
SHORT_HOURS, SHORT_KB = 0.25, 1024
# The first of so many parts of the run is not judged. In an hour requests' table of 65,536 calls that were shown
# before their end (1.5 MB, touched as it fills) is full by then, and does not grow again.
WARM_UP = 4
QUIET = client.BUSY + 0.1  # of a cycle: from here on all connections of the clients have been closed
UNANSWERED = ("reset", "timeout", "refused")  # kinds whose rows must say so
# Maps that keep what they have, up to a size: {name: (tool, entries at most, bytes that user space has for each, why)}
KEPT = {
    "marks": ("requests", 4096, 0, "the least recently used makes room, so it fills and stays full"),
    "cells": ("latency", 32768, 160, "a cell stays once a value was in it, until half of the map is in use"),
}
# Maps that have an entry for sockets of the whole host, whatever the filter.
HOST_WIDE = ("conns", "times", "socket_users", "accepts", "connects")
LOST = re.compile(r"^\s+((?:lost|no_room|evicted|contended|late)\w*)\s+([1-9][\d,]*)", re.M)


# ---- sums ----


def added_up(watched, clients, ports):
    """What the clients counted, and beside it what the accounts of the rows did."""
    tool = {w.name: w for w in watched}
    rows = tool["requests"].account
    traffic = {}
    for kind in client.ODDS:
        sent = {letter: c["sent"].get(kind, 0) for letter, c in clients.items()}
        shown, missing, more = rows.calls(kind, sent)
        traffic[kind] = {
            "sent": sum(sent.values()), "rows": shown, "missing": missing, "doubled": more,
            "sent_bytes": total(clients, "sent_bytes", kind), "row_sent_bytes": rows.sent_bytes[kind],
            "received_bytes": total(clients, "received_bytes", kind), "row_received_bytes": rows.received_bytes[kind],
            "quality": rows.quality[kind]}
    received = {port: row["received"] for port, row in tool["top"].account.ports.items() if port in ports}
    return {"traffic": traffic, "stream_rows": rows.stream, "other_rows": rows.others,
            "connections": sum(sum(c["connections"].values()) for c in clients.values()),
            "conns": tool["conns"].account.events, "top_received": sum(received.values()),
            "latency": tool["latency"].account.cases, "count_packets": tool["count"].account.packets,
            "ledgers": {w.name: w.ledger for w in watched},
            "exit": {w.name: w.p.returncode for w in watched},
            "unread": {w.name: w.failure for w in watched if w.failure}}


def total(clients, what, kind):
    return sum(c[what].get(kind, 0) for c in clients.values())


def ledger_number(ledger, name):
    m = re.search(rf"^\s+{name}\s+([\d,]+)", ledger, re.M)
    return int(m[1].replace(",", "")) if m else 0


# ---- growth ----


def quiet(result, value):
    """[(hours, median of value(sample))] of the quiet part of each cycle; there all cycles are alike."""
    parts = collections.defaultdict(list)
    for sample in result["samples"]:
        cycle, part = divmod(sample["s"] / result["cycle_s"], 1)
        if part >= QUIET:
            parts[cycle].append(value(sample))
    return [((cycle + 1) * result["cycle_s"] / 3600, statistics.median_low(v)) for cycle, v in sorted(parts.items())]


def judged(result, tool, value):
    """The same of what one process holds, without the warm-up."""
    points = quiet(result, lambda sample: value(sample["tools"][tool]))
    return points[len(points) // WARM_UP:]


def slope(points):
    """Theil and Sen's: the median of the slopes between any two points. A single step moves it little."""
    return statistics.median((y1 - y0) / (x1 - x0) for i, (x0, y0) in enumerate(points) for x1, y1 in points[i + 1:])


def kept_kb(tool, sample):
    """What a process may hold for entries that are kept by design; they are judged by their number."""
    return sum(sample["entries"].get(name, 0) * size for name, (of, _, size, _) in KEPT.items() if of == tool) / 1024


def memory_checks(result, tool):
    for name in ("rss_kb", "heap_kb"):
        points = judged(result, tool, lambda s, name=name: round(s[name] - kept_kb(tool, s)))
        per_hour, hours = slope(points), points[-1][0] - points[0][0]
        limit = GROWTH_KB_HOUR if hours >= SHORT_HOURS else SHORT_KB / hours
        yield per_hour <= limit, (f"{tool}: {name[:-3]} {points[0][1]} KB, then {points[-1][1]} KB; "
                                  f"{per_hour:+.0f} KB an hour, at most {limit:.0f}")


def back_checks(result, tool):
    """What is held for connections must be given back when these are closed."""
    for what, name in (("descriptors", "fds"), ("threads", "threads"), ("KB of maps of a fixed size", "fixed_kb")):
        points = judged(result, tool, lambda s, name=name: s[name])
        before, after = points[0][1], points[-1][1]
        yield after <= before, f"{tool}: {what} in quiet: {before:g}, and at the end {after:g}"
    # In these a socket of another program may have an entry too, as long as it lives.
    sockets = quiet(result, lambda sample: sample["tcp_sockets"])[-1][1]
    for name in result["samples"][0]["tools"][tool]["entries"]:
        if name in KEPT and KEPT[name][0] == tool:
            most = max(s["tools"][tool]["entries"][name] for s in result["samples"])
            yield most <= KEPT[name][1], f"{tool}: entries of map {name}: {most}, by design up to {KEPT[name][1]}"
            continue
        points = judged(result, tool, lambda s, name=name: s["entries"][name])
        before, after = points[0][1], points[-1][1]
        most = max(before, sockets) if name in HOST_WIDE else before
        yield after <= most, f"{tool}: entries of map {name} in quiet: {before}, and at the end {after}, at most {most}"


# ---- all of it ----


def call_checks(result):
    for kind, t in result["traffic"].items():
        yield not t["missing"] and not t["doubled"], (
            f"{kind}: {t['sent']} sent, {t['rows']} rows, {t['missing']} without a row, {t['doubled']} too many")
        if kind in UNANSWERED:
            wrong = t["quality"].get("whole", 0)
        else:
            wrong = sum(n for quality, n in t["quality"].items() if quality not in ("whole", "pipelined"))
        yield not wrong, f"{kind}: {wrong} rows of a wrong quality: {dict(t['quality'])}"
        upgraded = ledger_number(result["ledgers"]["requests"], "upgraded_bytes") if kind == "stream" else 0
        sent, shown = t["sent_bytes"] + t["received_bytes"], t["row_sent_bytes"] + t["row_received_bytes"] + upgraded
        yield sent == shown, f"{kind}: {sent} bytes both ways, {shown} in rows"
        if kind in result["nginx"]:
            lines = result["nginx"][kind]
            yield lines == t["sent"], f"{kind}: {t['sent']} sent, {lines} lines in nginx's log"
    yield not result["nginx_not_2xx"], f"nginx: {result['nginx_not_2xx']} answers were not 2xx"


def tool_checks(result):
    made = result["connections"]
    for event, times in (("connect", 1), ("accept", 1), ("close", 2)):
        shown = result["conns"].get(event, 0)
        yield shown == times * made, f"conns: {made} connections, {shown} rows {event}, wanted {times} each"
    for kind in ("connect", "accept"):
        shown = result["latency"].get(kind, 0)
        yield shown == made, f"latency: {made} connections, {shown} cases of {kind}"
    carried = sum(t["sent_bytes"] + t["received_bytes"] for t in result["traffic"].values())
    shown = result["top_received"]
    yield carried == shown, f"top: {carried} bytes both ways, {shown} received at both ends"
    low, high = result["interface_packets"]
    shown = result["count_packets"]
    yield low <= shown <= high, f"count: {shown} packets, by the interfaces' own counters {low} to {high}"


def checks(result):
    """[(holds, what)], every one with its numbers."""
    found = [*call_checks(result), *tool_checks(result)]
    for tool, ledger in result["ledgers"].items():
        lost = LOST.findall(ledger)
        found.append((not lost and "ledger" in ledger, f"{tool}: lost by its ledger: {dict(lost) or 'nothing'}"))
        found.append((result["exit"][tool] == 0, f"{tool}: exit status {result['exit'][tool]}"))
        unread = result["unread"].get(tool)
        found.append((not unread, f"{tool}: rows that were not understood: {unread or 'none'}"))
        found += [*memory_checks(result, tool), *back_checks(result, tool)]
    return [(bool(ok), what) for ok, what in found]
