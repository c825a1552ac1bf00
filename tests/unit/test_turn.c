// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The turn engine, segment by segment, in the programs that drive it: sizes, heads and ends of
 * exchanges whose turns do not cross. test_turn_cross.c has the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "turn_script.h"

static void test_request_and_response(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, "hello");
		rsp(0, 5, "goodbye");
		records("");
		finish();
		records("#0 close 5+7 'hello' 'goodbye'");
		assert_int_equal(last.role, end == REQUESTER ? ROLE_REQUESTER : ROLE_RESPONDER);
		assert_int_equal(last.join_seq, 1000);
		assert_int_equal(last.join_ack, 70000);
		assert_int_equal(last.local_port, end == REQUESTER ? 40000 : 80);
		assert_int_equal(last.remote_port, end == REQUESTER ? 80 : 40000);
		assert_int_equal(last.cookie, s->cookie);
	}
}

static void test_keep_alive(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, "one");
		rsp(0, 3, "ONE!");
		req(3, 4, "two");
		records("#0 next 3+4 'one' 'ONE!'");
		rsp(4, 6, "TWO!!");
		req(6, 9, "three");
		records("#1 next 3+5 'two' 'TWO!!'");
		assert_int_equal(last.join_seq, 1003);
		assert_int_equal(last.join_ack, 70004);
		finish();
		records("#2 close 5+0 'three' ''");
		finish();
		records("");
	}
}

static void test_times(void **state)
{
	(void)state;
	begin(RESPONDER);
	req(0, 0, "a");
	req(1, 0, "b");
	env.now += 500;
	env.pid = 4242;
	env_use(s, true);
	env.now += 1000;
	env_use(s, true); /* only the first read counts */
	rsp(0, 2, "c");
	rsp(1, 2, "d");
	finish();
	records("#0 close 2+2 'ab' 'cd'");
	assert_int_equal(last.request_first_ns, 1001000);
	assert_int_equal(last.request_last_ns, 1002000);
	assert_int_equal(last.read_ns, 1002500);
	assert_int_equal(last.response_first_ns, 1004500);
	assert_int_equal(last.response_last_ns, 1005500);
	assert_int_equal(last.owner.pid, 4242);
	assert_int_equal(last.connect_us, 0);
}

/* SYN to ESTABLISHED goes with the first exchange of a requester, and with no other. */
static void test_connect_time(void **state)
{
	(void)state;
	begin(REQUESTER);
	s = env_open(0, true);
	env_state(s, BPF_TCP_SYN_SENT);
	env.now += 3000000;
	env_numbers(s, first[0], first[1]);
	env_state(s, BPF_TCP_ESTABLISHED);
	req(0, 0, "a");
	rsp(0, 1, "b");
	req(1, 1, "c");
	records("#0 next 1+1 'a' 'b'");
	assert_int_equal(last.connect_us, 3000);
	assert_int_equal(last.request_first_ns, 4001000);
	finish();
	records("#1 close 1+0 'c' ''");
	assert_int_equal(last.connect_us, 3000); /* of the connection: rows give it with #0 */
}

static void test_many_segments(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, "GET ");
		req(4, 0, "/path");
		req(9, 0, "\r\n");
		rsp(0, 11, "20");
		rsp(2, 11, "0");
		rsp(3, 11, " OK");
		finish();
		records("#0 close 11+6 'GET /path\r\n' '200 OK'");
	}
}

/* Heads are cut at what there is room for; a response's tail is kept where it goes on. */
static void test_long_turns(void **state)
{
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "START", 5);
	memcpy(text + 992, "THE END!", 8);
	both_ends(end)
	{
		begin(end);
		play(true, 0, 0, text, 1000, TCP_PSH);
		play(false, 0, 1000, text, 1000, TCP_PSH);
		finish();
		records("#0 close 1000+1000 'STARTxxx..304' 'STARTxxx..128'");
		assert_memory_equal(last.tail, "THE END!", TAIL_LEN);
		begin(end);
		play(true, 0, 0, text, 100, TCP_PSH);
		for (u32 i = 0; i < 10; i++)
			play(false, i * 100, 100, text + i * 100, 100, TCP_PSH);
		finish();
		records("#0 close 100+1000 'STARTxxx..100' 'STARTxxx..192'");
	}
}

