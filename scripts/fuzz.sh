#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Runs each fuzzer for some seconds on a copy of its seed corpus; one line each.
# Usage: scripts/fuzz.sh SECONDS FUZZER... Ends with 1 if any found something, after all have run;
# the input that did it is kept under build/findings, with the fuzzer's report beside it.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -lt 2 ]; then
	echo "usage: scripts/fuzz.sh SECONDS FUZZER..." >&2
	exit 2
fi
seconds=$1
shift

mkdir -p build/findings
work=$(mktemp -d build/fuzz-run.XXXXXX)
trap 'rm -rf "$work"' EXIT

failed=0
for fuzzer in "$@"; do
	name=$(basename "$fuzzer")
	mkdir "$work/$name"
	[ ! -d "tests/fuzz/corpus/$name" ] || cp -r "tests/fuzz/corpus/$name/." "$work/$name/"
	# Inputs past a head and its first body bytes only make runs slower.
	if "$fuzzer" -max_total_time="$seconds" -timeout=10 -max_len=4096 -print_final_stats=1 \
		-artifact_prefix="$work/$name.finding-" "$work/$name" >"$work/$name.log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log")
		echo "$name: clean, ${runs:-0} runs in $seconds s"
		continue
	fi
	failed=1
	cp "$work/$name.log" "build/findings/$name.log"
	kept=build/findings/$name.log
	for finding in "$work/$name".finding-*; do
		[ -e "$finding" ] || continue
		kept=build/findings/$name-${finding##*.finding-}
		cp "$finding" "$kept"
	done
	echo "$name: FOUND something; try $fuzzer $kept (report: build/findings/$name.log)"
done
exit $failed
