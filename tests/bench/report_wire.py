# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judges the raw numbers of wire_measures.py, and writes their section of docs/PERFORMANCE.md."""

import statistics

from prose_wire import HEAD, METHOD
from report_parts import Result, machine_words, ratios, spread, table, wrapped

NAMES = {"nothing": "nothing", "empty": "an empty socket filter", "count": "`tapline count`",
         "packets": "`tapline packets`, 1 in 1,000", "by_path": "`tapline requests --by path`",
         "json": "`tapline requests -o json` to a file", "tcpdump": "`tcpdump -w /dev/null`",
         "ngrep": "`ngrep`", "httpry": "`httpry`", "tshark": "`tshark`"}
PEERS = ("tcpdump", "ngrep", "httpry", "tshark")
LOADS = {"wrk": "under wrk", "udp": "under datagrams"}


def total(rounds, name, key):
    """Over all rounds that say so; None: none does."""
    values = [r[name][key] for r in rounds if name in r and r[name].get(key) is not None]
    return sum(values) if values else None


def packet_ns(wire, load, name):
    """(ns a packet in its socket filter, ns in all of its programs), all rounds together."""
    runs, ns, other = (sum(r[name][i] for r in wire["kernel_time"][load]) for i in range(3))
    return ns / runs, (ns + other) / runs


def busy_us(v):
    """CPU of the whole machine a request or datagram: kernel, load and watcher together."""
    return v["busy"] / v["rate"] * 1e6


def cpu_us(v):
    """CPU of the watcher's process a request or datagram."""
    return v["cpu"] / v["rate"] * 1e6


# ---- targets ----


def kept_results(wire):
    for name in ("by_path", "json"):
        values = ratios(wire["wrk"], name, "empty", lambda v: v["rate"])
        yield Result(f"wire_kept_{name}", f"on the wire, throughput kept, {NAMES[name]}, of an empty filter's",
                     "≥ 0.95", spread(values, ".3f"), statistics.median(values) >= 0.95)


def count_results(wire):
    for load, words in LOADS.items():
        net = packet_ns(wire, load, "count")[0] - packet_ns(wire, load, "empty")[0]
        yield Result(f"wire_ns_{load}", f"on the wire, {words}: a packet counted, over an empty filter",
                     "≤ 60 ns", f"{net:.0f} ns", net <= 60)


def least(wire, name, value):
    """(the one of the others that takes least, ratios to it), or None if none was measured."""
    values = {peer: ratios(wire["wrk"], name, peer, value)
              for peer in PEERS if any(peer in r for r in wire["wrk"])}
    return max(values.items(), key=lambda v: statistics.median(v[1]), default=None)


def cpu_results(wire):
    for name in ("by_path", "json"):
        for key, what, value in (("cpu", "CPU of the process a call", cpu_us),
                                 ("busy", "CPU of the whole machine a call", busy_us)):
            found = least(wire, name, value)
            if found:
                peer, values = found
                yield Result(f"wire_{key}_{name}", f"on the wire, under wrk: {what}, {NAMES[name]}, of that with "
                             f"{NAMES[peer]}, the least of the others", "< 1", spread(values, ".2f"),
                             statistics.median(values) < 1)


def lost_results(wire):
    for name in ("by_path", "json", "packets", "count"):
        lost = sum(total(wire[load], name, "lost") for load in ("wrk", "udp", "udp_steady"))
        if name == "by_path":
            lost += wire["saturation"]["lost"]
        yield Result(f"lost_wire_{name}", f"on the wire, all rounds: lost by {NAMES[name]}", "0", f"{lost:,}",
                     lost == 0, hard=True)


def whole_results(wire):
    s = wire["saturation"]
    yield Result("rows_wire", f"on the wire, {s['seconds']} s under wrk: calls, of nginx's log lines", "all",
                 f"{s['calls']:,} of {s['log_lines']:,}", s["calls"] == s["log_lines"], hard=True)
    loads = ("wrk", "udp", "udp_steady")
    counted, passed = (sum(total(wire[load], "count", key) for load in loads) for key in ("counted", "passed"))
    yield Result("rows_wire_count", "on the wire, all rounds: packets counted, of the interface's own counters",
                 "all", f"{counted:,} of {passed:,}", counted == passed, hard=True)
    rows, marked = (sum(total(wire[load], "packets", key) for load in loads[1:]) for key in ("rows", "marked"))
    yield Result("rows_wire_packets", "on the wire, all rounds: rows of `tapline packets`, of marked datagrams",
                 "all", f"{rows:,} of {marked:,}", rows == marked, hard=True)


def results(wire):
    return [r for part in (kept_results, count_results, cpu_results, lost_results, whole_results)
            for r in part(wire)]


# ---- the section ----


def share_lost(rounds, name):
    """Lost, as a share of the packets that passed."""
    lost = total(rounds, name, "lost")
    return "not told" if lost is None else f"{lost / total(rounds, name, 'passed'):.2%}" if lost else "0"


def shown(rounds, name):
    calls = total(rounds, name, "shown")
    return "" if calls is None else f"{calls / total(rounds, name, 'requests'):.1%}"


def load_table(rounds, unit):
    rows = []
    for name, words in NAMES.items():
        here = [r[name] for r in rounds if name in r]
        if not here:
            continue
        row = [words, f"{statistics.median(v['rate'] for v in here):,.0f}",
               spread(ratios(rounds, name, "empty", lambda v: v["rate"]), ".3f") if name != "empty" else "",
               f"{statistics.median(map(busy_us, here)):.1f}"]
        if "cpu" in here[0]:
            row += [f"{statistics.median(map(cpu_us, here)):.2f}", share_lost(rounds, name)]
        else:
            row += ["", ""]
        rows.append(row + ([shown(rounds, name)] if unit == "requests" else []))
    return table(["beside the load", f"{unit}/s, median", "of an empty filter's",
                  f"CPU of the machine, µs a {unit[:-1]}", f"of the process, µs a {unit[:-1]}", "packets lost", *(["calls shown"] if unit == "requests" else [])], rows)


def kernel_table(wire):
    rows = []
    for load, words in LOADS.items():
        empty = packet_ns(wire, load, "empty")[0]
        for name in wire["kernel_time"][load][0]:
            filter_ns, all_ns = packet_ns(wire, load, name)
            rows.append([words, NAMES[name], f"{filter_ns:.0f}", f"{filter_ns - empty:.0f}",
                         f"{all_ns - empty:.0f}"])
    return table(["", "", "socket filter, ns a packet", "over an empty one", "with its other programs"], rows)


def section(wire):
    missing = f"Not installed, and so not measured: {', '.join(wire['missing'])}.\n\n" if wire["missing"] else ""
    versions = {name: v for name, v in wire["versions"].items() if name != "h2load"}
    return (
        "\n" + wrapped(HEAD.format(machine=machine_words(wire["machine"], versions))) + "\n\n" + missing
        + f"### Under wrk ({len(wire['wrk'])} rounds of {wire['seconds']} s)\n\n"
        + load_table(wire["wrk"], "requests")
        + f"\n### Under datagrams, as fast as they can be sent ({len(wire['udp'])} rounds)\n\n"
        + load_table(wire["udp"], "datagrams")
        + f"\n### Under {wire['steady_rate']:,} datagrams a second ({len(wire['udp_steady'])} rounds)\n\n"
        + load_table(wire["udp_steady"], "datagrams")
        + "\n### On the wire, in the kernel\n\n" + kernel_table(wire)
        + METHOD
    )
