// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which transport a run takes: what is asked for, else the ring buffer wherever it may be there.
 * Kernels without one are not at hand, so the choice is asked with their answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/def.h"
#include "loader/feature.h"
#include "loader/transport.h"

static void test_what_is_asked_for_is_taken(void **state)
{
	static const int answers[] = {0, -EINVAL, -EPERM, -ENOMEM};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
		assert_int_equal(transport_choose(TRANSPORT_RING, answers[i]), TRANSPORT_RING);
		assert_int_equal(transport_choose(TRANSPORT_PERF, answers[i]), TRANSPORT_PERF);
	}
	assert_int_equal(transport_need(TRANSPORT_RING), NEED_RINGBUF);
	assert_int_equal(transport_need(TRANSPORT_PERF), NEED_PERF);
}

/* EINVAL is what bpf(2) says to a type of map that the kernel does not know. */
static void test_perf_where_there_is_no_ring_buffer(void **state)
{
	(void)state;
	assert_int_equal(transport_choose(TRANSPORT_AUTO, 0), TRANSPORT_RING);
	assert_int_equal(transport_choose(TRANSPORT_AUTO, -EINVAL), TRANSPORT_PERF);
	assert_int_equal(transport_need(TRANSPORT_AUTO),
			 feature_check(FEATURE_RINGBUF) == -EINVAL ? NEED_PERF : NEED_RINGBUF);
}

/* Without privileges it is not known, and what is missing is said to be those. */
static void test_no_privileges_are_not_a_missing_ring_buffer(void **state)
{
	(void)state;
	assert_int_equal(transport_choose(TRANSPORT_AUTO, -EPERM), TRANSPORT_RING);
	assert_int_equal(transport_choose(TRANSPORT_AUTO, -EACCES), TRANSPORT_RING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_asked_for_is_taken),
		cmocka_unit_test(test_perf_where_there_is_no_ring_buffer),
		cmocka_unit_test(test_no_privileges_are_not_a_missing_ring_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
