# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judges the raw numbers of top_measures.py, and writes their section of docs/PERFORMANCE.md."""

import statistics

from report_parts import Result, machine_words, ratios, spread, table, wrapped

STATES = {"idle": "idle", "used": "each used since the block before"}
NAMES = {"nothing": "nothing", "floor": "four empty programs", "top": "`tapline top --by process`"}

HEAD = """## tapline top

Measured on {machine}.
"""

METHOD = """
- **A refresh** is a block of `tapline top`: a look at all sockets, and the 50 busiest rows printed. The sockets
  are both ends of half as many connections (`tests/programs/idle_conns.c`), older than tapline, in a network
  namespace of their own; used means a request and a response on each. It is CPU time of the process, user and
  system: the most of any 60 ms of the second in which the block was taken. Median of all blocks, with
  their range.
- **Throughput** is that of the first section's load. Unlike there, packets run no program.
- **In the kernel** the hooks are timed by the kernel (`kernel.bpf_stats_enabled`), and the timing is in it.
"""


def blocks(top, kind, state):
    return [ms for r in top["refresh"] for ms in r[kind][state]]


def results(top):
    for kind in top["refresh"][0]:
        for state, words in STATES.items():
            values = blocks(top, kind, state)
            yield Result(f"top_{kind}_{state}",
                         f"`tapline top --by {kind}`, {top['sockets']:,} open sockets, {words}: CPU of a refresh",
                         "≤ 20 ms", spread(values, ".1f") + " ms", statistics.median(values) <= 20)


def refresh_table(top):
    rows = [[f"`--by {kind}`", *[spread(blocks(top, kind, s), ".1f") for s in STATES]] for kind in top["refresh"][0]]
    return table([f"{top['sockets']:,} open sockets, ms of CPU a refresh", *STATES.values()], rows)


def throughput_table(top):
    rounds = top["throughput"]
    rows = [[words, f"{statistics.median(r[name] for r in rounds):,.0f}",
             spread(ratios(rounds, name, "nothing"), ".3f") if name != "nothing" else ""]
            for name, words in NAMES.items()]
    return table(["beside the load", "requests/s, median", "of nothing beside it"], rows)


def hook_words(top):
    each = {h: ns / runs for h, (runs, ns) in top["kernel_time"].items() if h in ("send", "receive") and runs}
    return ("In the kernel: " + ", ".join(f"{ns:.0f} ns a {hook}" for hook, ns in sorted(each.items())) + ".\n"
            if each else "")


def section(top):
    versions = {name: v for name, v in top["versions"].items() if name != "h2load"}
    return (
        "\n" + wrapped(HEAD.format(machine=machine_words(top["machine"], versions))) + "\n\n" + refresh_table(top)
        + f"\nThroughput at saturation, {len(top['throughput'])} rounds of {top['seconds']} s:\n\n"
        + throughput_table(top) + "\n" + hook_words(top) + METHOD
    )
