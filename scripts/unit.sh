#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/unit.sh PROGRAM...: runs cmocka programs and the rooms script's own test, counts every case.
# One line a program; where TAPLINE_TALLY names a file, `passed failed skipped` is appended to it.
set -u

passed=0 failed=0 skipped=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# name, seconds, exit status: adds up what TAP said; a program that died is a failed case.
count() {
	local ok bad skip word=PASS
	# cmocka says "not ok" of what it skipped.
	skip=$(grep -cE '^(not )?ok .*# *SKIP' "$out")
	ok=$(grep -vE '# *SKIP' "$out" | grep -c '^ok ')
	bad=$(grep -vE '# *SKIP' "$out" | grep -c '^not ok ')
	if [ "$3" != 0 ] && [ "$bad" = 0 ]; then
		bad=1
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	if [ "$bad" != 0 ] || [ $((ok + skip)) = 0 ]; then
		word=FAIL
		[ "$bad" != 0 ] || failed=$((failed + 1))
	fi
	printf '%s  unit %s  %s cases  %s s\n' "$word" "$1" $((ok + bad + skip)) "$2"
	[ $word = PASS ] || grep -v '^ok ' "$out" | head -100 | sed 's/^/    | /'
}

timed() { # name, command...
	local name=$1 from=$EPOCHREALTIME status
	shift
	CMOCKA_MESSAGE_OUTPUT=TAP "$@" >"$out" 2>&1 </dev/null
	status=$?
	[ $status != 124 ] || echo "took more than 120 s" >>"$out"
	count "$name" "$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')" $status
}

rooms_self_test() {
	"$(dirname "$0")/rooms.sh" --self-test && echo "ok 1 - planted violations are found"
}

timed rooms.sh rooms_self_test
for program in "$@"; do
	timed "${program##*/}" timeout -k 5 120 "$program"
done
[ -z "${TAPLINE_TALLY:-}" ] || echo "$passed $failed $skipped" >>"$TAPLINE_TALLY"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
