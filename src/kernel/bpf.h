// SPDX-License-Identifier: GPL-2.0-only
/* What every BPF object includes: trimmed kernel types, helpers, and the ring with its counters.
 * A full ring is counted here, once, so that no tool can lose a record silently. */
#pragma once

#include "kernel/types.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "abi/record.h"

#define ALWAYS_INLINE static __always_inline

char LICENSE[] SEC("license") = "GPL";

/* Read-only once loaded: what is not asked for is removed by the verifier. */
const volatile struct filter filter;

#define RING_SIZE (1 << 20)

/* The session drains on a timer, so a submit need not wake it until it is half full. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries,
	       RING_SIZE); /* user space maps it twice: this is most of tapline's memory */
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

ALWAYS_INLINE void count(u32 what, u64 n)
{
	u64 *v = bpf_map_lookup_elem(&counters, &what);

	/* Atomic, as a softirq may interrupt a process on the same CPU between load and store. */
	if (v)
		__sync_fetch_and_add(v, n);
}

/* size is a constant. NULL: the ring is full, and that has been counted. */
ALWAYS_INLINE void *ring_reserve(u64 size)
{
	void *r = bpf_ringbuf_reserve(&ring, size, 0);

	if (!r)
		count(COUNT_LOST_RING, 1);
	return r;
}

ALWAYS_INLINE bool ring_half_full(void)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > RING_SIZE / 2;
}

/* A wake-up is an interrupt: one when the ring is half full, and one for each eighth after that,
 * not one for each record until user space has come. */
ALWAYS_INLINE u64 ring_wakes(u64 size)
{
	u64 n = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	return n > RING_SIZE / 2 && n % (RING_SIZE / 8) < size ? BPF_RB_FORCE_WAKEUP
							       : BPF_RB_NO_WAKEUP;
}

/* The record is whole, its r.size set. */
ALWAYS_INLINE void ring_submit(struct record *r)
{
	bpf_ringbuf_submit(r, ring_wakes(r->size + BPF_RINGBUF_HDR_SZ + 7));
}
