// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* HTTP connections as an interface sees them where requests do not wait for answers, and what is
 * told of bytes that came late, or that nobody saw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_script.h"

#define GET  "GET / HTTP/1.1\r\n\r\n"  /* 18 bytes */
#define POST "POST / HTTP/1.1\r\n\r\n" /* 19 bytes */
#define OK   "HTTP/1.1 200"            /* 12 bytes */

/* ---- what crosses an answer ---- */

static void test_a_request_that_crosses_an_answer_is_followed(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, GET);
	rsp(0, 18, OK);
	records("");
	req(18, 0, "GET /2\r\n\r\n"); /* was sent before any of the answer had come */
	records("#0 next 18+12 '" GET "' 'HTTP/1.1 200' follow; #1 req@18 'GET /2\r\n\r\n'");
	rsp(12, 28, "404");
	fin(false, 15, 28);
	records("#1 rsp@12 '404'; #1 fin 10+3 'GET /2\r\n\r\n' '404' follow rspfin");
}

static void test_an_upload_that_crosses_its_answer_is_one_request(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, POST);
	rsp(0, 19, OK);
	req(19, 0, "the rest");
	fin(false, 12, 27);
	records(""); /* more may cross */
	fin(true, 27, 13);
	records("#0 close 27+12 '" POST "' 'HTTP/1.1 200' overlap reqfin rspfin");
}

/* Too few bytes to be a method, as far as they were captured. */
static void test_what_crosses_and_was_not_captured_is_no_request(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, GET);
	rsp(0, 18, OK);
	base.cut = 7;
	req(18, 0, "GET /2\r\n\r\n");
	base.cut = 0;
	fin(false, 12, 28);
	fin(true, 28, 13);
	records("#0 close 28+12 '" GET "' 'HTTP/1.1 200' overlap reqfin rspfin");
}

/* ---- what user space has learned ---- */

static void test_a_mark_makes_it_followed_from_the_next_request_on(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, GET);
	rsp(0, 18, OK);
	req(18, 12, GET);
	records("#0 next 18+12 '" GET "' 'HTTP/1.1 200'");
	tap_file.mark(&env.requests, &last, MARK_FOLLOW);
	rsp(12, 36, OK);
	req(36, 24, "GET /3");
	records("#1 next 18+12 '" GET "' 'HTTP/1.1 200'; #2 req@36 'GET /3'");
	rsp(24, 42, OK);
	fin(false, 36, 42);
	records("#2 rsp@24 'HTTP/1.1 200'; #2 fin 6+12 'GET /3' 'HTTP/1.1 200' follow rspfin");
}

/* ---- late, and never ---- */

static void test_a_start_that_comes_after_the_answer_is_not_taken(void **state)
{
	(void)state;
	begin();
	handshake();
	req(2, 0, "cd");
	rsp(0, 4, "answer");
	req(0, 0, "ab");
	fin(false, 6, 4);
	assert_int_equal(last.flags, EX_GAP | EX_RSP_FIN);
	assert_int_equal(last.request_bytes, 4);
	assert_int_equal(last.request_head, 4);
	assert_memory_equal(last_heads, "\0\0cdanswer", 10);
}

/* Headers alone, as a capture with a small snap length has them. */
static void test_payload_that_was_not_captured_at_all(void **state)
{
	(void)state;
	begin();
	handshake();
	base.cut = 5;
	req(0, 0, "abcde");
	rsp(0, 5, "ABCDE");
	base.cut = 0;
	req(5, 5, "ab");
	records("#0 next 5+5 '' '' gap");
	rsp(5, 7, "AB");
	fin(false, 7, 7);
	records("#1 fin 2+2 'ab' 'AB' rspfin");
}

/* An answer's end, the next request and its answer's beginning: the last tells the others. */
static void test_an_end_and_the_turn_after_it_were_lost(void **state)
{
	(void)state;
	begin();
	handshake();
	req(0, 0, "one");
	rsp(0, 3, "abc");
	rsp(6, 8, "next"); /* "def" and five bytes of a request passed */
	records("#0 next 3+6 'one' 'abc' gap");
	req(8, 10, "two");
	records("#1 next 5+4 '' 'next' gap");
	rsp(10, 11, "TWO");
	fin(false, 13, 11);
	records("#2 fin 3+3 'two' 'TWO' rspfin");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_that_crosses_an_answer_is_followed),
		cmocka_unit_test(test_an_upload_that_crosses_its_answer_is_one_request),
		cmocka_unit_test(test_what_crosses_and_was_not_captured_is_no_request),
		cmocka_unit_test(test_a_mark_makes_it_followed_from_the_next_request_on),
		cmocka_unit_test(test_a_start_that_comes_after_the_answer_is_not_taken),
		cmocka_unit_test(test_payload_that_was_not_captured_at_all),
		cmocka_unit_test(test_an_end_and_the_turn_after_it_were_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
