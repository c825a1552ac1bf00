# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judges the raw numbers of tcp_measures.py and tcp_values.py, and writes their section of docs/PERFORMANCE.md:
rows right and wrong before what they cost."""

import statistics

from prose_tcp import AWAY, BYTES, CHURN, HEAD, METHOD, VALUES
from report_parts import Result, machine_words, ratios, spread, table, wrapped

NAMES = {"nothing": "nothing", "conns_close": "`tapline conns --event close`", "tcplife": "`tcplife`",
         "tcpstates": "`tcpstates`", "bpftrace_close": "`bpftrace`, close", "top": "`tapline top --by process`",
         "conns_connect": "`tapline conns --event connect`", "latency_connect": "`tapline latency connect`",
         "bpftrace_connect": "`bpftrace`, connect", "latency_all": "`tapline latency`, all kinds",
         "latency_rtt": "`tapline latency rtt`", "bpftrace_rtt": "`bpftrace`, histogram of srtt",
         "bpftrace_each_rtt": "`bpftrace`, each srtt", "ss": "`ss -tinp` each second"}
COLUMNS = {"conns_close": "process, ports, bytes", "tcplife": "process, ports, KB", "tcpstates": "process, ports",
           "bpftrace_close": "process, ports, bytes", "conns_connect": "process, ports",
           "bpftrace_connect": "process, ports"}
OURS = ("conns_close", "conns_connect", "latency_connect", "latency_all", "latency_rtt", "top")
# What does the same job, under which load.
RIVALS = (("churn", "conns_close", ("tcplife", "tcpstates", "bpftrace_close")),
          ("churn", "conns_connect", ("bpftrace_connect",)), ("churn", "latency_connect", ("bpftrace_connect",)),
          ("churn", "top", ("ss",)), ("kept", "latency_rtt", ("bpftrace_rtt",)), ("kept", "top", ("ss",)))
KEYS = ("p50_us", "p90_us", "max_us")
LOADS = {"churn": "connections that come and go", "kept": "connections that are kept"}


def rate(v):
    return v["rate"]


def total(tcp, load, name, key):
    return sum(r[name][key] for r in tcp[load] if name in r)


def here(tcp, load):
    """Names of what was measured, in the order of the page."""
    return [name for name in NAMES if name in tcp[load][0]]


# ---- targets ----


def rows_results(tcp):
    for name in ("conns_close", "conns_connect"):
        right, wrong, of = (total(tcp, "churn", name, key) for key in ("right", "wrong", "of"))
        yield Result(f"rows_tcp_{name}", f"TCP, all rounds: right rows of {NAMES[name]}, by nginx's log",
                     "all, none wrong", f"{right:,} of {of:,}, {wrong:,} wrong", right == of and not wrong, hard=True)
    rounds = [r["latency_connect"] for r in tcp["churn"]]
    yield Result("rows_tcp_latency",
                 f"TCP, all rounds: connects that {NAMES['latency_connect']} counted, by nginx's log",
                 "all, and those that ab did not use (at most 20 a round)",
                 f"{sum(r['counted'] for r in rounds):,} for {sum(r['of'] for r in rounds):,}",
                 all(0 <= r["counted"] - r["of"] <= 20 for r in rounds), hard=True)
    told, of = (total(tcp, "churn", "top", key) for key in ("told_bytes", "bytes"))
    yield Result("rows_tcp_top", f"TCP, all rounds: bytes by process of {NAMES['top']}, by nginx's log", "all",
                 f"{told:,} of {of:,}", total(tcp, "churn", "top", "right") == total(tcp, "churn", "top", "processes"),
                 hard=True)
    held = tcp["held"]["top"]
    yield Result("rows_tcp_held", "TCP: right rows of `tapline top`, by nginx's log, open and closed",
                 "all, none wrong", ", ".join(f"{v['right']} of {v['of']} {k}" for k, v in held.items()),
                 all(v["right"] == v["of"] and not v["wrong"] for v in held.values()), hard=True)
    lost = sum(total(tcp, load, name, "lost") for load in LOADS for name in OURS)
    yield Result("lost_tcp", "TCP, all rounds: lost by tapline", "0", f"{lost:,}", lost == 0, hard=True)


def is_right(v, count=None):
    """Percentiles between the way's delays and what the client measured, within 1%; as many cases as there were."""
    told, client = v["told"], v["client"]
    return told["count"] == (count or client["count"]) and all(
        least * 0.99 <= told[key] <= client[key] * 1.01
        for key, least in zip(KEYS, (AWAY["fast"], AWAY["slow"], AWAY["slow"])))


def values_results(tcp):
    for word, name in (("connect", "conns_connect"), ("connect", "latency_connect"), ("call", "latency_rtt")):
        v = tcp["values"][word][name]
        yield Result(f"values_tcp_{name}",
                     f"TCP: times of {NAMES[name]} over a way of known delay: median, 90%, longest",
                     "between the delay and what the client measured",
                     " / ".join(f"{v['told'].get(k, 0):,.0f}" for k in KEYS) + " µs",
                     is_right(v), hard=True)


