// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Connections that are not one request and one answer in turn: both directions at once, pipelining,
 * uploads answered early, and first bytes that arrive before the socket that they are for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "turn_script.h"

#define GET   "GET / HTTP/1.1\r\n\r\n" /* 18 bytes */
#define REPLY "HTTP/1.1 200 OK\r\n\r\n"
#define POST  "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n" /* 38 bytes */

static unsigned n_finals;
static u64 total[2];

static void sum_up(const struct record *r)
{
	const struct exchange *x = (const struct exchange *)r;

	assert_int_equal(r->kind, RECORD_EXCHANGE);
	if (x->end == END_SWEEP)
		return;
	last = *x;
	n_finals++;
	total[0] += x->request_bytes;
	total[1] += x->response_bytes;
}

/* Each side sends without waiting, and sees the other's bytes one segment late. */
static void both_at_once(u32 segments, u32 len)
{
	n_finals = 0;
	total[0] = total[1] = 0;
	env.record = sum_up;
	for (u32 i = 0; i < segments; i++) {
		play(true, i * len, i ? (i - 1) * len : 0, NULL, len, TCP_PSH);
		play(false, i * len, i ? (i - 1) * len : 0, NULL, len, TCP_PSH);
	}
}

static void test_stream(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		both_at_once(20000, 1000);
		assert_true(n_finals <= 8);
		finish();
		assert_true(n_finals <= 8);
		assert_true(last.flags & EX_STREAM);
		assert_int_equal(total[0], 20000000);
		assert_int_equal(total[1], 20000000);
	}
}

/* The responder's FIN ends no stream, and nothing of it is told twice. */
static void test_stream_and_fin(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		both_at_once(100, 10);
		play(false, 1000, 1000, NULL, 0, TCP_FIN);
		play(true, 1000, 1001, NULL, 10, TCP_PSH);
		finish();
		assert_int_equal(total[0], 1010);
		assert_int_equal(total[1], 1000);
		assert_true(last.flags & EX_STREAM);
	}
}

/* One crossing now and then does not make a stream of a connection. */
static void test_few_overlaps(void **state)
{
	u32 req_at = 0, rsp_at = 0;

	(void)state;
	both_ends(end)
	{
		begin(end);
		env.record = sum_up;
		n_finals = 0;
		total[0] = total[1] = req_at = rsp_at = 0;
		for (int i = 0; i < 200; i++) {
			play(true, req_at, rsp_at, NULL, 10, TCP_PSH);
			play(false, rsp_at, req_at + (i % 10 ? 10 : 0), NULL, 20, TCP_PSH);
			req_at += 10;
			rsp_at += 20;
		}
		finish();
		assert_true(n_finals >= 160); /* what crossed may be one with what came after it */
		assert_int_equal(total[0], 2000);
		assert_int_equal(total[1], 4000);
		assert_false(last.flags & EX_STREAM);
	}
}

/* The response left before the request was there: it is said, at both ends. */
static void test_response_crosses(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, "hello");
		rsp(0, 0, "220 hi");
		rsp(6, 5, "250");
		req(5, 9, "next");
		records("#0 next 5+9 'hello' '220 hi250' overlap");
		rsp(9, 9, "ok");
		finish();
		records("#1 close 4+2 'next' 'ok'");
	}
}

/* More of the request after the answer began, sent before it was seen: one exchange, all its bytes.
 */
static void test_upload_answered_early(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, POST);
		rsp(0, 38, "HTTP/1.1 413 No\r\n\r\n");
		req(38, 0, "123456789");
		req(47, 19, GET);
		assert_non_null(strstr(
			out, "#0 next 47+19 'POST / H..38' 'HTTP/1.1 413 No\r\n\r\n' overlap"));
	}
}

static void test_pipelined_in_one_write(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, GET GET);
		records("#0 req@0 'GET / HT..36'");
		rsp(0, 36, REPLY);
		records("#0 rsp@0 'HTTP/1.1 200 OK\r\n\r\n'");
		rsp(19, 36, REPLY);
		req(36, 38, GET);
		records("#0 rsp@19 'HTTP/1.1 200 OK\r\n\r\n'; "
			"#0 next 36+38 'GET / HT..36' 'HTTP/1.1..38' follow; "
			"#1 req@36 'GET / HTTP/1.1\r\n\r\n'");
		finish();
	}
}

/* A request sent before the answer to the one before it was seen: followed from there on. */
static void test_http_overlap_is_followed(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, GET);
		rsp(0, 18, "HTTP/1.1 200 OK\r\n");
		req(18, 0, GET);
		assert_non_null(strstr(out, "#0 next 18+17 'GET / HTTP/1.1\r\n\r\n'"));
		assert_non_null(strstr(out, "#1 req@18 'GET / HTTP/1.1\r\n\r\n'"));
		out[0] = '\0';
		rsp(17, 36, "\r\n");
		records("#1 rsp@17 '\r\n'");
		finish();
	}
}

