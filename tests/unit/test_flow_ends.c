// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* How connections end as an interface sees them, what comes late, and what is told of turns that
 * the tap did not see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_script.h"

/* ---- ends ---- */

static void test_fin_before_the_last_data(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "ask");
	rsp(0, 3, "abc");
	fin(false, 9, 3); /* overtakes "defghi" */
	records("");
	rsp(3, 3, "defghi");
	records("#0 fin 3+9 'ask' 'abcdefghi' rspfin");
	fin(true, 3, 10);
	env_finish();
	records("");
}

static void test_data_with_fin(void **state)
{
	(void)state;
	begin();
	handshake();
	play(true, 0, 0, "ask", FLOW_ACK | FLOW_PSH | FLOW_FIN);
	records("");
	play(false, 0, 4, "answer", FLOW_ACK | FLOW_PSH | FLOW_FIN);
	records("#0 fin 3+6 'ask' 'answer' reqfin rspfin");
}

static void test_the_client_is_done_before_the_answer(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "ask");
	fin(true, 3, 0);
	records("");
	env.now += 60000000000;
	rsp(0, 4, "late");
	fin(false, 4, 4);
	records("#0 fin 3+4 'ask' 'late' reqfin rspfin");
}

static void test_reset(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "ask");
	play(false, 0, 3, "", FLOW_RST | FLOW_ACK);
	records("#0 close 3+0 'ask' '' reset");

	/* Somebody guesses: too far from any byte of the connection. */
	begin();
	handshake();
	req(0, 0, "ask");
	play(false, 0x40000000, 3, "", FLOW_RST);
	play(true, 0x40000000, 3, "", FLOW_RST);
	records("");
	rsp(0, 3, "answer");
	fin(false, 6, 3);
	records("#0 fin 3+6 'ask' 'answer' rspfin");
}

/* What is sent again behind the end, and what was on its way, is of no connection. */
static void test_late_segments(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "ask");
	rsp(0, 3, "answer");
	fin(false, 6, 3);
	fin(true, 3, 7);
	records("#0 fin 3+6 'ask' 'answer' rspfin");
	env.now += 5000000000;
	req(0, 0, "ask");
	rsp(0, 3, "answer");
	fin(true, 3, 7);
	fin(false, 6, 3);
	play(false, 7, 3, "", FLOW_RST);
	env_finish();
	records("");
	/* Soon after a reset, what the other side had sent before it knew. */
	begin();
	handshake();
	req(0, 0, "ask");
	play(true, 3, 0, "", FLOW_RST);
	records("#0 close 3+0 'ask' '' reset");
	rsp(0, 3, "answer");
	env_finish();
	records("");
}

static void test_a_port_used_again(void **state)
{
	(void)state;
	begin();
	for (u32 i = 0; i < 3; i++) {
		first[0] = 1000 + i * 100000;
		first[1] = 5000 + i * 300000;
		handshake();
		req(0, 0, "ask");
		rsp(0, 3, "answer");
		fin(false, 6, 3);
		fin(true, 3, 7);
		records("#0 fin 3+6 'ask' 'answer' rspfin");
		assert_int_equal(last.connect_us, 1);
	}
	/* Without an end of the one before: that is its end. */
	handshake();
	first[0] += 1000000;
	req(0, 0, "not of it"); /* far away, but no SYN: a lost place of the same connection */
	begin();
	handshake();
	req(0, 0, "ask");
	first[0] += 1000000;
	first[1] += 1000000;
	handshake();
	records("#0 close 3+0 'ask' ''");
	req(0, 0, "other");
	fin(false, 0, 5);
	records("#0 fin 5+0 'other' '' rspfin");
}

/* Anybody may send a SYN: it takes an answer to end what is there. */
static void test_a_syn_that_is_not_answered(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "ask");
	play(true, 500000, 0, "", FLOW_SYN);
	rsp(0, 3, "answer");
	fin(false, 6, 3);
	fin(true, 3, 7);
	records("#0 fin 3+6 'ask' 'answer' rspfin");
}