def kept_results(tcp):
    for load, name, rivals in RIVALS:
        found = {peer: ratios(tcp[load], name, peer, rate) for peer in rivals if peer in tcp[load][0]}
        if found:
            peer, values = min(found.items(), key=lambda v: statistics.median(v[1]))
            yield Result(f"tcp_kept_{load}_{name}",
                         f"TCP, {LOADS[load]}: throughput beside {NAMES[name]}, of that beside {NAMES[peer]}, where it "
                         "was highest of the others", "≥ 1", spread(values, ".3f"), statistics.median(values) >= 1)


def results(tcp):
    return [r for part in (rows_results, values_results, kept_results) for r in part(tcp)]


# ---- the section ----


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def cost_table(tcp, load, unit):
    rows = []
    for name in here(tcp, load):
        rounds = [r[name] for r in tcp[load]]
        row = [NAMES[name], f"{median(rounds, 'rate'):,.0f}"]
        if name == "nothing":
            rows.append(row + [""] * 5)
            continue
        each = [r["cpu_s"] / r["requests"] * 1e6 for r in rounds]
        lost = rounds[0]["lost"]
        rows.append(row + [spread(ratios(tcp[load], name, "nothing", rate), ".3f"), f"{statistics.median(each):.2f}",
                           f"{median(rounds, 'peak_kb') / 1024:.1f}", f"{median(rounds, 'ready_ms'):.0f}",
                           "not told" if lost is None else f"{total(tcp, load, name, 'lost'):,}"])
    return table(["beside the load", f"{unit}s/s, median", "of nothing beside it", f"CPU of the process, µs a {unit}",
                  "peak memory, MB", "ready, ms", "lost, by its own account"], rows)


def rows_table(tcp):
    rows = []
    for name in (n for n in here(tcp, "churn") if n in COLUMNS):
        right, wrong, missing, of = (total(tcp, "churn", name, k) for k in ("right", "wrong", "missing", "of"))
        rows.append([NAMES[name], COLUMNS[name], f"{of:,}", f"{right:,}", f"{wrong:,}", f"{missing:,}"])
    return table(["tool", "columns that were compared", "rows there should be", "right", "wrong", "missing"], rows)


def bytes_table(tcp):
    rows = []
    for name in ("top", "ss"):
        held = tcp["held"][name]
        rows.append([NAMES[name], *[f"{held[k]['right']:,} of {held[k]['of']:,}" for k in ("open", "closed")],
                     f"{sum(v['wrong'] for v in held.values()):,}",
                     f"{total(tcp, 'churn', name, 'told_bytes') / total(tcp, 'churn', name, 'bytes'):.2%}"])
    return table(["tool", "right rows of connections that stay open", "of those that closed", "wrong rows",
                  "bytes by process of connections that come and go"], rows)


def values_table(tcp):
    rows = []
    for word, of in (("connect", "connects"), ("call", "calls on one connection")):
        for name, v in tcp["values"][word].items():
            words = "`ss -tinp` ten times a second" if name == "ss" else NAMES[name]
            rows.append([of, words, v["told"]["count"],
                         *[f"{v['told'].get(k, 0):,.0f} (≤ {v['client'][k]:,.0f})" for k in KEYS],
                         "yes" if is_right(v, v["told"]["count"]) else "**no**"])
    return table(["of", "tool", "values", "median, µs", "90%, µs", "longest, µs", "right"], rows)


def kernel_table(tcp):
    def each(name):
        return [r[name][0] / r[name][1] for r in tcp["kernel_time"]]

    return table(["tool", "ns of its BPF programs a request, both ends here"],
                 [[NAMES[name], spread(each(name), ",.0f")] for name in NAMES if name in tcp["kernel_time"][0]])


def section(tcp):
    refused = table(["tool", "what it says"],
                    [[f"`{name}`", f"does not start: {why}"] for name, why in tcp["refused"].items()])
    return (
        "\n" + wrapped(HEAD.format(machine=machine_words(tcp["machine"], tcp["versions"]))) + "\n\n"
        + (refused + "\n" if tcp["refused"] else "")
        + f"### Connections that come and go ({len(tcp['churn'])} rounds of {tcp['connections']:,})\n\n"
        + wrapped(CHURN) + "\n\n" + rows_table(tcp) + "\n" + cost_table(tcp, "churn", "connection")
        + f"\n### Connections that are kept ({len(tcp['kept'])} rounds of {tcp['seconds']} s under wrk)\n\n"
        + cost_table(tcp, "kept", "request") + "\n" + kernel_table(tcp)
        + "\n### Bytes\n\n" + wrapped(BYTES) + "\n\n" + bytes_table(tcp)
        + "\n### Times, over a way of known delay\n\n" + wrapped(VALUES) + "\n\n" + values_table(tcp)
        + METHOD
    )
