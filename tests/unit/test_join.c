// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Joining the two ends of a call: orders of arrival, waiting, snapshots, want of room.
 * What is handed on is written as text, one word a call: "client+server", "-" for no end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "call/join.h"

#define HOLD 100
#define SEED 0x5eed

enum { REQ = ROLE_REQUESTER, RSP = ROLE_RESPONDER, UNK = ROLE_UNKNOWN };

static char out[4096];
static uint64_t whole_from; /* complete: every end that is there has so many response bytes */

static void put(const struct exchange *x)
{
	size_t n = strlen(out);

	if (!x)
		(void)snprintf(out + n, sizeof(out) - n, "-");
	else
		(void)snprintf(out + n, sizeof(out) - n, "%u.%u%s", (unsigned)x->cookie, x->number,
			       x->end == END_SWEEP ? "s" : "");
}

static void on_done(void *arg, const struct exchange *req, const struct exchange *rsp)
{
	(void)arg;
	if (out[0])
		strcat(out, " ");
	put(req);
	strcat(out, "+");
	put(rsp);
}

static bool is_complete(void *arg, const struct exchange *req, const struct exchange *rsp)
{
	(void)arg;
	assert_true(req || rsp);
	return whole_from && (!req || req->response_bytes >= whole_from) &&
	       (!rsp || rsp->response_bytes >= whole_from);
}

static struct join *new_join(uint32_t entries, uint32_t remembered)
{
	const struct join_conf conf = {.entries = entries,
				       .remembered = remembered,
				       .hold_ns = HOLD,
				       .seed = SEED,
				       .done = on_done,
				       .complete = is_complete};
	struct join *j = NULL;

	out[0] = '\0';
	whole_from = 0;
	assert_int_equal(join_new(&conf, &j), 0);
	return j;
}

/* What one end saw; key stands for both sequence numbers. */
static struct exchange end_of(unsigned cookie, unsigned number, uint8_t role, uint32_t key)
{
	return (struct exchange){.r.size = sizeof(struct exchange),
				 .cookie = cookie,
				 .number = number,
				 .role = role,
				 .end = END_NEXT,
				 .join_seq = key,
				 .join_ack = key ? ~key : 0,
				 .request_bytes = 1,
				 .local_port = role == REQ ? 40000 : 80,
				 .remote_port = role == REQ ? 80 : 40000};
}

static struct exchange snapshot_of(unsigned cookie, unsigned number, uint8_t role, uint32_t key,
				   uint64_t response_bytes)
{
	struct exchange x = end_of(cookie, number, role, key);

	x.end = END_SWEEP;
	x.response_bytes = response_bytes;
	return x;
}

static void add(struct join *j, struct exchange x, uint64_t now)
{
	assert_int_equal(join_add(j, &x, now), 0);
}

/* Compares and clears what was handed on. */
static void handed(const char *want)
{
	assert_string_equal(out, want);
	out[0] = '\0';
}

static void check_account(const struct join *j)
{
	const struct join_counts c = join_counts(j);

	assert_int_equal(c.taken,
			 2 * c.joined + c.alone + c.replaced + c.swallowed + c.forgotten + c.held);
}

/* ---- final records ---- */

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
	struct exchange a = end_of(1, 0, UNK, 7), b = end_of(2, 0, UNK, 7);

	(void)state;
	a.local_port = b.remote_port = 80;
	a.remote_port = b.local_port = 40000;
	add(j, a, 0);
	add(j, b, 0);
	handed("2.0+1.0"); /* the one with the higher port asks */
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

/* ---- snapshots ---- */

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
		cmocka_unit_test(test_final_replaces_snapshot),
		cmocka_unit_test(test_final_and_snapshot),
		cmocka_unit_test(test_snapshot_after_the_other_end),
		cmocka_unit_test(test_complete_with_both_ends),
		cmocka_unit_test(test_complete_alone_after_hold),
		cmocka_unit_test(test_complete_without_key),
		cmocka_unit_test(test_one_end_complete_waits_for_the_other),
		cmocka_unit_test(test_complete_then_final_within_hold),
		cmocka_unit_test(test_next_exchange_after_swallow),
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
