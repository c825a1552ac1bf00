// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A simulated connection past a tap in the middle, against what was really sent: whatever is lost,
 * doubled and reordered on either side, each exchange has its exact sizes. Seeds are fixed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_sim.h"

#define EXCHANGES 300 /* of one connection */

static struct sim sim;
static u64 state;

/* What was asked and answered, and what the records said. */
static struct {
	u64 request, response; /* bytes */
} sent[EXCHANGES];
static struct seen {
	struct exchange x;
	u8 heads[HEADS_MAX];
} seen[EXCHANGES + 2];
static unsigned n_sent, n_seen;
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
	struct seen *s = &seen[n_seen];

	assert_int_equal(r->kind, RECORD_EXCHANGE);
	assert_true(n_seen < EXCHANGES + 2);
	assert_true(x->request_head + x->response_head <= HEADS_MAX);
	memcpy(s, x, sizeof(*x) + x->request_head + x->response_head);
	n_seen++;
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
		sent[n_sent].request = some_size();
		sent[n_sent].response = some_size();
		sim.d[0].written += sent[n_sent].request;
		sim_settle(&sim, 0);
		sim.d[1].written += sent[n_sent++].response;
		sim_settle(&sim, 1);
	}
}

static void finish(void)
{
	sim.d[0].fin = sim.d[1].fin = true;
	while (!sim.d[0].fin_received || !sim.d[1].fin_received)
		sim_step(&sim);
	env_finish();
}

static void check(const struct seen *s, unsigned i, u32 request_at, u32 response_at)
{
	const struct exchange *x = &s->x;
	u32 asked = (u32)(sent[i].request < REQUEST_HEAD_MAX ? sent[i].request : REQUEST_HEAD_MAX);

	assert_int_equal(x->request_bytes, sent[i].request);
	assert_int_equal(x->response_bytes, sent[i].response);
	assert_int_equal(x->flags & (EX_MIDWAY | EX_RESET | EX_STREAM | EX_OVERLAP), 0);
	assert_true(x->request_first_ns && x->request_first_ns <= x->request_last_ns);
	assert_true(x->request_last_ns < x->response_first_ns);
	assert_true(x->response_first_ns <= x->response_last_ns);
	assert_int_equal(x->local_port, 80);
	assert_int_equal(x->remote_port, 40000);
	total_seen++;
	if (x->flags & EX_GAP) {
		assert_true(sim.loss || sim.reorder);
		cut_at_full_size += sim.mss > HEADS_MAX;
		return;
	}
	whole_heads++;
	assert_int_equal(x->request_head, asked);
	assert_true(x->response_head >= (sent[i].response < 128 ? sent[i].response : 128));
	for (u32 n = 0; n < x->request_head; n++)
		assert_int_equal(s->heads[n], env_byte(true, request_at + n));
	for (u32 n = 0; n < x->response_head; n++)
		assert_int_equal(s->heads[asked + n], env_byte(false, response_at + n));
}

/* The last n exchanges. */
static void check_last(unsigned n)
{
	u64 asked = sim.d[0].written, answered = sim.d[1].written;

	for (unsigned i = 1; i <= n; i++) {
		asked -= sent[n_sent - i].request;
		answered -= sent[n_sent - i].response;
		check(&seen[n_seen - i], n_sent - i, sim_seq(&sim, 0, asked),
		      sim_seq(&sim, 1, answered));
	}
}

static void network(u64 seed, bool tapped)
{
	state = seed;
	env_reset(on_record);
	n_sent = n_seen = 0;
	sim_start(&sim, pick, pick(2) ? pick(~0u) : 0u - pick(50000), pick(~0u), tapped);
	sim.mss = pick(4) ? 1 + pick(1448) : 1448 * (1 + pick(40));
	sim.loss = pick(3) ? pick(20) : 0;
	sim.doubled = pick(3) ? pick(20) : 0;
	sim.reorder = pick(3) ? pick(200) : 0;
}

static void test_from_the_beginning(void **test_state)
{
	(void)test_state;
	total_seen = whole_heads = cut_at_full_size = 0;
	for (u64 seed = 1; seed <= 40; seed++) {
		network(seed, true);
		talk(EXCHANGES);
		finish();
		assert_int_equal(n_seen, EXCHANGES);
		check_last(EXCHANGES);
		for (unsigned i = 0; i < EXCHANGES; i++)
			assert_int_equal(seen[i].x.number, i);
		assert_int_equal(env.requests.file->flows, 1);
	}
	assert_int_equal(total_seen, 40 * EXCHANGES);
	/* Nothing was lost for good. A head of many pieces may be called incomplete, if rarely. */
	assert_true(whole_heads > total_seen * 95 / 100);
	assert_true(cut_at_full_size <= total_seen / 1000);
}

/* The tap comes while the connection is talking, between its server's port and a higher one. */
static void test_joined_midway(void **test_state)
{
	(void)test_state;
	for (u64 seed = 1; seed <= 40; seed++) {
		network(seed, false);
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
		talk(50);
		finish();
		assert_in_range(n_seen, 50, 53);
		check_last(50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_the_beginning),
		cmocka_unit_test(test_joined_midway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
