#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/matrix.sh [--kernel NAME]... [--loads|--tests] [--cpus N] [WORD...]: boots kernels of Debian in qemu, loads
# every program there and runs end-to-end tests, a quarter of an hour each; renews docs/KERNELS.md where no WORD
# chooses tests.
set -eu
cd "$(dirname "$0")/.."

scripts/deps.sh test
scripts/deps.sh matrix
make --no-print-directory -s -j"$(nproc)" all programs >&2
exec python3 tests/matrix/matrix.py "$@"
