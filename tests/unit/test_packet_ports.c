// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which packets have ports, and --port and --net on what was walked: what of an interface or a file
 * is counted and shown. Ports and addresses that are not there match nothing, not even zeros. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/packet.h"

#include "packet_frames.h"

static struct packet walk(const struct frame *f)
{
	packet_bytes b = {.p = f->p, .captured = f->n, .length = f->n};
	struct packet p;

	packet_walk_ethernet(&b, 0, &p);
	return p;
}

/* Nothing behind them is read: it would be what another packet left there. */
static void test_headers_that_are_longer_than_the_packet(void **state)
{
	struct frame data = ethernet(0x0800), options = ethernet(0x0800), six = ethernet(0x86dd),
		     cut = ethernet(0x86dd);

	(void)state;
	ipv4(&data, 6, 5, 40, 0);
	tcp(&data, 6);
	data.n -= 4;
	assert_int_equal(walk(&data).flags, PACKET_PORTS | PACKET_CUT);
	ipv4(&options, 17, 15, 0, 0);
	options.n -= 20;
	assert_int_equal(walk(&options).flags, PACKET_CUT);
	ipv6(&six, 60, 8);
	extension(&six, 17, 1, 8); /* 16 bytes */
	assert_int_equal(walk(&six).flags, PACKET_CUT);
	ipv6(&cut, 60, 7);
	extension(&cut, 17, 0, 7);
	assert_int_equal(walk(&cut).flags, PACKET_CUT);
	assert_int_equal(walk(&cut).protocol, 60);
}

static void test_ports_of_every_protocol_that_has_them(void **state)
{
	static const struct {
		unsigned protocol, flags, payload; /* bytes of a header that is known */
	} cases[] = {
		{17, PACKET_PORTS, 8},
		{136, PACKET_PORTS, 8},
		{33, PACKET_PORTS, 0},
		{132, PACKET_PORTS, 0},
		{1, 0, 0},
		{58, 0, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct frame f = ethernet(0x0800);
		struct packet p;

		ipv4(&f, cases[i].protocol, 5, 20 + 30, 0);
		udp(&f);
		zeros(&f, 22);
		p = walk(&f);
		assert_int_equal(p.flags, cases[i].flags | PACKET_PAYLOAD);
		assert_int_equal(p.source_port, cases[i].flags ? 5353 : 0);
		assert_int_equal(p.payload, 34 + cases[i].payload);
		assert_int_equal(p.payload_length, 30 - cases[i].payload);
	}
}

/* ---- --port and --net ---- */

static struct frame dns(void)
{
	struct frame f = ethernet(0x0800);

	ipv4(&f, 17, 5, 28, 0);
	udp(&f);
	return f;
}

static bool wanted(const struct filter *filter, const struct frame *f)
{
	struct packet p = walk(f);

	return packet_wanted(filter, &p);
}

static void test_ports_of_either_end(void **state)
{
	struct frame f = dns();
	struct filter filter = {0};

	(void)state;
	assert_true(wanted(&filter, &f));
	filter = (struct filter){.n_ports = 1, .ports = {53}};
	assert_true(wanted(&filter, &f));
	filter.ports[0] = 5353;
	assert_true(wanted(&filter, &f));
	filter.ports[0] = 54;
	assert_false(wanted(&filter, &f));
	filter.ports[1] = 53; /* there is one port, whatever stands behind it */
	assert_false(wanted(&filter, &f));
	filter.n_ports = 2;
	assert_true(wanted(&filter, &f));
	for (unsigned i = 0; i < FILTER_PORTS; i++)
		filter.ports[i] = i + 1 == FILTER_PORTS ? 53 : 1;
	filter.n_ports = FILTER_PORTS;
	assert_true(wanted(&filter, &f));
}

/* Not even port 0: a later fragment has none, and neither has ICMP. */
static void test_packets_without_ports(void **state)
{
	struct filter filter = {.n_ports = 1};
	struct frame later = ethernet(0x0800), icmp = ethernet(0x0800), arp = ethernet(0x0806);

	(void)state;
	ipv4(&later, 17, 5, 28, 1);
	zeros(&later, 8);
	ipv4(&icmp, 1, 5, 28, 0);
	zeros(&icmp, 8);
	zeros(&arp, 28);
	assert_false(wanted(&filter, &later));
	assert_false(wanted(&filter, &icmp));
	assert_false(wanted(&filter, &arp));
}

/* bits of an address that begins with these bytes. */
static struct filter network(const char bytes[16], unsigned bits)
{
	struct filter filter = {.by_net = 1};
	u8 mask[16] = {0};

	for (unsigned i = 0; i < bits; i++)
		mask[i / 8] |= (u8)(0x80 >> i % 8);
	memcpy(filter.net, bytes, 16);
	memcpy(filter.net_mask, mask, 16);
	for (unsigned i = 0; i < 2; i++)
		filter.net[i] &= filter.net_mask[i];
	return filter;
}

#define SOURCE      "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
#define DESTINATION "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\2"
#define OTHER       "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\3"

static void test_networks_of_either_end(void **state)
{
	struct frame four = dns(), six = ethernet(0x86dd), arp = ethernet(0x0806);
	struct filter filter = network(SOURCE, 128);

	(void)state;
	zeros(&arp, 28);
	assert_true(wanted(&filter, &four));
	filter = network(DESTINATION, 128);
	assert_true(wanted(&filter, &four));
	filter = network(OTHER, 128);
	assert_false(wanted(&filter, &four));
	filter = network(OTHER, 96 + 24);
	assert_true(wanted(&filter, &four));
	ipv6(&six, 17, 8);
	udp(&six);
	assert_false(wanted(&filter, &six));
	filter = network("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 128);
	assert_true(wanted(&filter, &six));
	filter = network(SOURCE, 0); /* any address, but what has none is not it */
	assert_true(wanted(&filter, &six));
	assert_false(wanted(&filter, &arp));
	filter.n_ports = 1; /* both have to fit */
	assert_false(wanted(&filter, &four));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers_that_are_longer_than_the_packet),
		cmocka_unit_test(test_ports_of_every_protocol_that_has_them),
		cmocka_unit_test(test_ports_of_either_end),
		cmocka_unit_test(test_packets_without_ports),
		cmocka_unit_test(test_networks_of_either_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
