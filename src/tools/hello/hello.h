// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What hello's two halves share: one record for each accept.
 * Both compilers include it, so neither can disagree about a byte. */
#pragma once

#include "abi/record.h"

struct hello_accept {
	struct record r;
	u64 now_ns; /* CLOCK_MONOTONIC */
	u32 pid;
	s32 fd; /* of the accepted connection */
	char comm[COMM_LEN];
};
ABI_SIZE(struct hello_accept, 40);
