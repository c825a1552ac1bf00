# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judges the raw numbers of peer_measures.py, writes their section of docs/PERFORMANCE.md and its plots."""

import math
import statistics

import plot
from prose_peers import HEAD, METHOD
from report_parts import Result, machine_words, ratios, spread, table, wrapped

NAMES = {"nothing": "nothing", "tapline": "tapline requests", "tapline_i": "tapline requests -i", "tshark": "tshark",
         "httpry": "httpry", "ngrep": "ngrep", "tcpdump_l": "tcpdump -A -l", "tcpdump": "tcpdump -A",
         "tcpdump_w": "tcpdump -w, read afterwards",
         "bpftrace": "bpftrace, a script for nginx"}
OURS = ("tapline", "tapline_i")
STEADY = ("5k", "20k")  # the rates whose p99 is told


def words_of(peers, rate):
    return f"{peers['rates'][rate]:,}/s" if peers["rates"][rate] else "as fast as it can"


def measured(peers):
    """Names of those that watch and were measured, in the order of NAMES."""
    here = peers["rounds"][0]["1k"]
    return [name for name in NAMES if name in here and name != "nothing"]


def total(peers, rate, name, key):
    return sum(r[rate][name][key] for r in peers["rounds"])


def share(peers, rate, name, key="right"):
    return total(peers, rate, name, key) / total(peers, rate, name, "requests")


def median(peers, rate, name, value):
    return statistics.median(value(r[rate][name]) for r in peers["rounds"])


def p99_ms(v):
    return v["p99_us"] / 1000


def cpu_ms(v):
    """CPU of 1,000 requests, that of reading afterwards included."""
    return (v["cpu_s"] + v.get("read_cpu_s", 0)) / v["requests"] * 1e6


def peak_mb(v):
    return v["peak_kb"] / 1024


def kept(peers, name):
    """Ratios of throughput at saturation, made within their rounds."""
    return ratios([r["most"] for r in peers["rounds"]], name, "nothing", lambda v: v["rate"])


def first_ms(peers, name):
    """None: it shows no row at once, or none came in one of the starts."""
    values = [r.get(name) for r in peers["first_row"]]
    return None if None in values else [v * 1000 for v in values]


# ---- targets ----


def results(peers):
    for name in OURS:
        asked, right, wrong = (sum(total(peers, rate, name, key) for rate in peers["rates"])
                               for key in ("requests", "right", "wrong"))
        yield Result(f"rows_peers_{name}", f"peers, all rates: right rows of `{NAMES[name]}`, by nginx's log",
                     "all, none wrong", f"{right:,} of {asked:,}, {wrong:,} wrong", right == asked and not wrong,
                     hard=True)
        lost = sum(total(peers, rate, name, "lost") for rate in peers["rates"])
        yield Result(f"lost_peers_{name}", f"peers, all rates: lost by `{NAMES[name]}`", "0", f"{lost:,}", lost == 0,
                     hard=True)


# ---- who is ahead ----


def figures(peers):
    """(what, unit, name -> value, is more better, the rate it belongs to) of all that is compared."""
    names = measured(peers)
    for rate in peers["rates"]:
        yield ("rows that are right, " + words_of(peers, rate), "%",
               {n: share(peers, rate, n) * 100 for n in names}, True, rate)
    yield ("throughput kept", "%", {n: statistics.median(kept(peers, n)) * 100 for n in names}, True, "most")
    for rate in STEADY:
        yield ("p99, " + words_of(peers, rate), "ms", {n: median(peers, rate, n, p99_ms) for n in names}, False, rate)
    for rate in peers["rates"]:
        yield ("CPU of 1,000 requests, " + words_of(peers, rate), "ms",
               {n: median(peers, rate, n, cpu_ms) for n in names}, False, rate)
    yield ("peak memory", "MB", {n: median(peers, "most", n, peak_mb) for n in names}, False, "most")
    first = {n: first_ms(peers, n) for n in names}
    yield ("time to the first row", "ms", {n: statistics.median(v) for n, v in first.items() if v}, False, "1k")


def better(values, own, more):
    """What of values is better than own's, the best first; not our own others."""
    found = [(v, n) for n, v in values.items() if n not in OURS and (v > values[own] if more else v < values[own])]
    return [(n, v) for v, n in sorted(found, reverse=more)]


def ahead(peers):
    """Words for each figure in which a peer is ahead of ours."""
    for what, unit, values, more, rate in figures(peers):
        said = []
        for own in OURS:
            theirs = []
            for name, v in better(values, own, more) if own in values else ():
                whole = share(peers, rate, name)
                theirs.append(f"{NAMES[name]} {plot.number(v)} {unit}"
                              + (f" (with {whole:.2%} of the rows right)" if whole < 1 else ""))
            if theirs:
                ours = f"`{NAMES[own]}` ({plot.number(values[own])} {unit})"
                said.append(f"Ahead of {ours}: {'; '.join(theirs)}.")
        if said:
            yield f"**{what[0].upper() + what[1:]}.** {' '.join(said)}"


# ---- the section ----


def rows_table(peers):
    rows = []
    for name in measured(peers):
        for rate in peers["rates"]:
            counts = [total(peers, rate, name, key) for key in ("requests", "right", "partly", "wrong", "missing")]
            lost = [r[rate][name]["lost"] for r in peers["rounds"]]
            rows.append([NAMES[name] if rate == "1k" else "", words_of(peers, rate), *[f"{n:,}" for n in counts],
                         f"{counts[1] / counts[0]:.2%}", "not told" if None in lost else f"{sum(lost):,}"])
    return table(["", "rate", "requests", "right", "partly", "wrong", "missing", "share right", "lost, as it says"],
                 rows)


