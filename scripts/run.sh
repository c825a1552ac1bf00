#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/run.sh [--demo] [tapline's arguments]: from a fresh checkout to rows on the screen.
# --demo makes local traffic meanwhile, so that there is something to see.
set -eu
cd "$(dirname "$0")/.."

demo=
if [ "${1:-}" = --demo ]; then
	demo=yes
	shift
fi

scripts/deps.sh build
[ -z "$demo" ] || scripts/deps.sh demo
make --no-print-directory -s -j"$(nproc)" build/tapline >&2
if [ -z "$demo" ]; then
	exec build/tapline "$@"
fi

python3 scripts/demo.py &
traffic=$!
# Ctrl-C is for tapline, which then prints its ledger; the traffic ends after it.
trap 'kill "$traffic" 2>/dev/null || true; wait "$traffic" 2>/dev/null || true' EXIT
trap : INT TERM
build/tapline "$@"
