// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Grouping: sums by key, the bound on the number of groups, order and reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "call/group.h"

#define SEED 0x5eed

static void add(struct groups *g, const char *key, unsigned times)
{
	const struct group_call call = {.timed = true, .total_us = 10, .request_bytes = 1};

	for (unsigned i = 0; i < times; i++)
		assert_int_equal(groups_add(g, text_of(key), &call), 0);
}

static void test_sums(void **state)
{
	_cleanup_groups_ struct groups *g = NULL;
	const struct group_call call[] = {
		{.timed = true, .total_us = 100, .request_bytes = 3, .response_bytes = 5},
		{.error = true, .request_bytes = 7, .response_bytes = 11},
		{.error = true, .timed = true, .total_us = 300, .request_bytes = 13},
	};
	const struct group_sum *top[4];

	(void)state;
	assert_int_equal(groups_new(8, SEED, &g), 0);
	for (size_t i = 0; i < ARRAY_SIZE(call); i++)
		assert_int_equal(groups_add(g, TEXT("/a"), &call[i]), 0);
	assert_int_equal(groups_top(g, group_more_calls, top, 4), 1);
	assert_true(text_eq(top[0]->key, TEXT("/a")));
	assert_false(top[0]->other);
	assert_int_equal(top[0]->calls, 3);
	assert_int_equal(top[0]->errors, 2);
	assert_int_equal(top[0]->request_bytes, 23);
	assert_int_equal(top[0]->response_bytes, 16);
	assert_int_equal(top[0]->total_us.count, 2);
	assert_int_equal(top[0]->total_us.sum, 400);
	assert_int_equal(top[0]->total_us.max, 300);
}

