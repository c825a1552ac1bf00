#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/bench.sh [--quick] [--only wire|top]: measures what tapline costs and writes docs/PERFORMANCE.md;
# 30 minutes on a machine that does nothing else. --quick tries every measure for some seconds and writes
# nothing. --only wire: 12 minutes, count, packets and requests on an interface; --only top: 3 minutes; the
# other numbers stay.
set -eu
cd "$(dirname "$0")/.."

scripts/deps.sh test
make --no-print-directory -s -j"$(nproc)" B="${TAPLINE_BUILD:-build}" all programs >&2
exec python3 tests/bench/bench.py "$@"
