// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A histogram of durations for percentiles with a known error: the buckets of abi/bucket.h, held
 * sparsely so that thousands of groups can each have one. */
#pragma once

#include "base/def.h"

/* All zero is an empty histogram. It takes 8 bytes a cell, at most 3/4 of the cells in use. */
struct histogram {
	uint64_t count, sum, max; /* exact; sum stays at UINT64_MAX once it got there */
	uint64_t *cell;           /* open-addressed: count << 16 | (bucket + 1); 0: free */
	uint32_t cells, used;     /* cells: 0 or a power of two */
};

/* 0, or -ENOMEM with the histogram as it was. */
int histogram_add(struct histogram *h, uint64_t value);
/* The same value n times, less than 2^48. */
int histogram_add_many(struct histogram *h, uint64_t value, uint64_t n);

/*
 * out[i] is the q[i] quantile (0 to 1, ascending): the value of rank ceil(q * count), within
 * 1/128 of it; where that is the last rank, the exact maximum. 0 for an empty histogram.
 */
void histogram_quantiles(const struct histogram *h, const double *q, unsigned n, uint64_t *out);

/* How many are in cell i, below h->cells; *middle: of its bucket, where there are any. */
uint64_t histogram_cell(const struct histogram *h, uint32_t i, uint64_t *middle);

/* Frees what it holds and leaves it empty. */
void histogram_clear(struct histogram *h);
