// SPDX-License-Identifier: GPL-2.0-only
/* A run of bytes out of a packet whose length is known only at run time.
 * Every verifier has to follow its bounds, so it is written once. */
#pragma once

#include "kernel/bpf.h"

/* Loads 1 to max bytes; max is a constant. Of a number that the compiler knows nothing about, one
 * comparison gives both bounds, to every verifier: 0 has become the largest one. */
ALWAYS_INLINE bool load_bytes(struct __sk_buff *skb, u32 from, void *to, u32 n, const u32 max)
{
	n--;
	asm volatile("" : "+r"(n));
	if (n >= max)
		return false;
	return !bpf_skb_load_bytes(skb, from, to, n + 1);
}