/* The head is filled by offset, whatever the order of arrival. */
static void test_reordered(void **state)
{
	(void)state;
	begin(RESPONDER);
	req(6, 0, "ghi");
	req(0, 0, "abc");
	req(3, 0, "def");
	rsp(0, 9, "ok");
	finish();
	records("#0 close 9+2 'abcdefghi' 'ok'");
	assert_int_equal(last.join_seq, 1000);

	begin(REQUESTER);
	req(0, 0, "abc");
	rsp(4, 3, "WXYZ");
	rsp(0, 3, "STUV");
	req(3, 8, "next");
	records("#0 next 3+8 'abc' 'STUVWXYZ'");
	assert_int_equal(last.join_ack, 70000);
}

/* On the way in a duplicate is nothing; on the way out it is a retransmission. */
static void test_duplicates(void **state)
{
	(void)state;
	begin(RESPONDER);
	req(0, 0, "hello");
	req(0, 0, "hello");
	rsp(0, 5, "good");
	rsp(4, 5, "bye");
	req(0, 0, "hello");
	rsp(0, 5, "good");
	rsp(4, 5, "bye");
	finish();
	records("#0 close 5+7 'hello' 'goodbye' retr=2");

	begin(REQUESTER);
	req(0, 0, "hello");
	req(0, 0, "hello");
	rsp(0, 5, "goodbye");
	rsp(0, 5, "goodbye");
	finish();
	records("#0 close 5+7 'hello' 'goodbye' retr=1");

	/* Late, when the next request has begun. */
	begin(REQUESTER);
	req(0, 0, "hello");
	rsp(0, 5, "goodbye");
	req(5, 7, "next");
	records("#0 next 5+7 'hello' 'goodbye'");
	rsp(0, 5, "goodbye");
	rsp(7, 9, "last");
	finish();
	records("#1 close 4+4 'next' 'last'");
}

/* Cut anew by the retransmission: only what is new counts. */
static void test_partial_overlaps(void **state)
{
	(void)state;
	begin(RESPONDER);
	req(0, 0, "abcd");
	req(2, 0, "cdef");
	rsp(0, 6, "UVWX");
	rsp(2, 6, "WXYZ");
	finish();
	records("#0 close 6+6 'abcdef' 'UVWXYZ' retr=1");

	begin(REQUESTER);
	req(0, 0, "abcd");
	req(0, 0, "abcdef");
	rsp(0, 6, "UVWX");
	rsp(2, 6, "WXYZ");
	finish();
	records("#0 close 6+6 'abcdef' 'UVWXYZ' retr=1");
}

static void test_hole(void **state)
{
	(void)state;
	/* filled by a segment that goes on past what was seen */
	begin(RESPONDER);
	req(0, 0, "ab");
	req(4, 0, "ef");
	req(2, 0, "cdefgh");
	finish();
	records("#0 close 8+0 'abcdefgh' ''");
	/* never filled; what came twice does not fill it */
	begin(RESPONDER);
	req(0, 0, "ab");
	req(4, 0, "ef");
	req(0, 0, "ab");
	req(4, 0, "ef");
	finish();
	assert_true(last.flags & EX_GAP);
	assert_int_equal(last.request_bytes, 6);
	/* past the head it is no gap: its bytes are counted and not kept */
	begin(REQUESTER);
	req(0, 0, "ab");
	play(false, 0, 2, NULL, 400, 0);
	play(false, 500, 2, NULL, 100, 0);
	finish();
	assert_int_equal(last.flags, 0);
	assert_int_equal(last.response_bytes, 600);
}

/* The first segment is past the head and its beginning comes later: the head is of this exchange.
 */
static void test_head_after_the_rest(void **state)
{
	(void)state;
	begin(RESPONDER);
	req(0, 0, "first");
	rsp(0, 5, "answer");
	play(true, 5 + 400, 6, NULL, 10, 0);
	records("#0 next 5+6 'first' 'answer'");
	finish();
	assert_int_equal(last.request_bytes, 410);
	assert_int_equal(last.response_head, 0);
	assert_int_equal(last.request_head, 0);
}

