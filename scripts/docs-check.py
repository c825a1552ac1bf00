#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""scripts/docs-check.py [TAPLINE]: the pages say what the tree says.

1. Code quoted in docs/ADDING-A-*.md (fences marked c) is in one file of src, line by line, in order; a
   line of three dots leaves lines out. White space does not count, so that a formatter may break lines.
2. A path in backticks in README.md or docs/*.md that looks like one of this tree exists. A component in
   capitals is a placeholder, * matches as in a shell, and build/ is made later.
3. The table below the README's heading "Commands" is the register, in its order, with its briefs.

TAPLINE: the program that is asked for the register (build/tapline). Each fault is a line; exit status 1.
"""

import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)+/?|[A-Z]\w*(\.\w+)?")
PLACEHOLDER = re.compile(r"(?<![A-Za-z])(NAME|PROTOCOL|ROOM|TOOL)(?![A-Za-z])")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def pages(pattern):
    return sorted(glob.glob(pattern, root_dir=ROOT))


def squeezed(text):
    return " ".join(text.split())


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


# ---- quoted code ----


def lines_found(lines, source):
    """How many of these lines, from the first on, follow each other in source."""
    at = 0
    for n, line in enumerate(lines):
        at = source.find(line, at)
        if at < 0:
            return n
        at += len(line)
    return len(lines)


def check_quotes(page, sources):
    text = read(page)
    for fence in FENCE.finditer(text):
        if fence[1] != "c":
            continue
        lines = [squeezed(line) for line in fence[2].splitlines()]
        lines = [line for line in lines if line not in ("", "...")]
        best = max(lines_found(lines, source) for source in sources)
        if best < len(lines):
            yield f"{page}:{line_of(text, fence.start())}: no file of src has, where it is quoted: {lines[best]}"


# ---- paths ----


def is_ours(word):
    """Does word look like a path of this tree? The first component decides, or a well-known name."""
    first = word.split("/")[0]
    if "/" in word:
        in_src = os.path.isdir(os.path.join(ROOT, "src", first)) and re.search(r"\.\w+$", word)
        return first != "build" and (os.path.isdir(os.path.join(ROOT, first)) or bool(in_src))
    return word in ("Makefile", "LICENSE") or word.endswith(".md")


def exists(word, page):
    places = ("", "src", os.path.dirname(page))
    return any(glob.glob(os.path.join(ROOT, place, word)) for place in places)


def check_paths(page):
    text = FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), read(page))
    for quoted in re.finditer(r"`([^`\n]+)`", text):
        for word in quoted[1].split():
            word = re.sub(r":\d+$", "", word.strip("\"'(),;:"))
            if not PATH.fullmatch(word) or PLACEHOLDER.search(word):
                continue
            if is_ours(word) and not exists(word, page):
                yield f"{page}:{line_of(text, quoted.start())}: there is no {word}"


# ---- the register ----


def register(tapline):
    """[(name, brief)] as the program has them; the brief is in the NAME section of its man page."""

    def ask(*args):
        return subprocess.run([tapline, *args], check=True, stdout=subprocess.PIPE, text=True).stdout

    for name in ask("--list-commands").split():
        said = re.search(r"^\.SH NAME\n.*? \\- (.*)$", ask(name, "--man"), re.M)
        if not said:
            sys.exit(f"docs-check: '{tapline} {name} --man' has no NAME")
        yield name, re.sub(r"\\(.)", r"\1", said[1])


def table_below(text, heading):
    """[(first cell, second cell)] of the first table below a heading, without its header."""
    section = re.search(rf"^#+ {heading}\b.*?\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    rows = re.findall(r"^\|(.*)\|\s*$", section[1], re.M) if section else []
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return [(c[0].strip("`").removeprefix("tapline "), c[1]) for c in cells[2:] if len(c) > 1]


def check_commands(tapline):
    want = list(register(tapline))
    got = table_below(read("README.md"), "Commands")
    if not got:
        yield "README.md: there is no table below a heading Commands"
        return
    for name, brief in want:
        shown = dict(got).get(name)
        if shown is None:
            yield f"README.md: Commands lacks {name}: {brief}"
        elif shown != brief:
            yield f"README.md: Commands says of {name}: {shown}; the register says: {brief}"
    for name, _ in got:
        if name not in dict(want):
            yield f"README.md: Commands has {name}, which is no subcommand"
    names = [name for name, _ in want]
    if sorted(names) == sorted(n for n, _ in got) and names != [n for n, _ in got]:
        yield f"README.md: Commands is not in the register's order: {', '.join(names)}"


def main():
    tapline = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "tapline")
    if not os.access(tapline, os.X_OK):
        sys.exit(f"docs-check: there is no {tapline}; run make first")
    faults = []
    sources = [squeezed(read(path)) for path in pages("src/**/*.[ch]") + pages("src/*/*/*.[ch]") + ["src/tools.list"]]
    for page in pages("docs/ADDING-A-*.md"):
        faults += check_quotes(page, sources)
    for page in [*pages("README.md"), *pages("docs/*.md")]:
        faults += check_paths(page)
    faults += check_commands(tapline) if pages("README.md") else ["README.md: there is none"]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