def p99_words(peers, rate, name):
    wanted, reached = peers["rates"][rate], median(peers, rate, name, lambda v: v["rate"])
    values = spread([p99_ms(r[rate][name]) for r in peers["rounds"]], ".1f")
    return values + (f", at {reached:,.0f}/s" if reached < wanted * 0.98 else "")


def watched_table(peers):
    rows = []
    for name in ["nothing", *measured(peers)]:
        rows.append([NAMES[name], f"{median(peers, 'most', name, lambda v: v['rate']):,.0f}",
                     spread(kept(peers, name), ".3f") if name != "nothing" else "",
                     *[p99_words(peers, rate, name) for rate in STEADY]])
    return table(["beside the load", "requests/s, as fast as it can", "of nothing beside it",
                  *[f"p99 at {words_of(peers, rate)}, ms" for rate in STEADY]], rows)


def behind(peers, name):
    values = [r["most"][name]["behind_s"] for r in peers["rounds"]]
    return "over 40" if None in values else f"{statistics.median(values):.1f}"


def cost_table(peers):
    rows = []
    for name in measured(peers):
        rows.append([NAMES[name], *[f"{median(peers, rate, name, cpu_ms):.1f}" for rate in peers["rates"]],
                     f"{median(peers, 'most', name, peak_mb):.1f}",
                     f"{median(peers, 'most', name, lambda v: v['rss_kb'] / 1024):.1f}", behind(peers, name)])
    return table(["", *[f"CPU of 1,000 requests, ms, {words_of(peers, rate)}" for rate in peers["rates"]],
                  "memory at its peak, MB", "at the end", "behind, s"], rows)


def first_table(peers):
    rows = []
    for name in measured(peers):
        values = first_ms(peers, name)
        rows.append([NAMES[name], spread(values, ",.0f") if values else "shows none at once"])
    return table(["", "from its start to the first row, ms"], rows)


def others_table(peers):
    rows = [[f"`{name}`", f"does not start here: {r['why']}" if "why" in r else
             f"lines: {r['lines']:,}, with a path of the load: {r['paths']:,}"] for name, r in peers["others"].items()]
    rows += [[NAMES[name], f"does not start here: {why}"] for name, why in peers["refused"].items()]
    return table(["", "at 100 requests a second"], rows)


def picture(name, words):
    return f"![{words}](peers-{name}.svg)\n\n"


def section(peers):
    n = len(peers["rounds"])
    sentences = [f"- {s}\n" for s in ahead(peers)] or ["None is, in any figure of this run.\n"]
    return (
        "\n" + wrapped(HEAD.format(machine=machine_words(peers["machine"], peers["versions"]))) + "\n\n"
        + f"### Rows ({n} rounds of {peers['seconds']} s at each rate)\n\n"
        + picture("rows", "Bars: rows that are right, by rate and program") + rows_table(peers)
        + "\n### What the watched server loses\n\n"
        + picture("kept", "Bars: throughput kept, by program") + picture("p99", "Bars: p99, by rate and program")
        + watched_table(peers)
        + "\n### What the program takes\n\n"
        + picture("cpu", "Bars: CPU of 1,000 requests, by rate and program")
        + picture("memory", "Bars: peak memory, by program") + cost_table(peers)
        + f"\n### The first row ({len(peers['first_row'])} starts)\n\n"
        + picture("first", "Bars: time to the first row, by program") + first_table(peers)
        + "\n### Where another is ahead of tapline\n\n" + "".join(sentences)
        + "\n### Of the same kind, without rows of requests\n\n" + others_table(peers)
        + METHOD
    )


def at_least(percent):
    """Rounded down: 100 is all."""
    return plot.number(math.floor(percent * 10) / 10)


def plots(peers):
    """File name -> SVG."""
    names, rates = measured(peers), list(peers["rates"])
    groups, steady = ([words_of(peers, rate) for rate in some] for some in (rates, STEADY))
    first = {n: first_ms(peers, n) for n in names}

    def each(value, some=rates, of=names):
        return {NAMES[n]: [value(rate, n) for rate in some] for n in of}

    return {
        "peers-rows.svg": plot.bars(
            "Rows with the right method, path, status and client port", "% of the requests in nginx's log", groups,
            each(lambda rate, n: share(peers, rate, n) * 100), "requests a second", form=at_least),
        "peers-kept.svg": plot.bars(
            "Throughput of the server that is watched", "% of that with nothing beside it", groups[-1:],
            each(lambda _, n: statistics.median(kept(peers, n)) * 100, ["most"])),
        "peers-p99.svg": plot.bars(
            "p99 of the server that is watched", "ms", steady,
            each(lambda rate, n: median(peers, rate, n, p99_ms), STEADY, [*names, "nothing"]), "requests a second",
            log=True),
        "peers-cpu.svg": plot.bars(
            "CPU of the program that watches", "ms for 1,000 requests", groups,
            each(lambda rate, n: median(peers, rate, n, cpu_ms)), "requests a second", log=True),
        "peers-memory.svg": plot.bars(
            "Memory of the program that watches", "MB at its peak", groups[-1:],
            each(lambda rate, n: median(peers, rate, n, peak_mb), ["most"]), log=True),
        "peers-first.svg": plot.bars(
            "From the program's start to its first row", "ms", ["a request each 10 ms"],
            each(lambda _, n: statistics.median(first[n]) if first[n] else None, ["1k"]), log=True),
    }
