#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/faults.sh [--guest] [WORD...]: what a host brings that goes wrong, and what must hold then: docs/TESTING.md.
# Half an hour; words choose tests by name. --guest: the faults that touch a whole machine, in a guest with two
# CPUs (10 minutes, emulated). TAPLINE_SEED, TAPLINE_ENDS and TAPLINE_ALLOCS: see tests/faults.
set -eu
cd "$(dirname "$0")/.."

# Tests of single features that are about faults too.
elsewhere=(
	raw_robust. wire_gone. capture.a_full_disk file_write.a_full_disk file_runs.a_full_disk file_runs.what_a_full_disk
	file_runs.a_disk_that_is_full file_runs.a_kill file_runs.the_process_that_opens file_runs.damage file_runs.a_slow_reader
	options.broken_pipe options.dead_standard_error conns/test.lost_records conns/test_transport.perf_is_taken
	conns/test_transport.what_needs count/test.a_full_table count/test_file.a_full_table wire_flows.the_oldest
)

scripts/deps.sh test
make --no-print-directory -s -j"$(nproc)" all programs >&2
if [ "${1:-}" = --guest ]; then
	shift
	[ $# -gt 0 ] || set -- faults/guest faults/refusals
	scripts/deps.sh matrix
	exec python3 tests/matrix/matrix.py --tests --cpus 2 --kernel 6.12 "$@"
fi
[ $# -gt 0 ] || set -- faults/ "${elsewhere[@]}"
exec python3 tests/e2e/run.py "$@"
