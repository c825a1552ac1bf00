// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Joining ends of which something is known: that the other one is on this host, and so worth a
 * longer wait, or whose it is, so that it sends no record of its own. */
#include "join_ends.h"

#define PAIRED_HOLD 1000

static void add_told(struct join *j, struct exchange requester, struct exchange responder,
		     uint64_t now)
{
	assert_int_equal(join_add_told(j, &requester, &responder, now), 0);
}

static void test_a_paired_end_waits_longer(void **state)
{
	_cleanup_join_ struct join *j = new_join_holding(8, 8, PAIRED_HOLD);

	(void)state;
	add(j, end_of(1, 0, REQ, 7), 0);
	add(j, end_of(2, 0, RSP, 7), 0);
	handed("1.0+2.0");
	add(j, end_of(1, 1, REQ, 8), 10);
	add(j, end_of(3, 0, REQ, 9), 20); /* of a connection that never was joined */
	join_expire(j, 20 + HOLD);
	handed("3.0+-");
	join_expire(j, 9 + PAIRED_HOLD);
	handed("");
	add(j, end_of(2, 1, RSP, 8), 9 + PAIRED_HOLD);
	handed("1.1+2.1");
	add(j, end_of(1, 2, REQ, 10), 2000);
	join_expire(j, 2000 + PAIRED_HOLD);
	handed("1.2+-");
	check_account(j);
}

static void test_an_end_on_loopback_waits_longer(void **state)
{
	_cleanup_join_ struct join *j = new_join_holding(8, 8, PAIRED_HOLD);
	struct exchange x = end_of(1, 0, REQ, 7);

	(void)state;
	x.loopback = 1;
	add(j, x, 0);
	join_expire(j, PAIRED_HOLD - 1);
	handed("");
	join_expire(j, PAIRED_HOLD);
	handed("1.0+-");
}

static void test_told_is_handed_on_at_once(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add_told(j, end_of(1, 5, REQ, 7), end_of(2, 5, RSP, 7), 0);
	handed("1.5+2.5");
	assert_int_equal(join_counts(j).told, 1);
	assert_int_equal(join_counts(j).held, 0);
	check_account(j);
}

static void test_told_replaces_snapshots_of_both_ends(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, snapshot_of(1, 5, REQ, 7, 1), 0);
	add(j, snapshot_of(2, 5, RSP, 7, 1), 0);
	add_told(j, end_of(1, 5, REQ, 7), end_of(2, 5, RSP, 7), 10);
	handed("1.5+2.5");
	assert_int_equal(join_counts(j).held, 0);
	add(j, snapshot_of(1, 5, REQ, 7, 2), 20); /* too late: it was handed on */
	join_flush(j);
	handed("");
	check_account(j);
}

/* The requester's own final record came after all: it knows more than what was made up. */
static void test_told_takes_the_other_end_that_waits(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 6, REQ, 7), 0);
	add_told(j, end_of(1, 5, REQ, 7), end_of(2, 5, RSP, 7), 10);
	handed("1.6+2.5");
	assert_int_equal(join_counts(j).joined, 1);
	assert_int_equal(join_counts(j).told, 0);
	assert_int_equal(join_counts(j).held, 0);
	check_account(j);
}

static void test_a_snapshot_in_flight_is_found_by_its_end(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	assert_null(join_snapshot(j, 2));
	add(j, snapshot_of(1, 5, REQ, 7, 1), 0);
	add(j, snapshot_of(3, 4, RSP, 9, 1), 0);
	assert_int_equal(join_snapshot(j, 1)->number, 5);
	assert_int_equal(join_snapshot(j, 3)->number, 4);
	assert_null(join_snapshot(j, 2));
	add(j, end_of(3, 4, RSP, 9), 10);
	assert_null(join_snapshot(j, 3));
	assert_int_equal(join_snapshot(j, 1)->number, 5);
}

static void test_told_after_a_whole_snapshot_is_swallowed(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	whole_from = 1;
	add(j, snapshot_of(1, 5, REQ, 7, 1), 0);
	add(j, snapshot_of(2, 5, RSP, 7, 1), 0);
	handed("1.5s+2.5s");
	add_told(j, end_of(1, 5, REQ, 7), end_of(2, 5, RSP, 7), 10);
	handed("");
	assert_int_equal(join_counts(j).swallowed, 1);
	check_account(j);
}

static void test_told_with_contradicting_lengths(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);
	struct exchange q = end_of(1, 0, REQ, 7), x = end_of(2, 0, RSP, 7);

	(void)state;
	x.request_head = 1;
	assert_int_equal(join_add_told(j, &q, &x, 0), -EBADMSG);
	handed("");
	assert_int_equal(join_counts(j).taken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_paired_end_waits_longer),
		cmocka_unit_test(test_an_end_on_loopback_waits_longer),
		cmocka_unit_test(test_told_is_handed_on_at_once),
		cmocka_unit_test(test_told_replaces_snapshots_of_both_ends),
		cmocka_unit_test(test_told_takes_the_other_end_that_waits),
		cmocka_unit_test(test_a_snapshot_in_flight_is_found_by_its_end),
		cmocka_unit_test(test_told_after_a_whole_snapshot_is_swallowed),
		cmocka_unit_test(test_told_with_contradicting_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