/* ---- what was lost before it was seen ---- */

/* The tap did not see all: what the other side acknowledges passed it. */
static void test_turns_that_were_lost(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "one");
	/* An answer of 6 bytes. */
	req(3, 6, "two");
	records("#0 next 3+6 'one' '' gap");
	assert_int_equal(last.response_first_ns, 0);
	assert_int_equal(last.response_last_ns, 0);
	rsp(6, 6, "answer");
	/* A request of 5 bytes. */
	rsp(12, 11, "ANSWER");
	records("#1 next 3+6 'two' 'answer'");
	fin(false, 18, 11);
	records("#2 fin 5+6 '' 'ANSWER' gap rspfin");
	assert_int_equal(last.request_first_ns, 0);
	/* One after the other, and what is behind is whole again. */
	begin();
	handshake();
	req(0, 0, "one");
	req(10, 30, "four");
	records("#0 next 10+30 'one' '' gap");
	rsp(30, 14, "FOUR");
	req(14, 34, "five");
	records("#1 next 4+4 'four' 'FOUR' gap");
	rsp(34, 18, "FIVE");
	fin(false, 38, 18);
	records("#2 fin 4+4 'five' 'FIVE' rspfin");
}

static void test_ends_of_turns_that_were_lost(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "one");
	rsp(0, 3, "begins");
	req(3, 10, "two"); /* acknowledges 4 more */
	records("#0 next 3+10 'one' 'begins' gap");
	assert_int_equal(last.response_last_ns, 1005000);
	req(6, 10, "and");
	rsp(10, 12, "answer"); /* acknowledges 3 more */
	records("");
	fin(true, 12, 20); /* so does a FIN */
	fin(false, 20, 13);
	records("#1 fin 9+10 'twoand' 'answer' gap reqfin rspfin");
	/* The server's own FIN comes behind what was lost. */
	begin();
	handshake();
	req(0, 0, "one");
	rsp(0, 3, "begins");
	fin(false, 10, 3);
	env_finish();
	records("#0 sweep 3+6 'one' 'begins' gap rspfin");
	/* The number that a FIN takes is no byte. */
	begin();
	handshake();
	req(0, 0, "one");
	rsp(0, 3, "answer");
	fin(true, 3, 7);
	env_finish();
	records("#0 sweep 3+6 'one' 'answer' reqfin");
}

/* Where the start of a head is missing nothing stands, above all not what stood there before. */
static void test_starts_of_heads_that_were_lost(void **state)
{
	static const u8 nothing[5] = {0};

	(void)state;
	begin();
	handshake();
	req(0, 0, "secret");
	rsp(0, 6, "SECRET");
	req(11, 6, "end");
	records("#0 next 6+6 'secret' 'SECRET'");
	rsp(11, 14, "END");
	fin(false, 14, 14);
	assert_memory_equal(out, "#1 fin 8+8 '", 12);
	assert_int_equal(last.flags, EX_GAP | EX_RSP_FIN);
	assert_int_equal(last.request_head, 8);
	assert_int_equal(last.response_head, 8);
	assert_memory_equal(last_heads, nothing, 5);
	assert_memory_equal(last_heads + 5, "end", 3);
	assert_memory_equal(last_heads + 8, nothing, 5);
	assert_memory_equal(last_heads + 13, "END", 3);
	/* Too far in for a head. */
	begin();
	handshake();
	req(0, 0, "one");
	rsp(1000, 3, "late");
	fin(false, 1004, 3);
	records("#0 fin 3+1004 'one' '' gap rspfin");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fin_before_the_last_data),
		cmocka_unit_test(test_data_with_fin),
		cmocka_unit_test(test_the_client_is_done_before_the_answer),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_late_segments),
		cmocka_unit_test(test_a_port_used_again),
		cmocka_unit_test(test_a_syn_that_is_not_answered),
		cmocka_unit_test(test_turns_that_were_lost),
		cmocka_unit_test(test_ends_of_turns_that_were_lost),
		cmocka_unit_test(test_starts_of_heads_that_were_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
