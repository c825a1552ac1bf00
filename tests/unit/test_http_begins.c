// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the kernel side takes for the beginning of an HTTP message, and what it does not.
 * It decides what `packets --http` shows, and where requests are pipelined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/http.h"

static u64 start_of(const char *text)
{
	u64 start = 0;
	size_t n = strlen(text);

	memcpy(&start, text, n < sizeof(start) ? n : sizeof(start));
	return start;
}

/* 2: user space has more to say of its body. */
static const struct {
	const char *text;
	int method;
} messages[] = {
	{"GET / HTTP/1.1", 1}, {"HEAD /a", 1},         {"OPTIONS *", 1},    {"DELETE /a", 1},
	{"POST /a", 2},        {"PUT /a", 2},          {"PATCH /a", 2},     {"CONNECT a:443", 2},
	{"TRACE /", 2},        {"PROPFIND /a", 2},     {"PROPPATCH /a", 2}, {"MKCOL /a", 2},
	{"COPY /a", 2},        {"MOVE /a", 2},         {"LOCK /a", 2},      {"UNLOCK /a", 2},
	{"REPORT /a", 2},      {"SEARCH /a", 2},       {"PURGE /a", 0},     {"QUERY /a", 0},
	{"PRI * HTTP/2.0", 0}, {"HTTP/1.1 200 OK", 0}, {"HTTP/", 0},        {"GET ", 1},
};

static const char *const others[] = {
	"",
	"G",
	"GET",
	"GETAWAY ",
	"get / ",
	" GET / ",
	"HEADER: 1",
	"HTTPS/",
	"POSTAL x",
	"PUTS",
	"DELETED ",
	"PATCHES",
	"OPTIONS/",
	"CONNECTED",
	"TRACERT",
	"PROPFUND",
	"SSH-2.0-OpenSSH",
	"PRI ME",
	"\x16\x03\x01 GET",
	"LOCKED",
	"COPYING ",
};

static void test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		if (!http_begins(start_of(messages[i].text)))
			fail_msg("'%s' is not seen", messages[i].text);
		assert_int_equal(http_method((const u8 *)messages[i].text), messages[i].method);
	}
}

static void test_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (http_begins(start_of(others[i])))
			fail_msg("'%s' is taken for HTTP", others[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
