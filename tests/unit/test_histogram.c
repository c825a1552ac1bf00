// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The histogram against exact quantiles of known series: the stated bound is what --by promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/bucket.h"
#include "call/histogram.h"

#define N 20000

static const double quantiles[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1};

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The definition of the header, on the sorted series. */
static uint64_t exact(const uint64_t *sorted, size_t n, double q)
{
	for (size_t rank = 1; rank < n; rank++) {
		if ((double)rank >= q * (double)n)
			return sorted[rank - 1];
	}
	return sorted[n - 1];
}

static void check_bound(uint64_t got, uint64_t want)
{
	uint64_t off = got > want ? got - want : want - got;

	if (off > want / 128)
		fail_msg("%llu is not within 1/128 of %llu", (unsigned long long)got,
			 (unsigned long long)want);
}

static void check_series(uint64_t *v, size_t n)
{
	struct histogram h = {0};
	uint64_t got[ARRAY_SIZE(quantiles)], sum = 0;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(histogram_add(&h, v[i]), 0);
		sum += v[i];
	}
	qsort(v, n, sizeof(*v), ascending);
	histogram_quantiles(&h, quantiles, ARRAY_SIZE(quantiles), got);
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
		check_bound(got[i], exact(v, n, quantiles[i]));
	assert_int_equal(h.count, n);
	assert_int_equal(h.sum, sum);
	assert_int_equal(h.max, v[n - 1]);
	assert_int_equal(got[ARRAY_SIZE(quantiles) - 1], v[n - 1]);
	histogram_clear(&h);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void test_uniform(void **state)
{
	static uint64_t v[N];
	uint64_t r = 1;

	(void)state;
	for (size_t i = 0; i < N; i++)
		v[i] = next_random(&r) % 1000000;
	check_series(v, N);
}

/* Every power of two alike: all buckets come to be used. */
static void test_spread_over_range(void **state)
{
	static uint64_t v[N];
	uint64_t r = 2;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		uint64_t shift = next_random(&r) % 48;

		v[i] = (next_random(&r) & BUCKET_VALUE_MAX) >> shift;
	}
	check_series(v, N);
}

static void test_two_humps(void **state)
{
	static uint64_t v[N];

	(void)state;
	for (size_t i = 0; i < N; i++)
		v[i] = i % 100 == 0 ? 3000000 + i : 150 + i % 40;
	check_series(v, N);
}

/* Each value alone, around every power of two: where a bucket function is off by one. */
static void test_edges(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 48; bit++) {
		for (int d = -2; d <= 2; d++) {
			uint64_t v[2] = {(UINT64_C(1) << bit) + (uint64_t)(int64_t)d,
					 BUCKET_VALUE_MAX};
			struct histogram h = {0};
			uint64_t got;

			if ((int64_t)v[0] < 0)
				continue;
			assert_int_equal(histogram_add(&h, v[0]), 0);
			assert_int_equal(histogram_add(&h, v[1]), 0);
			histogram_quantiles(&h, (double[]){0.5}, 1, &got);
			check_bound(got, v[0]);
			histogram_clear(&h);
		}
	}
}

static void test_small_values_are_exact(void **state)
{
	uint64_t v[128], got[128];
	double q[128];
	struct histogram h = {0};

	(void)state;
	for (unsigned i = 0; i < 128; i++) {
		v[i] = 127 - i;
		assert_int_equal(histogram_add(&h, v[i]), 0);
		q[i] = (i + 1) / 128.0;
	}
	histogram_quantiles(&h, q, 128, got);
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(got[i], i);
	histogram_clear(&h);
}

static void test_empty(void **state)
{
	struct histogram h = {0};
	uint64_t got[2] = {7, 7};

	(void)state;
	histogram_quantiles(&h, (double[]){0.5, 1}, 2, got);
	assert_int_equal(got[0], 0);
	assert_int_equal(got[1], 0);
}

static void test_beyond_range(void **state)
{
	struct histogram h = {0};
	uint64_t got[2];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(histogram_add(&h, UINT64_MAX), 0);
	histogram_quantiles(&h, (double[]){0.5, 1}, 2, got);
	check_bound(got[0], BUCKET_VALUE_MAX);
	assert_int_equal(got[1], UINT64_MAX);
	assert_int_equal(h.max, UINT64_MAX);
	assert_int_equal(h.sum, UINT64_MAX);
	histogram_clear(&h);
}

/* Merging is the same as adding all to one. */
/* As if each had been added by itself; a sum that is too large for its field stays at its end. */
static void test_many_at_once(void **state)
{
	struct histogram many = {0}, each = {0};
	uint64_t got[ARRAY_SIZE(quantiles)], want[ARRAY_SIZE(quantiles)];

	(void)state;
	for (uint64_t v = 1; v < 1000000; v *= 3) {
		assert_int_equal(histogram_add_many(&many, v, v % 100), 0);
		for (uint64_t i = 0; i < v % 100; i++)
			assert_int_equal(histogram_add(&each, v), 0);
	}
	histogram_quantiles(&many, quantiles, ARRAY_SIZE(quantiles), got);
	histogram_quantiles(&each, quantiles, ARRAY_SIZE(quantiles), want);
	assert_memory_equal(got, want, sizeof(got));
	assert_int_equal(many.count, each.count);
	assert_int_equal(many.sum, each.sum);
	assert_int_equal(histogram_add_many(&many, UINT64_MAX / 2, 3), 0);
	assert_int_equal(many.sum, UINT64_MAX);
	assert_int_equal(many.count, each.count + 3);
	histogram_clear(&many);
	histogram_clear(&each);
}

/* What is printed as a histogram: every value in one cell, near its middle. */
static void test_cells(void **state)
{
	struct histogram h = {0};
	uint64_t near_small = 0, near_large = 0, seen = 0, middle = 0;

	(void)state;
	assert_int_equal(histogram_add_many(&h, 7, 3), 0);
	assert_int_equal(histogram_add_many(&h, 1000000, 5), 0);
	for (uint32_t i = 0; i < h.cells; i++) {
		uint64_t n = histogram_cell(&h, i, &middle);

		seen += n;
		if (n && middle == 7)
			near_small += n;
		if (n && middle > 992187 && middle < 1007812)
			near_large += n;
	}
	assert_int_equal(seen, 8);
	assert_int_equal(near_small, 3);
	assert_int_equal(near_large, 5);
	histogram_clear(&h);
}

static void test_small_stays_small(void **state)
{
	struct histogram h = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_int_equal(histogram_add(&h, 900 + (uint64_t)i % 64), 0);
	assert_in_range(h.cells * sizeof(*h.cell), 1, 128);
	histogram_clear(&h);
}

static void test_rank_is_rounded_up(void **state)
{
	struct histogram h = {0};
	uint64_t got[4];

	(void)state;
	for (uint64_t v = 10; v <= 40; v += 10)
		assert_int_equal(histogram_add(&h, v), 0);
	histogram_quantiles(&h, (double[]){0.2, 0.25, 0.3, 0.51}, 4, got);
	assert_int_equal(got[0], 10);
	assert_int_equal(got[1], 10);
	assert_int_equal(got[2], 20);
	assert_int_equal(got[3], 30);
	histogram_clear(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_spread_over_range),
		cmocka_unit_test(test_two_humps),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_small_values_are_exact),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_rank_is_rounded_up),
		cmocka_unit_test(test_beyond_range),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_small_stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