/* A key is any bytes: NUL inside, empty, a prefix of another. */
static void test_keys_are_opaque(void **state)
{
	_cleanup_groups_ struct groups *g = NULL;
	const struct text keys[] = {
		TEXT("a\0b"), TEXT("a\0c"), TEXT("a"), TEXT("a\0"), TEXT(""), {NULL, 0},
	};
	const struct group_call call = {0};

	(void)state;
	assert_int_equal(groups_new(8, SEED, &g), 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_int_equal(groups_add(g, keys[i], &call), 0);
	assert_int_equal(groups_count(g), 5); /* the two empty ones are one */
}

static void test_key_is_copied(void **state)
{
	_cleanup_groups_ struct groups *g = NULL;
	char key[] = "first";
	const struct group_sum *top[2];

	(void)state;
	assert_int_equal(groups_new(8, SEED, &g), 0);
	add(g, key, 2);
	memcpy(key, "other", 5);
	add(g, key, 1);
	assert_int_equal(groups_top(g, group_more_calls, top, 2), 2);
	assert_true(text_eq(top[0]->key, TEXT("first")));
	assert_true(text_eq(top[1]->key, TEXT("other")));
}

static void test_overflow_goes_to_other(void **state)
{
	_cleanup_groups_ struct groups *g = NULL;
	const struct group_sum *top[8];

	(void)state;
	assert_int_equal(groups_new(2, SEED, &g), 0);
	add(g, "a", 1);
	add(g, "b", 2);
	add(g, "c", 3);
	add(g, "d", 4);
	add(g, "a", 1);
	assert_int_equal(groups_count(g), 2);
	assert_int_equal(groups_top(g, group_more_calls, top, 8), 3);
	assert_int_equal(top[0]->calls, 2);
	assert_int_equal(top[1]->calls, 2);
	assert_true(top[2]->other);
	assert_int_equal(top[2]->calls, 7);
	assert_int_equal(top[2]->request_bytes, 7);
	assert_int_equal(top[2]->total_us.count, 7);
	assert_int_equal(top[2]->key.len, 0);
}

/* Keyed by many: every call is found again in the group of its key. */
static void test_many(void **state)
{
	_cleanup_groups_ struct groups *g = NULL;
	const struct group_sum *top[3000];
	char key[32];

	(void)state;
	assert_int_equal(groups_new(5000, SEED, &g), 0);
	for (unsigned i = 0; i < 3000; i++) {
		(void)snprintf(key, sizeof(key), "/item/%u", i);
		add(g, key, 1 + i % 7);
	}
	for (unsigned i = 0; i < 3000; i++) {
		(void)snprintf(key, sizeof(key), "/item/%u", i);
		add(g, key, 1);
	}
	assert_int_equal(groups_count(g), 3000);
	assert_int_equal(groups_top(g, group_more_calls, top, 3000), 3000);
	for (unsigned i = 0; i < 3000; i++) {
		unsigned long item;

		(void)snprintf(key, sizeof(key), "%.*s", (int)top[i]->key.len, top[i]->key.p);
		assert_memory_equal(key, "/item/", 6);
		item = strtoul(key + 6, NULL, 10);
		assert_int_equal(top[i]->calls, 2 + item % 7);
		if (i) /* sorted, and equal ones in the order they came (0, 7, 14 ...) */
			assert_true(top[i - 1]->calls >= top[i]->calls);
	}
	assert_true(text_eq(top[0]->key, TEXT("/item/6")));
	assert_true(text_eq(top[1]->key, TEXT("/item/13")));
	assert_true(text_eq(top[2999]->key, TEXT("/item/2996")));
}

static bool more_bytes(const struct group_sum *a, const struct group_sum *b)
{
	return a->response_bytes > b->response_bytes;
}

static void test_top_n(void **state)
{
	_cleanup_groups_ struct groups *g = NULL;
	const struct group_call big = {.response_bytes = 1000};
	const struct group_sum *top[2];

	(void)state;
	assert_int_equal(groups_new(3, SEED, &g), 0);
	add(g, "few", 1);
	add(g, "many", 9);
	add(g, "some", 5);
	assert_int_equal(groups_top(g, group_more_calls, top, 0), 0);
	assert_int_equal(groups_top(g, group_more_calls, top, 2), 2);
	assert_true(text_eq(top[0]->key, TEXT("many")));
	assert_true(text_eq(top[1]->key, TEXT("some")));
	assert_int_equal(groups_add(g, TEXT("few"), &big), 0);
	assert_int_equal(groups_top(g, more_bytes, top, 1), 1);
	assert_true(text_eq(top[0]->key, TEXT("few")));
	/* what did not fit is never hidden by a small n */
	add(g, "late", 1);
	assert_int_equal(groups_top(g, group_more_calls, top, 2), 2);
	assert_true(text_eq(top[0]->key, TEXT("many")));
	assert_true(top[1]->other);
	assert_int_equal(groups_top(g, group_more_calls, top, 1), 1);
	assert_true(top[0]->other);
}

static void test_reset(void **state)
{
	_cleanup_groups_ struct groups *g = NULL;
	const struct group_sum *top[4];

	(void)state;
	assert_int_equal(groups_new(2, SEED, &g), 0);
	add(g, "a", 5);
	add(g, "b", 5);
	add(g, "c", 5);
	groups_reset(g);
	assert_int_equal(groups_count(g), 0);
	assert_int_equal(groups_top(g, group_more_calls, top, 4), 0);
	add(g, "c", 2);
	assert_int_equal(groups_top(g, group_more_calls, top, 4), 1);
	assert_true(text_eq(top[0]->key, TEXT("c")));
	assert_int_equal(top[0]->calls, 2);
	assert_int_equal(top[0]->total_us.count, 2);
	for (int i = 0; i < 100; i++) { /* old keys do not fill the table */
		char key[] = {(char)i, 'k', '\0'};

		groups_reset(g);
		add(g, key, 1);
		assert_int_equal(groups_count(g), 1);
	}
}

static void test_bad_size(void **state)
{
	struct groups *g = NULL;

	(void)state;
	assert_int_equal(groups_new(0, SEED, &g), -EINVAL);
	assert_int_equal(groups_new(UINT32_MAX, SEED, &g), -EINVAL);
	assert_null(g);
	groups_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),          cmocka_unit_test(test_keys_are_opaque),
		cmocka_unit_test(test_key_is_copied), cmocka_unit_test(test_overflow_goes_to_other),
		cmocka_unit_test(test_many),          cmocka_unit_test(test_top_n),
		cmocka_unit_test(test_reset),         cmocka_unit_test(test_bad_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
