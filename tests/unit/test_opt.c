// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The option parser as users and scripts meet it: every way to write an option, every mistake.
 * The sentences are checked too; they are all that a user gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/opt.h"

struct conf {
	bool json, verbose;
	uint64_t duration, port, format;
	const char *comm;
	struct opt_list fields, where;
	int net;
};

static int parse_net(void *conf, const char *arg, const char **why)
{
	if (strcmp(arg, "bad") == 0) {
		*why = "is not a network";
		return -EINVAL;
	}
	((struct conf *)conf)->net = atoi(arg);
	return 0;
}

#define AT(member) .offset = offsetof(struct conf, member)

static const char *const formats[] = {"table", "json", "csv", NULL};
static const struct opt own[] = {
	{'o', "output", NULL, OPT_CHOICE, AT(format), .choices = formats, .help = "form of rows"},
	{0, "where", "EXPR", OPT_LIST, AT(where), .help = "keep rows for which EXPR holds"},
	{'n', "net", "CIDR", OPT_CALL, .parse = parse_net, .help = "only this network"},
	{},
};
static const struct opt common[] = {
	{'d', "duration", "SECONDS", OPT_UINT, AT(duration), .help = "stop after so long"},
	{'n', "rows", "ROWS", OPT_UINT, AT(duration), .help = "shadowed letter"},
	{0, "port", "N", OPT_UINT, AT(port), .min = 1, .max = 65535, .help = "only this port"},
	{0, "comm", "NAME", OPT_TEXT, AT(comm), .help = "only this name"},
	{0, "fields", "A,B", OPT_LIST, OPT_COMMA, AT(fields), .help = "columns"},
	{'j', "json", NULL, OPT_FLAG, AT(json), .help = "the same as -o json"},
	{'v', "verbose", NULL, OPT_FLAG, AT(verbose), .help = "say more"},
	{0, "secret", NULL, OPT_FLAG, OPT_HIDDEN, AT(verbose), .help = "hidden"},
	{},
};

static char storage[1024], sentence[1024];
static char *args[64];
static int count, operands;
static struct conf conf;

/* Splits a command line at blanks and parses it. */
static int run(const char *line)
{
	const struct opt_set sets[] = {{own, &conf}, {common, &conf}};
	struct buf err = BUF_ON(sentence);
	char *at = storage, *word;
	int r;

	memset(&conf, 0, sizeof(conf));
	(void)snprintf(storage, sizeof(storage), "tapline %s", line);
	for (count = 0; (word = strsep(&at, " "));)
		args[count++] = word;
	args[count] = NULL;
	operands = -1;
	r = opt_parse(count, args, sets, 2, &operands, &err);
	sentence[err.len] = '\0';
	if (r == 0)
		assert_int_equal(err.len, 0);
	return r;
}

static void wrong(const char *line, const char *says)
{
	assert_int_equal(run(line), -EINVAL);
	assert_string_equal(sentence, says);
	assert_int_equal(operands, -1);
}

static void test_ways_to_write(void **state UNUSED)
{
	static const char *const ways[] = {"-d5",          "-d 5", "--duration=5",
					   "--duration 5", "-jd5", "-jvd 5"};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		assert_int_equal(run(ways[i]), 0);
		assert_true(conf.duration == 5);
		assert_true(conf.json == (ways[i][1] == 'j'));
		assert_int_equal(operands, 0);
	}
	assert_int_equal(run("-o json --comm --json --net=7"), 0);
	assert_true(conf.format == 1);
	assert_string_equal(conf.comm, "--json"); /* the argument, whatever it looks like */
	assert_false(conf.json);
	assert_int_equal(conf.net, 7);
	assert_int_equal(run("-n 3"), 0); /* the earlier set has the letter */
	assert_int_equal(conf.net, 3);
	assert_int_equal(run("--comm="), 0);
	assert_string_equal(conf.comm, "");
	assert_int_equal(run("--comm=a=b"), 0);
	assert_string_equal(conf.comm, "a=b");
}

static void test_operands(void **state UNUSED)
{
	assert_int_equal(run("one -j two --port 80 - -- -d three"), 0);
	assert_int_equal(operands, 5);
	assert_string_equal(args[0], "tapline");
	assert_string_equal(args[1], "one");
	assert_string_equal(args[2], "two");
	assert_string_equal(args[3], "-");
	assert_string_equal(args[4], "-d");
	assert_string_equal(args[5], "three");
	assert_true(conf.json);
	assert_true(conf.port == 80);
	assert_int_equal(run("--"), 0);
	assert_int_equal(operands, 0);
}

