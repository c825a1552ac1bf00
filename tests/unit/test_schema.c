// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Cells out of rows, and their plain text.
 * Every output and filter rests on these, so each type and each kind of unknown is tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "output_sample.h"

static const char *plain(unsigned column, const struct sample *s)
{
	static char out[512];
	struct buf b = BUF_ON(out);

	cell_plain(&sample_columns[column], schema_cell(&sample_schema, column, &s->row), &b);
	buf_char(&b, '\0');
	assert_false(b.over);
	return out;
}

static void test_plain_text_of_each_type(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.quality = 5;
	assert_string_equal(plain(F_TIME, &s), "2023-11-14T22:13:20.123456Z");
	assert_string_equal(plain(F_COMM, &s), "nginx");
	assert_string_equal(plain(F_CLIENT, &s), "10.1.2.3");
	assert_string_equal(plain(F_STATUS, &s), "200");
	assert_string_equal(plain(F_US, &s), "1500");
	assert_string_equal(plain(F_BYTES, &s), "2048");
	assert_string_equal(plain(F_KIND, &s), "http");
	assert_string_equal(plain(F_QUALITY, &s), "gap,reset");
	assert_string_equal(plain(F_RATE, &s), "2.5");
	s.status = UINT64_MAX;
	assert_string_equal(plain(F_STATUS, &s), "18446744073709551615");
}

static void test_real_has_at_most_three_decimals(void **state)
{
	(void)state;
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{0, "0"},
		{-0.0, "0"},
		{3, "3"},
		{0.125, "0.125"},
		{0.1, "0.1"},
		{0.01, "0.01"},
		{2.0005, "2.001"},
		{1.9996, "2"},
		{-1.25, "-1.25"},
		{-0.0001, "0"},
		{1e300, "1.0000000000000001e+300"},
		{999999999999.5, "999999999999.5"},
	};
	struct sample s = sample_row();

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		s.rate = cases[i].v;
		assert_string_equal(plain(F_RATE, &s), cases[i].text);
	}
}

static void test_unknown_is_nothing(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.row.known = 0;
	for (unsigned i = 0; i < F_ALL; i++) {
		assert_false(schema_cell(&sample_schema, i, &s.row).known);
		assert_string_equal(plain(i, &s), "");
	}
}

static void test_values_without_meaning_are_unknown(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.rate = 0.0 / 0.0 * (double)s.us;
	assert_false(schema_cell(&sample_schema, F_RATE, &s.row).known);
	s.rate = (double)s.us / (double)s.quality; /* infinite */
	assert_false(schema_cell(&sample_schema, F_RATE, &s.row).known);
	s.kind = 3; /* one past the last name */
	assert_false(schema_cell(&sample_schema, F_KIND, &s.row).known);
	s.kind = UINT64_MAX;
	assert_false(schema_cell(&sample_schema, F_KIND, &s.row).known);
	s.quality = UINT64_MAX; /* bits without a name */
	assert_string_equal(plain(F_QUALITY, &s), "gap,lost,reset");
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(schema_find(&sample_schema, TEXT("time")), F_TIME);
	assert_int_equal(schema_find(&sample_schema, TEXT("path")), F_PATH);
	assert_int_equal(schema_find(&sample_schema, TEXT("pat")), -ENOENT);
	assert_int_equal(schema_find(&sample_schema, TEXT("paths")), -ENOENT);
	assert_int_equal(schema_find(&sample_schema, TEXT("")), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_text_of_each_type),
		cmocka_unit_test(test_real_has_at_most_three_decimals),
		cmocka_unit_test(test_unknown_is_nothing),
		cmocka_unit_test(test_values_without_meaning_are_unknown),
		cmocka_unit_test(test_find),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
