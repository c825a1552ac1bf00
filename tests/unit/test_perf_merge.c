// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Perf buffers written by hand, as the kernel lays them out, come back as one stream in order of
 * time, whole, and at most once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/def.h"
#include "loader/perf_merge.h"

#define CPUS 3
#define SIZE 256

struct cpu {
	struct perf_event_mmap_page control;
	char data[SIZE];
};

struct rec {
	uint64_t number;
	char text[24];
};

static struct cpu cpus[CPUS];
static struct perf_pages pages[CPUS];

/* What was taken. */
static uint64_t taken[64];
static size_t sizes[64];
static unsigned n_taken;
static int answer; /* of take */

static int setup(void **state)
{
	(void)state;
	memset(cpus, 0, sizeof(cpus));
	memset(pages, 0, sizeof(pages));
	n_taken = 0;
	answer = 0;
	for (unsigned i = 0; i < CPUS; i++)
		pages[i] = (struct perf_pages){
			.control = &cpus[i].control, .data = cpus[i].data, .size = SIZE};
	return 0;
}

static void put(struct cpu *c, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		c->data[c->control.data_head++ % SIZE] = ((const char *)bytes)[i];
}

static void put_header(struct cpu *c, uint32_t type, size_t size)
{
	struct perf_event_header h = {.type = type, .size = (uint16_t)size};

	put(c, &h, sizeof(h));
}

/* said: how many bytes the sample says it has; they are filled up to a multiple of 8. */
static void put_sample(struct cpu *c, uint64_t time_ns, uint32_t said, const void *bytes, size_t n)
{
	static const char zeros[8];
	size_t size = (sizeof(struct perf_event_header) + 8 + 4 + n + 7) / 8 * 8;

	assert_true(c->control.data_head - c->control.data_tail + size <= SIZE);
	put_header(c, PERF_RECORD_SAMPLE, size);
	put(c, &time_ns, sizeof(time_ns));
	put(c, &said, sizeof(said));
	put(c, bytes, n);
	put(c, zeros, size - sizeof(struct perf_event_header) - 8 - 4 - n);
}

static void put_rec(unsigned cpu, uint64_t time_ns)
{
	struct rec r = {.number = time_ns, .text = "twenty-three characters"};

	put_sample(&cpus[cpu], time_ns, sizeof(r) + 4, &r, sizeof(r));
}

static int take(void *arg, void *rec, size_t size)
{
	struct rec r = {0};

	assert_ptr_equal(arg, cpus);
	assert_int_equal((uintptr_t)rec % 8, 0);
	assert_true(n_taken < ARRAY_SIZE(taken));
	memcpy(&r, rec, MIN(size, sizeof(r)));
	if (size)
		assert_string_equal(r.text, "twenty-three characters");
	sizes[n_taken] = size;
	taken[n_taken++] = r.number;
	return answer;
}

static int merge(void)
{
	return perf_merge(pages, CPUS, take, cpus);
}

static void assert_taken(const uint64_t *want, unsigned n)
{
	assert_int_equal(n_taken, n);
	assert_memory_equal(taken, want, n * sizeof(*want));
	n_taken = 0;
}

static void test_all_cpus_in_order_of_time(void **state)
{
	static const uint64_t want[] = {10, 11, 12, 20, 21, 22};

	(void)state;
	put_rec(2, 10);
	put_rec(0, 11);
	put_rec(0, 12);
	put_rec(2, 20);
	put_rec(1, 21);
	put_rec(0, 22);
	assert_int_equal(merge(), 0);
	assert_taken(want, ARRAY_SIZE(want));
	assert_int_equal(merge(), 0);
	assert_taken(want, 0);
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(cpus[i].control.data_tail, cpus[i].control.data_head);
}

