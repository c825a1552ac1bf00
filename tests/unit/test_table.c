// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The table as a person sees it: alignment, fit, cuts, units, colours, nothing raw.
 * Expected lines are written out, so that a change of the layout is seen as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "output_capture.h"

static const struct output_style pipe_style = {0};

static struct output_style terminal_of(unsigned width)
{
	return (struct output_style){.terminal = true, .width = width};
}

static const char *body(const char *table)
{
	assert_non_null(table);
	const char *end = strchr(table, '\n');
	assert_non_null(end);
	return end + 1;
}

static void test_pipe_aligns_and_does_not_cut(void **state)
{
	(void)state;
	struct sample rows[3] = {sample_row(), sample_row(), sample_row()};

	rows[1].comm = TEXT("a-long-process");
	rows[1].path = TEXT("/longer/than/its/column");
	rows[2].status = 7;
	assert_string_equal(
		capture("table", FIELDS(F_COMM, F_STATUS, F_PATH, F_KIND), pipe_style, rows, 3),
		"comm     status path         kind\n"
		"nginx       200 /a           http\n"
		"a-long-process 200 /longer/than/its/column http\n"
		"nginx         7 /a           http\n");
}

static void test_unknown_is_a_dash_and_empty_is_blank(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.row.known = 1 << F_QUALITY | 1 << F_PATH;
	assert_string_equal(body(capture("table", FIELDS(F_COMM, F_STATUS, F_QUALITY, F_PATH),
					 pipe_style, &s, 1)),
			    "-             -          /a\n");
}

/* Blocks: a title is for a terminal, and columns change between rows. */
static const char *blocks(struct output_style style)
{
	static char out[4096];
	static const uint8_t one[] = {F_COMM, F_STATUS}, other[] = {F_PATH, F_COMM};
	_cleanup_close_ int fd = memfd_create("blocks", MFD_CLOEXEC);
	struct sample s = sample_row();
	struct output *o;
	ssize_t n;

	assert_int_equal(output_new(&o, kind_named("table"), &sample_schema, one, 2, fd, style), 0);
	output_new_block(o);
	output_title(o, TEXT("a title that is long to read"));
	assert_int_equal(output_row(o, &s.row), 0);
	output_new_block(o);
	assert_int_equal(output_set_fields(o, other, 0), -EINVAL);
	assert_int_equal(output_set_fields(o, other, 2), 0);
	assert_int_equal(output_row(o, &s.row), 0);
	assert_int_equal(output_flush(o, false), 0);
	output_free(o);
	n = pread(fd, out, sizeof(out) - 1, 0);
	assert_true(n > 0);
	out[n] = 0;
	return out;
}

static void test_blocks(void **state)
{
	(void)state;
	assert_string_equal(blocks(terminal_of(21)), "\033[H\033[2Ja title that is long \n"
						     "comm     status\n"
						     "nginx       200\n"
						     "\033[H\033[2J"
						     "path         comm\n"
						     "/a           nginx\n");
	assert_string_equal(blocks(pipe_style), "comm     status\nnginx       200\n\n"
						"path         comm\n/a           nginx\n");
}

/* A title takes a line of those that rows have. */
static void test_lines_below_a_title(void **state)
{
	static const uint8_t fields[] = {F_COMM};
	struct output_style style = terminal_of(40);
	_cleanup_close_ int fd = memfd_create("lines", MFD_CLOEXEC);
	struct output *o;

	(void)state;
	style.lines = 24;
	assert_int_equal(output_new(&o, kind_named("table"), &sample_schema, fields, 1, fd, style),
			 0);
	output_new_block(o);
	assert_int_equal(output_lines(o), 22);
	output_title(o, TEXT("title"));
	assert_int_equal(output_lines(o), 21);
	output_new_block(o);
	assert_int_equal(output_lines(o), 22);
	output_free(o);
}

static void test_units(void **state)
{
	(void)state;
	static const struct {
		uint8_t field;
		uint64_t v;
		const char *text;
	} cases[] = {
		{F_US, 0, "   0us\n"},
		{F_US, 999, " 999us\n"},
		{F_US, 1000, " 1.0ms\n"},
		{F_US, 3449, " 3.4ms\n"},
		{F_US, 999949, "999.9ms\n"},
		{F_US, 999950, " 1.00s\n"},
		{F_US, 1250000, " 1.25s\n"},
		{F_US, 61004999, "61.00s\n"},
		{F_US, UINT64_MAX, "18446744073709.55s\n"},
		{F_BYTES, 0, "     0\n"},
		{F_BYTES, 812, "   812\n"},
		{F_BYTES, 1023, "  1023\n"},
		{F_BYTES, 1024, "  1.0K\n"},
		{F_BYTES, 1434, "  1.4K\n"},
		{F_BYTES, 1048524, "1023.9K\n"},
		{F_BYTES, 1048575, "  1.0M\n"},
		{F_BYTES, 3 << 20, "  3.0M\n"},
		{F_BYTES, UINT64_MAX, " 16.0E\n"},
	};
	struct sample s = sample_row();

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		s.us = s.bytes = cases[i].v;
		assert_string_equal(body(capture("table", &cases[i].field, 1, pipe_style, &s, 1)),
				    cases[i].text);
	}
	assert_string_equal(body(capture("table", FIELDS(F_RATE), pipe_style, &s, 1)), "   2.5\n");
}

