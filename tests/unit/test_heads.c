// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the kernel side keeps of heads, at their bounds, and how much of a response it tells.
 * A byte too many is somebody's body in a row, a byte too few an answer that is not found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct turn_lock {
	int none;
};

#include "kernel/heads.h"

static u8 wire[2048]; /* a segment; no two bytes near each other are alike */
static struct heads heads;

static packet_bytes segment(u32 captured)
{
	for (u32 i = 0; i < sizeof(wire); i++)
		wire[i] = (u8)(i % 251 + 1);
	memset(&heads, 0, sizeof(heads));
	return (packet_bytes){.p = wire, .captured = captured, .length = sizeof(wire)};
}

/* Nothing but n bytes of the segment, from `from` on, stands in the heads, at `at`. */
static void expect_bytes(u32 at, u32 from, u32 n)
{
	u8 want[HEADS_MAX] = {0};

	memcpy(want + at, wire + from, n);
	assert_memory_equal(heads.b, want, sizeof(want));
}

static void test_a_request_fills_its_part_and_no_more(void **state)
{
	packet_bytes b = segment(sizeof(wire));
	struct conn c = {.phase = PHASE_REQUEST};

	(void)state;
	assert_int_equal(heads_request(&b, &c, &heads, 7, 100), 100);
	expect_bytes(0, 7, 100);
	assert_int_equal(heads_request(&b, &c, &heads, 7, 2000), REQUEST_HEAD_MAX);
	expect_bytes(0, 7, REQUEST_HEAD_MAX);
}

static void test_a_request_is_left_out_where_the_response_stands(void **state)
{
	packet_bytes b = segment(sizeof(wire));
	struct conn c = {.phase = PHASE_RESPONSE};
	u32 n = 10, to = 0;

	(void)state;
	assert_int_equal(heads_request(&b, &c, &heads, 0, 100), 0);
	assert_false(heads_piece(&b, &c, &heads, 0, &n, 50, false, &to));
	expect_bytes(0, 0, 0);
}

static void test_a_response_has_what_the_request_left(void **state)
{
	const u32 small = HEADS_MAX - RESPONSE_HEAD_MAX;
	packet_bytes b = segment(sizeof(wire));
	struct conn c = {.phase = PHASE_RESPONSE, .response_base = (u16)small};

	(void)state;
	assert_int_equal(heads_response(&b, &c, &heads, 3, 2000), RESPONSE_HEAD_MAX);
	expect_bytes(small, 3, RESPONSE_HEAD_MAX);

	b = segment(sizeof(wire));
	c.response_base = REQUEST_HEAD_MAX;
	assert_int_equal(heads_response(&b, &c, &heads, 3, 2000), HEADS_MAX - REQUEST_HEAD_MAX);
	expect_bytes(REQUEST_HEAD_MAX, 3, HEADS_MAX - REQUEST_HEAD_MAX);

	/* No request is that long: what says so is not believed. */
	b = segment(sizeof(wire));
	c.response_base = REQUEST_HEAD_MAX + 1;
	assert_int_equal(heads_response(&b, &c, &heads, 3, 2000), 0);
	expect_bytes(0, 0, 0);
}

/* Every length, as pieces of 16 bytes and single ones have to meet. */
static void test_pieces_of_every_length(void **state)
{
	struct conn c = {.phase = PHASE_REQUEST};

	(void)state;
	for (u32 n = 1; n < REQUEST_HEAD_MAX; n++) {
		packet_bytes b = segment(sizeof(wire));
		u32 taken = n, to = 0;

		assert_true(heads_piece(&b, &c, &heads, 5, &taken, 1, false, &to));
		assert_int_equal(taken, n);
		assert_int_equal(to, 1);
		expect_bytes(1, 5, n);
	}
}

