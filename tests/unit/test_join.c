// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Joining the two ends of a call from their final records: orders of arrival, waiting, roles, and
 * want of room. test_join_snapshot.c has the calls that have not ended. */
#include "join_ends.h"

static void test_pair_in_either_order(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 0, REQ, 7), 0);
	handed("");
	add(j, end_of(2, 0, RSP, 7), 1);
	handed("1.0+2.0");
	add(j, end_of(2, 1, RSP, 8), 2);
	add(j, end_of(1, 1, REQ, 8), 3);
	handed("1.1+2.1");
	join_expire(j, 1000);
	handed("");
	assert_int_equal(join_counts(j).joined, 2);
	assert_int_equal(join_counts(j).held, 0);
	check_account(j);
}

static void test_interleaved_pairs(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 0, REQ, 7), 0);
	add(j, end_of(3, 0, REQ, 9), 0);
	add(j, end_of(4, 0, RSP, 9), 1);
	add(j, end_of(2, 0, RSP, 7), 1);
	handed("3.0+4.0 1.0+2.0");
}

static void test_alone_after_hold(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 0, REQ, 7), 10);
	add(j, end_of(2, 0, RSP, 8), 20);
	join_expire(j, 109);
	handed("");
	join_expire(j, 110);
	handed("1.0+-");
	join_expire(j, 120);
	handed("-+2.0");
	assert_int_equal(join_counts(j).alone, 2);
	check_account(j);
}

static void test_both_sequence_numbers_must_agree(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);
	struct exchange a = end_of(1, 0, REQ, 7), b = end_of(2, 0, RSP, 7);

	(void)state;
	b.join_ack++;
	add(j, a, 0);
	add(j, b, 0);
	handed("");
	join_flush(j);
	handed("1.0+- -+2.0");
}

static void test_same_role_never_joins(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 0, REQ, 7), 0);
	add(j, end_of(2, 0, REQ, 7), 0);
	handed("");
	add(j, end_of(3, 0, RSP, 7), 0); /* one of them has its other end */
	handed("2.0+3.0");
	join_expire(j, HOLD);
	handed("1.0+-");
}

static void test_same_socket_never_joins(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 0, REQ, 7), 0);
	add(j, end_of(1, 1, RSP, 7), 0);
	join_flush(j);
	handed("1.0+- -+1.1");
}

static void test_no_key_is_alone_at_once(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 0, UNK, 0), 0); /* local port below the remote one: the service */
	add(j, end_of(2, 0, RSP, 0), 0);
	add(j, end_of(3, 0, REQ, 0), 0);
	handed("-+1.0 -+2.0 3.0+-");
}

/* One of the two numbers may happen to be 0. */
static void test_half_a_key_joins(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);
	struct exchange a = end_of(1, 0, REQ, 7), b = end_of(2, 0, RSP, 7);

	(void)state;
	a.join_seq = b.join_seq = 0;
	add(j, a, 0);
	add(j, b, 0);
	handed("1.0+2.0");
}

/* A stream or a connection joined midway has no request, and joins by its key all the same. */
static void test_without_request(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);
	struct exchange a = end_of(1, 0, REQ, 7), b = end_of(2, 0, RSP, 7);

	(void)state;
	a.flags = b.flags = EX_STREAM | EX_MIDWAY;
	a.request_bytes = b.request_bytes = 0;
	add(j, a, 0);
	add(j, b, 0);
	handed("1.0+2.0");
}

static void test_unknown_roles(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);
	struct exchange a = end_of(2, 0, UNK, 7), b = end_of(1, 0, UNK, 7);

	(void)state;
	a.local_port = b.remote_port = 80;
	a.remote_port = b.local_port = 40000;
	add(j, a, 0);
	add(j, b, 0);
	handed("1.0+2.0"); /* the one with the higher port asks */
	add(j, end_of(3, 0, UNK, 8), 0);
	add(j, end_of(4, 0, RSP, 8), 0);
	handed("3.0+4.0"); /* the known role decides */
	add(j, end_of(5, 0, REQ, 9), 0);
	add(j, end_of(6, 0, UNK, 9), 0);
	handed("5.0+6.0");
}

static struct {
	struct exchange x;
	char heads[HEADS_MAX];
} kept[2];

static void keep(void *arg, const struct exchange *req, const struct exchange *rsp)
{
	(void)arg;
	memcpy(&kept[0], req, sizeof(*req) + req->request_head + req->response_head);
	memcpy(&kept[1], rsp, sizeof(*rsp) + rsp->request_head + rsp->response_head);
}

