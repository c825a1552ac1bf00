// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* CSV as a spreadsheet reads it: RFC 4180 quoting, no formula, no raw control byte.
 * Cells come from the network and are opened by people with a double click. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "output_capture.h"

static const struct output_style pipe_style = {0};

/* The one cell of a row with this path, as written. */
static const char *cell(struct text t)
{
	static char out[1024];
	struct sample s = sample_row();

	s.path = t;
	const char *all = capture("csv", FIELDS(F_PATH), pipe_style, &s, 1);
	assert_non_null(all);
	assert_memory_equal(all, "path\r\n", 6);
	size_t n = strlen(all);
	assert_in_range(n, 8, sizeof(out));
	assert_string_equal(all + n - 2, "\r\n");
	memcpy(out, all + 6, n - 8);
	out[n - 8] = '\0';
	return out;
}

static void test_header_and_types(void **state)
{
	(void)state;
	struct sample rows[2] = {sample_row(), sample_row()};

	rows[0].quality = 1;
	rows[1].quality = 3;
	assert_string_equal(capture("csv",
				    FIELDS(F_TIME, F_CLIENT, F_US, F_KIND, F_QUALITY, F_RATE),
				    pipe_style, rows, 2),
			    "time,client,us,kind,quality,rate\r\n"
			    "2023-11-14T22:13:20.123456Z,10.1.2.3,1500,http,gap,2.5\r\n"
			    "2023-11-14T22:13:20.123456Z,10.1.2.3,1500,http,\"gap,lost\",2.5\r\n");
}

static void test_unknown_is_empty(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.row.known = 1 << F_STATUS;
	assert_string_equal(capture("csv", FIELDS(F_COMM, F_STATUS, F_PATH), pipe_style, &s, 1),
			    "comm,status,path\r\n,200,\r\n");
}

static void test_quoting(void **state)
{
	(void)state;
	assert_string_equal(cell(TEXT("plain text")), "plain text");
	assert_string_equal(cell(TEXT("a,b")), "\"a,b\"");
	assert_string_equal(cell(TEXT("say \"hi\"")), "\"say \"\"hi\"\"\"");
	assert_string_equal(cell(TEXT("\"")), "\"\"\"\"");
}

static void test_control_bytes_are_escaped(void **state)
{
	(void)state;
	assert_string_equal(cell(TEXT("a\r\nb\x1b[2J")), "a\\x0d\\x0ab\\x1b[2J");
	assert_string_equal(cell((struct text){"\"\0\xff", 3}), "\"\"\"\\x00\\xff\"");
}

static void test_formulas_become_text(void **state)
{
	(void)state;
	assert_string_equal(cell(TEXT("=1+1")), "'=1+1");
	assert_string_equal(cell(TEXT("+1")), "'+1");
	assert_string_equal(cell(TEXT("-bash")), "'-bash");
	assert_string_equal(cell(TEXT("@x")), "'@x");
	assert_string_equal(cell(TEXT("=A1,\"B\"")), "\"'=A1,\"\"B\"\"\"");
	assert_string_equal(cell(TEXT("a=b")), "a=b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_and_types),
		cmocka_unit_test(test_unknown_is_empty),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_control_bytes_are_escaped),
		cmocka_unit_test(test_formulas_become_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
