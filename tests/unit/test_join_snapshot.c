// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Snapshots of exchanges that have not ended: replaced, complete, superseded, forgotten; and the
 * list of what is in flight. */
#include "join_ends.h"

static void test_final_replaces_snapshot(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, snapshot_of(1, 0, REQ, 7, 0), 0);
	add(j, snapshot_of(2, 0, RSP, 7, 0), 0);
	add(j, snapshot_of(1, 0, REQ, 7, 5), 1000);
	add(j, snapshot_of(2, 0, RSP, 7, 5), 1000);
	join_expire(j, 5000);
	handed(""); /* in flight as long as it takes */
	assert_int_equal(join_counts(j).held, 2);
	add(j, end_of(1, 0, REQ, 7), 5000);
	handed("");
	add(j, end_of(2, 0, RSP, 7), 5001);
	handed("1.0+2.0");
	assert_int_equal(join_counts(j).held, 0);
	assert_int_equal(join_counts(j).replaced, 4);
	check_account(j);
}

/* The server still works on it, the client is gone: the row does not wait for the server. */
static void test_final_and_snapshot(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, snapshot_of(2, 0, RSP, 7, 0), 0);
	add(j, end_of(1, 0, REQ, 7), 1000);
	join_expire(j, 1099);
	handed("");
	join_expire(j, 1100);
	handed("1.0+2.0s");
	add(j, snapshot_of(2, 0, RSP, 7, 0), 1200);
	add(j, end_of(2, 0, RSP, 7), 1300);
	join_flush(j);
	handed(""); /* it was handed on already */
	assert_int_equal(join_counts(j).swallowed, 2);
	check_account(j);
}

static void test_snapshot_after_the_other_end(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 0, REQ, 7), 0);
	add(j, snapshot_of(2, 0, RSP, 7, 0), 10);
	add(j, end_of(2, 0, RSP, 7), 20);
	handed("1.0+2.0");
	assert_int_equal(join_counts(j).held, 0);
}

static void test_complete_with_both_ends(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	whole_from = 100;
	add(j, snapshot_of(1, 0, REQ, 7, 100), 0);
	handed("");
	add(j, snapshot_of(2, 0, RSP, 7, 100), 1);
	handed("1.0s+2.0s");
	add(j, snapshot_of(1, 0, REQ, 7, 100), 500); /* the next sweep */
	add(j, snapshot_of(2, 0, RSP, 7, 100), 500);
	add(j, end_of(1, 0, REQ, 7), 900);
	add(j, end_of(2, 0, RSP, 7), 900);
	join_flush(j);
	handed("");
	assert_int_equal(join_counts(j).swallowed, 4);
	check_account(j);
}

static void test_complete_alone_after_hold(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	whole_from = 100;
	add(j, snapshot_of(2, 0, RSP, 7, 100), 0);
	add(j, snapshot_of(2, 0, RSP, 7, 100), 50); /* does not start the wait again */
	join_expire(j, 99);
	handed("");
	join_expire(j, 100);
	handed("-+2.0s");
	add(j, end_of(2, 0, RSP, 7), 900);
	join_flush(j);
	handed("");
}

/* Sweeps may be further apart than an end waits. A final record waits for none. */
static void test_complete_alone_after_the_next_sweep(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	whole_from = 100;
	add(j, snapshot_of(1, 0, REQ, 7, 100), 20);
	add(j, snapshot_of(4, 0, RSP, 8, 100), 20);
	add(j, end_of(5, 0, REQ, 9), 20);
	join_swept(j, 10); /* which they came in */
	join_expire(j, 5000);
	handed("5.0+-");
	add(j, snapshot_of(2, 0, RSP, 7, 100), 5010);
	handed("1.0s+2.0s");
	join_swept(j, 5000);
	join_expire(j, 5020);
	handed("-+4.0s");
	check_account(j);
}

/* Nothing can join it, so there is nothing to wait for. */
static void test_complete_without_key(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	whole_from = 100;
	add(j, snapshot_of(2, 0, RSP, 0, 99), 0);
	handed("");
	add(j, snapshot_of(2, 0, RSP, 0, 100), 0);
	handed("-+2.0s");
	add(j, end_of(2, 0, RSP, 0), 1);
	handed("");
}

/* One end's snapshot shows the whole response, the other one's was made a moment earlier. */
static void test_one_end_complete_waits_for_the_other(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	whole_from = 100;
	add(j, snapshot_of(1, 0, REQ, 7, 60), 0);
	add(j, snapshot_of(2, 0, RSP, 7, 100), 0);
	join_expire(j, 99);
	handed("");
	add(j, snapshot_of(1, 0, REQ, 7, 100), 99);
	handed("1.0s+2.0s");
	add(j, snapshot_of(3, 0, REQ, 8, 60), 200);
	add(j, snapshot_of(4, 0, RSP, 8, 100), 200);
	join_expire(j, 300);
	handed("3.0s+4.0s"); /* waited long enough */
	add(j, end_of(3, 0, REQ, 8), 400);
	add(j, end_of(4, 0, RSP, 8), 400);
	join_flush(j);
	handed("");
	check_account(j);
}