static void test_marks(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		marks_used = 1 << ROLE_REQUESTER | 1 << ROLE_RESPONDER;
		env.mark[0].key = s->cookie;
		env.mark[0].value = MARK_FOLLOW;
		req(0, 0, "abc");
		rsp(0, 3, "def");
		records("#0 req@0 'abc'; #0 rsp@0 'def'");
		finish();
		records("#0 close 3+3 'abc' 'def' follow");

		begin(end);
		marks_used = 1 << ROLE_REQUESTER | 1 << ROLE_RESPONDER;
		env.mark[0].key = s->cookie;
		env.mark[0].value = MARK_STREAM;
		for (u32 i = 0; i < 1000; i++) {
			req(i * 3, i * 3, "abc");
			rsp(i * 3, i * 3 + 3, "def");
		}
		finish();
		records("#0 close 3000+3000 'abc' '' stream");
	}
}

/* A requester whose calls the other end tells: from the next turn on it says only whose it is. */
static void test_silent(void **state)
{
	(void)state;
	begin_on(REQUESTER, 1000, 70000, true);
	env.pid = 41;
	env_use(s, true);
	req(0, 0, "GET / HTTP/1.1\r\n\r\n");
	rsp(0, 18, "one");
	marks_used = 1 << ROLE_REQUESTER;
	env.mark[0].key = s->cookie;
	env.mark[0].value = MARK_SILENT;
	req(18, 3, "GET / HTTP/1.1\r\n\r\n");
	records("#0 next 18+3 '' '' local; silent, of 41");
	rsp(3, 36, "two");
	env_sweep(s);
	req(36, 6, "GET / HTTP/1.1\r\n\r\n");
	play(false, 6, 54, NULL, 0, TCP_FIN);
	env_use(s, true);
	records("");
	env.pid = 42;
	env_use(s, true);
	records("silent, of 42");
	finish();
	records("closed, of 42");
}

/* The other end of one: what it is asked is told again when the requester sends FIN, as only the
 * responder knows what was waited for. */
static void test_fin_of_a_silent_requester(void **state)
{
	(void)state;
	begin_on(RESPONDER, 1000, 70000, true);
	req(0, 0, "a");
	play(true, 1, 0, NULL, 0, TCP_FIN);
	records("");
	begin_on(RESPONDER, 1000, 70000, true);
	req(0, 0, "a");
	rsp(0, 1, "b");
	req(1, 1, "c");
	records("#0 next 1+1 'a' 'b'");
	play(true, 2, 1, NULL, 0, TCP_FIN);
	records("#1 sweep 1+0 'c' '' reqfin");
}

/* TCP_DEFER_ACCEPT, or a third ACK that came late: the listener gets the first bytes. */
static void test_first_bytes_on_the_listener(void **state)
{
	(void)state;
	begin(RESPONDER);
	s = env_open(0, false);
	s->bpf.state = BPF_TCP_LISTEN;
	req(0, 0, "hello");
	req(0, 0, "hello");
	s = env_open(0, false);
	env_establish(s, false, first[1], first[0]);
	assert_int_equal(env.counter[COUNT_STASHED], 1);
	assert_int_equal(env.counter[COUNT_CLAIMED], 1);
	req(5, 0, " you");
	rsp(0, 9, "goodbye");
	finish();
	records("#0 close 9+7 'hello you' 'goodbye'");
	assert_int_equal(last.join_seq, 1000);
	assert_int_equal(last.join_ack, 70000);
}

/* Fast Open: the SYN carries the request, whose acknowledgement number says nothing. The answer may
 * leave before the handshake is over. Whatever the numbers are, the exchange is whole. */
static void test_fast_open(void **state)
{
	static const u32 responses[] = {70000, 0x20000000, 0xe0000000, 0xfffffff0};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		u32 joined;

		begin_at(REQUESTER, 1000, responses[i]);
		s = env_open(0, true);
		env_state(s, BPF_TCP_SYN_SENT);
		play(true, 0, -first[1], "hello", 5, TCP_SYN);
		env_numbers(s, first[0] + 5, first[1]);
		env_state(s, BPF_TCP_ESTABLISHED);
		rsp(0, 5, "goodbye");
		finish();
		records("#0 close 5+7 'hello' 'goodbye'");
		joined = last.join_ack;

		begin_at(RESPONDER, 1000, responses[i]);
		s = env_open(0, false);
		s->bpf.state = BPF_TCP_LISTEN;
		play(true, 0, -first[1], "hello", 5, TCP_SYN);
		s = env_open(0, false);
		s->bpf.state = BPF_TCP_SYN_RECV;
		rsp(0, 5, "goodbye");
		env_numbers(s, first[1] + 7, first[0] + 5);
		env_state(s, BPF_TCP_ESTABLISHED);
		finish();
		records("#0 close 5+7 'hello' 'goodbye'");
		assert_int_equal(last.join_seq, 1000);
		assert_int_equal(last.join_ack, joined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_and_fin),
		cmocka_unit_test(test_few_overlaps),
		cmocka_unit_test(test_response_crosses),
		cmocka_unit_test(test_upload_answered_early),
		cmocka_unit_test(test_pipelined_in_one_write),
		cmocka_unit_test(test_http_overlap_is_followed),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_fin_of_a_silent_requester),
		cmocka_unit_test(test_first_bytes_on_the_listener),
		cmocka_unit_test(test_fast_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
