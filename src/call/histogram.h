// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A mergeable histogram of durations for percentiles with a known error: log-linear buckets, 64 to
 * a power of two, held sparsely so that thousands of groups can each have one. */
#pragma once

#include "base/def.h"

/*
 * Buckets as in HdrHistogram (Gil Tene): below 128 one a value, then 64 of equal width to each
 * power of two. The bound: a value v with 2^e <= v < 2^(e+1) is in a bucket 2^(e-6) wide and is
 * reported as its middle, so it is off by at most 2^(e-7) <= v/128, that is 0.79%. It holds up to
 * HISTOGRAM_MAX (2^40 - 1 us are 12 days); what is above is counted as HISTOGRAM_MAX.
 */
#define HISTOGRAM_MAX ((UINT64_C(1) << 40) - 1)

/* All zero is an empty histogram. It takes 8 bytes a cell, at most 3/4 of the cells in use. */
struct histogram {
	uint64_t count, sum, max; /* exact; sum stays at UINT64_MAX once it got there */
	uint64_t *cell;           /* open-addressed: count << 16 | (bucket + 1); 0: free */
	uint32_t cells, used;     /* cells: 0 or a power of two */
};

/* 0, or -ENOMEM with the histogram as it was. */
int histogram_add(struct histogram *h, uint64_t value);

/* Adds all of from, which stays as it is. 0, or -ENOMEM with into as it was. */
int histogram_merge(struct histogram *into, const struct histogram *from);

/*
 * out[i] is the q[i] quantile (0 to 1, ascending): the value of rank ceil(q * count), within the
 * bound above; where that is the last rank, the exact maximum. 0 for an empty histogram.
 */
void histogram_quantiles(const struct histogram *h, const double *q, unsigned n, uint64_t *out);

/* Frees what it holds and leaves it empty. */
void histogram_clear(struct histogram *h);
