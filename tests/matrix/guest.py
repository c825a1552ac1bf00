# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""In a guest: loads every program by running each tool, on each rung of its hooks, and then runs end-to-end tests.
What is found goes to standard output, a line each, for matrix.py on the host."""

import json
import os
import re
import subprocess
import sys

TAPLINE = "build/tapline"

# Command lines that together load every program of every tool; those with a choice of hooks once more for each kind.
LOADS = ("requests", "requests -i lo", "requests -i any tcp", "requests -w /tmp/frames.pcapng", "top 1 1",
         "count 1 1", "count --by process 1 1", "packets", "packets --http tcp", "conns", "conns --open",
         "conns --transport perf", "latency 1 1", "latency --by process 1 1", "latency --slower-than 1", "hello")
RUNGS = ("requests", "conns", "top 1 1", "latency --by process 1 1")
KINDS = ("fentry", "fexit", "tp_btf")


def load(words):
    done = subprocess.run([TAPLINE, *words.split(), "-v", "-d", "1"], capture_output=True, text=True, errors="replace",
                          timeout=120)
    said = done.stderr.splitlines()
    why = next((line for line in reversed(said) if line.startswith("tapline: ")), "") if done.returncode else ""
    print("LOAD " + json.dumps({
        "words": words, "status": done.returncode, "why": why.removeprefix("tapline: "),
        "hooks": [m.group(1) for m in re.finditer(r"attached \w+ to (\S+)", done.stderr)],
        "verified": {m.group(1): int(m.group(2))
                     for m in re.finditer(r"loaded (\w+): (\d+) instructions verified", done.stderr)}}), flush=True)
    if done.returncode:
        print("\n".join("    | " + line for line in said[-25:]), flush=True)


def main():
    only_tests = "--tests" in sys.argv
    words = [w for w in sys.argv[1:] if w != "--tests"]
    for line in () if only_tests else LOADS + tuple(f"{w} --hooks {k}" for w in RUNGS for k in KINDS):
        load(line)
    print(subprocess.run([TAPLINE, "doctor"], capture_output=True, text=True, errors="replace").stdout, flush=True)
    if words:
        return subprocess.run([sys.executable, "tests/e2e/run.py", *words],
                              env={**os.environ, "TAPLINE_SLOW": "10", "TAPLINE_GUEST": "1"}).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
