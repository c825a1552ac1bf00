// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What top's two halves share: what the kernel says of a socket at one look.
 * An iterator writes them into an array; the ring has those that cannot wait for that. */
#pragma once

#include "abi/record.h"

/* Counters run from the socket's beginning. */
struct top_look {
	struct owner owner; /* pid 0: nobody used it yet */
	u64 cookie;
	u64 now_ns;              /* CLOCK_MONOTONIC */
	u64 before_ns;           /* of the round before, if it met it; else 0 */
	u64 local[2], remote[2]; /* network order, IPv4 as IPv4-mapped */
	u64 sent, received;      /* payload that was acknowledged, and that arrived in order */
	u64 sends, receives;     /* system calls that send and receive; since it was first seen */
	u64 calls;               /* requests that were answered */
	u32 segments_out, segments_in, retransmits;
	u32 srtt_us;                 /* 0: not measured */
	u16 local_port, remote_port; /* host order */
	u8 fresh;                    /* it began while tapline ran: all of it counts */
	u8 connected;                /* it connected; else it was accepted */
	u8 closed;                   /* the last look */
	u8 others; /* what it did so far does not count: the filter keeps it out */
	u8 known;  /* nobody else has used it since the last look: of owner there is only the pid */
	u8 pad[7];
};
ABI_SIZE(struct top_look, 168);

#define TOP_LOOKS 16384 /* of a round, until user space takes them */

/* A socket that closed, or whose owner is about to be another. */
struct top_record {
	struct record r;
	struct top_look look;
};
ABI_SIZE(struct top_record, 176);