/* 56 bytes a sample: the end of the buffer cuts each part of one at some time. */
static void test_round_the_end(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 200; i++) {
		put_rec(1, i);
		assert_int_equal(merge(), 0);
		assert_taken(&i, 1);
	}
	assert_true(cpus[1].control.data_tail > 20 * SIZE);
}

/* They are counted where they are lost. */
static void test_what_is_said_of_lost_ones_is_passed_over(void **state)
{
	static const uint64_t lost[2] = {7, 5}, want[] = {1, 2};

	(void)state;
	put_header(&cpus[0], PERF_RECORD_LOST, 24);
	put(&cpus[0], lost, sizeof(lost));
	put_rec(0, 1);
	put_header(&cpus[0], PERF_RECORD_LOST, 24);
	put(&cpus[0], lost, sizeof(lost));
	put_rec(1, 2);
	assert_int_equal(merge(), 0);
	assert_taken(want, 2);
	assert_int_equal(cpus[0].control.data_tail, cpus[0].control.data_head);
}

static void test_take_ends_it_and_the_rest_stays(void **state)
{
	static const uint64_t want[] = {1, 2, 3};

	(void)state;
	put_rec(0, 1);
	put_rec(1, 2);
	put_rec(0, 3);
	answer = -9;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(merge(), -9);
		assert_taken(&want[i], 1);
	}
	assert_int_equal(merge(), 0);
	assert_taken(want, 0);
}

static void test_damaged_samples_have_no_bytes(void **state)
{
	static const char bytes[24];

	(void)state;
	put_sample(&cpus[0], 1, 1000, bytes, sizeof(bytes)); /* more than it has */
	put_rec(0, 2);
	put_header(&cpus[1], PERF_RECORD_SAMPLE, 8); /* no room for a time */
	put_rec(2, 3);
	put_header(&cpus[2], PERF_RECORD_SAMPLE, 4); /* less than its header */
	put_rec(2, 4);                               /* cannot be told apart from it */
	assert_int_equal(merge(), 0);
	assert_int_equal(n_taken, 5);
	unsigned whole = 0;

	for (unsigned i = 0; i < n_taken; i++)
		whole += sizes[i] != 0;
	assert_int_equal(whole, 2);
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(cpus[i].control.data_tail, cpus[i].control.data_head);
	n_taken = 0;
	put_rec(2, 5);
	assert_int_equal(merge(), 0);
	assert_taken((const uint64_t[]){5}, 1);
}

static void test_a_record_of_the_longest_size_and_one_longer(void **state)
{
	static struct {
		struct perf_event_mmap_page control;
		char data[4096];
	} big;
	struct perf_pages p = {.control = &big.control, .data = big.data, .size = sizeof(big.data)};
	static const uint32_t bytes[] = {PERF_MERGE_MAX, PERF_MERGE_MAX + 8};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct rec r = {.number = i + 1, .text = "twenty-three characters"};
		struct perf_event_header h = {.type = PERF_RECORD_SAMPLE,
					      .size = (uint16_t)((20 + bytes[i] + 7) / 8 * 8)};
		char *at = big.data + big.control.data_head;

		memcpy(at, &h, sizeof(h));
		memcpy(at + 16, &bytes[i], 4);
		memcpy(at + 20, &r, sizeof(r));
		big.control.data_head += h.size;
	}
	assert_int_equal(perf_merge(&p, 1, take, cpus), 0);
	assert_int_equal(n_taken, 2);
	assert_int_equal(sizes[0], PERF_MERGE_MAX);
	assert_int_equal(sizes[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all_cpus_in_order_of_time, setup),
		cmocka_unit_test_setup(test_round_the_end, setup),
		cmocka_unit_test_setup(test_what_is_said_of_lost_ones_is_passed_over, setup),
		cmocka_unit_test_setup(test_take_ends_it_and_the_rest_stays, setup),
		cmocka_unit_test_setup(test_damaged_samples_have_no_bytes, setup),
		cmocka_unit_test_setup(test_a_record_of_the_longest_size_and_one_longer, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
