// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* From sent to acknowledged: which segments are timed, which calls are, and what is not measured
 * rather than guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/def.h"

struct turn_lock {
	int none;
};

#include "tools/latency/sends.h"

static u64 call_took(struct sends *s, u32 end, u32 bytes, u64 now)
{
	u64 took = 0;

	assert_true(sends_returned(s, end, bytes, now, &took));
	return took;
}

static void test_one_segment(void **state)
{
	struct sends s = {0};

	(void)state;
	sends_out(&s, 1000, 100, false, 10);
	assert_int_equal(sends_round_trip(&s, 1000, 15), 0); /* of what came before */
	assert_int_equal(sends_round_trip(&s, 1099, 20), 0); /* not of all of it */
	assert_int_equal(sends_round_trip(&s, 1100, 30), 20);
	assert_int_equal(sends_round_trip(&s, 1100, 40), 0); /* again */
}

/* What goes out while one is timed is not timed; the next one after it is. */
static void test_one_at_a_time(void **state)
{
	struct sends s = {0};

	(void)state;
	sends_out(&s, 0, 10, false, 100);
	sends_out(&s, 10, 10, false, 105);
	assert_int_equal(sends_round_trip(&s, 20, 120), 20);
	sends_out(&s, 20, 10, false, 200);
	assert_int_equal(sends_round_trip(&s, 30, 203), 3);
}

/* Karn: of what was sent again it is not known which one was acknowledged. */
static void test_sent_again(void **state)
{
	struct sends s = {0};

	(void)state;
	sends_out(&s, 0, 10, false, 100);
	sends_out(&s, 0, 10, false, 300);
	assert_int_equal(sends_round_trip(&s, 10, 310), 0);
	sends_out(&s, 10, 10, false, 400);
	assert_int_equal(sends_round_trip(&s, 20, 407), 7);
	sends_out(&s, 20, 10, false, 500);
	sends_out(&s, 15, 25, false, 600); /* cut anew: partly again */
	assert_int_equal(sends_round_trip(&s, 40, 610), 0);
}

/* A FIN takes a number: what acknowledges it acknowledges the bytes before it too. */
static void test_fin(void **state)
{
	struct sends s = {0};

	(void)state;
	sends_out(&s, 0, 10, true, 100);
	assert_int_equal(s.timed_len, 10);
	assert_int_equal(sends_round_trip(&s, 11, 120), 20);
	s = (struct sends){0};
	sends_out(&s, 0, 10, false, 100);
	assert_int_equal(sends_round_trip(&s, 10, 110), 10);
	sends_out(&s, 10, 0, true, 200);
	assert_int_equal(sends_round_trip(&s, 11, 220), 0); /* nothing but a FIN */
}

/* An acknowledgement of what was never sent: a forged one, or of before the first look. */
static void test_acknowledges_too_much(void **state)
{
	struct sends s = {0};

	(void)state;
	assert_int_equal(sends_round_trip(&s, 5, 5), 0);
	sends_out(&s, 100, 10, false, 10);
	assert_int_equal(sends_round_trip(&s, 111, 20), 0);
	assert_int_equal(sends_round_trip(&s, 110, 30), 20);
}

static void test_numbers_wrap(void **state)
{
	struct sends s = {0};
	struct call c;

	(void)state;
	sends_out(&s, 0xfffffff0, 0x20, false, 10);
	assert_int_equal(call_took(&s, 0x10, 0x20, 12), 0);
	assert_int_equal(sends_round_trip(&s, 0xfffffff8, 15), 0);
	assert_false(sends_acked(&s, &c));
	assert_int_equal(sends_round_trip(&s, 0x10, 20), 10);
	assert_true(sends_acked(&s, &c));
	assert_int_equal(c.began_ns, 10);
	assert_int_equal(c.bytes, 0x20);
	assert_false(sends_acked(&s, &c));
}

/* On loopback the acknowledgement comes before the call returns. */
static void test_acknowledged_before_it_returns(void **state)
{
	struct sends s = {0};

	(void)state;
	sends_out(&s, 0, 10, false, 100);
	assert_int_equal(sends_round_trip(&s, 10, 104), 4);
	assert_int_equal(call_took(&s, 10, 10, 110), 4);
	assert_int_equal(s.n, 0);
	sends_out(&s, 10, 10, false, 200);
	assert_int_equal(sends_round_trip(&s, 20, 207), 7);
	assert_int_equal(call_took(&s, 20, 10, 210), 7);
}

/* A call whose bytes wait behind those of the one before began when it returned: it had room. */
static void test_bytes_that_wait(void **state)
{
	struct sends s = {0};
	struct call c;

	(void)state;
	sends_out(&s, 0, 10, false, 100);
	assert_int_equal(call_took(&s, 10, 10, 101), 0);
	assert_int_equal(call_took(&s, 30, 20, 150), 0); /* none of it is out yet */
	assert_int_equal(sends_round_trip(&s, 10, 180), 80);
	assert_true(sends_acked(&s, &c));
	assert_int_equal(c.began_ns, 100);
	sends_out(&s, 10, 20, false, 190);
	assert_int_equal(sends_round_trip(&s, 30, 300), 110);
	assert_true(sends_acked(&s, &c));
	assert_int_equal(c.began_ns, 150);
	assert_int_equal(c.bytes, 20);
	sends_out(&s, 30, 5, false, 400); /* and the next call's begins with its own first byte */
	assert_int_equal(call_took(&s, 35, 5, 401), 0);
	assert_int_equal(sends_round_trip(&s, 35, 410), 10);
	assert_true(sends_acked(&s, &c));
	assert_int_equal(c.began_ns, 400);
}

static void test_calls_that_began_where_it_was_seen(void **state)
{
	struct sends s = {0};
	struct call c;

	(void)state;
	sends_begin(&s, 0);
	s.call_ns = 90; /* fentry */
	sends_out(&s, 0, 10, false, 100);
	assert_int_equal(call_took(&s, 10, 10, 101), 0);
	assert_int_equal(sends_round_trip(&s, 10, 180), 80);
	assert_true(sends_acked(&s, &c));
	assert_int_equal(c.began_ns, 90);
}

static void test_too_many_calls(void **state)
{
	struct sends s = {0};
	struct call c;
	u64 took;
	u32 n = 0;

	(void)state;
	for (u32 i = 0; i < CALLS; i++) {
		sends_out(&s, i * 10, 10, false, i + 1);
		assert_int_equal(call_took(&s, i * 10 + 10, 10, i + 1), 0);
	}
	assert_false(sends_returned(&s, CALLS * 10 + 10, 10, 99, &took));
	(void)sends_round_trip(&s, CALLS * 10, 100);
	for (; sends_acked(&s, &c); n++)
		assert_int_equal(c.end, n * 10 + 10);
	assert_int_equal(n, CALLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_segment),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_sent_again),
		cmocka_unit_test(test_fin),
		cmocka_unit_test(test_acknowledges_too_much),
		cmocka_unit_test(test_numbers_wrap),
		cmocka_unit_test(test_acknowledged_before_it_returns),
		cmocka_unit_test(test_bytes_that_wait),
		cmocka_unit_test(test_calls_that_began_where_it_was_seen),
		cmocka_unit_test(test_too_many_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
