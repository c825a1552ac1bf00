#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/lint.sh [format|tidy|shell]: what a reviewer should not have to say. Without a word, all of it.
# tidy looks at the user side: .clang-tidy says which checks, and why some are off.
set -u
cd "$(dirname "$0")/.." || exit 1

format() {
	find src tests -name '*.[ch]' -print0 | sort -z |
		xargs -0 -r clang-format --dry-run -Werror --ferror-limit=3
}

# Warnings of clang itself are gcc's job (-Werror in the Makefile); skeletons must have been made.
tidy() {
	local flags=(-std=gnu11 -D_GNU_SOURCE '-DVERSION="0"' -Isrc -Ibuild/gen -Wno-everything)
	find src -name '*.c' ! -name '*.bpf.c' -print0 | sort -z |
		xargs -0 -r -P "$(nproc)" -I{} clang-tidy-19 --quiet --warnings-as-errors='*' {} \
			-- "${flags[@]}" 2>&1 |
		grep -v -E '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter'
	[ "${PIPESTATUS[2]}" = 0 ]
}

shell() {
	shellcheck scripts/*.sh .ci/run
}

case ${1:-all} in
format | tidy | shell) "$1" ;;
all)
	status=0
	for part in format tidy shell; do
		$part || status=1
	done
	exit $status
	;;
*)
	echo "usage: scripts/lint.sh [format|tidy|shell]" >&2
	exit 2
	;;
esac
