// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The reordering window: order, its three limits, interruptions, and what comes too late.
 * A source without a file gives the packets; each one's bytes say which it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "capture/order.h"

#define S 1000000000LL

/* Packets with these times; the bytes are overwritten for each, as the reader's are. */
struct source {
	const int64_t *times;
	unsigned n, next;
	uint32_t size; /* of each packet, at least 5 */
	int end;       /* what it says behind the last */
	int interrupt; /* said before each packet, unless 0 */
	bool interrupted;
	uint8_t bytes[FRAME_MAX];
};

static int give(void *from, struct frame *out)
{
	struct source *s = from;

	memset(s->bytes, 0xee, s->size);
	s->interrupted = !s->interrupted;
	if (s->interrupt && s->interrupted)
		return s->interrupt;
	if (s->next == s->n)
		return s->end;
	memcpy(s->bytes, &s->next, sizeof(s->next));
	s->bytes[s->size - 1] = (uint8_t)s->next;
	*out = (struct frame){
		.time_ns = s->times[s->next++],
		.captured = s->size,
		.length = s->size,
		.name = {(const char *)s->bytes, 2},
		.comment = {(const char *)s->bytes, 1},
		.bytes = s->bytes,
	};
	return 1;
}

/* Which packet this is: all that it points to must say the same. */
static unsigned which(const struct frame *p)
{
	unsigned n;

	memcpy(&n, p->bytes, sizeof(n));
	assert_int_equal(p->bytes[p->captured - 1], (uint8_t)n);
	assert_int_equal(p->name.len, 2);
	assert_memory_equal(p->name.p, p->bytes, 2);
	assert_int_equal(p->comment.len, 1);
	assert_memory_equal(p->comment.p, p->bytes, 1);
	return n;
}

static struct source source;

static struct order *order_of(const int64_t *times, unsigned n, uint32_t size)
{
	struct order *o = NULL;

	source.times = times;
	source.n = n;
	source.size = size;
	source.next = 0;
	source.end = source.interrupt = 0;
	source.interrupted = false;
	assert_int_equal(order_new(give, &source, &o), 0);
	return o;
}

static void expect(struct order *o, const unsigned *want, unsigned n)
{
	struct frame p;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(order_next(o, &p), 1);
		assert_int_equal(which(&p), want[i]);
	}
}

static void test_order_of_times_and_then_of_arrival(void **state UNUSED)
{
	static const int64_t times[] = {50, 20, 50, 40, 20, -7};
	static const unsigned want[] = {5, 1, 4, 3, 0, 2};
	_cleanup_order_ struct order *o = order_of(times, ARRAY_SIZE(times), 5);
	struct frame p;

	expect(o, want, ARRAY_SIZE(want));
	assert_int_equal(order_next(o, &p), 0);
	assert_int_equal(order_next(o, &p), 0);
	assert_int_equal(order_late(o), 0);
}

static void test_damage_comes_behind_the_packets_before_it(void **state UNUSED)
{
	static const int64_t times[] = {2, 1};
	static const unsigned want[] = {1, 0};
	_cleanup_order_ struct order *o = order_of(times, 2, 5);
	struct frame p;

	source.end = -EBADMSG;
	expect(o, want, 2);
	assert_int_equal(order_next(o, &p), -EBADMSG);
	assert_int_equal(order_next(o, &p), -EBADMSG);
}

static void test_a_packet_leaves_when_a_younger_one_was_read(void **state UNUSED)
{
	static const int64_t times[] = {0, S, S + 1, 1, 3 * S};
	static const unsigned first[] = {0}, then[] = {3, 1, 2};
	_cleanup_order_ struct order *o = order_of(times, ARRAY_SIZE(times), 5);

	expect(o, first, 1);
	assert_int_equal(source.next, 3);
	expect(o, then, 3);
	assert_int_equal(source.next, 5);
}

static void test_what_comes_too_late_is_handed_on_and_counted(void **state UNUSED)
{
	static const int64_t times[] = {5, 2 * S, 4, 3, 5 * S};
	/* 3 is read only after 2, which was late already, has gone. */
	static const unsigned want[] = {0, 2, 3, 1};
	_cleanup_order_ struct order *o = order_of(times, ARRAY_SIZE(times), 5);

	expect(o, want, ARRAY_SIZE(want));
	assert_int_equal(order_late(o), 2);
}

