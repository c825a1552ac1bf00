#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/matrix-kernel.sh: builds a kernel that has every type of BPF program, from Debian's linux-source package
# and tests/matrix/kernel.config, for `make matrix`; 10 minutes on two cores. What is kept is not built again.
set -eu
cd "$(dirname "$0")/.."

scripts/deps.sh matrix
scripts/deps.sh matrix-kernel
exec python3 tests/matrix/own_kernel.py
