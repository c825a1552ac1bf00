// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Following HTTP/1: runs in any order to messages, messages to pairs of request and response.
 * Nothing is missing here; test_follow_gap.c has what happens else. */
#include "follow_wire.h"

/* ---- messages ---- */

static void test_one_pair(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a"));
	wire.now_ns = 2000;
	send_text(f, RSP, OK("he", "5"));
	handed("");
	wire.now_ns = 3000;
	send_text(f, RSP, "llo");
	handed("/a:200");
	assert_int_equal(last[REQ].first_ns, 1000);
	assert_int_equal(last[REQ].last_ns, 1000);
	assert_int_equal(last[RSP].first_ns, 2000);
	assert_int_equal(last[RSP].last_ns, 3000);
	assert_int_equal(last[REQ].bytes, strlen(GET("/a")));
	assert_int_equal(last[RSP].bytes, strlen(OK("hello", "5")));
	assert_int_equal(last[REQ].seq, 0xfffffff0);
	assert_int_equal(last[REQ].ack, 0xffffff00);
	assert_int_equal(follow_counts(f).pairs, 1);
}

static void test_pipelined_batch(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 16, 8);

	(void)state;
	new_wire(1);
	for (int batch = 0; batch < 3; batch++) {
		send_text(f, REQ,
			  GET("/a")
				  GET("/b") "POST /c HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz" GET(
					  "/d"));
		send_text(f, RSP,
			  OK("1", "1") "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
				       "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 302 F");
		handed("/a:200 /b:404 /c:204");
		send_text(f, RSP, "ound\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
		handed("/d:302");
	}
}

/* Requests come while responses are under way. */
static void test_pipelined_overlapping(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 16, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a") GET("/b"));
	send_text(f, RSP, OK("1", "3"));
	send_text(f, REQ, GET("/c"));
	send_text(f, RSP, "23" OK("", "0"));
	send_text(f, REQ, GET("/d"));
	send_text(f, RSP, OK("", "0") OK("", "0"));
	handed("/a:200 /b:200 /c:200 /d:200");
}

/* Every way to cut the bytes into two runs, and into single bytes, gives the same. */
static void test_split_anywhere(void **state)
{
	const char *req = GET("/a") "PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
				    "3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n" GET("/c");
	const char *rsp =
		OK("hello", "5") "HTTP/1.1 100 Continue\r\n\r\n" OK("ab", "2") OK("", "0");
	uint32_t n = (uint32_t)strlen(req), m = (uint32_t)strlen(rsp);

	(void)state;
	for (uint32_t at = 1; at < MAX(n, m); at++) {
		_cleanup_follow_ struct follow *f = new_follow(4, 16, 8);

		new_wire(1);
		send_cut(f, REQ, req, MIN(at, n), MIN(at, n));
		if (at < n)
			send_text(f, REQ, req + at);
		send_cut(f, RSP, rsp, MIN(at, m), MIN(at, m));
		if (at < m)
			send_text(f, RSP, rsp + at);
		handed("/a:200 /b:200 /c:200");
	}
	_cleanup_follow_ struct follow *f = new_follow(4, 16, 8);

	new_wire(1);
	for (uint32_t i = 0; i < n; i++)
		send_cut(f, REQ, req + i, 1, 1);
	for (uint32_t i = 0; i < m; i++)
		send_cut(f, RSP, rsp + i, 1, 1);
	handed("/a:200 /b:200 /c:200");
}

static void test_interim_does_not_answer(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);
	const char *interim =
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";

	(void)state;
	new_wire(1);
	send_text(f, REQ, "POST /a HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	send_text(f, RSP, interim);
	send_text(f, REQ, "hi");
	handed("");
	wire.now_ns = 5000;
	send_text(f, RSP, OK("", "0"));
	handed("/a:200");
	assert_true(last_expected);
	assert_int_equal(last[RSP].first_ns, 5000);
	assert_int_equal(last[RSP].bytes, strlen(interim) + strlen(OK("", "0")));
}

/* What follows a head is decided by the request, too. */
static void test_head_has_no_body(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, "HEAD /a HTTP/1.1\r\n\r\n" GET("/b"));
	send_text(f, RSP,
		  "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
		  "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n");
	handed("/a:200 /b:304");
}

static void test_early_response_waits_for_the_request(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, "POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345");
	send_text(f, RSP, "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n");
	handed("");
	send_text(f, REQ, "67890");
	handed("/a:413");
	send_text(f, REQ, "POST /b HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345");
	send_text(f, RSP, "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n");
	follow_close(f, 1);
	handed("/b~:413");
	assert_false(last[RSP].cut);
}

static void test_answer_to_a_partial_head(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, "GET /slow HTTP/1.1\r\nHost: ");
	send_text(f, RSP, "HTTP/1.1 408 Timeout\r\nConnection: close\r\n\r\n");
	follow_close(f, 1);
	handed("/slow~:408");
}

static void test_body_to_close(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a"));
	send_text(f, RSP, "HTTP/1.0 200 OK\r\n\r\n0123456789");
	wire.now_ns = 7000;
	send_cut(f, RSP, "", 100000, 0);
	handed("");
	follow_close(f, 1);
	handed("/a:200");
	assert_int_equal(last[RSP].bytes, 19 + 10 + 100000);
	assert_int_equal(last[RSP].last_ns, 7000);
	follow_close(f, 1);
	handed("");
}

