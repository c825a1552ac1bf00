#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/coverage.sh [--units] [SUBSTRING...]: which lines and branches of the user side the tests reach, file by
# file; exit status 1 where the parsers or the engine are below 95% of lines, or a unit test fails. Runs the unit
# tests and the end-to-end tests (with SUBSTRING: those whose names contain one) on a build of its own, without
# optimization, and so takes somewhat longer than they do; --units: the unit tests alone, a minute, no root.
# End-to-end tests that fail are shown and decide nothing: some measure, which such a build does badly.
set -eu
cd "$(dirname "$0")/.."

build=build/coverage
# scripts/test.sh counts the same tests elsewhere.
unset TAPLINE_TALLY

compile() { make --no-print-directory -s -j"$(nproc)" COVERAGE=1 "$@"; }
failures() { grep -v -E '^(PASS|SKIP)|^[0-9]+ passed' || true; }

what="unit tests"
if [ "${1:-}" = --units ]; then
	targets=units
	shift
else
	targets="units all programs"
	what="unit and end-to-end tests${*:+ ($*)}"
fi
scripts/deps.sh test
rm -rf $build # counters, and what was built of sources that are gone
# shellcheck disable=SC2086 # one word a target
compile $targets
find $build -name '*.gcda' -delete # making the manual is no test

status=0
programs=()
for source in tests/unit/test_*.c; do
	programs+=("$build/unit/$(basename "${source%.c}")")
done
scripts/unit.sh "${programs[@]}" | failures
[ "${PIPESTATUS[0]}" = 0 ] || status=1
[ "$targets" = units ] || TAPLINE_BUILD=$PWD/$build scripts/e2e.sh "$@" | failures
gcovr --root . --filter 'src/' --json-summary $build/summary.json $build
python3 tests/coverage/table.py "$what" $build/summary.json || status=1
exit $status
