// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* HTTP/1 heads as servers and clients send them, whole, odd and cut off anywhere.
 * What a row says about a call rests on these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/http1.h"

#define HEAD(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static void assert_text(struct text t, const char *want)
{
	if (!want) {
		assert_null(t.p);
		return;
	}
	assert_non_null(t.p);
	assert_int_equal(t.len, strlen(want));
	assert_memory_equal(t.p, want, t.len);
}

static struct message request_of(const char *head)
{
	struct message m;

	assert_int_equal(protocol_http1.request((const uint8_t *)head, strlen(head), &m), 0);
	return m;
}

static struct message response_of(const char *head, const char *method)
{
	struct message m, asked = {.method = text_of(method)};
	int err = protocol_http1.response((const uint8_t *)head, strlen(head),
					  method ? &asked : NULL, &m);

	assert_int_equal(err, 0);
	return m;
}

static bool detected(const char *bytes)
{
	return protocol_detect((const uint8_t *)bytes, strlen(bytes)) == &protocol_http1;
}

static void request_targets(void **state UNUSED)
{
	static const struct {
		const char *head, *method, *path, *host;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "a"},
		{"GET /a?b=c#d HTTP/1.0\r\n\r\n", "GET", "/a?b=c#d", NULL},
		{"\r\n\r\nGET /x HTTP/1.1\r\n\r\n", "GET", "/x", NULL},
		{"GET  /x  HTTP/1.1 \r\n\r\n", "GET", "/x", NULL},
		{"GET /a b HTTP/1.1\r\n\r\n", "GET", "/a b", NULL},
		{"OPTIONS * HTTP/1.1\r\nHost: h:80\r\n\r\n", "OPTIONS", "*", "h:80"},
		{"CONNECT h:443 HTTP/1.1\r\nHost: other\r\n\r\n", "CONNECT", "h:443", "h:443"},
		{"GET http://h:8/p?q HTTP/1.1\r\nHost: other\r\n\r\n", "GET", "/p?q", "h:8"},
		{"GET http://h HTTP/1.1\r\n\r\n", "GET", "/", "h"},
		{"GET HTTPS://u:p@h?q HTTP/1.1\r\n\r\n", "GET", "?q", "h"},
		{"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", "M-SEARCH", "*",
		 "239.255.255.250:1900"},
		{"get /x HTTP/1.1\n\n", "get", "/x", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct message m = request_of(cases[i].head);

		assert_text(m.method, cases[i].method);
		assert_text(m.path, cases[i].path);
		assert_text(m.host, cases[i].host);
		assert_true(m.head_whole);
		assert_false(m.path_cut);
		assert_int_equal(m.head_length, strlen(cases[i].head));
		assert_int_equal(m.head_seen, m.head_length);
		assert_int_equal(m.body, BODY_NONE);
	}
}

static void request_cut_off(void **state UNUSED)
{
	static const struct {
		const char *head, *method, *path, *host;
		bool path_cut;
	} cases[] = {
		{"GE", NULL, NULL, NULL, false},
		{"GET", NULL, NULL, NULL, false},
		{"GET /long", "GET", "/long", NULL, true},
		{"GET /a b", "GET", "/a b", NULL, true},
		{"GET /a ", "GET", "/a", NULL, false},
		{"GET /a HTT", "GET", "/a", NULL, false},
		{"GET /a HTTP/1.1", "GET", "/a", NULL, false},
		{"GET /a HTTP/1.1\r", "GET", "/a", NULL, false},
		{"GET /a HTTP/1.1\r\nHost: exam", "GET", "/a", NULL, false},
		{"GET /a HTTP/1.1\r\nHost: example\r\nAcc", "GET", "/a", "example", false},
		{"GET http://exam", "GET", NULL, NULL, true},
		{"GET htt", "GET", NULL, NULL, true},
		{"GET http://h/p", "GET", "/p", "h", true},
		{"CONNECT exam", "CONNECT", "exam", NULL, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct message m = request_of(cases[i].head);

		assert_text(m.method, cases[i].method);
		assert_text(m.path, cases[i].path);
		assert_text(m.host, cases[i].host);
		assert_int_equal(m.path_cut, cases[i].path_cut);
		assert_false(m.head_whole);
		assert_int_equal(m.head_length, 0);
		assert_int_equal(m.head_seen, strlen(cases[i].head));
		assert_int_equal(m.body, BODY_UNKNOWN);
	}
}

static void request_refused(void **state UNUSED)
{
	static const char *const heads[] = {
		"GET /\r\n",                        /* HTTP/0.9 */
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /* HTTP/2 */
		"OPTIONS rtsp://h/ RTSP/1.0\r\n\r\n",
		" GET / HTTP/1.1\r\n\r\n",
		"G\x01T / HTTP/1.1\r\n\r\n",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / HTTP/1.1\r\n\r\n",
		"GET HTTP/1.1\r\n\r\n",
		"\x16\x03\x01\x02",
	};
	struct message m = {.status = 7};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		const uint8_t *p = (const uint8_t *)heads[i];

		assert_int_equal(protocol_http1.request(p, strlen(heads[i]), &m), -EBADMSG);
		assert_int_equal(m.status, 7); /* untouched */
	}
}

