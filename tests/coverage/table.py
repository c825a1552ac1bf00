#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""table.py WHAT SUMMARY: prints gcovr's summary (JSON) as a table by room and file, and judges it.
What takes bytes from elsewhere and what makes calls of them has to be reached by tests: exit status 1 if not.
"""

import json
import os
import sys

WANTED = 95.0  # % of a group's lines

# Folders and files of src. Of src/kernel what is plain C, and run by the unit tests as it is.
GROUPS = {
    "parsers": ["protocol/", "capture/", "filter/", "kernel/bytes.h", "kernel/filter.h", "kernel/heads.h",
                "kernel/http.h", "kernel/packet.h"],
    "engine": ["call/", "kernel/flow.h", "kernel/flow_edge.h", "kernel/turn.h"],
}


class Sum:
    """Lines and branches of some files: how many there are, and how many were reached."""

    def __init__(self, files):
        self.lines, self.lines_reached, self.branches, self.branches_reached = (
            sum(f[key] for f in files)
            for key in ("line_total", "line_covered", "branch_total", "branch_covered"))

    def line_percent(self):
        return 100.0 * self.lines_reached / self.lines if self.lines else 100.0

    def cells(self):
        return [str(self.lines), percent(self.lines_reached, self.lines),
                str(self.branches), percent(self.branches_reached, self.branches)]


def percent(part, whole):
    """Rounded down, so that 100.0% is all of it."""
    return f"{part * 1000 // whole / 10:.1f}%" if whole else "-"


def room_of(name):
    """src/call/join.c: call; src/tools/top/rows.c: tools/top; src/main.c: the top itself."""
    return os.path.dirname(name).removeprefix("src").lstrip("/") or "src"


def table(files):
    rows = [["", "lines", "reached", "branches", "reached"]]
    for room in sorted({room_of(name) for name in files}):
        inside = {name: f for name, f in files.items() if room_of(name) == room}
        rows.append([room, *Sum(inside.values()).cells()])
        rows += [["  " + os.path.basename(name), *Sum([f]).cells()] for name, f in sorted(inside.items())]
    rows.append(["all", *Sum(files.values()).cells()])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join([row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]).rstrip()


def group_files(files, members):
    for member in members:
        found = [name for name in files if name.startswith("src/" + member)]
        if not found:
            sys.exit(f"coverage: nothing was counted of src/{member}")
        yield from found


def judge(files):
    """Sentences, and whether every group has what is wanted."""
    good = True
    for group, members in GROUPS.items():
        names = list(group_files(files, members))
        total = Sum([files[name] for name in names])
        low = [name for name in names if Sum([files[name]]).line_percent() < WANTED]
        enough = total.line_percent() >= WANTED
        good = good and enough
        cells = total.cells()
        print(f"{group}: {cells[1]} of lines, {cells[3]} of branches"
              + ("" if enough else f"; {WANTED:.0f}% of lines are wanted"))
        for name in low:
            print(f"  below {WANTED:.0f}%: {name}")
    return good


def main():
    what, path = sys.argv[1:]
    with open(path, encoding="utf-8") as f:
        files = {f["filename"]: f for f in json.load(f)["files"]}
    print(f"reached by {what}, of lines and of branches:\n")
    print("\n".join(table(files)), end="\n\n")
    return 0 if judge(files) else 1


if __name__ == "__main__":
    sys.exit(main())