static void test_lists(void **state UNUSED)
{
	assert_int_equal(run("--fields a,b --where x,y --fields=c --where z"), 0);
	assert_int_equal(conf.fields.n, 3);
	assert_string_equal(conf.fields.v[0], "a");
	assert_string_equal(conf.fields.v[1], "b");
	assert_string_equal(conf.fields.v[2], "c");
	assert_int_equal(conf.where.n, 2);
	assert_string_equal(conf.where.v[0], "x,y");
	wrong("--fields a,,b", "--fields: 'a,,b' has an empty item, give values joined by commas");
	wrong("--fields ,a", "--fields: ',a' has an empty item, give values joined by commas");
	wrong("--fields a,", "--fields: 'a,' has an empty item, give values joined by commas");
	wrong("--where=", "--where: '' is empty, give a value");
	assert_int_equal(run("--fields 0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9 "
			     "--fields x,y"),
			 0);
	assert_int_equal(conf.fields.n, OPT_LIST_MAX);
	wrong("--fields 0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9 --fields "
	      "x,y,z",
	      "--fields: 'x,y,z' makes the list too long, give at most 32 values");
}

static void test_mistakes(void **state UNUSED)
{
	wrong("--port x", "--port: 'x' is not a number, give 1 to 65535");
	wrong("--port=", "--port: '' is not a number, give 1 to 65535");
	wrong("--port 0", "--port: '0' is out of range, give 1 to 65535");
	wrong("--port 65536", "--port: '65536' is out of range, give 1 to 65535");
	wrong("-d -5", "-d: '-5' is not a number, give 0 or more");
	wrong("-d 99999999999999999999", "-d: '99999999999999999999' is out of range, give 0 or "
					 "more");
	wrong("--duration", "--duration: has no value, give SECONDS");
	wrong("-jd", "-d: has no value, give SECONDS");
	wrong("-o", "-o: has no value, give table|json|csv");
	wrong("-o xml", "-o: 'xml' is not known, give table, json or csv");
	wrong("--json=1", "--json: '1' is not allowed, the option takes no value");
	wrong("--net bad", "--net: 'bad' is not a network");
	wrong("--comm=x\x1b --net bad", "--net: 'bad' is not a network");
	wrong("--port \x1b[0m", "--port: '\\x1b[0m' is not a number, give 1 to 65535");
}

static void test_unknown(void **state UNUSED)
{
	wrong("--prot 80", "--prot: there is no such option, did you mean --port?");
	wrong("--dur 5", "--dur: there is no such option, did you mean --duration?");
	wrong("--duration5", "--duration5: there is no such option, did you mean --duration?");
	wrong("--zzzzz", "--zzzzz: there is no such option, --help lists them");
	wrong("--secre", "--secre: there is no such option, --help lists them");
	wrong("-jx", "-x: there is no such option, --help lists them");
	wrong("--=x", "--: there is no such option, --help lists them");
	assert_int_equal(run("--secret"), 0);
}

static void test_nearest(void **state UNUSED)
{
	static const char *const names[] = {"requests", "packets", "doctor"};

	assert_string_equal(opt_nearest("request", names, 3), "requests");
	assert_string_equal(opt_nearest("reqests", names, 3), "requests");
	assert_string_equal(opt_nearest("dcotor", names, 3), "doctor");
	assert_string_equal(opt_nearest("pack", names, 3), "packets");
	assert_null(opt_nearest("curl", names, 3));
	assert_null(opt_nearest("no", (const char *const[]){"ip"}, 1)); /* nothing in common */
	assert_null(opt_nearest("", names, 3));
	assert_null(opt_nearest("x", names, 3));
}

static void test_help(void **state UNUSED)
{
	const struct opt_set sets[] = {{own, NULL, "Options"}, {common, NULL, "Common"}};
	char text[4096];
	struct buf b = BUF_ON(text);

	opt_help(sets, 2, 50, &b);
	buf_char(&b, '\0');
	assert_false(b.over);
	assert_string_equal(text, "Options:\n"
				  "  -o, --output table|json|csv  form of rows\n"
				  "      --where EXPR             keep rows for which\n"
				  "                               EXPR holds\n"
				  "  -n, --net CIDR               only this network\n"
				  "\n"
				  "Common:\n"
				  "  -d, --duration SECONDS       stop after so long\n"
				  "      --rows ROWS              shadowed letter\n"
				  "      --port N                 only this port\n"
				  "      --comm NAME              only this name\n"
				  "      --fields A,B             columns\n"
				  "  -j, --json                   the same as -o json\n"
				  "  -v, --verbose                say more\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways_to_write), cmocka_unit_test(test_operands),
		cmocka_unit_test(test_lists),         cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_unknown),       cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
