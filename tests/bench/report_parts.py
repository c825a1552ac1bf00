# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the parts of the report share: a number beside its target, ratios made within rounds, tables."""

import statistics
import textwrap


class Result:
    """One number beside its target. A hard one leaves the project's job open when missed."""

    def __init__(self, key, what, target, text, ok, hard=False):
        self.key, self.what, self.target, self.text = key, what, target, text
        self.ok, self.hard = ok, hard

    @property
    def verdict(self):
        return "met" if self.ok else "**missed**"


def ratios(rounds, with_, without, value=lambda v: v):
    """Of the rounds that have both."""
    return [value(r[with_]) / value(r[without]) for r in rounds if with_ in r and without in r]


def spread(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]) + "\n"


def wrapped(text):
    return "\n\n".join(textwrap.fill(part, 105) for part in text.split("\n\n"))


def machine_words(machine, versions):
    kind = "a virtual machine" if machine["virtual"] else "a machine"
    programs = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (f"{kind} with {machine['cores']} cores ({machine['architecture']}) and {machine['memory_gib']} GiB "
            f"of memory, Linux {machine['kernel']}; {programs}; load average before the run: "
            f"{machine['load_before']:.1f}")
