// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Following HTTP/1 where bytes, records or room are missing, and where connections end.
 * A pair that is not certain must not be made up, and the next certain one must be found. */
#include "follow_wire.h"

/* ---- gaps ---- */

/* Bytes of a head that were not captured: the rest is marked, and the next batch is whole. */
static void test_gap_in_requests(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);
	const char *req = GET("/a") GET("/b") GET("/c") GET("/d");
	const char *rsp = OK("", "0") OK("", "0") OK("", "0") OK("", "0");

	(void)state;
	new_wire(1);
	send_cut(f, REQ, req, (uint32_t)strlen(req), (uint32_t)strlen(GET("/a")) + 12);
	send_text(f, RSP, rsp);
	handed("/a:200 /b~:200! -:200 -:200");
	send_text(f, REQ, req);
	send_text(f, RSP, rsp);
	handed("/a:200 /b:200 /c:200 /d:200");
	assert_int_equal(follow_counts(f).gaps, 1);
	assert_int_equal(follow_counts(f).orphans, 2);
}

/* Requests found behind a gap, while answers to lost ones may still come, are not paired. */
static void test_no_pair_is_made_up(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a"));
	send_cut(f, REQ, "", 50, 0); /* maybe two requests */
	send_text(f, REQ, GET("/x"));
	send_text(f, RSP, OK("", "0") OK("", "0") OK("", "0") OK("", "0"));
	handed("/x:-! /a:200 -:200 -:200 -:200");
	send_text(f, REQ, GET("/y"));
	send_text(f, RSP, OK("", "0"));
	handed("/y:200");
}

static void test_gap_in_responses(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);
	const char *req = GET("/a") GET("/b") GET("/c") GET("/d");
	const char *rsp = OK("", "0") OK("", "0") OK("", "0") OK("", "0");

	(void)state;
	new_wire(1);
	send_text(f, REQ, req);
	send_cut(f, RSP, rsp, (uint32_t)strlen(rsp), (uint32_t)strlen(OK("", "0")) + 20);
	handed("/a:200 /b:200~! /c:-! /d:-!");
	for (int batch = 0; batch < 2; batch++) {
		send_text(f, REQ, req);
		send_text(f, RSP, rsp);
		handed("/a:200 /b:200 /c:200 /d:200");
	}
}

/* No byte of the responses was captured, as for the batch in which following began. */
static void test_responses_unseen(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a") GET("/b"));
	send_cut(f, RSP, "", 5000, 0);
	handed("/a:-! /b:-!");
	send_text(f, REQ, GET("/c") GET("/d"));
	send_text(f, RSP, OK("", "0") OK("", "0"));
	handed("/c:200 /d:200");
}

/* An answer that acknowledges what is missing says that it will not come: a body goes on behind it.
 */
static void test_hole_that_is_acknowledged(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);
	const char *head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n";

	(void)state;
	new_wire(1);
	send_text(f, REQ, head);
	send_text(f, REQ, "0123456789");
	lose_record(REQ, 10);
	send_text(f, REQ, "0123456789" GET("/b"));
	handed("");
	send_text(f, RSP, OK("", "0") OK("", "0"));
	handed("/a:200 /b:200");
	assert_int_equal(last[REQ].bytes, strlen(GET("/b")));
	assert_int_equal(follow_counts(f).gaps, 0);
}

/* A record of responses was lost: nothing is paired across the hole. */
static void test_hole_between_responses(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a") GET("/b") GET("/c"));
	send_text(f, RSP, OK("", "0"));
	lose_record(RSP, (uint32_t)strlen(OK("", "0")));
	send_text(f, RSP, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	follow_close(f, 1);
	handed("/a:200 /b:-! /c:-! -:500");
}

static void test_gap_behind_an_early_response(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, "POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345");
	send_text(f, RSP, OK("", "0"));
	send_cut(f, RSP, "", 10, 0);
	handed("/a~:200");
	send_text(f, REQ, "67890");
	follow_close(f, 1);
	handed("");
}

/* None of the first responses came: those of the next batch are not theirs. */
static void test_first_responses_lost(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a"));
	lose_record(RSP, (uint32_t)strlen(OK("", "0")));
	send_text(f, REQ, GET("/b"));
	send_text(f, RSP, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	handed("");
	follow_close(f, 1);
	handed("/a:-! /b:-! -:500");
}

static void test_broken_chunks(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a"));
	send_text(f, RSP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
	handed("/a:200~!");
	send_text(f, REQ, GET("/b"));
	send_text(f, RSP, OK("", "0"));
	handed("/b:200");
}

static void test_garbage_between_messages(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, "\x01\x02garbage");
	send_text(f, REQ, "more\r\n" GET("/a"));
	send_text(f, RSP, OK("", "0")); /* to which of the two? */
	handed("/a:-! -:200");
	send_text(f, REQ, GET("/b"));
	send_text(f, RSP, OK("", "0"));
	handed("/b:200");
}

/* Following began between a request and its response. */
static void test_response_of_before(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, RSP, OK("", "0"));
	handed("-:200");
	send_text(f, REQ, GET("/a"));
	send_text(f, RSP, OK("", "0"));
	handed("/a:200");
}