/* The responder may speak while the request's beginning is still on its way: no head overwrites
 * another. */
static void test_head_after_the_response(void **state)
{
	char text[600];

	(void)state;
	memset(text, 'q', sizeof(text));
	begin(RESPONDER);
	play(true, 500, 0, text, 100, TCP_PSH);
	play(false, 0, 0, NULL, 300, TCP_PSH);
	play(true, 0, 0, text, 500, TCP_PSH);
	finish();
	assert_true(last.request_head + last.response_head <= HEADS_MAX);
	assert_int_equal(last.request_bytes, 600);
	assert_int_equal(last.response_bytes, 300);
}

static void test_sequence_wrap(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin_at(end, 0xfffffffd, 0xfffffffe);
		req(0, 0, "hello");
		rsp(0, 5, "good");
		rsp(4, 5, "bye");
		req(5, 7, "next");
		records("#0 next 5+7 'hello' 'goodbye'");
		assert_int_equal(last.join_seq, 0xfffffffd);
		assert_int_equal(last.join_ack, 0xfffffffe);
		finish();
		records("#1 close 4+0 'next' ''");
		assert_int_equal(last.join_seq, 2);
		assert_int_equal(last.join_ack, 5);
	}
}

static void test_responder_speaks_first(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		rsp(0, 0, "220 hi");
		req(0, 6, "HELO");
		records("#0 next 0+6 '' '220 hi'");
		assert_int_equal(last.request_first_ns, 0);
		assert_true(last.response_first_ns);
		rsp(6, 4, "250");
		finish();
		records("#1 close 4+3 'HELO' '250'");
	}
}

static void test_no_answer(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		finish();
		records("");
		begin(end);
		req(0, 0, "hello");
		finish();
		records("#0 close 5+0 'hello' ''");
		assert_int_equal(last.response_first_ns, 0);
	}
}

static void test_fin(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, "hello");
		play(false, 0, 5, "bye", 3, TCP_FIN);
		records("#0 fin 5+3 'hello' 'bye' rspfin");
		play(false, 0, 5, "bye", 3, TCP_FIN);
		play(true, 5, 4, NULL, 0, TCP_FIN);
		finish();
		records("");
		/* by itself */
		begin(end);
		req(0, 0, "hello");
		rsp(0, 5, "bye");
		play(false, 3, 5, NULL, 0, TCP_FIN);
		records("#0 fin 5+3 'hello' 'bye' rspfin");
	}
	/* before the bytes that it follows: only the close can tell that they have come */
	begin(REQUESTER);
	req(0, 0, "hello");
	rsp(0, 5, "b");
	play(false, 3, 5, NULL, 0, TCP_FIN);
	records("");
	rsp(1, 5, "ye");
	finish();
	records("#0 close 5+3 'hello' 'bye' rspfin");
}

static void test_requester_half_closes(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, "hello");
		play(true, 5, 0, NULL, 0, TCP_FIN);
		records("");
		rsp(0, 6, "goodbye");
		finish();
		records("#0 close 5+7 'hello' 'goodbye' reqfin");
	}
}

static void test_reset(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, "hello");
		play(false, 0, 5, NULL, 0, TCP_RST);
		finish();
		records("#0 close 5+0 'hello' '' reset");
		/* of a connection that was idle: no exchange was hit by it */
		begin(end);
		play(true, 0, 0, NULL, 0, TCP_RST);
		finish();
		records("");
	}
	both_ends(end) /* the end that resets has closed before its RST goes out */
	{
		begin(end);
		req(0, 0, "hello");
		env_state(s, BPF_TCP_CLOSE);
		records("#0 close 5+0 'hello' '' reset");
		begin(end);
		req(0, 0, "hello");
		s->k.sock.sk_err = ETIMEDOUT;
		env_state(s, BPF_TCP_CLOSE);
		records("#0 close 5+0 'hello' ''");
	}
}

