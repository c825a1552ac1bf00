// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Packets made by hand, whole, cut off, padded, fragmented and lying, walked to their payload.
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

/* Walked from a copy of exactly its size, so that a sanitizer sees a read past it. The quick way
 * says of every frame of these tests the same, or nothing. */
static struct packet walked(const struct frame *f, uint32_t captured)
{
	uint8_t *copy = malloc(captured + 1);
	packet_bytes b = {copy, captured, f->n};
	struct packet p, quick;

	assert_non_null(copy);
	memcpy(copy, f->p, captured);
	packet_walk_ethernet(&b, 0, &p);
	if (packet_quick_tcp(&b, &quick))
		assert_memory_equal(&quick, &p, sizeof(p));
	free(copy);
	return p;
}

static struct packet walk(const struct frame *f)
{
	return walked(f, f->n);
}

static void assert_address(const uint64_t *got, const char *want)
{
	assert_memory_equal(got, want, 16);
}

#define V4_SOURCE      "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
#define V6_DESTINATION "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"

static void test_tcp_over_ipv4(void **state)
{
	struct frame f = ethernet(0x0800);
	struct packet p;

	(void)state;
	ipv4(&f, 6, 5, 20 + 20 + 10, 0);
	tcp(&f, 5);
	zeros(&f, 10);
	p = walk(&f);
	assert_int_equal(p.version, 4);
	assert_int_equal(p.type, 0x800);
	assert_int_equal(p.protocol, 6);
	assert_int_equal(p.flags, PACKET_PORTS | PACKET_PAYLOAD);
	assert_int_equal(p.source_port, 999);
	assert_int_equal(p.destination_port, 80);
	assert_int_equal(p.tcp_flags, 0x18);
	assert_int_equal(p.network, 14);
	assert_int_equal(p.transport, 34);
	assert_int_equal(p.payload, 54);
	assert_int_equal(p.payload_length, 10);
	assert_address(p.source, V4_SOURCE);
}

static void test_options_are_skipped(void **state)
{
	struct frame f = ethernet(0x0800);
	struct packet p;

	(void)state;
	ipv4(&f, 6, 15, 60 + 60 + 3, 0);
	tcp(&f, 15);
	zeros(&f, 3);
	p = walk(&f);
	assert_int_equal(p.transport, 14 + 60);
	assert_int_equal(p.payload, 14 + 120);
	assert_int_equal(p.payload_length, 3);
}

static void test_padding_is_no_payload_and_a_cut_capture_has_its_length(void **state)
{
	struct frame padded = ethernet(0x0800), cut = ethernet(0x0800);
	struct packet p;

	(void)state;
	ipv4(&padded, 6, 5, 40, 0);
	tcp(&padded, 5);
	zeros(&padded, 6);
	p = walk(&padded);
	assert_int_equal(p.payload_length, 0);
	assert_int_equal(p.end, 54);

	ipv4(&cut, 17, 5, 20 + 8 + 500, 0);
	udp(&cut);
	zeros(&cut, 500);
	p = walked(&cut, 14 + 28 + 5);
	assert_int_equal(p.payload_length, 500);
	assert_true(p.flags & PACKET_PORTS);
}

static void test_an_ip_length_of_zero_or_too_much_ends_with_the_packet(void **state)
{
	static const unsigned lengths[] = {0, 65535};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct frame four = ethernet(0x0800), six = ethernet(0x86dd);

		ipv4(&four, 17, 5, lengths[i], 0);
		udp(&four);
		zeros(&four, 100);
		assert_int_equal(walk(&four).payload_length, 100);
		ipv6(&six, 17, lengths[i]);
		udp(&six);
		zeros(&six, 100);
		assert_int_equal(walk(&six).payload_length, 100);
	}
}

static void test_an_ip_length_shorter_than_its_headers_hides_what_follows(void **state)
{
	struct frame f = ethernet(0x0800), g = ethernet(0x0800);
	struct packet p;

	(void)state;
	ipv4(&f, 6, 5, 30, 0); /* ten bytes of TCP */
	tcp(&f, 5);
	p = walk(&f);
	assert_int_equal(p.protocol, 6);
	assert_int_equal(p.flags, PACKET_CUT);
	ipv4(&g, 6, 5, 19, 0);
	tcp(&g, 5);
	p = walk(&g);
	assert_int_equal(p.protocol, 6);
	assert_int_equal(p.flags, PACKET_BAD);
}

