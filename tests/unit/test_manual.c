// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Help, man pages and completion of a made-up subcommand full of awkward characters.
 * mandoc judges the pages and bash runs the completion: they are the readers that count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "output/manual.h"

static const char *const formats[] = {"table", "json", "csv", NULL};
static const char *const marks[] = {"gap", "lost", NULL};
static const char *const ways[] = {"", "in", "out", NULL};
static const char *const aliases[] = {"tcptop", "tcp-life", NULL};
static const struct opt own[] = {
	{'H', "heads", NULL, OPT_FLAG, .help = "show the heads"},
	{0, "by", "FIELD[,FIELD]", OPT_LIST, OPT_COMMA, .help = "group by these columns"},
	{0, "where", "EXPR", OPT_LIST, .help = "keep rows for which EXPR holds, as 'status>=500'"},
	{},
};
static const struct opt common[] = {
	{'o', "output", NULL, OPT_CHOICE, .choices = formats, .help = "form of the rows"},
	{'d', "duration", "SECONDS", OPT_UINT, .help = "stop after so many seconds"},
	{'H', "hosts", NULL, OPT_FLAG, .help = "letter taken by the command"},
	{0, "fields", "a,b,c", OPT_LIST, OPT_COMMA, .help = "the columns to show"},
	{0, "secret", NULL, OPT_FLAG, OPT_HIDDEN, .help = "never shown"},
	{},
};
static const struct column columns[] = {
	{"time", "TIME", COL_TIME, .help = "when the request began"},
	{"server_us", "SRV", COL_UINT, UNIT_US, .help = "time in the server"},
	{"bytes", "BYTES", COL_UINT, UNIT_BYTES, .help = "payload"},
	{"quality", "QUALITY", COL_SET, .names = marks, .help = "what the row is worth"},
	{"way", "WAY", COL_ENUM, .names = ways, .help = "which way it went"},
};
static const struct schema schema = {columns, ARRAY_SIZE(columns)};
static const struct example examples[] = {
	{"tapline requests --where 'path~^/a\\.b' -H", ".dots and 'quotes' first, `ticks` then."},
	{"tapline requests -o json | jq .path", "Paths, one a line."},
	{},
};
static const struct manual requests = {
	.name = "requests",
	.aliases = aliases,
	.brief = "show every TCP request, live",
	.operands = "[FILTER]",
	.about = ".PP is not a macro here, nor is\n'so or \\fBthis\\fR; caf\xc3\xa9 and \xff "
		 "stay.\n\n"
		 "A second paragraph that is long enough to be wrapped more than once, so that a "
		 ".word may begin a line .anywhere .in .it .at .whatever .width .it .may .have.",
	.opts = own,
	.schema = &schema,
	.examples = examples,
	.overhead = "Measured: 5% at 100,000 requests a second.",
	.limits = "Sees no sockmap.\n\nNor kernel TLS.",
};
static const struct manual doctor = {.name = "doctor", .brief = "say what this kernel allows"};
static const struct manual *const all[] = {&requests, &doctor};

static char text[65536], answer[65536];

static const char *done(struct buf *b)
{
	buf_char(b, '\0');
	assert_false(b->over);
	return b->p;
}

/* Runs "program FILE" on content; what it says goes to answer, its exit status is returned. */
static int run_on(const char *program, const char *content)
{
	char path[] = "/tmp/tapline-test-XXXXXX";
	char command[256];
	_cleanup_close_ int fd = mkstemp(path);
	size_t n;
	FILE *f;
	int status;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	(void)snprintf(command, sizeof(command), "%s %s 2>&1", program, path);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(answer, 1, sizeof(answer) - 1, f);
	answer[n] = '\0';
	status = pclose(f);
	(void)unlink(path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void needs(const char *program)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	if (system(command) != 0) // NOLINT(cert-env33-c): a fixed name
		skip();
}

static void test_help(void **state UNUSED)
{
	static const char *const parts[] = {
		"Usage: tapline requests [OPTION]... [FILTER]\n\nshow every TCP request, live "
		"(also: tcptop, tcp-life)\n",
		"\nOptions:\n  -H, --heads ",
		"\nCommon options:\n  -o, --output table|json|csv  form of the rows\n",
		"\n      --hosts ",
		"\nFields:\n  time       when the request began (time)\n",
		"\n  server_us  time in the server (microseconds)\n",
		"\n  quality    what the row is worth (list of gap, lost)\n",
		"\n  way        which way it went (one of in, out)\n",
		"\nExamples:\n  tapline requests --where 'path~^/a\\.b' -H\n      .dots and",
	};
	struct buf b = BUF_ON(text);

	manual_help(&requests, common, 72, &b);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!strstr(done(&b), parts[i]))
			fail_msg("no '%s' in:\n%s", parts[i], text);
		else
			b.len--;
	assert_null(strstr(text, "secret"));
}

/* No line is longer than the width, for pages as tapline has them. */
static void test_help_width(void **state UNUSED)
{
	for (unsigned width = 60; width <= 120; width += 20) {
		struct buf b = BUF_ON(text);
		char *at = text, *line;

		manual_help(&requests, common, width, &b);
		(void)done(&b);
		while ((line = strsep(&at, "\n")))
			if (text_columns(text_of(line)) > width)
				fail_msg("over %u columns: %s", width, line);
	}
}

