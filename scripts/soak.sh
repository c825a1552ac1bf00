#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/soak.sh [HOURS] [--page|--again]: runs requests, conns, top, latency and count for HOURS (1; at least 0.02)
# under mixed traffic, samples what they hold, and fails if anything grows or a call has no row. Takes about
# 0.3 of a CPU. From 0.9 hours on, or with --page, it writes docs/SOAK.md, its plots and docs/soak.json.
# --again: the last run is judged again.
set -eu
cd "$(dirname "$0")/.."

scripts/deps.sh test
# A folder of its own: a build for something else must not touch the programs that run for hours.
TAPLINE_BUILD="$PWD/build/soak"
export TAPLINE_BUILD
make --no-print-directory -s -j"$(nproc)" B=build/soak all programs >&2
case ${1:-1} in
--*) set -- 1 "$@" ;;
esac
exec python3 tests/soak/soak.py "${@:-1}"