/* The ring's memory is gone after join_add(): both ends and their heads come back as they were. */
static void test_records_are_copied(void **state)
{
	const struct join_conf conf = {.entries = 4,
				       .remembered = 1,
				       .hold_ns = HOLD,
				       .done = keep,
				       .complete = is_complete};
	_cleanup_join_ struct join *j = NULL;
	struct {
		struct exchange x;
		char heads[HEADS_MAX];
	} ring;

	(void)state;
	assert_int_equal(join_new(&conf, &j), 0);
	ring.x = end_of(1, 0, RSP, 7);
	ring.x.request_head = 300;
	ring.x.response_head = 132;
	ring.x.r.size += 432;
	memset(ring.heads, 'q', 300);
	memset(ring.heads + 300, 'p', 132);
	add(j, end_of(9, 0, REQ, 9), 0); /* not first in the pool */
	assert_int_equal(join_add(j, &ring.x, 0), 0);
	memset(&ring, 0xee, sizeof(ring));
	ring.x = end_of(2, 5, REQ, 7);
	ring.x.flags = EX_LOCAL;
	assert_int_equal(join_add(j, &ring.x, 0), 0);
	assert_int_equal(kept[0].x.cookie, 2);
	assert_int_equal(kept[0].x.number, 5);
	assert_int_equal(kept[0].x.request_head, 0);
	assert_int_equal(kept[1].x.request_head, 300);
	for (int i = 0; i < HEADS_MAX; i++)
		assert_int_equal(kept[1].heads[i], i < 300 ? 'q' : 'p');
}

static void test_contradicting_lengths(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);
	struct exchange x = end_of(1, 0, REQ, 7);

	(void)state;
	x.request_head = 1; /* past the record's end */
	assert_int_equal(join_add(j, &x, 0), -EBADMSG);
	x.request_head = 400;
	x.response_head = 33;
	x.r.size = 1000;
	assert_int_equal(join_add(j, &x, 0), -EBADMSG);
	assert_int_equal(join_counts(j).taken, 0);
	assert_int_equal(join_counts(j).held, 0);
}

static void test_full_hands_on_the_oldest(void **state)
{
	_cleanup_join_ struct join *j = new_join(4, 8);

	(void)state;
	for (unsigned c = 1; c <= 4; c++)
		add(j, end_of(c, 0, REQ, c), c);
	handed("");
	add(j, end_of(12, 0, RSP, 2), 5); /* needs no room: its other end is here */
	handed("2.0+12.0");
	add(j, end_of(5, 0, REQ, 5), 6);
	handed("");
	add(j, end_of(6, 0, REQ, 6), 7);
	handed("1.0+-");
	add(j, end_of(11, 0, RSP, 1), 8); /* too late for 1: takes the place of 3 */
	handed("3.0+-");
	assert_int_equal(join_counts(j).evicted, 2);
	assert_int_equal(join_counts(j).held, 4);
	check_account(j);
}

static void test_flush(void **state)
{
	_cleanup_join_ struct join *j = new_join(8, 8);

	(void)state;
	add(j, end_of(1, 0, REQ, 1), 0);
	add(j, snapshot_of(3, 0, REQ, 3, 0), 0);
	add(j, snapshot_of(2, 0, RSP, 2, 0), 0);
	add(j, snapshot_of(4, 0, RSP, 3, 0), 0);
	join_flush(j);
	handed("1.0+- 3.0s+4.0s -+2.0s");
	assert_int_equal(join_counts(j).held, 0);
	check_account(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_in_either_order),
		cmocka_unit_test(test_interleaved_pairs),
		cmocka_unit_test(test_alone_after_hold),
		cmocka_unit_test(test_both_sequence_numbers_must_agree),
		cmocka_unit_test(test_same_role_never_joins),
		cmocka_unit_test(test_same_socket_never_joins),
		cmocka_unit_test(test_no_key_is_alone_at_once),
		cmocka_unit_test(test_half_a_key_joins),
		cmocka_unit_test(test_without_request),
		cmocka_unit_test(test_unknown_roles),
		cmocka_unit_test(test_records_are_copied),
		cmocka_unit_test(test_contradicting_lengths),
		cmocka_unit_test(test_full_hands_on_the_oldest),
		cmocka_unit_test(test_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
