// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The histogram's cells: a small hash table from bucket to count, grown by doubling.
 * A group with one call costs 64 bytes, one that spreads over all buckets 32 KiB. */
#include "call/histogram.h"

#include "abi/bucket.h"

#define CELLS_MIN 8

/* A count has 48 bits: at a million calls a second they last nine years. */
#define CELL_ONE    (UINT64_C(1) << 16)
#define CELL_BUCKET 0xffff

/* Where the bucket is, or the free cell where it would be. Neighbours are scattered on purpose:
 * with linear probing, two runs of buckets that fall on each other would make long walks. */
static uint64_t *cell_of(uint64_t *cell, uint32_t cells, uint32_t bucket)
{
	uint32_t i = (bucket * 0x9e3779b1u) >> (32 - __builtin_ctz(cells));

	while (cell[i] && (cell[i] & CELL_BUCKET) != bucket + 1)
		i = (i + 1) & (cells - 1);
	return &cell[i];
}

/* Room for so many buckets in use. */
static int reserve(struct histogram *h, uint32_t used)
{
	uint32_t cells = h->cells ? h->cells : CELLS_MIN;

	while (used > cells / 4 * 3)
		cells *= 2;
	if (cells == h->cells)
		return 0;
	uint64_t *cell = calloc(cells, sizeof(*cell));

	if (!cell)
		return -ENOMEM;
	for (uint32_t i = 0; i < h->cells; i++) {
		if (h->cell[i])
			*cell_of(cell, cells, (h->cell[i] & CELL_BUCKET) - 1) = h->cell[i];
	}
	free(h->cell);
	h->cell = cell;
	h->cells = cells;
	return 0;
}

static void sum_up(struct histogram *h, uint64_t count, uint64_t sum, uint64_t max)
{
	h->count += count;
	if (__builtin_add_overflow(h->sum, sum, &h->sum))
		h->sum = UINT64_MAX;
	h->max = MAX(h->max, max);
}

int histogram_add(struct histogram *h, uint64_t value)
{
	return histogram_add_many(h, value, 1);
}

int histogram_add_many(struct histogram *h, uint64_t value, uint64_t n)
{
	uint32_t bucket = bucket_of(value);
	uint64_t *c = h->cells ? cell_of(h->cell, h->cells, bucket) : NULL;
	uint64_t sum;

	if (!c || !*c) {
		int err = reserve(h, h->used + 1);

		if (err)
			return err;
		c = cell_of(h->cell, h->cells, bucket);
		*c = bucket + 1;
		h->used++;
	}
	*c += n * CELL_ONE;
	if (__builtin_mul_overflow(n, value, &sum))
		sum = UINT64_MAX;
	sum_up(h, n, sum, value);
	return 0;
}

void histogram_quantiles(const struct histogram *h, const double *q, unsigned n, uint64_t *out)
{
	uint64_t count[BUCKETS] = {0};
	uint64_t seen = 0;
	uint32_t bucket = 0;

	for (uint32_t i = 0; i < h->cells; i++) {
		if (h->cell[i])
			count[(h->cell[i] & CELL_BUCKET) - 1] = h->cell[i] >> 16;
	}
	for (unsigned i = 0; i < n; i++) {
		double exact = q[i] * (double)h->count;
		uint64_t rank = exact > 0 ? (uint64_t)exact : 0;

		if ((double)rank < exact || rank == 0)
			rank++;
		if (rank >= h->count) {
			out[i] = h->max;
			continue;
		}
		while (bucket < BUCKETS - 1 && seen + count[bucket] < rank)
			seen += count[bucket++];
		out[i] = MIN(bucket_middle(bucket), h->max);
	}
}

uint64_t histogram_cell(const struct histogram *h, uint32_t i, uint64_t *middle)
{
	if (h->cell[i])
		*middle = bucket_middle((uint32_t)(h->cell[i] & CELL_BUCKET) - 1);
	return h->cell[i] >> 16;
}

void histogram_clear(struct histogram *h)
{
	free(h->cell);
	*h = (struct histogram){0};
}