static void test_interruptions_lose_nothing(void **state UNUSED)
{
	static const int64_t times[] = {3, 2, 1};
	static const int interrupts[] = {-EINTR, -EAGAIN};

	for (unsigned i = 0; i < ARRAY_SIZE(interrupts); i++) {
		_cleanup_order_ struct order *o = order_of(times, 3, 5);
		unsigned got = 3, asked = 0;
		struct frame p;
		int err;

		source.interrupt = interrupts[i];
		while ((err = order_next(o, &p))) {
			assert_true(++asked < 20);
			if (err > 0)
				assert_int_equal(which(&p), --got);
			else
				assert_int_equal(err, interrupts[i]);
		}
		assert_int_equal(got, 0);
	}
}

static void test_what_is_held_can_be_had_without_asking(void **state UNUSED)
{
	static const int64_t times[] = {5, 3, 4, 1, 6};
	static const unsigned want[] = {1, 2, 0};
	_cleanup_order_ struct order *o = order_of(times, 3, 5);
	struct frame p;

	assert_int_equal(order_next_held(o, &p), 0);
	source.end = -EAGAIN; /* a pipe that is empty, and open */
	assert_int_equal(order_next(o, &p), -EAGAIN);
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(order_next_held(o, &p), 1);
		assert_int_equal(which(&p), want[i]);
	}
	assert_int_equal(order_next_held(o, &p), 0);
	source.n = ARRAY_SIZE(times); /* more comes, the first of it too late */
	source.end = 0;
	assert_int_equal(order_next(o, &p), 1);
	assert_int_equal(which(&p), 3);
	assert_int_equal(order_next(o, &p), 1);
	assert_int_equal(which(&p), 4);
	assert_int_equal(order_next(o, &p), 0);
	assert_int_equal(order_late(o), 1);
}

static void test_window_of_packets(void **state UNUSED)
{
	static int64_t times[3 * ORDER_PACKETS];
	_cleanup_order_ struct order *o = NULL;
	struct frame p;

	/* In step but for one that is as late as just can be put right. */
	for (unsigned i = 0; i < ARRAY_SIZE(times); i++)
		times[i] = 10 + i;
	times[ORDER_PACKETS - 1] = 1;
	times[2 * ORDER_PACKETS + 1] = 2;
	o = order_of(times, ARRAY_SIZE(times), 5);
	assert_int_equal(order_next(o, &p), 1);
	assert_int_equal(which(&p), ORDER_PACKETS - 1);
	for (unsigned i = 1; i < ARRAY_SIZE(times); i++) {
		assert_int_equal(order_next(o, &p), 1);
		assert_true(source.next <= i + ORDER_PACKETS + 1);
	}
	assert_int_equal(order_next(o, &p), 0);
	assert_int_equal(order_late(o), 1);
}

/* Against sorting, with packets of all sizes that wrap around the window's memory many times. */
static void test_many_sizes(void **state UNUSED)
{
	static int64_t times[4000];
	unsigned random = 1;

	for (unsigned round = 0; round < 4; round++) {
		_cleanup_order_ struct order *o = NULL;
		unsigned got = 0;
		int64_t last = -1;
		struct frame p;
		bool seen[ARRAY_SIZE(times)] = {false};

		for (unsigned i = 0; i < ARRAY_SIZE(times); i++) {
			random = random * 1103515245 + 12345;
			times[i] = i * 100LL + (random >> 16) % 1000;
		}
		o = order_of(times, ARRAY_SIZE(times), 5);
		for (;;) {
			/* At the largest size the window holds 31 packets, and 10 is their
			 * disorder. */
			random = random * 1103515245 + 12345;
			source.size = round == 0 ? 5 : 5 + (random >> 8) % (FRAME_MAX - 5);
			if (order_next(o, &p) != 1)
				break;
			assert_true(p.time_ns >= last);
			last = p.time_ns;
			assert_false(seen[which(&p)]);
			seen[which(&p)] = true;
			got++;
		}
		assert_int_equal(got, ARRAY_SIZE(times));
		assert_int_equal(order_late(o), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_times_and_then_of_arrival),
		cmocka_unit_test(test_damage_comes_behind_the_packets_before_it),
		cmocka_unit_test(test_a_packet_leaves_when_a_younger_one_was_read),
		cmocka_unit_test(test_what_comes_too_late_is_handed_on_and_counted),
		cmocka_unit_test(test_interruptions_lose_nothing),
		cmocka_unit_test(test_what_is_held_can_be_had_without_asking),
		cmocka_unit_test(test_window_of_packets),
		cmocka_unit_test(test_many_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
