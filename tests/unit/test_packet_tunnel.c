// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Packets inside of GRE, IP and VXLAN, found; and what only looks like a tunnel, left as it is.
 * What is expected is worked out here from the RFCs' layouts, never by the code that is tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/packet.h"

#include "packet_frames.h"

/* The same packet inside of everything: TCP from port 999 to 80, with these bytes. */
#define INNER "inner bytes"

static void inner(struct frame *f)
{
	ipv4(f, 6, 5, 20 + 20 + sizeof(INNER), 0);
	tcp(f, 5);
	put(f, INNER, sizeof(INNER));
}

static struct frame outer(unsigned protocol)
{
	struct frame f = ethernet(0x0800);

	ipv4(&f, protocol, 5, 0, 0); /* 0: as long as the packet is */
	return f;
}

/* Walked and looked into, from a copy of exactly its size. */
static struct tunnel inside(const struct frame *f, uint32_t captured, struct packet *p)
{
	uint8_t *copy = malloc(captured + 1);
	packet_bytes b = {.p = copy, .captured = captured, .length = f->n};
	struct tunnel tunnel;

	assert_non_null(copy);
	memcpy(copy, f->p, captured);
	packet_walk_ethernet(&b, 0, p);
	packet_inside(&b, p, &tunnel);
	free(copy);
	return tunnel;
}

static void expect_inner(const struct frame *f, u32 kind, u32 network)
{
	struct packet p;
	struct tunnel tunnel = inside(f, f->n, &p);

	assert_int_equal(tunnel.kind, kind);
	assert_int_equal(tunnel.network, network);
	assert_int_equal(p.protocol, 6);
	assert_int_equal(p.source_port, 999);
	assert_int_equal(p.destination_port, 80);
	assert_int_equal(p.payload_length, sizeof(INNER));
	assert_memory_equal(f->p + p.payload, INNER, sizeof(INNER));
}

static void expect_outer(const struct frame *f, unsigned protocol)
{
	struct packet before, after;
	packet_bytes b = {.p = f->p, .captured = f->n, .length = f->n};

	packet_walk_ethernet(&b, 0, &before);
	assert_int_equal(before.protocol, protocol);
	assert_int_equal(inside(f, f->n, &after).kind, TUNNEL_NONE);
	assert_memory_equal(&before, &after, sizeof(before));
}

/* The optional words in the order of RFC 2890: checksum, key, sequence number. */
static void test_gre_with_each_option(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags < 8; flags++) {
		struct frame f = outer(47);
		bool checksum = flags & 1, key = flags & 2, sequence = flags & 4;

		number(&f, checksum << 15 | key << 13 | sequence << 12, 2);
		number(&f, 0x0800, 2);
		if (checksum)
			number(&f, 0xabcd0000, 4);
		if (key)
			number(&f, 0xffffffff, 4);
		if (sequence)
			number(&f, 1234, 4);
		inner(&f);
		expect_inner(&f, key ? TUNNEL_GRE_KEY : TUNNEL_GRE, key ? 0xffffffff : 0);
	}
}

static void test_gre_with_an_ethernet_frame(void **state)
{
	struct frame f = outer(47);

	(void)state;
	number(&f, 0, 2);
	number(&f, 0x6558, 2);
	zeros(&f, 12);
	number(&f, 0x8100, 2);
	number(&f, 5, 2);
	number(&f, 0x0800, 2);
	inner(&f);
	expect_inner(&f, TUNNEL_GRE, 0);
}

static void test_gre_that_is_not_followed(void **state)
{
	static const struct {
		unsigned flags, type;
	} cases[] = {
		{0x4000, 0x0800}, /* routing, RFC 1701 */
		{0x2001, 0x880b}, /* version 1, PPTP: RFC 2637 */
		{0x0001, 0x0800},
		{0x0000, 0x8847}, /* MPLS */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct frame f = outer(47);

		number(&f, cases[i].flags, 2);
		number(&f, cases[i].type, 2);
		zeros(&f, 8);
		inner(&f);
		expect_outer(&f, 47);
	}
}

static void test_ip_in_ip(void **state)
{
	struct frame f = outer(4);

	(void)state;
	inner(&f);
	expect_inner(&f, TUNNEL_IP, 0);

	struct frame six = outer(41);

	ipv6(&six, 6, 20 + sizeof(INNER));
	tcp(&six, 5);
	put(&six, INNER, sizeof(INNER));
	expect_inner(&six, TUNNEL_IP, 0);
}

static struct frame vxlan(unsigned port, unsigned flags, unsigned network)
{
	struct frame f = outer(17);

	number(&f, 40000, 2);
	number(&f, port, 2);
	zeros(&f, 4);
	number(&f, flags, 1);
	zeros(&f, 3);
	number(&f, network, 3);
	number(&f, 0, 1);
	zeros(&f, 12);
	number(&f, 0x0800, 2);
	inner(&f);
	return f;
}

static void test_vxlan(void **state)
{
	struct frame f = vxlan(4789, 8, 42), linux_port = vxlan(8472, 8, 0xffffff);
	struct frame none = vxlan(4789, 0, 42), other = vxlan(4788, 8, 42);

	(void)state;
	expect_inner(&f, TUNNEL_VXLAN, 42);
	expect_inner(&linux_port, TUNNEL_VXLAN, 0xffffff);
	expect_outer(&none, 17);
	expect_outer(&other, 17);
}

/* Whatever is cut off, nothing is read past the end, and no TCP is invented. */
static void test_cut_anywhere(void **state)
{
	struct frame f = vxlan(4789, 8, 42);
	uint32_t whole = f.n - sizeof(INNER);

	(void)state;
	for (uint32_t n = 0; n < f.n; n++) {
		struct packet p;

		(void)inside(&f, n, &p);
		assert_int_equal(p.protocol == 6 && p.flags & PACKET_PAYLOAD, n >= whole);
	}
}

static void test_a_fragment_is_not_looked_into(void **state)
{
	struct frame f = ethernet(0x0800);

	(void)state;
	ipv4(&f, 47, 5, 0, 0x2000);
	number(&f, 0x08000000 >> 16, 2);
	number(&f, 0x0800, 2);
	inner(&f);
	expect_outer(&f, 47);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gre_with_each_option),
		cmocka_unit_test(test_gre_with_an_ethernet_frame),
		cmocka_unit_test(test_gre_that_is_not_followed),
		cmocka_unit_test(test_ip_in_ip),
		cmocka_unit_test(test_vxlan),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_a_fragment_is_not_looked_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
