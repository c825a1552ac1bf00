// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* JSON lines as programs read them: exact text of every type, and hostile text.
 * A line that is not JSON would stop whatever reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "output_capture.h"

static const struct output_style pipe_style = {0};

static const char *json_text(struct text t)
{
	struct sample s = sample_row();

	s.path = t;
	return capture("json", FIELDS(F_PATH), pipe_style, &s, 1);
}

static void test_every_type(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.quality = 6;
	assert_string_equal(capture("json",
				    FIELDS(F_TIME, F_COMM, F_CLIENT, F_STATUS, F_US, F_BYTES,
					   F_KIND, F_QUALITY, F_RATE, F_PATH),
				    pipe_style, &s, 1),
			    "{\"time\":\"2023-11-14T22:13:20.123456Z\",\"comm\":\"nginx\","
			    "\"client\":\"10.1.2.3\",\"status\":200,\"us\":1500,\"bytes\":2048,"
			    "\"kind\":\"http\",\"quality\":[\"lost\",\"reset\"],\"rate\":2.5,"
			    "\"path\":\"/a\"}\n");
}

static void test_unknown_is_null_and_empty_is_not(void **state)
{
	(void)state;
	struct sample s = sample_row();

	s.row.known = 1 << F_COMM | 1 << F_QUALITY | 1 << F_US | 1 << F_RATE;
	s.comm = (struct text){NULL, 0};
	s.us = 0;
	s.rate = (double)s.status / (double)s.us;
	assert_string_equal(
		capture("json", FIELDS(F_TIME, F_COMM, F_CLIENT, F_KIND, F_QUALITY, F_RATE, F_US),
			pipe_style, &s, 1),
		"{\"time\":null,\"comm\":\"\",\"client\":null,\"kind\":null,\"quality\":[],"
		"\"rate\":null,\"us\":0}\n");
}

static void test_fields_choose_and_order(void **state)
{
	(void)state;
	struct sample rows[2] = {sample_row(), sample_row()};

	rows[1].status = 404;
	assert_string_equal(capture("json", FIELDS(F_PATH, F_STATUS), pipe_style, rows, 2),
			    "{\"path\":\"/a\",\"status\":200}\n{\"path\":\"/a\",\"status\":404}\n");
}

static void test_hostile_text(void **state)
{
	(void)state;
	assert_string_equal(json_text(TEXT("a\"b\\c\n\t\x01")),
			    "{\"path\":\"a\\\"b\\\\c\\n\\t\\u0001\"}\n");
	assert_string_equal(json_text((struct text){"x\0y", 3}), "{\"path\":\"x\\u0000y\"}\n");
	assert_string_equal(json_text(TEXT("\x1b[2J")), "{\"path\":\"\\u001b[2J\"}\n");
	assert_string_equal(json_text(TEXT("\xff\xc0\xaf")),
			    "{\"path\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}\n");
	assert_string_equal(json_text(TEXT("\xc3\xa4")), "{\"path\":\"\xc3\xa4\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_unknown_is_null_and_empty_is_not),
		cmocka_unit_test(test_fields_choose_and_order),
		cmocka_unit_test(test_hostile_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