static void test_tags(void **state)
{
	struct frame one = ethernet(0x8100), two = ethernet(0x88a8), three = ethernet(0x8100);
	struct packet p;

	(void)state;
	number(&one, 0x00050800, 4);
	ipv4(&one, 17, 5, 28, 0);
	udp(&one);
	p = walk(&one);
	assert_int_equal(p.tags, 1);
	assert_int_equal(p.network, 18);
	assert_int_equal(p.destination_port, 53);

	number(&two, 0x00058100, 4);
	number(&two, 0x000686dd, 4);
	ipv6(&two, 17, 8);
	udp(&two);
	p = walk(&two);
	assert_int_equal(p.tags, 2);
	assert_int_equal(p.type, 0x86dd);
	assert_address(p.destination, V6_DESTINATION);

	number(&three, 0x00058100, 4);
	number(&three, 0x00058100, 4);
	number(&three, 0x00050800, 4);
	ipv4(&three, 17, 5, 28, 0);
	p = walk(&three);
	assert_int_equal(p.version, 0);
	assert_int_equal(p.flags, PACKET_DEEP);
}

static void test_types_that_are_not_ip(void **state)
{
	struct frame arp = ethernet(0x0806), llc = ethernet(38);
	struct packet p;

	(void)state;
	zeros(&arp, 28);
	p = walk(&arp);
	assert_int_equal(p.type, 0x0806);
	assert_int_equal(p.version, 0);
	assert_int_equal(p.flags, 0);
	zeros(&llc, 38);
	assert_int_equal(walk(&llc).type, TYPE_LLC);
}

static void test_every_extension_header_is_walked(void **state)
{
	struct frame f = ethernet(0x86dd);
	struct packet p;

	(void)state;
	ipv6(&f, 0, 16 + 24 + 8 + 12 + 20 + 4);
	extension(&f, 43, 1, 16); /* hop-by-hop, then routing */
	extension(&f, 60, 2, 24);
	extension(&f, 51, 0, 8); /* destination options, then AH */
	extension(&f, 6, 1, 12); /* AH counts 4 bytes, RFC 4302 2.2 */
	tcp(&f, 5);
	zeros(&f, 4);
	p = walk(&f);
	assert_int_equal(p.protocol, 6);
	assert_int_equal(p.transport, 14 + 40 + 16 + 24 + 8 + 12);
	assert_int_equal(p.payload_length, 4);
	assert_true(p.flags & PACKET_PORTS);
}

static void test_extension_headers_are_bounded_and_may_lie(void **state)
{
	struct frame deep = ethernet(0x86dd), far = ethernet(0x86dd), none = ethernet(0x86dd);
	struct packet p;

	(void)state;
	ipv6(&deep, 60, 0);
	for (int i = 0; i < 20; i++)
		extension(&deep, 60, 0, 8);
	p = walk(&deep);
	assert_int_equal(p.flags, PACKET_DEEP);
	assert_int_equal(p.protocol, 60);

	ipv6(&far, 60, 0);
	extension(&far, 6, 255, 8);
	tcp(&far, 5);
	p = walk(&far);
	assert_int_equal(p.protocol, 6);
	assert_int_equal(p.flags, PACKET_CUT);

	ipv6(&none, 59, 0);
	p = walk(&none);
	assert_int_equal(p.protocol, 59);
	assert_int_equal(p.flags, 0);
}

static void test_fragments_have_no_ports(void **state)
{
	static const struct {
		unsigned field;
		unsigned flags;
	} cases[] = {
		{0x2000, PACKET_FRAGMENT},                /* the first: more follows */
		{0x2010, PACKET_FRAGMENT | PACKET_LATER}, /* one in the middle */
		{0x0010, PACKET_FRAGMENT | PACKET_LATER}, /* the last */
		{0x4000, PACKET_PORTS},                   /* do not fragment */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame f = ethernet(0x0800);
		struct packet p;

		ipv4(&f, 17, 5, 28, cases[i].field);
		udp(&f);
		p = walk(&f);
		assert_int_equal(p.protocol, 17);
		assert_int_equal(p.flags, cases[i].flags | PACKET_PAYLOAD);
	}
}

