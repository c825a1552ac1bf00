// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The two clocks: records carry monotonic time, rows show wall-clock time.
 * The offset between them is asked for again and again, so that rows follow clock steps. */
#pragma once

#include "base/def.h"

/* CLOCK_MONOTONIC, ns: the clock of bpf_ktime_get_ns. */
uint64_t clock_mono_ns(void);

/* CLOCK_REALTIME - CLOCK_MONOTONIC now, ns: add it to a monotonic time for ns since the epoch. */
int64_t clock_wall_offset_ns(void);
