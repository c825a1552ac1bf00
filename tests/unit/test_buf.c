// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The bounded buffer: numbers, times, bounds, and above all escaping.
 * Escaping is checked over every character and byte pair, since one that slips steers a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"

static char space[4096];

static const char *done(struct buf *b)
{
	assert_false(b->over);
	assert_true(b->len < sizeof(space));
	b->p[b->len] = '\0';
	return b->p;
}

static const char *escaped(struct text t)
{
	struct buf b = BUF_ON(space);

	buf_escaped(&b, t);
	return done(&b);
}

static const char *json(struct text t)
{
	struct buf b = BUF_ON(space);

	buf_json(&b, t);
	return done(&b);
}

static void same_number(uint64_t v)
{
	char want[64];
	struct buf b = BUF_ON(space);

	buf_u64(&b, v);
	buf_char(&b, ' ');
	buf_i64(&b, (int64_t)v);
	(void)snprintf(want, sizeof(want), "%llu %lld", (unsigned long long)v, (long long)v);
	assert_string_equal(done(&b), want);
}

static void test_numbers(void **state UNUSED)
{
	uint64_t v = 1;

	for (unsigned i = 0; i < 2000; i++)
		same_number(i);
	for (unsigned i = 0; i < 20; i++, v *= 10) {
		same_number(v - 1);
		same_number(v);
		same_number(v + 1);
		same_number(-v);
	}
	same_number(UINT64_MAX);
	same_number(1ULL << 63);
	same_number((1ULL << 63) - 1);
}

static void same_time(int64_t ns)
{
	int64_t sec = ns / 1000000000 - (ns % 1000000000 < 0);
	time_t t = (time_t)sec;
	char want[64];
	struct buf b = BUF_ON(space);
	struct tm tm;
	size_t n;

	assert_non_null(gmtime_r(&t, &tm));
	n = strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(want + n, sizeof(want) - n, ".%06dZ", (int)((ns - sec * 1000000000) / 1000));
	buf_time(&b, ns);
	assert_string_equal(done(&b), want);
}

static void test_time(void **state UNUSED)
{
	static const int64_t at[] = {
		0,
		1,
		999,
		1000,
		999999999,
		1000000000,
		-1,
		-1000,
		-1000000000,
		-1000000001,
		951782399999999999,
		951782400000000000, /* before and at 29 February 2000 */
		951868800000000000,
		4107542400000000000, /* 1 March 2000, 1 March 2100 */
		1735689599999999000,
		1735689600000000000,
		INT64_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		same_time(at[i]);
	same_time(INT64_MIN + 1000000000);
	for (int64_t day = -100000; day < 100000; day += 7)
		same_time(day * 86400 * 1000000000 + day * 1000007);
	/* Back and forth over one second, as late rows do. */
	same_time(1700000001000000000);
	same_time(1700000000999999999);
	same_time(1700000001000001000);
}

static void test_bounds(void **state UNUSED)
{
	char small[8];
	struct buf b = BUF_ON(small);

	buf_str(&b, "12345678");
	assert_false(b.over);
	buf_bytes(&b, "", 0);
	assert_false(b.over);
	buf_char(&b, 'x');
	assert_true(b.over);
	assert_int_equal(b.len, 8);
	buf_clear(&b);
	buf_str(&b, "123456789");
	assert_true(b.over);
	buf_char(&b, 'x'); /* nothing after a hole */
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	assert_false(b.over);
	buf_printf(&b, "%d", 1234567);
	assert_int_equal(b.len, 7);
	buf_clear(&b);
	buf_printf(&b, "%d", 123456789);
	assert_true(b.over);
	assert_int_equal(b.len, 0);
}

/* An escaped append is whole or not there, for every size of buffer. */
static void test_bounds_escaped(void **state UNUSED)
{
	const struct text t = TEXT("plain and \x1b[31m \"\\\n \xe2\x82\xac \xff end");
	char exact[256];

	for (size_t cap = 0; cap <= sizeof(exact); cap++) {
		struct buf b = {exact, 0, cap, false};
		struct buf j = {exact, 0, cap, false};
		size_t n = strlen(escaped(t));

		buf_escaped(&b, t);
		assert_int_equal(b.over, cap < n);
		assert_int_equal(b.len, cap < n ? 0 : n);
		n = strlen(json(t));
		buf_json(&j, t);
		assert_int_equal(j.over, cap < n);
		assert_int_equal(j.len, cap < n ? 0 : n);
	}
}

static void test_escaped(void **state UNUSED)
{
	assert_string_equal(escaped(TEXT("")), "");
	assert_string_equal(escaped(TEXT("GET /a?b=\"c\\d\" ~")), "GET /a?b=\"c\\d\" ~");
	assert_string_equal(escaped(TEXT("a\0b\tc\nd")), "a\\x00b\\x09c\\x0ad");
	assert_string_equal(escaped(TEXT("\x1b]0;x\x07\x7f")), "\\x1b]0;x\\x07\\x7f");
	assert_string_equal(escaped(TEXT("\x9b[2J")), "\\x9b[2J");
	assert_string_equal(escaped(TEXT("\xc2\x9b[2J")), "\\xc2\\x9b[2J");
	assert_string_equal(escaped(TEXT("\xc2\xa0\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80")),
			    "\xc2\xa0\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_string_equal(escaped(TEXT("\xe2\x80\xae")), "\\xe2\\x80\\xae"); /* U+202E */
	assert_string_equal(escaped(TEXT("\xc0\xaf")), "\\xc0\\xaf");          /* overlong */
	assert_string_equal(escaped(TEXT("\xed\xa0\x80")), "\\xed\\xa0\\x80"); /* surrogate */
	assert_string_equal(escaped(TEXT("\xe2\x82")), "\\xe2\\x82");          /* cut */
	assert_string_equal(escaped(TEXT("\xe2\x82"
					 "A")),
			    "\\xe2\\x82"
			    "A");
}

static void test_json(void **state UNUSED)
{
	assert_string_equal(json(TEXT("a\"b\\c/d")), "a\\\"b\\\\c/d");
	assert_string_equal(json(TEXT("\b\f\n\r\t\0\x1f\x7f")),
			    "\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f");
	assert_string_equal(json(TEXT("\xc2\x85\xe2\x80\xa8\xe2\x81\xa6")),
			    "\\u0085\\u2028\\u2066");
	assert_string_equal(json(TEXT("\xc3\xbc\xf0\x9f\x98\x80")), "\xc3\xbc\xf0\x9f\x98\x80");
	assert_string_equal(json(TEXT("a\xff"
				      "b\xed\xa0\x80")),
			    "a\xef\xbf\xbd"
			    "b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static bool must_be_neutral(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x61c ||
	       c == 0x2028 || c == 0x2029;
}

static struct text encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return (struct text){out, 1};
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return (struct text){out, 2};
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return (struct text){out, 3};
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return (struct text){out, 4};
}

/* Every character is either shown as it is or not present at all, in both forms. */
static void test_every_character(void **state UNUSED)
{
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		bool surrogate = c >= 0xd800 && c <= 0xdfff;
		bool neutral = must_be_neutral(c) || surrogate;
		char raw[4];
		struct text t = encode(c, raw);
		struct text out = text_of(escaped(t));

		if (neutral ? out.len != 4 * t.len || out.p[0] != '\\' : !text_eq(out, t))
			fail_msg("U+%04X escaped is '%s'", c, space);
		out = text_of(json(t));
		neutral |= c == '"' || c == '\\';
		if (!surrogate && (neutral ? out.p[0] != '\\' : !text_eq(out, t)))
			fail_msg("U+%04X in JSON is '%s'", c, space);
	}
}

/* What scanning eight bytes at once must agree with, for bytes of ASCII. */
static void slow_escaped(struct buf *b, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)p[i] < 0x20 || (uint8_t)p[i] >= 0x7f)
			buf_printf(b, "\\x%02x", (uint8_t)p[i]);
		else
			buf_char(b, p[i]);
}