static void test_ipv6_fragments_have_no_ports(void **state)
{
	static const struct {
		unsigned field;
		unsigned flags;
	} cases[] = {
		{0x0001, PACKET_FRAGMENT},
		{0x0011, PACKET_FRAGMENT | PACKET_LATER},
		{0x0010, PACKET_FRAGMENT | PACKET_LATER},
		{0x0000, PACKET_PORTS}, /* a whole packet, RFC 6946 */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame f = ethernet(0x86dd);
		struct packet p;

		ipv6(&f, 44, 16);
		number(&f, 17 << 8, 2);
		number(&f, cases[i].field, 2);
		number(&f, 9, 4);
		udp(&f);
		p = walk(&f);
		assert_int_equal(p.protocol, 17);
		assert_int_equal(p.transport, 14 + 40 + 8);
		assert_int_equal(p.flags, cases[i].flags | PACKET_PAYLOAD);
	}
}

/* Of a later fragment only the header's number is known, even if more would follow. */
static void test_a_later_fragment_is_not_walked(void **state)
{
	struct frame f = ethernet(0x86dd);
	struct packet p;

	(void)state;
	ipv6(&f, 44, 16);
	number(&f, 60 << 8, 2);
	number(&f, 0x10, 2);
	number(&f, 9, 4);
	extension(&f, 6, 0, 8);
	p = walk(&f);
	assert_int_equal(p.protocol, 60);
	assert_int_equal(p.payload_length, 8);
}

/* At each length: cut is a header that began, missing one that did not. */
static void test_cut_headers_are_told_from_missing_ones(void **state)
{
	struct frame whole = ethernet(0x0800);

	(void)state;
	ipv4(&whole, 6, 5, 40, 0);
	tcp(&whole, 5);
	for (uint32_t n = 0; n <= whole.n; n++) {
		struct frame f = whole;
		struct packet p;
		unsigned flags;

		f.n = n;
		p = walk(&f);
		if (n < 14)
			flags = n <= 12 ? PACKET_MISSING : PACKET_CUT;
		else if (n < 34)
			flags = n == 14 ? PACKET_MISSING : PACKET_CUT;
		else if (n < 54)
			flags = n == 34 ? PACKET_MISSING : PACKET_CUT;
		else
			flags = PACKET_PORTS | PACKET_PAYLOAD;
		assert_int_equal(p.flags, flags);
		assert_int_equal(p.version, n < 34 ? 0 : 4);
		/* The same of a whole packet that was captured in part. */
		p = walked(&whole, n);
		if (n < 14)
			assert_int_equal(p.flags, PACKET_CUT);
		else
			assert_int_equal(p.flags, n < 54 ? PACKET_CUT : flags);
	}
}

static void test_versions_and_header_lengths_that_lie(void **state)
{
	struct frame six = ethernet(0x0800), four = ethernet(0x86dd), small = ethernet(0x0800),
		     words = ethernet(0x0800);

	(void)state;
	ipv6(&six, 17, 8);
	assert_int_equal(walk(&six).flags, PACKET_BAD);
	assert_int_equal(walk(&six).version, 0);
	ipv4(&four, 17, 5, 28, 0);
	zeros(&four, 40);
	assert_int_equal(walk(&four).flags, PACKET_BAD);
	ipv4(&small, 17, 4, 28, 0);
	udp(&small);
	assert_int_equal(walk(&small).flags, PACKET_BAD);
	assert_int_equal(walk(&small).protocol, 17);
	ipv4(&words, 6, 5, 40, 0);
	tcp(&words, 4);
	assert_int_equal(walk(&words).flags, PACKET_BAD | PACKET_PORTS);
}

