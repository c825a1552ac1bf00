// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* [INTERVAL [COUNT]]: the operands of tools that print a block at intervals.
 * One reading of them, so that every such tool takes and refuses the same. */
#pragma once

#include "loader/session.h"

struct interval {
	uint64_t seconds; /* 0: none was given; the tick is each second then */
	uint64_t wanted;  /* blocks; 0: until told */
	unsigned words;   /* operands that it took: those that follow are the tool's */
};

/* Numbers among the operands, from the one of that index on; sets the session's tick. 0 or -EINVAL,
 * said. */
int interval_parse(struct session *s, unsigned from, struct interval *out);
