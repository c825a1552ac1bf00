// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What parsers and engine do when memory has run out, at each allocation in turn: they say so,
 * leave their outputs alone, and (under a sanitizer) keep nothing. The Makefile has the linker hand
 * all allocations of our own code to what is below. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "call/follow.h"
#include "call/group.h"
#include "call/join.h"
#include "capture/order.h"
#include "capture/pcapng.h"
#include "capture/reader.h"
#include "filter/port.h"
#include "filter/translate.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
struct pcap *__real_pcap_open_dead(int linktype, int snaplen);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
struct pcap *__wrap_pcap_open_dead(int linktype, int snaplen);

static unsigned left = UINT_MAX; /* allocations that still succeed */

static bool is_out(void)
{
	if (left == 0)
		return true;
	left -= left != UINT_MAX;
	return false;
}

void *__wrap_malloc(size_t size)
{
	return is_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return is_out() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return is_out() ? NULL : __real_realloc(p, size);
}

/* libpcap's own allocations are out of reach; this call of it does nothing else. */
struct pcap *__wrap_pcap_open_dead(int linktype, int snaplen)
{
	return is_out() ? NULL : __real_pcap_open_dead(linktype, snaplen);
}

/* Calls make, which allocates and frees, with room for no allocation, one, and so on, until it
 * succeeds: as often as it allocates. */
static void expect_allocations(unsigned n, int (*make)(void))
{
	for (unsigned i = 0; i <= n; i++) {
		int r;

		left = i;
		r = make();
		left = UINT_MAX;
		if (r != (i < n ? -ENOMEM : 0))
			fail_msg("%d with %u of %u allocations", r, i, n);
	}
}

/* ---- the engine ---- */

static void no_call(void *arg, const struct exchange *requester, const struct exchange *responder)
{
	(void)arg;
	(void)requester;
	(void)responder;
}

static bool never_whole(void *arg, const struct exchange *requester,
			const struct exchange *responder)
{
	(void)arg;
	(void)requester;
	(void)responder;
	return false;
}

static int make_join(void)
{
	const struct join_conf conf = {
		.entries = 4, .remembered = 4, .done = no_call, .complete = never_whole};
	_cleanup_join_ struct join *j = NULL;
	int r = join_new(&conf, &j);

	assert_int_equal(!j, r != 0);
	return r;
}

static void no_pair(void *arg, const struct follow_pair *pair)
{
	(void)arg;
	(void)pair;
}

static int make_follow(void)
{
	const struct follow_conf conf = {
		.connections = 2, .messages = 2, .runs = 2, .pair = no_pair};
	_cleanup_follow_ struct follow *f = NULL;
	int r = follow_new(&conf, &f);

	assert_int_equal(!f, r != 0);
	return r;
}

/* The groups, a key and its histogram: the sums of a call whose duration finds no room are kept. */
static int make_group(void)
{
	const struct group_call call = {.timed = true, .total_us = 5, .request_bytes = 7};
	const struct group_sum *top[1];
	_cleanup_groups_ struct groups *g = NULL;
	int r = groups_new(4, 1, &g);

	assert_int_equal(!g, r != 0);
	if (r)
		return r;
	r = groups_add(g, TEXT("key"), &call);
	if (groups_top(g, group_more_calls, top, 1)) {
		assert_int_equal(top[0]->request_bytes, 7);
		assert_int_equal(top[0]->total_us.count, r ? 0 : 1);
	}
	return r;
}

static void test_the_engine(void **state)
{
	(void)state;
	expect_allocations(8, make_join);
	expect_allocations(5, make_follow);
	expect_allocations(5, make_group);
}

/* ---- captures ---- */

static int no_frame(void *from, struct frame *out)
{
	(void)from;
	(void)out;
	return 0;
}

static int make_order(void)
{
	_cleanup_order_ struct order *o = NULL;
	int r = order_new(no_frame, NULL, &o);

	assert_int_equal(!o, r != 0);
	return r;
}

/* Whose descriptor it is, is said by whether it worked. */
static int make_reader(void)
{
	struct reader *r = NULL;
	int fd = dup(STDOUT_FILENO), err = reader_new(fd, &r);

	assert_int_equal(!r, err != 0);
	if (err)
		assert_int_equal(close(fd), 0);
	reader_close(r);
	return err;
}

static int make_reader_of_a_file(void)
{
	struct reader *r = NULL;
	int err = reader_open("/dev/null", &r);

	assert_int_equal(!r, err != 0);
	reader_close(r);
	return err;
}

static int make_writer(void)
{
	const struct pcapng_options options = {0};
	struct pcapng *w = NULL;
	FILE *f = tmpfile();
	int fd, err;

	assert_non_null(f);
	fd = dup(fileno(f));
	assert_int_equal(fclose(f), 0);
	err = pcapng_new(fd, &options, &w);
	assert_int_equal(!w, err != 0);
	if (err)
		assert_int_equal(close(fd), 0);
	else
		assert_int_equal(pcapng_close(w), 0);
	return err;
}

static void test_captures(void **state)
{
	(void)state;
	expect_allocations(1, make_order);
	expect_allocations(1, make_reader);
	expect_allocations(1, make_reader_of_a_file);
	expect_allocations(1, make_writer);
}

/* ---- filters ---- */

static const struct filter_link ethernet = {.type = 1, .snaplen = 65535};

static int make_filter(void)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	struct filter_error err;
	int r = filter_compile("port 80", &ethernet, &p, &err);

	assert_int_equal(!p.insns, r != 0);
	if (r) {
		assert_string_equal(err.message, "out of memory");
		assert_int_equal(err.at, -1);
	}
	return r;
}

static int make_translation(void)
{
	struct sock_filter insns[] = {{.code = BPF_RET | BPF_K, .k = 1}};
	const struct filter_program p = {insns, 1};
	_cleanup_(filter_ebpf_free) struct filter_ebpf e = {0};
	char why[64] = "";
	int r = filter_translate(&p, 7, &e, why, sizeof(why));

	assert_int_equal(!e.insns, r != 0);
	if (r)
		assert_string_equal(why, "out of memory");
	return r;
}

static void test_filters(void **state)
{
	(void)state;
	expect_allocations(2, make_filter);
	expect_allocations(4, make_translation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_engine),
		cmocka_unit_test(test_captures),
		cmocka_unit_test(test_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
