#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/test.sh: installs what is missing, builds, and runs every check and test there is.
# One line a test; the last line is `N passed, N failed, N skipped`, and the exit status follows it.
set -u
cd "$(dirname "$0")/.." || exit 1

tally=$(mktemp)
log=$(mktemp)
trap 'rm -f "$tally" "$log"' EXIT
trap 'exit 130' INT TERM
export TAPLINE_TALLY=$tally
# Starts and kills of tests/e2e/test_raw_robust.py; fewer when it is run by hand.
export TAPLINE_KILLS=1000

total() {
	awk '{ p += $1; f += $2; s += $3 }
		END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0 }' "$tally"
}

# A step counts as one test: name, command. What it printed is shown when it failed.
step() {
	local name=$1 from=$SECONDS
	shift
	if "$@" >"$log" 2>&1 </dev/null; then
		echo "1 0 0" >>"$tally"
		echo "PASS  $name  $((SECONDS - from)) s"
	else
		echo "0 1 0" >>"$tally"
		echo "FAIL  $name  $((SECONDS - from)) s"
		tail -n 80 "$log" | sed 's/^/    | /'
		return 1
	fi
}

# Without these nothing else can run.
must() {
	step "$@" || {
		total
		exit 1
	}
}

# Steps that bring lines and a tally of their own; a last line of theirs would be a second total.
# One that ended before it could tally has failed.
many() {
	local before
	before=$(wc -l <"$tally")
	"$@" </dev/null | grep --line-buffered -v -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$'
	if [ "$(wc -l <"$tally")" = "$before" ]; then
		echo "0 1 0" >>"$tally"
		echo "FAIL  $* did not come to its end"
	fi
}

units() { # with the name that marks the build: "" or SANITIZE=1
	must "build unit tests${1:+ ($1)}" make -j"$jobs" ${1:+"$1"} units
	local dir=build
	[ -z "$1" ] || dir=build/sanitize
	local programs=()
	for source in tests/unit/test_*.c; do
		programs+=("$dir/unit/$(basename "${source%.c}")")
	done
	many scripts/unit.sh "${programs[@]}"
}

jobs=$(nproc)
scripts/deps.sh test || exit 1
must "build" make -j"$jobs" all programs
step "rooms" scripts/rooms.sh
step "format" scripts/lint.sh format
step "shellcheck" scripts/lint.sh shell
step "docs" python3 scripts/docs-check.py
step "clang-tidy" scripts/lint.sh tidy
units ""
units SANITIZE=1
step "coverage of parsers and engine" scripts/coverage.sh --units
step "fuzz" make -j"$jobs" fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-5}"
step "static build" make -j"$jobs" static
many scripts/e2e.sh
# One other kernel here; all of them by `make matrix`.
many scripts/matrix.sh --kernel 6.1 conns/test.ipv6 conns/test.the_wait latency/test.accept_queue \
	latency/test.connect_rtt http_calls.loopback http_calls.times raw_owner.uring count/test.a_socket packets/test.http \
	top/test.bytes top/test.by_ hello/
total