/* A response that acknowledges nothing of the request was sent before it. */
static void test_response_before_the_request_arrived(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);
	uint32_t before;

	(void)state;
	new_wire(1);
	before = wire.next[REQ];
	send_text(f, REQ, GET("/a"));
	wire.next[REQ] = before;
	send_text(f, RSP, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	wire.next[REQ] = before + (uint32_t)strlen(GET("/a"));
	send_text(f, RSP, OK("", "0"));
	handed("-:500 /a:200");
}

/* ---- ends and bounds ---- */

static void test_unanswered_at_close(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a") GET("/b") GET("/c") "GET /d HTTP/1.1\r\nHo");
	send_text(f, RSP, OK("", "0") OK("x", "5"));
	follow_close(f, 1);
	handed("/a:200 /b:200~ /c:- /d~:-");
	assert_int_equal(follow_counts(f).unanswered, 2);
}

static void test_flush_takes_all(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	for (uint64_t c = 1; c <= 3; c++) {
		new_wire(c);
		send_text(f, REQ, c == 1 ? GET("/1") : c == 2 ? GET("/2") : GET("/3"));
	}
	follow_flush(f);
	handed("/1:- /2:- /3:-");
	follow_flush(f);
	handed("");
}

static void test_connection_fed_longest_ago_is_evicted(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(2, 32, 8);
	struct wire one, two;

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/1"));
	one = wire;
	new_wire(2);
	send_text(f, REQ, GET("/2"));
	two = wire;
	wire = one;
	send_text(f, REQ, GET("/1b"));
	one = wire;
	new_wire(3);
	send_text(f, REQ, GET("/3"));
	handed("/2:-!");
	assert_int_equal(follow_counts(f).evicted, 1);
	wire = one;
	send_text(f, RSP, OK("", "0") OK("", "0"));
	handed("/1:200 /1b:200");
	wire = two; /* begins anew: its old response is nobody's */
	send_text(f, RSP, OK("", "0"));
	handed("/3:-! -:200");
}