static void test_upgrade_ends_parsing(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
	send_text(f, RSP, "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x05hello");
	handed("/ws:101");
	send_text(f, REQ, GET("/not-a-request"));
	send_text(f, RSP, OK("", "0"));
	follow_close(f, 1);
	handed("");
	assert_int_equal(follow_counts(f).opaque_bytes,
			 7 + strlen(GET("/not-a-request")) + strlen(OK("", "0")));
}

static void test_connect_ends_parsing(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, "CONNECT h:443 HTTP/1.1\r\n\r\n");
	send_text(f, RSP, "HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01");
	handed("h:443:200");
	assert_int_equal(follow_counts(f).opaque_bytes, 3);
}

/* The copy is bounded; half a host name would be a wrong one. */
static void test_long_path_is_cut(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);
	char req[900];
	size_t path = 600;

	(void)state;
	new_wire(1);
	memset(req, 'x', sizeof(req));
	memcpy(req, "GET /", 5);
	(void)snprintf(req + 4 + path, sizeof(req) - 4 - path,
		       " HTTP/1.1\r\nHost: example\r\n\r\n");
	send_text(f, REQ, req);
	send_text(f, RSP, OK("", "0"));
	assert_int_equal(last[REQ].head_len, REQUEST_HEAD_MAX);
	assert_true(last[REQ].m.path_cut);
	assert_int_equal(last[REQ].m.path.len, REQUEST_HEAD_MAX - 4);
	assert_null(last[REQ].m.host.p);
	assert_int_equal(last[REQ].bytes, strlen(req));
}

/* ---- order of runs ---- */

static void test_out_of_order_and_doubled(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);
	const char *req = GET("/abc") GET("/def");
	uint32_t n = (uint32_t)strlen(req), s;

	(void)state;
	new_wire(1);
	s = wire.next[REQ];
	feed(f, REQ, s, req, 5, 5);
	feed(f, REQ, s + 20, req + 20, n - 20, n - 20);
	feed(f, REQ, s + 10, req + 10, 10, 10);
	feed(f, REQ, s, req, 5, 5);           /* seen before */
	feed(f, REQ, s + 3, req + 3, 12, 12); /* overlaps on both sides */
	wire.next[REQ] += n;
	send_text(f, RSP, OK("", "0") OK("", "0"));
	handed("/abc:200 /def:200");
	assert_int_equal(follow_counts(f).doubled, 1);
	assert_int_equal(follow_counts(f).gaps, 0);
}

static void test_many_out_of_order(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);
	const char *req = GET("/abcdef");
	uint32_t n = (uint32_t)strlen(req), s;

	(void)state;
	new_wire(1);
	s = wire.next[REQ];
	feed(f, REQ, s, req, 1, 1);
	for (uint32_t i = 7; i > 1; i--) /* backwards */
		feed(f, REQ, s + i, req + i, i == 7 ? n - 7 : 1, i == 7 ? n - 7 : 1);
	handed("");
	feed(f, REQ, s + 1, req + 1, 1, 1);
	wire.next[REQ] += n;
	send_text(f, RSP, OK("", "0"));
	handed("/abcdef:200");
}

/* A body needs counting only: it does not matter that its bytes are missing. */
static void test_missing_bytes_inside_a_body(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 8, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a") GET("/b"));
	send_cut(f, RSP, OK("", "100000"), 50000, (uint32_t)strlen(OK("", "100000")));
	lose_record(RSP, (uint32_t)strlen(OK("", "100000")) + 100000 - 50000 - 10);
	send_text(f, RSP, "0123456789" OK("", "0"));
	handed("");
	wire.now_ns += 1100 * MS; /* it will not come any more */
	send_text(f, REQ, GET("/c"));
	handed("/a:200 /b:200");
	send_text(f, RSP, OK("", "0"));
	handed("/c:200");
	assert_int_equal(follow_counts(f).gaps, 0);
}

static void test_lost_run_is_given_up_by_number(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 128, 128);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a"));
	send_cut(f, RSP, OK("", "1000"), 100, (uint32_t)strlen(OK("", "1000")));
	lose_record(RSP, 100);
	for (int i = 0; i < 64; i++)
		send_cut(f, RSP, "", 10, 0);
	handed("");
	send_cut(f, RSP, "", (uint32_t)strlen(OK("", "1000")) + 1000 - 840, 0);
	handed("/a:200");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_pair),
		cmocka_unit_test(test_pipelined_batch),
		cmocka_unit_test(test_pipelined_overlapping),
		cmocka_unit_test(test_split_anywhere),
		cmocka_unit_test(test_interim_does_not_answer),
		cmocka_unit_test(test_head_has_no_body),
		cmocka_unit_test(test_early_response_waits_for_the_request),
		cmocka_unit_test(test_answer_to_a_partial_head),
		cmocka_unit_test(test_body_to_close),
		cmocka_unit_test(test_upgrade_ends_parsing),
		cmocka_unit_test(test_connect_ends_parsing),
		cmocka_unit_test(test_long_path_is_cut),
		cmocka_unit_test(test_out_of_order_and_doubled),
		cmocka_unit_test(test_many_out_of_order),
		cmocka_unit_test(test_missing_bytes_inside_a_body),
		cmocka_unit_test(test_lost_run_is_given_up_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
