// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What packets' two halves share: one record for each TCP segment with payload.
 * Addresses come from the packet's header: on an interface there is no socket to ask. */
#pragma once

#include "abi/record.h"

#define PACKETS_START_MAX 64 /* bytes of payload that are copied */

struct packets_segment {
	struct record r;
	u64 now_ns;    /* CLOCK_MONOTONIC */
	u64 source[2]; /* network order, IPv4 as IPv4-mapped */
	u64 destination[2];
	u16 source_port, destination_port; /* host order */
	u32 length;                        /* of the payload, in bytes */
	u32 captured;                      /* of start, at most PACKETS_START_MAX */
	u32 pad;
	u8 start[PACKETS_START_MAX];
};
ABI_SIZE(struct packets_segment, 128);