static void test_complete_then_final_within_hold(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	whole_from = 100;
	add(j, snapshot_of(1, 0, REQ, 7, 100), 0);
	add(j, end_of(1, 0, REQ, 7), 10);
	add(j, end_of(2, 0, RSP, 7), 20);
	handed("1.0+2.0");
	join_flush(j);
	handed("");
}

/* After the swallowed record the connection's next exchange counts again. */
static void test_next_exchange_after_swallow(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	whole_from = 100;
	add(j, snapshot_of(2, 0, RSP, 7, 100), 0);
	join_expire(j, HOLD);
	handed("-+2.0s");
	add(j, snapshot_of(2, 1, RSP, 8, 50), 200); /* the final record of 0 comes after it */
	add(j, end_of(2, 0, RSP, 7), 201);
	add(j, end_of(2, 1, RSP, 8), 202);
	join_flush(j);
	handed("-+2.1");
	check_account(j);
}

/* Memory is bounded: past it, a final record that comes late is a second row, not a lost one. */
static void test_memory_is_bounded(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 2);

	(void)state;
	whole_from = 1;
	for (unsigned c = 1; c <= 3; c++) {
		add(j, snapshot_of(c, 0, RSP, c, 1), 0);
		join_expire(j, HOLD);
	}
	handed("-+1.0s -+2.0s -+3.0s");
	add(j, end_of(3, 0, RSP, 3), 200);
	add(j, end_of(2, 0, RSP, 2), 200);
	add(j, end_of(1, 0, RSP, 1), 200);
	join_flush(j);
	handed("-+1.0");
}

/* The sweep and the end of the exchange race for a place in the ring. */
static void test_snapshot_just_after_final(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 3, REQ, 7), 0);
	add(j, snapshot_of(1, 3, REQ, 7, 0), 1); /* while the final record waits */
	add(j, end_of(2, 0, RSP, 7), 2);
	handed("1.3+2.0");
	add(j, snapshot_of(2, 0, RSP, 7, 0), 3); /* after it was handed on */
	add(j, snapshot_of(1, 2, REQ, 6, 0), 3);
	assert_int_equal(join_counts(j).held, 0);
	assert_int_equal(join_counts(j).swallowed, 3);
	add(j, snapshot_of(1, 4, REQ, 8, 0), 4);
	assert_int_equal(join_counts(j).held, 1);
}

/* The ring was full when exchange 0 ended: it is a row all the same, once 1 is seen. */
static void test_lost_final_record(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, snapshot_of(1, 0, REQ, 7, 0), 0);
	add(j, snapshot_of(1, 1, REQ, 8, 0), 1000);
	join_expire(j, 1099);
	handed("");
	join_expire(j, 1100);
	handed("1.0s+-");
	add(j, end_of(1, 2, REQ, 9), 2000); /* and that of 1, too */
	join_expire(j, 2100);
	handed("1.1s+- 1.2+-");
}

/* 1's snapshot got into the ring before 0's final record. */
static void test_final_record_after_next_snapshot(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, snapshot_of(1, 0, REQ, 7, 0), 0);
	add(j, snapshot_of(1, 1, REQ, 8, 0), 1000);
	add(j, end_of(1, 0, REQ, 7), 1001);
	join_expire(j, 1101);
	handed("1.0+-");
	assert_int_equal(join_counts(j).held, 1);
}

static void test_snapshots_leave_room(void **state)
{
	_cleanup_join_ struct join *j = new_join(4, 8);

	(void)state;
	for (unsigned c = 1; c <= 3; c++)
		add(j, snapshot_of(c, 0, REQ, c, 0), c);
	handed(""); /* 1 is forgotten, not handed on: its final record is still to come */
	assert_int_equal(join_counts(j).forgotten, 1);
	add(j, end_of(1, 0, REQ, 1), 10);
	add(j, end_of(11, 0, RSP, 1), 10);
	handed("1.0+11.0");
	add(j, snapshot_of(2, 0, REQ, 2, 0), 20); /* renewed: now 3 is the one that goes */
	add(j, snapshot_of(4, 0, REQ, 4, 0), 21);
	join_flush(j);
	handed("2.0s+- 4.0s+-");
	check_account(j);
}

/* ---- in flight ---- */

static struct exchange begun(struct exchange x, uint64_t first_ns, uint64_t now_ns)
{
	x.request_first_ns = first_ns;
	x.now_ns = now_ns;
	return x;
}

