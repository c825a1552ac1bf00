// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Following HTTP/1: runs in any order to messages, messages to pairs, and what is missing.
 * What is handed on is written as text, one word a pair: "/path:status", "-" for no message, "?"
 * for a message whose path or status is not known, "~" behind one that was cut, "!" for a gap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "call/follow.h"

#define MS INT64_C(1000000)

enum { RSP, REQ };

static char out[65536];
static struct follow_message last[2]; /* the pair handed on last, texts aside */
static bool last_expected;

static void on_pair(void *arg, const struct follow_pair *p)
{
	const struct follow_message *q = p->request, *r = p->response;
	size_t n = strlen(out);

	(void)arg;
	assert_true(q || r);
	n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.*s%s:", out[0] ? " " : "",
			      q && q->m.path.p ? (int)q->m.path.len : 1,
			      !q            ? "-"
			      : q->m.path.p ? q->m.path.p
					    : "?",
			      q && q->cut ? "~" : "");
	if (r && r->m.status)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%u", r->m.status);
	else
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", r ? "?" : "-");
	(void)snprintf(out + n, sizeof(out) - n, "%s%s", r && r->cut ? "~" : "", p->gap ? "!" : "");
	last[REQ] = q ? *q : (struct follow_message){0};
	last[RSP] = r ? *r : (struct follow_message){0};
	last_expected = q && q->m.expect_continue;
}

static struct follow *new_follow(uint32_t connections, uint32_t messages, uint32_t runs)
{
	const struct follow_conf conf = {
		.connections = connections, .messages = messages, .runs = runs, .pair = on_pair};
	struct follow *f = NULL;

	out[0] = '\0';
	assert_int_equal(follow_new(&conf, &f), 0);
	return f;
}

/* One connection's two directions as TCP numbers them; starts close to where numbers wrap. */
static struct wire {
	uint64_t cookie;
	uint32_t next[2]; /* by direction: the next sequence number */
	uint64_t now_ns;
} wire;

static void new_wire(uint64_t cookie)
{
	wire = (struct wire){.cookie = cookie, .next = {0xffffff00, 0xfffffff0}, .now_ns = 1000};
}

static void feed(struct follow *f, int request, uint32_t seq, const void *bytes, uint32_t length,
		 uint32_t captured)
{
	struct {
		struct payload p;
		uint8_t bytes[PAYLOAD_MAX];
	} r = {0};

	r.p.cookie = wire.cookie;
	r.p.now_ns = wire.now_ns;
	r.p.seq = seq;
	r.p.ack = wire.next[!request];
	r.p.length = length;
	r.p.captured = (uint16_t)captured;
	r.p.request = (uint8_t)request;
	r.p.r.size = (uint32_t)sizeof(r.p) + captured;
	if (captured)
		memcpy(r.bytes, bytes, captured);
	assert_int_equal(follow_feed(f, &r.p), 0);
}

/* The next bytes of a direction, of which only so many are captured. */
static void send_cut(struct follow *f, int request, const char *s, uint32_t length,
		     uint32_t captured)
{
	feed(f, request, wire.next[request], s, length, captured);
	wire.next[request] += length;
}

static void send_text(struct follow *f, int request, const char *s)
{
	send_cut(f, request, s, (uint32_t)strlen(s), (uint32_t)strlen(s));
}

/* Bytes that are on the wire and whose record was lost. */
static void lose_record(int request, uint32_t length)
{
	wire.next[request] += length;
}

static void handed(const char *want)
{
	assert_string_equal(out, want);
	out[0] = '\0';
}

#define GET(path)     "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK(body, len) "HTTP/1.1 200 OK\r\nContent-Length: " len "\r\n\r\n" body

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
	strcpy(req + 4 + path, " HTTP/1.1\r\nHost: example\r\n\r\n");
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
		cmocka_unit_test(test_gap_in_requests),
		cmocka_unit_test(test_no_pair_is_made_up),
		cmocka_unit_test(test_gap_in_responses),
		cmocka_unit_test(test_responses_unseen),
		cmocka_unit_test(test_hole_between_responses),
		cmocka_unit_test(test_gap_behind_an_early_response),
		cmocka_unit_test(test_first_responses_lost),
		cmocka_unit_test(test_broken_chunks),
		cmocka_unit_test(test_garbage_between_messages),
		cmocka_unit_test(test_response_of_before),
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