static void test_time_is_local(void **state)
{
	(void)state;
	struct sample rows[3] = {sample_row(), sample_row(), sample_row()};

	rows[1].time = -1; /* a nanosecond before the epoch */
	rows[2].time = 1700000001000999999;
	(void)setenv("TZ", "XXX-02:30", 1);
	assert_string_equal(body(capture("table", FIELDS(F_TIME), pipe_style, rows, 3)),
			    "00:43:20.123\n02:29:59.999\n00:43:21.000\n");
	(void)unsetenv("TZ");
}

static void test_growing_column_takes_what_is_left(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.path = TEXT("/0123456789abcdefghij");
	assert_string_equal(capture("table", FIELDS(F_PATH, F_STATUS), terminal_of(30), &s, 1),
			    "path                    status\n"
			    "/0123456789abcdefghij      200\n");
}

static void test_growing_column_shrinks_and_cuts(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.path = TEXT("/0123456789abcdefghij");
	assert_string_equal(capture("table", FIELDS(F_PATH, F_STATUS), terminal_of(17), &s, 1),
			    "path       status\n"
			    "/01234567\xe2\x80\xa6    200\n");
}

static void test_columns_are_dropped_from_the_right_last(void **state)
{
	(void)state;
	struct sample s = sample_row();

	assert_string_equal(
		capture("table", FIELDS(F_PATH, F_STATUS, F_COMM), terminal_of(24), &s, 1),
		"path     status comm\n/a          200 nginx\n");
	assert_string_equal(
		capture("table", FIELDS(F_PATH, F_STATUS, F_COMM), terminal_of(23), &s, 1),
		"path             status\n/a                  200\n");
	assert_string_equal(capture("table", FIELDS(F_COMM, F_PATH), terminal_of(3), &s, 1),
			    "co\xe2\x80\xa6\nng\xe2\x80\xa6\n");
}

static void test_cut_counts_columns_not_bytes(void **state)
{
	(void)state;
	struct sample s = sample_row();

	/* Four characters of two columns each, then one byte that takes four when escaped. */
	s.comm = TEXT("\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97");
	assert_string_equal(body(capture("table", FIELDS(F_COMM, F_KIND), terminal_of(80), &s, 1)),
			    "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97 http\n");
	s.comm = TEXT("\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97x");
	assert_string_equal(body(capture("table", FIELDS(F_COMM, F_KIND), terminal_of(80), &s, 1)),
			    "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe2\x80\xa6  http\n");
	s.comm = TEXT("abcd\x1b[K");
	assert_string_equal(body(capture("table", FIELDS(F_COMM, F_KIND), terminal_of(80), &s, 1)),
			    "abcd\xe2\x80\xa6    http\n");
}

static void test_number_wider_than_its_column_is_whole(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.status = 123456789;
	s.comm = TEXT("nginx-1");
	assert_string_equal(
		body(capture("table", FIELDS(F_STATUS, F_COMM, F_KIND), terminal_of(80), &s, 1)),
		"123456789 ngin\xe2\x80\xa6 http\n");
}

static void test_hostile_text_is_escaped(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.comm = TEXT("\x1b]0;x\a");
	s.path = TEXT("\n\xc2\x9b\xff");
	assert_string_equal(body(capture("table", FIELDS(F_COMM, F_PATH), pipe_style, &s, 1)),
			    "\\x1b]0;x\\x07 \\x0a\\xc2\\x9b\\xff\n");
}

static void test_colours(void **state)
{
	(void)state;
	struct output_style style = {.terminal = true, .color = true, .width = 22};
	struct sample rows[4] = {sample_row(), sample_row(), sample_row(), sample_row()};

	rows[1].status = 404;
	rows[2].status = 500;
	rows[2].quality = 1;
	rows[3].row.known = 0;
	assert_string_equal(capture("table", FIELDS(F_STATUS, F_QUALITY, F_US), style, rows, 4),
			    "\033[1mstatus quality      us\033[0m\n"
			    "   200           1.5ms\n"
			    "   \033[33m404\033[0m           1.5ms\n"
			    "   \033[31m500\033[0m \033[31mgap\033[0m       1.5ms\n"
			    "     - -             -\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe_aligns_and_does_not_cut),
		cmocka_unit_test(test_unknown_is_a_dash_and_empty_is_blank),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_lines_below_a_title),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_time_is_local),
		cmocka_unit_test(test_growing_column_takes_what_is_left),
		cmocka_unit_test(test_growing_column_shrinks_and_cuts),
		cmocka_unit_test(test_columns_are_dropped_from_the_right_last),
		cmocka_unit_test(test_cut_counts_columns_not_bytes),
		cmocka_unit_test(test_number_wider_than_its_column_is_whole),
		cmocka_unit_test(test_hostile_text_is_escaped),
		cmocka_unit_test(test_colours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