/* Requests past the bound are not handed on, and those behind them are paired right. */
static void test_too_many_outstanding(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(2, 2, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a") GET("/b") GET("/c") GET("/d"));
	send_text(f, RSP, "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n");
	send_text(f, REQ, GET("/e"));
	send_text(f, RSP,
		  "HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n"
		  "HTTP/1.1 203 A\r\nContent-Length: 0\r\n\r\n"
		  "HTTP/1.1 204 A\r\n\r\n"
		  "HTTP/1.1 205 A\r\nContent-Length: 0\r\n\r\n");
	handed("/a:201 /b:202 -:203 -:204 -:205");
	assert_int_equal(follow_counts(f).overflow, 3);
	send_text(f, REQ, GET("/f"));
	send_text(f, RSP, OK("", "0"));
	handed("/f:200");
}

static void test_outstanding_of_one_connection(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(2, 2000, 8);

	(void)state;
	new_wire(1);
	for (int i = 0; i < FOLLOW_OUTSTANDING_MAX + 5; i++)
		send_text(f, REQ, GET("/a"));
	assert_int_equal(follow_counts(f).overflow, 5);
	for (int i = 0; i < FOLLOW_OUTSTANDING_MAX + 5; i++)
		send_text(f, RSP, OK("", "0"));
	assert_int_equal(follow_counts(f).pairs, FOLLOW_OUTSTANDING_MAX);
	assert_int_equal(follow_counts(f).orphans, 5);
}

/* A head that never ends is given up at the bound; the request is a row all the same. */
static void test_endless_head(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(2, 8, 8);
	char fill[1001];

	(void)state;
	memset(fill, 'x', 1000);
	fill[1000] = '\0';
	new_wire(1);
	send_text(f, REQ, "GET /long HTTP/1.1\r\nX: ");
	for (int i = 0; i < 70; i++)
		send_text(f, REQ, fill);
	send_text(f, RSP, "HTTP/1.1 431 Large\r\nContent-Length: 0\r\n\r\n");
	handed("/long~:431!");
	assert_int_equal(follow_counts(f).gaps, 1);
}

static void test_contradicting_lengths(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(2, 8, 8);
	struct payload p = {.r.size = sizeof(p), .length = 10, .captured = 1};

	(void)state;
	assert_int_equal(follow_feed(f, &p), -EBADMSG);
	p.r.size = 100000;
	p.captured = 11;
	assert_int_equal(follow_feed(f, &p), -EBADMSG);
	p.length = UINT32_MAX;
	assert_int_equal(follow_feed(f, &p), -EBADMSG);
	p.length = p.captured = PAYLOAD_MAX + 1;
	assert_int_equal(follow_feed(f, &p), -EBADMSG);
}

static void test_bad_conf(void **state)
{
	struct follow_conf conf = {.connections = 0, .messages = 1, .runs = 1, .pair = on_pair};
	struct follow *f = NULL;

	(void)state;
	assert_int_equal(follow_new(&conf, &f), -EINVAL);
	conf.connections = 1;
	conf.messages = UINT32_MAX;
	assert_int_equal(follow_new(&conf, &f), -EINVAL);
	conf.messages = 1;
	conf.runs = 0;
	assert_int_equal(follow_new(&conf, &f), -EINVAL);
	assert_null(f);
	follow_free(NULL);
}

/* The client had not seen all responses when it asked, so the next one may not be the answer. */
static void test_no_pair_before_all_is_seen(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a"));
	send_cut(f, REQ, "", 50, 0); /* maybe two requests */
	send_text(f, RSP, OK("", "0") OK("", "0"));
	handed("/a:200 -:200");
	send_early(f, REQ, GET("/x"), 10);
	send_text(f, RSP, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	handed("/x:-! -:500");
}

/* Behind unseen bytes the next response begins where its request says, or is not its own. */
static void test_responses_unseen_then_lost(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, GET("/a"));
	send_cut(f, RSP, "", 5000, 0);
	handed("/a:-!");
	send_text(f, REQ, GET("/b"));
	lose_record(RSP, (uint32_t)strlen(OK("", "0")));
	send_text(f, REQ, GET("/c"));
	send_text(f, RSP, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	follow_close(f, 1);
	handed("/b:-! /c:-! -:500");
}

/* What was put together of the head until then is not lost. */
static void test_gap_in_a_split_head(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, REQ, "GET /lo");
	send_text(f, REQ, "ng HTTP/1.1\r\nX: ");
	send_cut(f, REQ, "", 50, 0);
	send_text(f, RSP, OK("", "0"));
	handed("/long~:200!");
}

/* What is skipped until a request is found again may have been a request. */
static void test_rest_of_a_lost_request(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_cut(f, REQ, GET("/a"), (uint32_t)strlen(GET("/a")), 12);
	send_text(f, RSP, OK("", "0"));
	handed("/a~:200!");
	send_text(f, REQ, "b HTTP/1.1\r\nHost: h\r\n\r\n" GET("/c"));
	send_text(f, RSP, OK("", "0") OK("", "0"));
	handed("/c:-! -:200 -:200");
}

/* Following began while two responses were under way. */
static void test_responses_of_before(void **state)
{
	_cleanup_follow_ struct follow *f = new_follow(4, 32, 8);

	(void)state;
	new_wire(1);
	send_text(f, RSP, OK("", "0"));
	send_early(f, REQ, GET("/a"), (uint32_t)strlen(OK("", "0")));
	send_text(f, RSP, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n" OK("", "0"));
	handed("-:200 /a:-! -:500 -:200");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gap_in_requests),
		cmocka_unit_test(test_rest_of_a_lost_request),
		cmocka_unit_test(test_gap_in_a_split_head),
		cmocka_unit_test(test_no_pair_is_made_up),
		cmocka_unit_test(test_no_pair_before_all_is_seen),
		cmocka_unit_test(test_gap_in_responses),
		cmocka_unit_test(test_responses_unseen),
		cmocka_unit_test(test_responses_unseen_then_lost),
		cmocka_unit_test(test_hole_that_is_acknowledged),
		cmocka_unit_test(test_hole_between_responses),
		cmocka_unit_test(test_gap_behind_an_early_response),
		cmocka_unit_test(test_first_responses_lost),
		cmocka_unit_test(test_broken_chunks),
		cmocka_unit_test(test_garbage_between_messages),
		cmocka_unit_test(test_response_of_before),
		cmocka_unit_test(test_responses_of_before),
		cmocka_unit_test(test_response_before_the_request_arrived),
		cmocka_unit_test(test_unanswered_at_close),
		cmocka_unit_test(test_flush_takes_all),
		cmocka_unit_test(test_connection_fed_longest_ago_is_evicted),
		cmocka_unit_test(test_too_many_outstanding),
		cmocka_unit_test(test_outstanding_of_one_connection),
		cmocka_unit_test(test_endless_head),
		cmocka_unit_test(test_contradicting_lengths),
		cmocka_unit_test(test_bad_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
