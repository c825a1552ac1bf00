// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* --where: what each operator matches on each type, and what is said of a wrong expression.
 * A filter that matches the wrong rows misleads without a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "output/where.h"
#include "output_sample.h"

struct expected {
	const char *expr;
	bool matches;
};

static bool match(const char *expr, const struct sample *s)
{
	struct where w;
	size_t at;
	const char *why = "";

	if (where_parse(&w, &sample_schema, expr, &at, &why))
		fail_msg("%s: %zu: %s", expr, at, why);
	bool r = where_match(&w, &s->row);
	where_free(&w);
	return r;
}

static void check(const struct expected *e, size_t n, const struct sample *s)
{
	for (size_t i = 0; i < n; i++)
		if (match(e[i].expr, s) != e[i].matches)
			fail_msg("%s should %smatch", e[i].expr, e[i].matches ? "" : "not ");
}
#define CHECK(s, ...)                                                                              \
	check((const struct expected[]){__VA_ARGS__},                                              \
	      sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected), (s))

static void test_numbers(void **state)
{
	(void)state;
	struct sample s = sample_row();

	CHECK(&s, {"status==200", true}, {"status=200", true}, {"status==201", false},
	      {"status!=200", false}, {"status!=201", true}, {"status<200", false},
	      {"status<201", true}, {"status<=200", true}, {"status<=199", false},
	      {"status>199", true}, {"status>200", false}, {"status>=200", true},
	      {"status>=201", false}, {" status >= 200", true}, {"status==0200", true},
	      {"status==200.0", true}, {"status~^2..$", true}, {"status!~^5", true},
	      {"rate==2.5", true}, {"rate>2.4", true}, {"rate>2.5", false}, {"rate<3", true},
	      {"rate~^2\\.5$", true});
	s.status = UINT64_MAX;
	CHECK(&s, {"status==18446744073709551615", true}, {"status==18446744073709551614", false},
	      {"status>18446744073709551614", true});
}

static void test_suffixes(void **state)
{
	(void)state;
	struct sample s = sample_row(); /* 1500 us, 2048 bytes */

	CHECK(&s, {"us==1500", true}, {"us==1500us", true}, {"us==1.5ms", true}, {"us>1ms", true},
	      {"us>2ms", false}, {"us<1s", true}, {"us==0.0015s", true}, {"bytes==2k", true},
	      {"bytes==2K", true}, {"bytes<1M", true}, {"bytes<1G", true}, {"bytes>1.5k", true},
	      {"bytes>2k", false});
}

static void test_text(void **state)
{
	(void)state;
	struct sample s = sample_row();

	CHECK(&s, {"path==/a", true}, {"path==/ab", false}, {"path==/", false}, {"path!=/b", true},
	      {"path!=/a", false}, {"path~^/a$", true}, {"path~b|a", true}, {"path~^a", false},
	      {"path!~^a", true}, {"path~", true}, {"path==", false}, {"path!=", true});
	s.path = (struct text){"a\0secret", 8};
	CHECK(&s, {"path~secret$", true}, {"path==a", false});
	s.path = (struct text){"abcdef", 3}; /* what lies after it is not looked at */
	CHECK(&s, {"path~c$", true}, {"path~d", false}, {"path==abc", true});
	s.path = (struct text){NULL, 0};
	CHECK(&s, {"path==", true}, {"path~^$", true}, {"path~x", false});
	s.path = TEXT("=a=b");
	CHECK(&s, {"path===a=b", true}, {"path~=b", true});
}

static void test_addresses(void **state)
{
	(void)state;
	struct sample s = sample_row(); /* 10.1.2.3 */

	CHECK(&s, {"client==10.1.2.3", true}, {"client==10.1.2.4", false},
	      {"client!=10.1.2.4", true}, {"client==10.0.0.0/8", true},
	      {"client!=10.0.0.0/8", false}, {"client==11.0.0.0/8", false},
	      {"client==10.1.2.2/31", true}, {"client==10.1.2.4/30", false},
	      {"client==10.1.0.0/23", false}, {"client==10.1.2.0/23", true},
	      {"client==0.0.0.0/0", true}, {"client==::1", false}, {"client==::/0", true},
	      {"client~^10\\.1\\.", true});
	s.client = (struct addr){{0xfe, 0x80, [15] = 1}};
	CHECK(&s, {"client==fe80::/10", true}, {"client==fe80::1", true},
	      {"client==0.0.0.0/0", false}, {"client==fec0::/10", false});
}

