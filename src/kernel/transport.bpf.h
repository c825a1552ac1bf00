// SPDX-License-Identifier: GPL-2.0-only
/* Records by ring buffer or by perf event array, for programs that may use either. A perf event
 * array has nothing to reserve, so a record is built on the stack, where no program that interrupts
 * this one can reach it, and is copied when it is whole. */
#pragma once

#include "kernel/bpf.h"

/* Set before loading where `ring` is a perf event array (loader/transport.h): the verifier removes
 * the other way, so the kernel need not have it. */
const volatile bool by_perf;

/* Kind and all fields are set; size is a constant. Whatever the reason that it finds no room, it is
 * counted. ctx: the program's own. */
ALWAYS_INLINE void record_send(void *ctx, struct record *r, const u64 size)
{
	long error;

	r->size = size;
	if (by_perf)
		error = bpf_perf_event_output(ctx, &ring, BPF_F_CURRENT_CPU, r, size);
	else
		error = bpf_ringbuf_output(&ring, r, size,
					   ring_wakes(size + BPF_RINGBUF_HDR_SZ + 7));
	if (error)
		count(COUNT_LOST_RING, 1);
}