static void test_the_quick_way_says_the_same_or_nothing(void **state)
{
	struct frame four = ethernet(0x0800), six = ethernet(0x86dd), deep = ethernet(0x86dd);
	uint8_t protocol = 0;
	packet_bytes b;

	(void)state;
	ipv4(&four, 17, 5, 20, 0);
	b = (packet_bytes){four.p, four.n, four.n};
	assert_true(packet_quick_protocol(&b, &protocol));
	assert_int_equal(protocol, 17);
	b.captured = b.length = four.n - 1;
	assert_false(packet_quick_protocol(&b, &protocol));
	ipv6(&six, 6, 0);
	b = (packet_bytes){six.p, six.n, six.n};
	assert_true(packet_quick_protocol(&b, &protocol));
	assert_int_equal(protocol, 6);
	b.captured = b.length = six.n - 1;
	assert_false(packet_quick_protocol(&b, &protocol));
	ipv6(&deep, 60, 8);
	extension(&deep, 6, 0, 8);
	b = (packet_bytes){deep.p, deep.n, deep.n};
	assert_false(packet_quick_protocol(&b, &protocol));
}

static bool quick_tcp(const struct frame *f, uint32_t n)
{
	packet_bytes b = {f->p, n, n};
	struct packet p;

	return packet_quick_tcp(&b, &p);
}

static void test_the_quick_way_is_for_plain_tcp(void **state)
{
	struct frame plain = ethernet(0x0800), udp = ethernet(0x0800), options = ethernet(0x0800);
	struct frame fragment = ethernet(0x0800), empty = ethernet(0x0800), six = ethernet(0x86dd);

	(void)state;
	ipv4(&plain, 6, 5, 40, 0);
	tcp(&plain, 5);
	assert_true(quick_tcp(&plain, plain.n));
	assert_false(quick_tcp(&plain, plain.n - 1));
	ipv4(&udp, 17, 5, 40, 0);
	ipv4(&options, 6, 6, 44, 0);
	ipv4(&fragment, 6, 5, 40, 0x2000);
	ipv4(&empty, 6, 5, 0, 0);
	ipv6(&six, 6, 20);
	for (unsigned i = 0; i < 5; i++) {
		struct frame *f = (struct frame *[]){&udp, &options, &fragment, &empty, &six}[i];

		tcp(f, 5);
		assert_false(quick_tcp(f, f->n));
	}
}

static void test_a_packet_inside_another_is_walked_by_another_call(void **state)
{
	struct frame f = ethernet(0x0800);
	packet_bytes b;
	struct packet p;

	(void)state;
	ipv4(&f, 47, 5, 20 + 4 + 28, 0);
	number(&f, 0x00000800, 4); /* GRE, RFC 2784 */
	ipv4(&f, 17, 5, 28, 0);
	udp(&f);
	p = walk(&f);
	assert_int_equal(p.protocol, 47);
	assert_int_equal(p.payload, 34);
	b = (packet_bytes){f.p, f.n, f.n};
	packet_walk(&b, p.payload + 4, 0x800, &p);
	assert_int_equal(p.protocol, 17);
	assert_int_equal(p.destination_port, 53);
	assert_int_equal(p.network, 38);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp_over_ipv4),
		cmocka_unit_test(test_options_are_skipped),
		cmocka_unit_test(test_padding_is_no_payload_and_a_cut_capture_has_its_length),
		cmocka_unit_test(test_an_ip_length_of_zero_or_too_much_ends_with_the_packet),
		cmocka_unit_test(test_an_ip_length_shorter_than_its_headers_hides_what_follows),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_types_that_are_not_ip),
		cmocka_unit_test(test_every_extension_header_is_walked),
		cmocka_unit_test(test_extension_headers_are_bounded_and_may_lie),
		cmocka_unit_test(test_fragments_have_no_ports),
		cmocka_unit_test(test_ipv6_fragments_have_no_ports),
		cmocka_unit_test(test_a_later_fragment_is_not_walked),
		cmocka_unit_test(test_cut_headers_are_told_from_missing_ones),
		cmocka_unit_test(test_versions_and_header_lengths_that_lie),
		cmocka_unit_test(test_the_quick_way_says_the_same_or_nothing),
		cmocka_unit_test(test_the_quick_way_is_for_plain_tcp),
		cmocka_unit_test(test_a_packet_inside_another_is_walked_by_another_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