static void test_names(void **state)
{
	(void)state;
	struct sample s = sample_row(); /* http; quality whole */

	CHECK(&s, {"kind==http", true}, {"kind==tcp", false}, {"kind!=tcp", true},
	      {"kind~^ht", true}, {"quality==", true}, {"quality!=", false},
	      {"quality==reset", false}, {"quality!=reset", true});
	s.quality = 1 | 4;
	CHECK(&s, {"quality==", false}, {"quality!=", true}, {"quality==reset", true},
	      {"quality==gap", true}, {"quality==lost", false}, {"quality!=lost", true},
	      {"quality!=gap", false}, {"quality~gap,reset", true});
}

static void test_unknown_matches_only_null(void **state)
{
	(void)state;
	struct sample s = sample_row();

	CHECK(&s, {"status==null", false}, {"status!=null", true}, {"path==null", false},
	      {"quality==null", false}, {"client!=null", true}, {"kind==null", false});
	s.row.known = 0;
	CHECK(&s, {"status==null", true}, {"status!=null", false}, {"path==null", true},
	      {"status==200", false}, {"status!=200", false}, {"status<1000", false},
	      {"status>=0", false}, {"path!=x", false}, {"path~", false}, {"path!~x", false},
	      {"quality==", false}, {"quality!=reset", false}, {"kind!=tcp", false},
	      {"client!=::1", false}, {"rate<9", false});
}

static void test_wrong_expressions_say_where(void **state)
{
	(void)state;
	static const struct {
		const char *expr;
		size_t at;
		const char *why; /* part of it */
	} cases[] = {
		{"", 0, "a field is missing"},
		{">=500", 0, "a field is missing"},
		{"stauts>=500", 0, "there is no field 'stauts', did you mean status?"},
		{"  stauts>=500", 2, "did you mean status?"},
		{"nonsense==1", 0, "there is no field 'nonsense'"},
		{"a\x1b[2J==1", 0, "there is no field 'a\\x1b[2J'"},
		{"\xc3\xa4\xc3\xa4==1", 0, "there is no field '\xc3\xa4\xc3\xa4'"},
		{"status", 6, "an operator is missing"},
		{"status !", 7, "an operator is missing"},
		{"status>", 7, "a number is missing"},
		{"status>=", 8, "a number is missing"},
		{"status> five", 8, "a number is missing"},
		{"status==-1", 8, "a number is missing"},
		{"status==20x", 10, "not part of a number"},
		{"status==20ms", 10, "not part of a number"},
		{"status==2.5", 8, "whole numbers"},
		{"status==18446744073709551616", 8, "too large"},
		{"us>18446744073709551615s", 3, "too large"},
		{"us>5m", 4, "us, ms or s"},
		{"bytes>5ms", 7, "k, M or G"},
		{"path<5", 4, "only numbers have an order"},
		{"client>=10.0.0.0", 6, "only numbers have an order"},
		{"quality>gap", 7, "only numbers have an order"},
		{"status<null", 7, "null has no order"},
		{"kind==htttp", 6, "did you mean http?"},
		{"kind==", 6, "there is no kind ''"},
		{"quality==resett", 9, "did you mean reset?"},
		{"client==10.0.0", 8, "not an IPv4 or IPv6 address"},
		{"client==10.0.0.0/33", 8, "prefix length"},
		{"path~(", 5, "regular expression"},
		{"time==null", 0, "a time cannot be compared"},
		{"time>2023-01-01", 0, "a time cannot be compared"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct where w, before;
		size_t at = 12345;
		const char *why = NULL;
		memset(&w, 0x5a, sizeof(w));
		before = w;
		assert_int_equal(where_parse(&w, &sample_schema, cases[i].expr, &at, &why),
				 -EINVAL);
		assert_memory_equal(&w, &before, sizeof(w));
		if (at != cases[i].at || !strstr(why, cases[i].why))
			fail_msg("%s: %zu: %s", cases[i].expr, at, why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_suffixes),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unknown_matches_only_null),
		cmocka_unit_test(test_wrong_expressions_say_where),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
