# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""In a guest: loads every program by running each tool, on each rung of its hooks, and then runs end-to-end tests.
What is found goes to standard output, a line each, for matrix.py on the host."""

import argparse
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
KINDS = ("fentry", "fexit", "tp_btf")
# Those with a choice of hooks, and the tests that compare their rows with what the peers counted, on each rung.
RUNGS = {
    "requests": ("http_calls.loopback_", "http_calls.keep_alive", "raw_owner.prefork", "raw_owner.threads",
                 "raw_owner.accept_here"),
    "conns": ("conns/test.bytes_segments", "conns/test.threads_accept", "conns/test.the_wait"),
    "top 1 1": ("top/test.bytes_of_a_connection", "top/test.sends_and_receives", "top/test.calls_are"),
    "latency --by process 1 1": ("latency/test.accept_queue_server_and_first_byte_with_20_ms",
                                 "latency/test.connect_rtt_and_send_with_20_ms", "latency/test.every_call"),
}


def load(words):
    """Did it run?"""
    done = subprocess.run([TAPLINE, *words.split(), "-v", "-d", "1"], capture_output=True, text=True, errors="replace",
                          timeout=120)
    said = done.stderr.splitlines()
    why = next((line for line in reversed(said) if line.startswith("tapline: ")), "") if done.returncode else ""
    print("LOAD " + json.dumps({
        "words": words, "status": done.returncode, "why": why.removeprefix("tapline: "),
        "kinds": sorted({m.group(1) for m in re.finditer(r"attached \w+ to (\w+)/\S+", done.stderr)}),
        "verified": {m.group(1): int(m.group(2))
                     for m in re.finditer(r"loaded (\w+): (\d+) instructions verified", done.stderr)}}), flush=True)
    if done.returncode:
        print("\n".join("    | " + line for line in said[-25:]), flush=True)
    return not done.returncode


def run_tests(words, **env):
    done = subprocess.run([sys.executable, "tests/e2e/run.py", *words],
                          env={**os.environ, "TAPLINE_SLOW": "10", "TAPLINE_GUEST": "1", **env})
    return done.returncode


def run_rungs(loaded):
    failed = 0
    for kind in KINDS:
        words = [w for tool, tests in RUNGS.items() if loaded[f"{tool} --hooks {kind}"] for w in tests]
        if words:
            print(f"HOOKS {kind}", flush=True)
            failed |= run_tests(words, TAPLINE_HOOKS=kind)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rungs", action="store_true", help="tests on each rung of hooks, too")
    parser.add_argument("--tests", action="store_true", help="load nothing before")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    loads = () if options.tests else LOADS + tuple(f"{w} --hooks {k}" for w in RUNGS for k in KINDS)
    loaded = {words: load(words) for words in loads}
    print(subprocess.run([TAPLINE, "doctor"], capture_output=True, text=True, errors="replace").stdout, flush=True)
    failed = run_tests(options.words) if options.words else 0
    return failed | run_rungs(loaded) if options.rungs else failed


if __name__ == "__main__":
    sys.exit(main())
