// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The ladders of hooks behind `tapline requests`: for each job, the best program that loads is
 * taken. Here and not in the tool, because `tapline doctor` says which rung this kernel gets. */
#pragma once

#include "loader/session.h"

extern const struct rung ladder_send[];  /* who writes to a socket */
extern const struct rung ladder_read[];  /* who reads from it, and when */
extern const struct rung ladder_state[]; /* connections made and ended */
extern const struct rung ladder_sweep[]; /* exchanges still in flight */
