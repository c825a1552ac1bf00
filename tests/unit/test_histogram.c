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
static void test_merge(void **state)
{
	struct histogram part[3] = {0}, all = {0};
	uint64_t want[ARRAY_SIZE(quantiles)], got[ARRAY_SIZE(quantiles)];
	uint64_t r = 3;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		uint64_t v = next_random(&r) >> (24 + next_random(&r) % 38);

		assert_int_equal(histogram_add(&part[i % 3], v), 0);
		assert_int_equal(histogram_add(&all, v), 0);
	}
	assert_int_equal(histogram_merge(&part[0], &part[1]), 0);
	assert_int_equal(histogram_merge(&part[0], &part[2]), 0);
	histogram_quantiles(&part[0], quantiles, ARRAY_SIZE(quantiles), got);
	histogram_quantiles(&all, quantiles, ARRAY_SIZE(quantiles), want);
	assert_memory_equal(got, want, sizeof(got));
	assert_int_equal(part[0].used, all.used);
	assert_int_equal(part[0].count, all.count);
	assert_int_equal(part[0].sum, all.sum);
	assert_int_equal(part[0].max, all.max);
	assert_int_equal(part[1].count, 1000);
	for (int i = 0; i < 3; i++)
		histogram_clear(&part[i]);
	histogram_clear(&all);
}

static void test_merge_with_empty(void **state)
{
	struct histogram a = {0}, b = {0};

	(void)state;
	assert_int_equal(histogram_merge(&a, &b), 0);
	assert_int_equal(a.count, 0);
	assert_int_equal(histogram_add(&b, 42), 0);
	assert_int_equal(histogram_merge(&a, &b), 0);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.max, 42);
	histogram_clear(&a);
	histogram_clear(&b);
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
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_with_empty),
		cmocka_unit_test(test_small_stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