static void test_every_pair(void **state UNUSED)
{
	char want[256];

	for (unsigned pair = 0; pair < 0x10000; pair++) {
		char t[] = "nineteen plain bytes";
		size_t at = 3 + pair % 11;
		struct buf b = BUF_ON(want);

		t[at] = (char)(pair >> 8);
		t[at + 1] = (char)pair;
		if ((pair >> 8) >= 0xc2 && (pair & 0xc0) == 0x80)
			continue; /* perhaps UTF-8: test_every_character */
		slow_escaped(&b, t, sizeof(t) - 1);
		want[b.len] = '\0';
		assert_string_equal(escaped(TEXT(t)), want);
	}
}

static void test_every_place(void **state UNUSED)
{
	static const char stops[] = {0, 0x1f, '"', '\\', 0x7f, (char)0x80, (char)0xff};
	char t[40];

	for (size_t s = 0; s < sizeof(stops); s++)
		for (uint32_t len = 1; len <= sizeof(t); len++)
			for (uint32_t at = 0; at < len; at++) {
				char want[64];
				struct buf b = BUF_ON(want);

				buf_fill(&b, 'x', at);
				buf_str(&b, json((struct text){stops + s, 1}));
				buf_fill(&b, 'x', len - at - 1);
				buf_char(&b, '\0');
				memset(t, 'x', sizeof(t));
				t[at] = stops[s];
				assert_string_equal(json((struct text){t, len}), want);
			}
}

static void test_columns(void **state UNUSED)
{
	const struct text mixed = TEXT("a\x1b\xe4\xb8\xad\xcc\x81z"); /* 1 4 2 0 1 */

	assert_int_equal(text_columns(TEXT("")), 0);
	assert_int_equal(text_columns(TEXT("GET /index.html")), 15);
	assert_int_equal(text_columns(TEXT("\n\xff")), 8);
	assert_int_equal(text_columns(TEXT("\xe2\x80\xae")), 12);
	assert_int_equal(text_columns(TEXT("\xf0\x9f\x98\x80")), 2);
	assert_int_equal(text_columns(mixed), 8);
	assert_int_equal(text_fit(mixed, 0), 0);
	assert_int_equal(text_fit(mixed, 4), 1);
	assert_int_equal(text_fit(mixed, 5), 2);
	assert_int_equal(text_fit(mixed, 6), 2); /* not half of a wide character */
	assert_int_equal(text_fit(mixed, 7), 7); /* the mark belongs to what it is on */
	assert_int_equal(text_fit(mixed, 80), 8);
}

static void test_wrapped(void **state UNUSED)
{
	struct buf b = BUF_ON(space);

	buf_wrapped(&b, TEXT("one two  three\nfour abcdefghijklmnop z"), 4, 2, 12);
	assert_string_equal(done(&b), "one two\n  three four\n  abcdefghijklmnop\n  z");
	buf_clear(&b);
	buf_wrapped(&b, TEXT("one two three"), 0, 0, 0);
	assert_string_equal(done(&b), "one two three");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),         cmocka_unit_test(test_time),
		cmocka_unit_test(test_bounds),          cmocka_unit_test(test_bounds_escaped),
		cmocka_unit_test(test_escaped),         cmocka_unit_test(test_json),
		cmocka_unit_test(test_every_character), cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_every_place),     cmocka_unit_test(test_columns),
		cmocka_unit_test(test_wrapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
