// SPDX-License-Identifier: GPL-2.0-only
/* A run of bytes out of a packet whose length is known only at run time.
 * Every verifier has to follow its bounds, so it is written once. */
#pragma once

#include "kernel/bpf.h"

/* Loads 1 to max bytes; max is a constant. The compiler must not drop a check that it can prove and
 * the verifier cannot. */
ALWAYS_INLINE bool load_bytes(struct __sk_buff *skb, u32 from, void *to, u32 n, const u32 max)
{
	asm volatile("" : "+r"(n));
	if (n == 0 || n > max)
		return false;
	return !bpf_skb_load_bytes(skb, from, to, n);
}
