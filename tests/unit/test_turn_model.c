// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Both ends of simulated connections against what was really sent: whatever the network does, each
 * exchange has the same key and the exact sizes at both ends. Seeds are fixed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "turn_sim.h"

#define EXCHANGES 300 /* of one connection */

static struct sim sim;
static u64 state;

/* What was asked and answered, and what each end's records said. */
static struct {
	u64 request, response; /* bytes */
	u32 seq, ack;
} sent[EXCHANGES];
static struct seen {
	struct exchange x;
	u8 heads[HEADS_MAX];
} seen[2][EXCHANGES + 2];
static unsigned n_sent, n_seen[2];
static u64 total_seen, whole_heads, cut_at_full_size;

/* SplitMix64 (Steele, Lea, Flood 2014). */
static u32 pick(u32 n)
{
	u64 z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (u32)((z ^ z >> 31) % n);
}

static void on_record(const struct record *r)
{
	const struct exchange *x = (const struct exchange *)r;
	unsigned end = x->role == ROLE_REQUESTER ? 0 : 1;
	struct seen *s = &seen[end][n_seen[end]];

	assert_int_equal(r->kind, RECORD_EXCHANGE);
	assert_true(n_seen[end] < EXCHANGES + 2);
	assert_true(x->request_head + x->response_head <= HEADS_MAX);
	memcpy(s, x, sizeof(*x) + x->request_head + x->response_head);
	n_seen[end]++;
}

static u64 some_size(void)
{
	switch (pick(8)) {
	case 0:
		return 1 + pick(3);
	case 1:
		return 1 + pick(100000);
	case 2 ... 4:
		return 1 + pick(700);
	default:
		return 1 + pick(5000);
	}
}

/* A request, its answer when all of it is there, and so on; none crosses another. */
static void talk(unsigned exchanges)
{
	for (unsigned i = 0; i < exchanges; i++) {
		u64 request = some_size(), response = some_size();

		sent[n_sent].request = request;
		sent[n_sent].response = response;
		sent[n_sent].seq = sim_seq(&sim, 0, sim.d[0].written);
		sent[n_sent++].ack = sim_seq(&sim, 1, sim.d[1].written);
		sim.d[0].written += request;
		sim_settle(&sim, 0);
		sim.d[1].written += response;
		sim_settle(&sim, 1);
	}
}

static void finish(void)
{
	env_close(&env.sock[0]);
	env_close(&env.sock[1]);
}

static void check_head(const u8 *head, u32 n, u32 first, bool request)
{
	for (u32 i = 0; i < n; i++)
		assert_int_equal(head[i], env_byte(request, first + i));
}

static void check(unsigned end, const struct seen *s, unsigned i, u32 number)
{
	const struct exchange *x = &s->x;
	u32 asked = (u32)(sent[i].request < REQUEST_HEAD_MAX ? sent[i].request : REQUEST_HEAD_MAX);

	assert_int_equal(x->number, number);
	assert_int_equal(x->join_seq, sent[i].seq);
	assert_int_equal(x->join_ack, sent[i].ack);
	assert_int_equal(x->request_bytes, sent[i].request);
	assert_int_equal(x->response_bytes, sent[i].response);
	assert_int_equal(x->flags & ~(EX_GAP | EX_MIDWAY), 0);
	assert_true(x->request_first_ns && x->request_first_ns <= x->request_last_ns);
	assert_true(x->request_last_ns < x->response_first_ns);
	assert_true(x->response_first_ns <= x->response_last_ns);
	total_seen++;
	if (x->flags & EX_GAP) {
		assert_true(sim.loss || sim.reorder);
		cut_at_full_size += sim.mss > HEADS_MAX;
		return;
	}
	whole_heads++;
	assert_int_equal(x->request_head, asked);
	check_head(s->heads, asked, x->join_seq, true);
	check_head(s->heads + asked, x->response_head, x->join_ack, false);
	assert_true(x->response_head >= (sent[i].response < 128 ? sent[i].response : 128));
	assert_int_equal(x->role, end ? ROLE_RESPONDER : ROLE_REQUESTER);
}

static void network(u64 seed)
{
	state = seed;
	env_reset(on_record);
	n_sent = n_seen[0] = n_seen[1] = 0;
	sim_start(&sim, pick, pick(2) ? pick(~0u) : 0u - pick(50000), pick(~0u));
	sim.mss = pick(4) ? 1 + pick(1448) : 1448 * (1 + pick(40));
	sim.loss = pick(3) ? pick(20) : 0;
	sim.doubled = pick(3) ? pick(20) : 0;
	sim.reorder = pick(3) ? pick(200) : 0;
}

static void test_both_ends_agree(void **test_state)
{
	(void)test_state;
	total_seen = whole_heads = cut_at_full_size = 0;
	for (u64 seed = 1; seed <= 40; seed++) {
		network(seed);
		talk(EXCHANGES);
		finish();
		for (unsigned end = 0; end < 2; end++) {
			assert_int_equal(n_seen[end], EXCHANGES);
			for (unsigned i = 0; i < EXCHANGES; i++)
				check(end, &seen[end][i], i, i);
		}
	}
	assert_int_equal(total_seen, 2 * 40 * EXCHANGES);
	/* Nothing was lost for good. A head of many pieces may be called incomplete, if rarely. */
	assert_true(whole_heads > total_seen * 98 / 100);
	assert_true(cut_at_full_size <= total_seen / 1000);
}

/* The taps come while the connection is talking: after the exchange that was cut, all are right
 * again. */
static void test_joined_midway(void **test_state)
{
	(void)test_state;
	for (u64 seed = 1; seed <= 40; seed++) {
		unsigned before;

		network(seed);
		sim.tapped = false;
		for (unsigned i = 0; i < 2; i++)
			env_open(i, i == 0)->bpf.state = BPF_TCP_ESTABLISHED;
		talk(3);
		sim.d[seed & 1].written += 3000;
		for (u32 i = pick(20); i; i--)
			sim_step(&sim);
		sim.tapped = true;
		sim_settle(&sim, seed & 1);
		if (seed & 1) { /* else the request that was cut is answered */
			sim.d[0].written += 10;
			sim_settle(&sim, 0);
		}
		sim.d[1].written += 10;
		sim_settle(&sim, 1);
		before = n_sent;
		talk(50);
		finish();
		for (unsigned end = 0; end < 2; end++) {
			assert_in_range(n_seen[end], 50, 53);
			for (unsigned i = 1; i <= 50; i++) {
				unsigned at = n_seen[end] - i;

				check(end, &seen[end][at], before + 50 - i, seen[end][at].x.number);
				assert_false(seen[end][at].x.flags & EX_MIDWAY);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ends_agree),
		cmocka_unit_test(test_joined_midway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
