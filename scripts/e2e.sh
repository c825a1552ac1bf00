#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Runs the end-to-end tests on what is built: scripts/e2e.sh [-j N] [-l] [SUBSTRING...]
# A thin door to tests/e2e/run.py, so that every script is found in one folder.
exec python3 "$(dirname "$0")/../tests/e2e/run.py" "$@"