static void test_pieces_end_with_their_head(void **state)
{
	packet_bytes b = segment(sizeof(wire));
	struct conn c = {.phase = PHASE_REQUEST};
	u32 n = 100, to = 0;

	(void)state;
	assert_true(heads_piece(&b, &c, &heads, 0, &n, REQUEST_HEAD_MAX - 20, false, &to));
	assert_int_equal(n, 20);
	expect_bytes(REQUEST_HEAD_MAX - 20, 0, 20);
	n = 1;
	assert_false(heads_piece(&b, &c, &heads, 0, &n, REQUEST_HEAD_MAX, false, &to));

	/* Behind the longest request a response has less room. */
	b = segment(sizeof(wire));
	c = (struct conn){.phase = PHASE_RESPONSE, .response_base = REQUEST_HEAD_MAX};
	n = 1000;
	assert_true(heads_piece(&b, &c, &heads, 0, &n, 28, true, &to));
	assert_int_equal(n, HEADS_MAX - REQUEST_HEAD_MAX - 28);
	assert_int_equal(to, REQUEST_HEAD_MAX + 28);
	expect_bytes(to, 0, n);
}

static void test_pieces_that_were_not_captured(void **state)
{
	struct conn c = {.phase = PHASE_REQUEST};

	(void)state;
	/* In a piece of 16, in the single bytes of a short one, and in the last piece. */
	for (u32 captured = 0; captured < 40; captured++) {
		packet_bytes b = segment(captured);
		u32 n = captured < 10 ? 10 : 40, to = 0;

		assert_false(heads_piece(&b, &c, &heads, 0, &n, 1, false, &to));
	}
}

/* A request's head of its own length in front, then a response of `length` bytes. */
static u32 told(const char *request, const char *response, u32 length, bool all)
{
	u32 base = (u32)strlen(request);
	struct ended e = {.end = END_NEXT,
			  .request_bytes = base,
			  .response_bytes = length,
			  .response_base = (u16)base,
			  .response_head = (u16)length};

	memset(&heads, ' ', sizeof(heads));
	heads.request = (u16)base;
	memcpy(heads.b, request, base);
	memcpy(heads.b + base, response, strlen(response));
	return heads_told(&e, &heads, all);
}

#define GET "GET / HTTP/1.1\r\n\r\n"

static void test_of_an_answer_that_is_over_only_the_status_is_told(void **state)
{
	(void)state;
	assert_int_equal(told(GET, "HTTP/1.1 200 OK\r\n", 192, false), STATUS_MAX);
	assert_int_equal(told(GET, "HTTP/1.1 404 Not Found\r\n", 65, false), STATUS_MAX);
}

static void test_answers_that_are_told_whole(void **state)
{
	struct ended e = {.end = END_CLOSE, .response_head = 192};

	(void)state;
	/* Somebody asked; short; not over, so the rest comes behind it; with a body; not HTTP. */
	assert_int_equal(told(GET, "HTTP/1.1 200 OK\r\n", 192, true), 192);
	assert_int_equal(told(GET, "HTTP/1.1 200 OK\r\n", STATUS_MAX, false), STATUS_MAX);
	assert_int_equal(told(GET, "HTTP/1.1 100 Continue\r\n", 192, false), 192);
	assert_int_equal(told("POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", 192, false), 192);
	assert_int_equal(told(GET, "SSH-2.0-OpenSSH\r\n", 192, false), 192);
	assert_int_equal(heads_told(&e, &(struct heads){.request = 0}, false), 192);
}

static void test_a_head_that_another_cpu_has_moved_is_not_told(void **state)
{
	struct ended e = {.response_base = 20, .response_head = 100};

	(void)state;
	heads.request = 30;
	assert_int_equal(heads_told(&e, &heads, true), 0);
	e = (struct ended){.end = END_NEXT,
			   .request_bytes = REQUEST_HEAD_MAX + 1,
			   .response_base = REQUEST_HEAD_MAX + 1,
			   .response_head = 100};
	heads.request = REQUEST_HEAD_MAX + 1;
	memcpy(heads.b, "GET ", 4);
	assert_int_equal(heads_told(&e, &heads, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_fills_its_part_and_no_more),
		cmocka_unit_test(test_a_request_is_left_out_where_the_response_stands),
		cmocka_unit_test(test_a_response_has_what_the_request_left),
		cmocka_unit_test(test_pieces_of_every_length),
		cmocka_unit_test(test_pieces_end_with_their_head),
		cmocka_unit_test(test_pieces_that_were_not_captured),
		cmocka_unit_test(test_of_an_answer_that_is_over_only_the_status_is_told),
		cmocka_unit_test(test_answers_that_are_told_whole),
		cmocka_unit_test(test_a_head_that_another_cpu_has_moved_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
