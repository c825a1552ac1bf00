// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Connections as an interface sees them, packet by packet, through the file tap: who asks, where a
 * connection begins and ends, and what is not of it. test_turn.c has what is inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_script.h"

static void assert_ends(u8 client, u16 client_port, u8 server, u16 server_port)
{
	assert_int_equal(last.remote[15], client);
	assert_int_equal(last.remote_port, client_port);
	assert_int_equal(last.local[15], server);
	assert_int_equal(last.local_port, server_port);
	assert_int_equal(last.role, ROLE_RESPONDER);
}

static void test_a_connection_from_its_beginning(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "hello");
	rsp(0, 5, "goodbye");
	records("");
	fin(true, 5, 7);
	fin(false, 7, 6);
	records("#0 fin 5+7 'hello' 'goodbye' reqfin rspfin");
	assert_ends(1, 40000, 2, 80);
	assert_int_equal(last.connect_us, 1);
	assert_int_equal(last.request_first_ns, 1004000);
	assert_int_equal(last.response_last_ns, 1005000);
	env_finish();
	records("");
}

/* Whichever of the two ends is the lower one, and by addresses only where ports are alike. */
static void test_the_one_that_sends_the_syn_asks(void **state)
{
	static const struct env_packet ends[] = {
		{.client = 1, .server = 2, .client_port = 40000, .server_port = 80},
		{.client = 2, .server = 1, .client_port = 40000, .server_port = 80},
		{.client = 1, .server = 2, .client_port = 80, .server_port = 40000},
		{.client = 2, .server = 1, .client_port = 80, .server_port = 40000},
		{.client = 9, .server = 9, .client_port = 1, .server_port = 2},
		{.client = 9, .server = 9, .client_port = 2, .server_port = 1},
		{.client = 1, .server = 2, .client_port = 179, .server_port = 179},
		{.v6 = true, .client = 1, .server = 2, .client_port = 3, .server_port = 2},
		{.v6 = true, .client = 2, .server = 1, .client_port = 3, .server_port = 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		begin();
		base = ends[i];
		handshake();
		rsp(0, 0, "HTTP/1.1 the responder speaks first");
		req(0, 35, "GET nothing");
		fin(false, 35, 11);
		records("#0 next 0+35 '' 'HTTP/1.1..35'; #1 fin 11+0 'GET nothing' '' rspfin");
		assert_ends(base.client, base.client_port, base.server, base.server_port);
	}
}

static void test_the_first_syn_counts(void **state)
{
	(void)state;
	begin();
	play(true, (u32)-1, 0, "", FLOW_SYN);
	env.now += 3000000;
	play(true, (u32)-1, 0, "", FLOW_SYN);
	play(false, (u32)-1, 0, "", FLOW_SYN | FLOW_ACK);
	env.now += 5000000;
	play(false, (u32)-1, 0, "", FLOW_SYN | FLOW_ACK);
	req(0, 0, "a");
	play(true, (u32)-1, 0, "", FLOW_SYN);
	play(false, (u32)-1, 0, "", FLOW_SYN | FLOW_ACK);
	rsp(0, 1, "b");
	fin(false, 1, 1);
	records("#0 fin 1+1 'a' 'b' rspfin");
	assert_int_equal(last.connect_us, 3002);
}

/* Only one of the two was seen: roles are known, the time is not. */
static void test_half_of_a_handshake(void **state)
{
	(void)state;
	begin();
	play(false, (u32)-1, 0, "", FLOW_SYN | FLOW_ACK);
	rsp(0, 0, "220 ready");
	req(0, 9, "EHLO");
	records("#0 next 0+9 '' '220 ready'");
	assert_ends(1, 40000, 2, 80);
	assert_int_equal(last.connect_us, 0);

	begin();
	play(true, (u32)-1, 0, "", FLOW_SYN);
	rsp(0, 0, "220 ready");
	req(0, 9, "EHLO");
	records("#0 next 0+9 '' '220 ready'");
	assert_ends(1, 40000, 2, 80);
	assert_int_equal(last.connect_us, 0);
}

static void test_sequence_numbers_around_zero(void **state)
{
	static const u32 numbers[] = {0, 1, (u32)-1, (u32)-2, 0x7fffffff, 0x80000000};

	(void)state;
	for (unsigned i = 0; i < 36; i++) {
		begin();
		first[0] = numbers[i / 6];
		first[1] = numbers[i % 6];
		handshake();
		req(0, 0, "hello");
		rsp(0, 5, "goodbye");
		req(5, 7, "again");
		rsp(7, 10, "and again");
		fin(false, 16, 10);
		records("#0 next 5+7 'hello' 'goodbye'; #1 fin 5+9 'again' 'and again' rspfin");
	}
}

/* ---- connections that are older than the tap ---- */

static void test_older_connections_by_what_they_say(void **state)
{
	(void)state;
	for (int higher = 0; higher < 2; higher++) {
		struct env_packet ports = {.client_port = higher ? 50000 : 1,
					   .server_port = higher ? 1 : 50000};

		begin();
		base = ports;
		req(500, 100, "GET / HTTP/1.1");
		rsp(100, 514, "HTTP/1.1 200");
		req(514, 112, "next");
		records("#0 next 14+12 'GET / HTTP/1.1' 'HTTP/1.1 200' midway");
		assert_ends(1, ports.client_port, 2, ports.server_port);

		begin();
		base = ports;
		rsp(100, 500, "HTTP/1.1 200");
		req(500, 112, "POST / HTTP/1.1");
		records("#0 next 0+12 '' 'HTTP/1.1 200' midway");
		assert_ends(1, ports.client_port, 2, ports.server_port);
		rsp(112, 515, "ok");
		fin(false, 114, 515);
		records("#1 fin 15+2 'POST / HTTP/1.1' 'ok' rspfin");
	}
}

static void test_older_connections_by_their_ports(void **state)
{
	(void)state;
	begin();
	rsp(100, 500, "middle of an answer");
	req(500, 119, "ask");
	records("#0 next 0+19 '' 'middle of an answer' midway");
	assert_ends(1, 40000, 2, 80);

	begin();
	base.client_port = 22;
	base.server_port = 2222;
	env.requests.file->ssh_shown = true;
	req(500, 100, "ask"); /* taken for an answer: the lower port is said to be the server's */
	env_finish();
	records("#0 sweep 0+3 '' 'ask' midway");
	assert_ends(2, 2222, 1, 22);
}

/* ---- what the wire does to segments ---- */

static void test_seen_twice(void **state)
{
	(void)state;
	begin();
	handshake();
	for (int i = 0; i < 2; i++)
		req(0, 0, "ask");
	for (int i = 0; i < 2; i++)
		rsp(0, 3, "answer");
	for (int i = 0; i < 2; i++)
		req(3, 6, "again");
	records("#0 next 3+6 'ask' 'answer'");
	for (int i = 0; i < 2; i++)
		fin(false, 6, 8);
	records("#1 fin 5+0 'again' '' rspfin");
}

static void test_overlaps_and_holes(void **state)
{
	(void)state;
	begin();
	handshake();
	req(4, 0, "efgh");
	req(0, 0, "abcdef");
	rsp(3, 8, "DEF");
	rsp(2, 8, "CDEFGH");
	rsp(0, 8, "AB");
	fin(false, 8, 8);
	records("#0 fin 8+8 'abcdefgh' 'ABCDEFGH' rspfin");

	begin();
	handshake();
	req(0, 0, "abc");
	rsp(0, 3, "AB");
	rsp(4, 3, "EF");
	fin(false, 6, 3);
	env_finish();
	records("#0 fin 3+6 'abc' 'AB' gap rspfin");
}

/* Bytes that were not captured are not in the heads, and counted all the same. */
static void test_cut_by_the_capture(void **state)
{
	(void)state;
	begin();
	handshake();
	base.cut = 4;
	req(0, 0, "GET / HTTP/1.1");
	rsp(0, 14, "HTTP/1.1 200");
	fin(false, 12, 14);
	assert_int_equal(last.request_bytes, 0);
	base.cut = 0;
	fin(false, 12, 14);
	assert_int_equal(last.request_bytes, 14);
	assert_int_equal(last.response_bytes, 12);
	assert_int_equal(last.request_head, 10);
}

static void test_fragments_are_left_out(void **state)
{
	(void)state;
	begin();
	handshake();
	base.fragment = 0x2000;
	req(0, 0, "a part");
	base.fragment = 100;
	req(0, 0, "another part");
	base.fragment = 0x4000; /* "do not fragment" */
	req(0, 0, "whole");
	fin(false, 0, 5);
	records("#0 fin 5+0 'whole' '' rspfin");
	assert_int_equal(env.requests.file->fragments, 2);
}

static void test_tunnels_are_networks_of_their_own(void **state)
{
	static const u32 keys[] = {0, 1, 2, 0xffffffff};

	(void)state;
	begin();
	for (unsigned i = 0; i < 4; i++) {
		base.key = keys[i];
		handshake();
	}
	for (unsigned i = 0; i < 4; i++) {
		base.key = keys[i];
		req(0, 0, "ask");
		rsp(0, 3, "answer");
	}
	records("");
	for (unsigned i = 0; i < 4; i++) {
		base.key = keys[i];
		fin(false, 6, 3);
		records("#0 fin 3+6 'ask' 'answer' rspfin");
	}
	assert_int_equal(env.requests.file->flows, 4);
}

/* TCP Fast Open: the request is in the SYN, an answer may be in the SYN-ACK. */
static void test_data_on_syn(void **state)
{
	(void)state;
	begin();
	play(true, (u32)-1, 0, "ask", FLOW_SYN);
	play(false, (u32)-1, 3, "", FLOW_SYN | FLOW_ACK);
	rsp(0, 3, "answer");
	req(3, 6, "more");
	records("#0 next 3+6 'ask' 'answer'");
	assert_ends(1, 40000, 2, 80);

	begin();
	play(true, (u32)-1, 0, "ask", FLOW_SYN);
	play(false, (u32)-1, 3, "answer", FLOW_SYN | FLOW_ACK);
	req(3, 6, "more");
	records("#0 next 3+6 'ask' 'answer'");
	/* The server did not take it: it comes again. */
	begin();
	play(true, (u32)-1, 0, "ask", FLOW_SYN);
	play(false, (u32)-1, 0, "", FLOW_SYN | FLOW_ACK);
	req(0, 0, "ask");
	rsp(0, 3, "answer");
	fin(false, 6, 3);
	records("#0 fin 3+6 'ask' 'answer' rspfin");
}

/* ---- turns ---- */

static void test_pipelined_requests_are_followed(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
	records("#0 req@0 'GET /1 H..38'");
	rsp(0, 38, "HTTP/1.1 200\r\n\r\n");
	records("#0 rsp@0 'HTTP/1.1 200\r\n\r\n'");
	fin(false, 16, 38);
	records("#0 fin 38+16 'GET /1 H..38' 'HTTP/1.1 200\r\n\r\n' follow rspfin");
}

static void test_a_mark_makes_it_a_stream(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "upgrade");
	rsp(0, 7, "switching");
	req(7, 9, "one");
	records("#0 next 7+9 'upgrade' 'switching'");
	tap_file.mark(&env.requests, &last, MARK_STREAM);
	rsp(9, 10, "two");
	req(10, 12, "three");
	rsp(12, 15, "four");
	req(15, 16, "five");
	fin(false, 16, 19);
	fin(true, 19, 17);
	records("#1 next 3+3 'one' 'two'; #2 close 9+4 'three' '' stream reqfin rspfin");
}

