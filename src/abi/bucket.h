// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Log-linear buckets of a histogram, as in HdrHistogram (Gil Tene): below 128 one a value, then 64
 * of equal width to each power of two. Both sides of a histogram in the kernel have to agree on
 * them. */
#pragma once

#include "abi/types.h"

#define BUCKET_BITS 6
#define BUCKET_SUB  (1u << BUCKET_BITS)
/* What is larger is in the bucket of the largest: of nanoseconds three days, of microseconds nine
 * years. */
#define BUCKET_VALUE_MAX ((1ull << 48) - 1)
#define BUCKETS          (2 * BUCKET_SUB + (48 - BUCKET_BITS - 1) * BUCKET_SUB)

static inline u32 bucket_of(u64 v)
{
	u32 shift = 0;

	if (v > BUCKET_VALUE_MAX)
		v = BUCKET_VALUE_MAX;
	if (v >= 2 * BUCKET_SUB)
		shift = 63 - BUCKET_BITS - (u32)__builtin_clzll(v);
	return BUCKET_SUB * shift + (u32)(v >> shift);
}

/*
 * The bound: a value v with 2^e <= v < 2^(e+1) is in a bucket 2^(e-6) wide, so it is off from its
 * middle by at most 2^(e-7) <= v/128, that is 0.79%.
 */
static inline u64 bucket_middle(u32 bucket)
{
	u32 shift;

	if (bucket < 2 * BUCKET_SUB)
		return bucket;
	shift = bucket / BUCKET_SUB - 1;
	return ((u64)(bucket % BUCKET_SUB + BUCKET_SUB) << shift) + (1ull << (shift - 1));
}