static void test_help_index(void **state UNUSED)
{
	struct buf b = BUF_ON(text);

	manual_help_index(all, 2, 80, &b);
	assert_non_null(strstr(done(&b),
			       "\nCommands:\n"
			       "  requests  show every TCP request, live (also: tcptop, tcp-life)\n"
			       "  doctor    say what this kernel allows\n"
			       "\nWithout a command, tapline runs requests. "));
}

static void lint(struct buf *b)
{
	int status = run_on("mandoc -T lint -W warning", done(b));

	if (status != 0 || *answer)
		fail_msg("mandoc: %d\n%s\n%s", status, answer, b->p);
}

static void test_man_lint(void **state UNUSED)
{
	struct buf b = BUF_ON(text);

	needs("mandoc");
	manual_man(&requests, common, &b);
	lint(&b);
	buf_clear(&b);
	manual_man(&doctor, NULL, &b);
	lint(&b);
	buf_clear(&b);
	manual_man_index(all, 2, common, &b);
	lint(&b);
}

/* What a reader sees: sections in order, and nothing of the text lost to roff. */
static void test_man_shown(void **state UNUSED)
{
	static const char *const parts[] = {
		"\nNAME\n",
		"tapline-requests - show every TCP request, live",
		"\nSYNOPSIS\n",
		"tapline requests [OPTION]... [FILTER]",
		"\nDESCRIPTION\n",
		".PP is not a macro here, nor is 'so or \\fBthis\\fR; caf\xc3\xa9 and ? stay.",
		"The same under another name: tcptop, tcp-life.",
		"\nOPTIONS\n",
		"Options\n",
		"-H, --heads\n",
		"--by FIELD[,FIELD]\n",
		"as 'status>=500'",
		"Common options\n",
		"-o, --output table|json|csv\n",
		"--hosts\n",
		"\nEXAMPLES\n",
		"tapline requests --where 'path~^/a\\.b' -H\n",
		".dots and 'quotes' first, `ticks` then.",
		"\nFIELDS\n",
		"server_us\n",
		"time in the server (microseconds)",
		"\nOVERHEAD\n",
		"\nLIMITS\n",
		"Sees no sockmap.\n\n",
		"Nor kernel TLS.",
		"\nEXIT STATUS\n",
		"\nSEE ALSO\n",
		"tapline(8)",
	};
	struct buf b = BUF_ON(text);
	const char *at = answer;

	needs("mandoc");
	needs("col");
	manual_man(&requests, common, &b);
	assert_int_equal(
		run_on("LC_ALL=C.UTF-8; export LC_ALL; man() { mandoc -T utf8 -O width=200 "
		       "\"$1\" | col -b; }; man",
		       done(&b)),
		0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *found = strstr(at, parts[i]);

		if (!found)
			fail_msg("no '%s' (or not in its place) in:\n%s", parts[i], answer);
		at = found;
	}
	assert_null(strstr(answer, "secret"));
}

/* Completes the last of the words, split as bash splits them, and gives what is offered. */
static const char *complete(const char *words)
{
	struct buf b = BUF_ON(text);

	manual_completion(all, 2, common, &b);
	buf_printf(&b,
		   "COMP_WORDS=(%s)\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
		   "set -u\n_tapline\nset +u\necho ${COMPREPLY[*]}\n",
		   words);
	if (run_on("bash --norc", done(&b)) != 0)
		fail_msg("bash: %s", answer);
	answer[strcspn(answer, "\n")] = '\0';
	return answer;
}

static void test_completion(void **state UNUSED)
{
	needs("bash");
	assert_string_equal(complete("tapline ''"), "requests tcptop tcp-life doctor");
	assert_string_equal(complete("tapline re"), "requests");
	assert_string_equal(complete("tapline tcp"), "tcptop tcp-life");
	assert_string_equal(complete("tapline requests --"),
			    "--heads --by --where --output --duration --hosts --fields");
	assert_string_equal(complete("tapline tcptop --h"), "--heads --hosts");
	assert_string_equal(complete("tapline --h"), "--heads --hosts");
	assert_string_equal(complete("tapline doctor --h"), "--hosts");
	assert_string_equal(complete("tapline doctor -H"), "-H");
	assert_string_equal(complete("tapline requests ''"), "");
}

static void test_completion_values(void **state UNUSED)
{
	needs("bash");
	assert_string_equal(complete("tapline requests -o ''"), "table json csv");
	assert_string_equal(complete("tapline --output j"), "json");
	assert_string_equal(complete("tapline requests --output ="), "table json csv");
	assert_string_equal(complete("tapline requests --output = c"), "csv");
	assert_string_equal(complete("tapline requests --duration ''"), "");
	assert_string_equal(complete("tapline requests --duration -"), "");
	assert_string_equal(complete("tapline requests --fields ''"),
			    "time server_us bytes quality way");
	assert_string_equal(complete("tapline requests --fields time,s"), "time,server_us");
	assert_string_equal(complete("tapline requests --fields = time,bytes,q"),
			    "time,bytes,quality");
	assert_string_equal(complete("tapline requests --by b"), "bytes");
	assert_string_equal(complete("tapline doctor --by b"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_help_width),
		cmocka_unit_test(test_help_index),
		cmocka_unit_test(test_man_lint),
		cmocka_unit_test(test_man_shown),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_completion_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