/* As where another CPU was inside the flow for too long. */
static void left_out(bool request)
{
	flow_skip(&env.requests.file->cookies->flow, turn_index(request));
}

/* Bytes of a body count by their numbers, and nothing of it is unknown. */
static void test_segments_left_out_within_a_turn(void **state)
{
	static char text[HEADS_MAX + 1];

	(void)state;
	memset(text, 'x', HEADS_MAX);
	begin();
	handshake();
	req(0, 0, text);
	left_out(true);
	req(5000, 0, "body");
	rsp(0, 5004, text);
	left_out(false);
	rsp(100000, 5004, "end");
	records("");
	req(5004, 100003, "next");
	assert_int_equal(last.flags & EX_GAP, 0);
	assert_int_equal(last.request_bytes, 5004);
	assert_int_equal(last.response_bytes, 100003);
}

/* They may have been a turn of their own, or the start of this one. */
static void test_segments_left_out_between_turns(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "one");
	left_out(true);
	rsp(0, 3, "ONE");
	left_out(false);
	req(3, 3, "two");
	records("#0 next 3+3 'one' 'ONE' gap");
	rsp(3, 6, "TWO");
	left_out(true);
	rsp(6, 6, "TOO");
	req(6, 9, "three");
	records("#1 next 3+6 'two' 'TWOTOO' gap");
	rsp(9, 11, "THREE");
	req(11, 14, "four");
	records("#2 next 5+5 'three' 'THREE'");
}

static void test_the_end_of_a_file(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "waits");
	env_finish();
	records("#0 sweep 5+0 'waits' ''");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_connection_from_its_beginning),
		cmocka_unit_test(test_the_one_that_sends_the_syn_asks),
		cmocka_unit_test(test_the_first_syn_counts),
		cmocka_unit_test(test_half_of_a_handshake),
		cmocka_unit_test(test_sequence_numbers_around_zero),
		cmocka_unit_test(test_older_connections_by_what_they_say),
		cmocka_unit_test(test_older_connections_by_their_ports),
		cmocka_unit_test(test_seen_twice),
		cmocka_unit_test(test_overlaps_and_holes),
		cmocka_unit_test(test_cut_by_the_capture),
		cmocka_unit_test(test_fragments_are_left_out),
		cmocka_unit_test(test_tunnels_are_networks_of_their_own),
		cmocka_unit_test(test_data_on_syn),
		cmocka_unit_test(test_pipelined_requests_are_followed),
		cmocka_unit_test(test_a_mark_makes_it_a_stream),
		cmocka_unit_test(test_segments_left_out_within_a_turn),
		cmocka_unit_test(test_segments_left_out_between_turns),
		cmocka_unit_test(test_the_end_of_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
