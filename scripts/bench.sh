#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/bench.sh [--quick] [--only wire|tcp|top|peers] [--rounds N]: measures what tapline costs and writes
# docs/PERFORMANCE.md; 55 minutes on a machine that does nothing else. --quick tries every measure for some seconds
# and writes nothing. --only: one part, the other numbers stay. wire: 12 minutes, count, packets and requests on an
# interface; tcp: 8 minutes, conns, top and latency beside libbpf-tools, bpftrace and ss; top: 3 minutes; peers
# (make bench-peers): 15 minutes, requests beside other programs that show HTTP, N rounds (3).
set -eu
cd "$(dirname "$0")/.."

scripts/deps.sh bench
make --no-print-directory -s -j"$(nproc)" B="${TAPLINE_BUILD:-build}" all programs >&2
exec python3 tests/bench/bench.py "$@"