#define POST "POST / HTTP/1.1\r\n"

static void request_bodies(void **state UNUSED)
{
	static const struct {
		const char *head;
		enum body body;
		uint64_t length;
	} cases[] = {
		{POST "Content-Length: 5\r\n\r\n", BODY_LENGTH, 5},
		{POST "content-length:5\n\n", BODY_LENGTH, 5},
		{POST "Content-Length : 5\r\n\r\n", BODY_LENGTH, 5},
		{POST "Content-Length:\r\n\t5\r\n\r\n", BODY_LENGTH, 5},
		{POST "Content-Length: 5, 5\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5},
		{POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", BODY_UNKNOWN, 0},
		{POST "Content-Length: 5, 6\r\n\r\n", BODY_UNKNOWN, 0},
		{POST "Content-Length: +5\r\n\r\n", BODY_UNKNOWN, 0},
		{POST "Content-Length: \r\n\r\n", BODY_UNKNOWN, 0},
		{POST "Content-Length: 18446744073709551615\r\n\r\n", BODY_LENGTH, UINT64_MAX},
		{POST "Content-Length: 18446744073709551616\r\n\r\n", BODY_UNKNOWN, 0},
		{POST "Content-Lengthy: 5\r\n\r\n", BODY_NONE, 0},
		{POST "Transfer-Encoding: chunked\r\n\r\n", BODY_CHUNKED, 0},
		{POST "Transfer-Encoding: gzip, CHUNKED\r\n\r\n", BODY_CHUNKED, 0},
		{POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_CHUNKED,
		 0},
		{POST "Transfer-Encoding: chunked, gzip\r\n\r\n", BODY_UNKNOWN, 0},
		{POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_CHUNKED, 0},
		{POST "\r\n", BODY_NONE, 0},
		/* Cut heads: what was seen counts. */
		{POST "Content-Length: 5\r\n", BODY_LENGTH, 5},
		{POST "Content-Length: 5", BODY_UNKNOWN, 0},
		{POST "Transfer-Encoding: chunked\r\n", BODY_CHUNKED, 0},
		{POST "Transfer-Encoding: gzip\r\n", BODY_UNKNOWN, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct message m = request_of(cases[i].head);

		assert_int_equal(m.body, cases[i].body);
		assert_true(m.body_length == cases[i].length);
	}
}

static void request_fields(void **state UNUSED)
{
	struct message m = request_of(POST "Expect: 100-Continue\r\nHost:\ta \t\r\n\r\nHost: b");

	assert_true(m.expect_continue);
	assert_text(m.host, "a");
	assert_int_equal(m.head_length, strlen(POST) + 35);
	assert_text(request_of(POST "Host:\r\n\r\n").host, "");
	assert_text(request_of(POST "Host: a\r\nHost: b\r\n\r\n").host, "a");
	assert_text(request_of(POST "X: y\r\n Host: b\r\n\r\n").host, NULL);
	assert_text(request_of(POST "Host: a\r\n b\r\n\r\n").host, "a\r\n b");
	/* A cut may stand where the value goes on in the next line. */
	assert_text(request_of(POST "Host: a\r\n b").host, NULL);
	assert_false(request_of(POST "Expect: 100-continued\r\n\r\n").expect_continue);
}

static void response_bodies(void **state UNUSED)
{
	static const struct {
		const char *head, *asked;
		unsigned status;
		enum body body;
		bool interim;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\n\r\n", NULL, 200, BODY_TO_CLOSE, false},
		{"HTTP/1.0 200\r\n\r\n", "GET", 200, BODY_TO_CLOSE, false},
		{"HTTP/1.1 200 OK\nContent-Length: 3\n\n", "GET", 200, BODY_LENGTH, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD", 200, BODY_NONE, false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 200, BODY_CHUNKED,
		 false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "GET", 200, BODY_TO_CLOSE,
		 false},
		{"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", "GET", 204, BODY_NONE, false},
		{"HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\n", "GET", 304, BODY_NONE, false},
		{"HTTP/1.1 100 Continue\r\n\r\n", "POST", 100, BODY_NONE, true},
		{"HTTP/1.1 103 Early\r\n\r\n", "GET", 103, BODY_NONE, true},
		{"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\n\r\n", "GET", 101, BODY_UPGRADE, false},
		{"HTTP/1.1 200 OK\r\n\r\n", "CONNECT", 200, BODY_UPGRADE, false},
		{"HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n", "CONNECT", 407, BODY_LENGTH,
		 false},
		{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "GET", 200, BODY_UNKNOWN, false},
		{"HTTP/1.1 204", "GET", 0, BODY_UNKNOWN, false},
		{"HTTP/1.1 204 ", "GET", 204, BODY_NONE, false},
		{"HTTP/1.1 200 OK\r\nX: y", "GET", 200, BODY_UNKNOWN, false},
		{"HTT", "GET", 0, BODY_UNKNOWN, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct message m = response_of(cases[i].head, cases[i].asked);

		assert_int_equal(m.status, cases[i].status);
		assert_int_equal(m.body, cases[i].body);
		assert_int_equal(m.interim, cases[i].interim);
	}
}

static void response_refused(void **state UNUSED)
{
	static const char *const heads[] = {"HTTP/2 200\r\n",    "HTTP/1.1 2000\r\n",
					    "HTTP/1.1 099 \r\n", "HTTP/1.x 200 OK",
					    "ICY 200 OK\r\n",    "SSH-2.0-x\r\n"};
	struct message m;

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		const uint8_t *p = (const uint8_t *)heads[i];

		assert_int_equal(protocol_http1.response(p, strlen(heads[i]), NULL, &m), -EBADMSG);
	}
}

static void detect(void **state UNUSED)
{
	static const char *const yes[] = {
		"GET /",
		"POST /a HTTP/1.1\r\n",
		"\r\nGET / HTTP/1.1\r\n",
		"CONNECT h:443 HT",
		"OPTIONS * HTTP/1.1\r\n",
		"GET http://h/",
		"PROPFIND /dav",
		"FOO_BAR / HTTP/1.0\n",
	};
	static const char *const no[] = {
		"G",
		"GET ",
		"get /",
		"PRI * HTTP/2.0\r\n\r\nSM",
		"CWD /pub\r\n",
		"RETR /f\r\n",
		"OPTIONS * RTSP/1.0\r\n",
		"INVITE sip:a@b SIP/2.0\r\n",
		"SSH-2.0-OpenSSH\r\n",
		"*1\r\n$4\r\nPING\r\n",
		"\x16\x03\x01",
		"USER anonymous\r\n",
		"\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(detected(yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(detected(no[i]));
}

static void resync(void **state UNUSED)
{
	size_t (*f)(const uint8_t *, size_t, bool) = protocol_http1.resync;

	assert_int_equal(f(HEAD("a=1&b=2POST /x HTTP/1.1\r\n"), true), 7);
	assert_int_equal(f(HEAD("GET /a RTSP/1.0\r\n\r\nBREW /b HTTP/1.1\r\n"), true), 19);
	assert_int_equal(f(HEAD("x\nGET /cut"), true), 2);
	assert_int_equal(f(HEAD("no request here, GETTING /x \r\n"), true), 30);
	assert_int_equal(f(HEAD("bodyHTTP/1.0 HTTP/1.1 200 OK\r\n"), false), 13);
	assert_int_equal(f(HEAD("bodyHTTP"), false), 4);
	assert_int_equal(f(HEAD("HELLO"), false), 5);
}

/* Feeds the bytes in runs of step bytes; the offset where the body ended, or an error. */
static int64_t walk(const struct message *m, const char *bytes, size_t step)
{
	struct http1_body b;
	size_t n = strlen(bytes);

	http1_body_start(&b, m);
	for (size_t at = 0; at < n; at += step) {
		size_t run = MIN(step, n - at), used = 99;
		int done = http1_body_feed(&b, (const uint8_t *)bytes + at, run, run, &used);

		if (done < 0)
			return done;
		if (done)
			return (int64_t)(at + used);
		assert_int_equal(used, run);
	}
	return -EAGAIN;
}

static void body_chunked(void **state UNUSED)
{
	static const struct {
		const char *bytes;
		int64_t end;
	} cases[] = {
		{"0\r\n\r\nGET", 5},
		{"3\r\nabc\r\n0\r\n\r\nGET", 13},
		{"a;x=\"y\"\r\n0123456789\r\n000\r\nT: v\r\n\r\nGET", 34},
		{"1 \nx\n0\n\nGET", 8},
		{"3\r\nabc\r\n", -EAGAIN},
		{"3\r\nabcd\r\n", -EBADMSG},
		{"\r\n", -EBADMSG},
		{"g\r\n", -EBADMSG},
		{"fffffffffffffffff\r\n", -EBADMSG},
	};
	struct message m = {.body = BODY_CHUNKED};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t step = 1; step < 40; step++)
			assert_int_equal(walk(&m, cases[i].bytes, step), cases[i].end);
	}
}

/* Captures keep the start of a run: data may be missing, sizes may not. */
static void body_gaps(void **state UNUSED)
{
	struct message m = {.body = BODY_CHUNKED};
	struct http1_body b;
	size_t used = 99;

	http1_body_start(&b, &m);
	assert_int_equal(http1_body_feed(&b, HEAD("1000\r\nxy"), 6 + 4096, &used), 0);
	assert_int_equal(used, 6 + 4096);
	assert_int_equal(http1_body_feed(&b, HEAD("\r\n0\r\n\r\nrest"), 11, &used), 1);
	assert_int_equal(used, 7);

	http1_body_start(&b, &m);
	used = 99;
	assert_int_equal(http1_body_feed(&b, HEAD("10\r\nxy"), 4 + 17, &used), -ENODATA);
	assert_int_equal(used, 99);

	m = (struct message){.body = BODY_LENGTH, .body_length = 1000};
	http1_body_start(&b, &m);
	assert_int_equal(http1_body_feed(&b, NULL, 0, 600, &used), 0);
	assert_int_equal(used, 600);
	assert_int_equal(http1_body_feed(&b, NULL, 0, 600, &used), 1);
	assert_int_equal(used, 400);

	m.body = BODY_TO_CLOSE;
	http1_body_start(&b, &m);
	assert_int_equal(http1_body_feed(&b, NULL, 0, 600, &used), 0);
	assert_int_equal(used, 600);
	m.body = BODY_UNKNOWN;
	http1_body_start(&b, &m);
	assert_int_equal(http1_body_feed(&b, NULL, 0, 600, &used), -ENODATA);
	m.body = BODY_NONE;
	http1_body_start(&b, &m);
	assert_int_equal(http1_body_feed(&b, NULL, 0, 600, &used), 1);
	assert_int_equal(used, 0);
}

static bool complete(const char *head, const char *asked, uint64_t bytes, const char *tail)
{
	struct message m = response_of(head, asked);

	return http1_response_complete(&m, bytes, (const uint8_t *)tail, (unsigned)strlen(tail));
}

#define OK     "HTTP/1.1 200 OK\r\n"               /* 17 bytes */
#define LENGTH OK "Content-Length: 10\r\n"         /* 37 */
#define CHUNKS OK "Transfer-Encoding: chunked\r\n" /* 45 */

static void response_complete(void **state UNUSED)
{
	assert_true(complete(LENGTH "\r\n", NULL, 49, "xxxx"));
	assert_false(complete(LENGTH "\r\n", NULL, 48, "xxxx"));
	assert_true(complete(LENGTH "X: cut", NULL, 54, "xxxx"));
	assert_false(complete(LENGTH "X: cut", NULL, 53, "xxxx"));
	assert_true(complete(LENGTH, "HEAD", 60, "\r\n\r\n"));
	assert_false(complete(LENGTH, "HEAD", 60, "xx\r\n"));
	assert_true(complete(OK "Content-Length: 0\r\nX: cut", NULL, 60, "\r\n\r\n"));
	assert_false(complete(OK "Content-Length: 0\r\nX: cut", NULL, 60, "st\r\n"));
	assert_true(complete("HTTP/1.1 304 No\r\n\r\n", NULL, 19, ""));
	assert_true(complete("HTTP/1.1 101 Up\r\n\r\n", NULL, 19, ""));
	assert_false(complete("HTTP/1.1 100 Go\r\n\r\n", NULL, 19, "\r\n\r\n"));
	assert_false(complete(OK "\r\n", NULL, 100, "\r\n\r\n"));
	assert_false(complete(OK, NULL, 100, "\r\n\r\n"));

	assert_true(complete(CHUNKS "\r\n", NULL, 52, "\r\n0\r\n\r\n"));
	assert_true(complete(CHUNKS "\r\n", NULL, 52, "\r\n\r\n"));
	assert_false(complete(CHUNKS "\r\n", NULL, 47, "\r\n\r\n")); /* the head's end */
	assert_false(complete(CHUNKS "\r\n", NULL, 90, "x0\r\n\r\n"));
	assert_false(complete(CHUNKS "\r\n", NULL, 90, "data\r\n\r\n"));
	assert_true(complete(CHUNKS "X: cut", NULL, 90, "\r\n0\r\n\r\n"));
	assert_false(complete(CHUNKS "X: cut", NULL, 90, "\r\n\r\n"));
	assert_false(complete(CHUNKS "X: cut", NULL, 90, "Age: 0\r\n\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_targets),  cmocka_unit_test(request_cut_off),
		cmocka_unit_test(request_refused),  cmocka_unit_test(request_bodies),
		cmocka_unit_test(request_fields),   cmocka_unit_test(response_bodies),
		cmocka_unit_test(response_refused), cmocka_unit_test(detect),
		cmocka_unit_test(resync),           cmocka_unit_test(body_chunked),
		cmocka_unit_test(body_gaps),        cmocka_unit_test(response_complete),
	};

	return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