static void test_snapshots(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		env_sweep(s);
		req(0, 0, "hello");
		env_sweep(s);
		records("#0 sweep 5+0 'hello' ''");
		env_sweep(s); /* nothing has changed */
		records("");
		rsp(0, 5, "good");
		env_sweep(s);
		env_sweep(s);
		records("#0 sweep 5+4 'hello' 'good'");
		rsp(4, 5, "bye");
		req(5, 7, "next");
		records("#0 next 5+7 'hello' 'goodbye'");
		finish();
		records("#1 close 4+0 'next' ''");
		env_sweep(s);
		records("");
	}
}

static void test_snapshots_asked_for(void **state)
{
	(void)state;
	begin(RESPONDER);
	sweep_quiet_ns = 5000;
	req(0, 0, "hello");
	env.now += 4999;
	env_sweep(s);
	records("");
	env.now += 1;
	env_sweep(s);
	env_sweep(s);
	records("#0 sweep 5+0 'hello' ''");
	sweep_all = true;
	env_sweep(s);
	records("#0 sweep 5+0 'hello' ''");
	sweep_all = false;
	sweep_quiet_ns = 0;
}

/* Its first bytes are missing: said of the first exchange, and of no later one. */
static void test_midway(void **state)
{
	(void)state;
	both_ends(end)
	{
		begin(end);
		s = env_open(0, end == REQUESTER);
		s->bpf.state = BPF_TCP_ESTABLISHED;
		env_numbers(s, first[end == RESPONDER] + 100, first[end == REQUESTER] + 100);
		rsp(100, 100, "rest");
		req(100, 104, "one");
		records("#0 next 0+4 '' 'rest' midway");
		assert_int_equal(last.role, end == REQUESTER ? ROLE_REQUESTER : ROLE_RESPONDER);
		rsp(104, 103, "two");
		finish();
		records("#1 close 3+3 'one' 'two'");
		assert_int_equal(last.join_seq, 1100);
		assert_int_equal(last.join_ack, 70104);
	}
}

static void test_jump_is_a_gap(void **state)
{
	(void)state;
	begin(RESPONDER);
	req(0, 0, "hello");
	rsp(0, 5, "good");
	play(false, 100u << 20, 5, "bye", 3, TCP_PSH);
	finish();
	assert_true(last.flags & EX_GAP);
	assert_int_equal(last.response_bytes, 7);
}

/* Sizes past 32 bits, and sequence numbers that come round twice. */
static void test_more_than_4_gib(void **state)
{
	const u64 total = (9ull << 30) + 12345;

	(void)state;
	both_ends(end)
	{
		begin(end);
		req(0, 0, "hello");
		rsp(0, 5, "START");
		for (u64 at = 5; at < total;) {
			u32 n = total - at < 65160 ? (u32)(total - at) : 65160;

			play(false, (u32)at, 5, NULL, n, 0);
			if (end == REQUESTER && at % 1000 < 20)
				play(false, (u32)at, 5, NULL, n, 0);
			at += n;
		}
		req(5, (u32)total, "next");
		assert_int_equal(last.response_bytes, total);
		assert_int_equal(last.request_bytes, 5);
		assert_int_equal(last.flags, 0);
		assert_non_null(strstr(out, "'START"));
		out[0] = '\0';
		finish();
		records("#1 close 4+0 'next' ''");
		assert_int_equal(last.join_ack, 70000 + (u32)total);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_response),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_connect_time),
		cmocka_unit_test(test_many_segments),
		cmocka_unit_test(test_long_turns),
		cmocka_unit_test(test_reordered),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_partial_overlaps),
		cmocka_unit_test(test_hole),
		cmocka_unit_test(test_head_after_the_rest),
		cmocka_unit_test(test_head_after_the_response),
		cmocka_unit_test(test_sequence_wrap),
		cmocka_unit_test(test_responder_speaks_first),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_fin),
		cmocka_unit_test(test_requester_half_closes),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_snapshots_asked_for),
		cmocka_unit_test(test_midway),
		cmocka_unit_test(test_jump_is_a_gap),
		cmocka_unit_test(test_more_than_4_gib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