static void test_in_flight(void **state)
{
	_cleanup_join_ struct join *j = new_join(32, 8);

	(void)state;
	add(j, begun(snapshot_of(1, 0, REQ, 1, 0), 30, 100), 100);
	add(j, begun(snapshot_of(2, 0, RSP, 2, 0), 10, 100), 100);
	add(j, begun(snapshot_of(4, 0, RSP, 3, 0), 21, 100), 100);
	add(j, begun(snapshot_of(3, 0, REQ, 3, 0), 20, 100), 100);
	add(j, begun(end_of(5, 0, REQ, 5), 5, 100), 100);        /* over */
	add(j, begun(snapshot_of(6, 0, REQ, 6, 0), 6, 50), 100); /* not renewed */
	assert_int_equal(join_in_flight(j, 100, 10, on_done, NULL), 3);
	handed("-+2.0s 3.0s+4.0s 1.0s+-");
	assert_int_equal(join_in_flight(j, 0, 2, on_done, NULL), 2);
	handed("6.0s+- -+2.0s");
	assert_int_equal(join_counts(j).held, 6); /* asking changes nothing */
	whole_from = 9;
	add(j, begun(snapshot_of(2, 0, RSP, 2, 9), 10, 200), 200); /* over: only waits */
	add(j, end_of(3, 0, REQ, 3), 200);
	assert_int_equal(join_in_flight(j, 100, 10, on_done, NULL), 1);
	handed("1.0s+-");
}

static void test_bad_conf(void **state)
{
	struct join_conf conf = {.entries = 3, .remembered = 1, .done = on_done};
	struct join *j = NULL;

	(void)state;
	conf.complete = is_complete;
	assert_int_equal(join_new(&conf, &j), -EINVAL);
	conf.entries = UINT32_MAX;
	assert_int_equal(join_new(&conf, &j), -EINVAL);
	conf.entries = 4;
	conf.remembered = 0;
	assert_int_equal(join_new(&conf, &j), -EINVAL);
	assert_null(j);
	join_free(NULL);
}

/* With the other end final, the final record of this one is on its way: it tells more. */
static void test_complete_snapshot_waits_for_its_final_record(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);
	struct exchange x = end_of(1, 0, REQ, 7);

	(void)state;
	whole_from = 100;
	x.response_bytes = 100;
	add(j, x, 0);
	add(j, snapshot_of(2, 0, RSP, 7, 100), 10);
	handed("");
	add(j, end_of(2, 0, RSP, 7), 20);
	handed("1.0+2.0");
}

static void test_key_and_role_become_known(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, snapshot_of(1, 0, RSP, 0, 0), 0);
	add(j, snapshot_of(3, 0, RSP, 8, 0), 0);
	add(j, snapshot_of(1, 0, RSP, 7, 0), 10);
	add(j, snapshot_of(3, 0, REQ, 8, 0), 10);
	add(j, snapshot_of(2, 0, REQ, 7, 0), 10);
	add(j, snapshot_of(4, 0, RSP, 8, 0), 10);
	join_flush(j);
	handed("2.0s+1.0s 3.0s+4.0s");
	check_account(j);
}

/* The final record of 0 comes when 1 was handed on already: that of 1 is swallowed all the same. */
static void test_final_record_of_before_a_swallow(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	whole_from = 100;
	add(j, snapshot_of(2, 1, RSP, 8, 100), 0);
	join_expire(j, HOLD);
	handed("-+2.1s");
	add(j, end_of(2, 0, RSP, 7), 201);
	add(j, end_of(2, 1, RSP, 8), 202);
	join_flush(j);
	handed("-+2.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_final_replaces_snapshot),
		cmocka_unit_test(test_final_and_snapshot),
		cmocka_unit_test(test_snapshot_after_the_other_end),
		cmocka_unit_test(test_key_and_role_become_known),
		cmocka_unit_test(test_complete_snapshot_waits_for_its_final_record),
		cmocka_unit_test(test_complete_with_both_ends),
		cmocka_unit_test(test_complete_alone_after_hold),
		cmocka_unit_test(test_complete_alone_after_the_next_sweep),
		cmocka_unit_test(test_complete_without_key),
		cmocka_unit_test(test_one_end_complete_waits_for_the_other),
		cmocka_unit_test(test_complete_then_final_within_hold),
		cmocka_unit_test(test_next_exchange_after_swallow),
		cmocka_unit_test(test_final_record_of_before_a_swallow),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_snapshot_just_after_final),
		cmocka_unit_test(test_lost_final_record),
		cmocka_unit_test(test_final_record_after_next_snapshot),
		cmocka_unit_test(test_snapshots_leave_room),
		cmocka_unit_test(test_in_flight),
		cmocka_unit_test(test_bad_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
