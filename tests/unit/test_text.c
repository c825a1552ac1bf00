// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Numbers, comparison, UTF-8, the hash and the clocks.
 * UTF-8 is checked against the table of the standard, not against another decoder's opinion. */
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"

static void test_to_u64(void **state UNUSED)
{
	uint64_t v = 7;

	assert_int_equal(text_to_u64(TEXT(""), &v), -EINVAL);
	assert_int_equal(text_to_u64(TEXT("-1"), &v), -EINVAL);
	assert_int_equal(text_to_u64(TEXT("+1"), &v), -EINVAL);
	assert_int_equal(text_to_u64(TEXT(" 1"), &v), -EINVAL);
	assert_int_equal(text_to_u64(TEXT("1 "), &v), -EINVAL);
	assert_int_equal(text_to_u64(TEXT("0x10"), &v), -EINVAL);
	assert_int_equal(text_to_u64(TEXT("1\0"), &v), -EINVAL);
	assert_int_equal(text_to_u64(TEXT("18446744073709551616"), &v), -ERANGE);
	assert_int_equal(text_to_u64(TEXT("99999999999999999999999999"), &v), -ERANGE);
	assert_int_equal(text_to_u64(TEXT("99999999999999999999999999x"), &v), -EINVAL);
	assert_int_equal(v, 7);
	assert_int_equal(text_to_u64(TEXT("18446744073709551615"), &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(text_to_u64(TEXT("0000000000000000000000042"), &v), 0);
	assert_true(v == 42);
}

static void test_equal(void **state UNUSED)
{
	assert_true(text_eq_nocase(TEXT("Content-Length"), TEXT("cOnTENT-lENGTH")));
	assert_false(text_eq_nocase(TEXT("Content-Length"), TEXT("Content-Lengt")));
	assert_false(text_eq_nocase(TEXT("a@"), TEXT("a`"))); /* differ by 0x20, not letters */
	assert_false(text_eq_nocase(TEXT("a["), TEXT("a{")));
	assert_false(text_eq_nocase(TEXT("\xc9"), TEXT("\xe9")));
	assert_true(text_eq_nocase(TEXT(""), text_of(NULL)));
	assert_true(text_eq(TEXT("a\0b"), TEXT("a\0b")));
	assert_false(text_eq(TEXT("a\0b"), TEXT("a\0c")));
	assert_true(text_eq(text_of(NULL), TEXT("")));
}

/* The Unicode Standard, table 3-7: well-formed UTF-8 byte sequences. */
static unsigned well_formed(const uint8_t *p, size_t n)
{
	static const uint8_t rows[][9] = {
		{1, 0x00, 0x7f},
		{2, 0xc2, 0xdf, 0x80, 0xbf},
		{3, 0xe0, 0xe0, 0xa0, 0xbf, 0x80, 0xbf},
		{3, 0xe1, 0xec, 0x80, 0xbf, 0x80, 0xbf},
		{3, 0xed, 0xed, 0x80, 0x9f, 0x80, 0xbf},
		{3, 0xee, 0xef, 0x80, 0xbf, 0x80, 0xbf},
		{4, 0xf0, 0xf0, 0x90, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
		{4, 0xf1, 0xf3, 0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
		{4, 0xf4, 0xf4, 0x80, 0x8f, 0x80, 0xbf, 0x80, 0xbf},
	};

	for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
		bool match = rows[r][0] <= n;

		for (unsigned i = 0; match && i < rows[r][0]; i++)
			match = p[i] >= rows[r][1 + 2 * i] && p[i] <= rows[r][2 + 2 * i];
		if (match)
			return rows[r][0];
	}
	return 0;
}

static void test_in_an_array(void **state UNUSED)
{
	static const char full[4] = "abcd", half[4] = "ab";

	assert_true(text_eq(text_in(full, sizeof(full)), TEXT("abcd")));
	assert_true(text_eq(text_in(half, sizeof(half)), TEXT("ab")));
	assert_int_equal(text_in("", 1).len, 0);
}

static void test_utf8(void **state UNUSED)
{
	static const uint8_t tail[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
	uint32_t c;

	for (unsigned first = 0; first < 0x10000; first++)
		for (unsigned t = 0; t < 100; t++) {
			const uint8_t p[4] = {first >> 8, first & 0xff, tail[t / 10], tail[t % 10]};

			for (unsigned n = 0; n <= 4; n++)
				if (utf8_decode(p, n, &c) != well_formed(p, n))
					fail_msg("%02x %02x %02x %02x, %u bytes", p[0], p[1], p[2],
						 p[3], n);
		}
	assert_int_equal(utf8_decode("\xe2\x82\xac", 3, &c), 3);
	assert_int_equal(c, 0x20ac);
	assert_int_equal(utf8_decode("\xf4\x8f\xbf\xbf", 4, &c), 4);
	assert_int_equal(c, 0x10ffff);
	assert_int_equal(utf8_decode("\xdf\xbf", 2, &c), 2);
	assert_int_equal(c, 0x7ff);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One bit changed anywhere, and each length of zeros, give different hashes; so does the seed. */
static void test_hash(void **state UNUSED)
{
	uint64_t hashes[65 + 64 * 8 + 1];
	uint8_t key[64] = {0};
	unsigned n = 0;

	for (unsigned len = 0; len <= sizeof(key); len++)
		hashes[n++] = hash_bytes(key, len, 1);
	for (unsigned bit = 0; bit < 8 * sizeof(key); bit++) {
		key[bit / 8] ^= 1U << bit % 8;
		hashes[n++] = hash_bytes(key, sizeof(key), 1);
		key[bit / 8] ^= 1U << bit % 8;
	}
	hashes[n++] = hash_bytes(key, sizeof(key), 2);
	qsort(hashes, n, sizeof(*hashes), by_value);
	for (unsigned i = 1; i < n; i++)
		assert_true(hashes[i] != hashes[i - 1]);
	assert_true(hash_bytes(key, 9, 5) == hash_bytes(key + 1, 9, 5));
}

/* Low bits index tables: counters as keys must spread over 256 places as chance would. */
static void test_hash_spread(void **state UNUSED)
{
	unsigned places[256] = {0};
	double chi2 = 0;

	for (uint64_t i = 0; i < 65536; i++)
		places[hash_bytes(&i, sizeof(i), 3) & 255]++;
	for (unsigned i = 0; i < 256; i++)
		chi2 += (places[i] - 256.0) * (places[i] - 256.0) / 256.0;
	assert_true(chi2 < 370); /* 255 degrees of freedom: 1 in 500,000 */
}

static void test_clock(void **state UNUSED)
{
	uint64_t before = clock_mono_ns();
	int64_t wall = (int64_t)clock_mono_ns() + clock_wall_offset_ns();
	int64_t now = (int64_t)time(NULL);

	assert_true(clock_mono_ns() >= before);
	assert_in_range(wall / 1000000000 - now + 2, 0, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_u64),      cmocka_unit_test(test_equal),
		cmocka_unit_test(test_in_an_array), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_hash),        cmocka_unit_test(test_hash_spread),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
