// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Link layers of captures: each known type, tags, cut frames, and refusals.
 * tshark's opinion is asked in tests/e2e/test_capture.py. */
#include <linux/if_packet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "capture/frame.h"
#include "capture/link.h"

/* Bytes as hex, with blanks between them where it helps the eye; on the heap, so that the sanitizer
 * knows their end. */
static struct frame packet_of(uint16_t link, const char *hex)
{
	struct frame p = {.link = link};
	uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
	unsigned v;

	assert_non_null(bytes);
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		bytes[p.captured++] = (uint8_t)v;
		hex++;
	}
	p.bytes = realloc(bytes, p.captured);
	assert_true(p.bytes || !p.captured);
	p.length = p.captured;
	return p;
}

static struct link found;

static int parse(uint16_t link, const char *hex)
{
	struct frame p = packet_of(link, hex);
	int err;

	memset(&found, 0, sizeof(found));
	err = link_parse(&p, &found);
	free((void *)p.bytes);
	return err;
}

static void expect(uint16_t link, const char *hex, uint32_t offset, uint16_t ethertype,
		   enum frame_type type)
{
	assert_int_equal(parse(link, hex), 0);
	assert_int_equal(found.offset, offset);
	assert_int_equal(found.ethertype, ethertype);
	assert_int_equal(found.type, type);
}

#define TO_HOST "020000000002 020000000001 "

static void test_ethernet(void **state UNUSED)
{
	expect(1, TO_HOST "0800 45", 14, LINK_IPV4, FRAME_TYPE_UNKNOWN);
	expect(1, TO_HOST "86dd", 14, LINK_IPV6, FRAME_TYPE_UNKNOWN);
	expect(1, TO_HOST "0806 00", 14, 0x0806, FRAME_TYPE_UNKNOWN);
	expect(1, "ffffffffffff 020000000001 0806", 14, 0x0806, FRAME_TYPE_BROADCAST);
	expect(1, "01005e000001 020000000001 0800", 14, LINK_IPV4, FRAME_TYPE_MULTICAST);
	expect(1, TO_HOST "0026 4242", 14, 0, FRAME_TYPE_UNKNOWN); /* a length: LLC */
	assert_int_equal(found.vlans, 0);
}

static void test_vlan_tags(void **state UNUSED)
{
	expect(1, TO_HOST "8100 f007 0800", 18, LINK_IPV4, FRAME_TYPE_UNKNOWN);
	assert_int_equal(found.vlans, 1);
	assert_int_equal(found.vlan[0], 7);
	expect(1, TO_HOST "88a8 0fff 9100 0002 8100 0003 86dd 60", 26, LINK_IPV6,
	       FRAME_TYPE_UNKNOWN);
	assert_int_equal(found.vlans, 3);
	assert_int_equal(found.vlan[0], 4095);
	assert_int_equal(found.vlan[1], 2);
	assert_int_equal(found.vlan[2], 3);
	expect(113, "0000 0001 0006 0200000000010000 8100 0005 0800", 20, LINK_IPV4,
	       FRAME_TYPE_HOST);
	assert_int_equal(found.vlan[0], 5);
	expect(1, TO_HOST "8100 0001 0026 4242", 18, 0, FRAME_TYPE_UNKNOWN);
}

static void test_more_tags_than_are_gone_through(void **state UNUSED)
{
	char hex[400] = TO_HOST "8100 ";

	for (int i = 0; i < LINK_VLANS - 1; i++)
		strcat(hex, "0001 8100 ");
	strcat(hex, "0001 ");
	expect(1, strcat(strcpy((char[500]){0}, hex), "0800"), 14 + 4 * LINK_VLANS, LINK_IPV4,
	       FRAME_TYPE_UNKNOWN);
	assert_int_equal(found.vlans, LINK_VLANS);
	expect(1, strcat(hex, "8100 0001 0800"), 14 + 4 * LINK_VLANS, 0x8100, FRAME_TYPE_UNKNOWN);
	assert_int_equal(found.vlans, LINK_VLANS);
}

static void test_cooked(void **state UNUSED)
{
	static const enum frame_type types[] = {FRAME_TYPE_HOST,      FRAME_TYPE_BROADCAST,
						FRAME_TYPE_MULTICAST, FRAME_TYPE_OTHERHOST,
						FRAME_TYPE_OUTGOING,  FRAME_TYPE_UNKNOWN};
	char hex[100];

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		(void)snprintf(hex, sizeof(hex), "%04x 0001 0006 0200000000010000 0800 45", i);
		expect(113, hex, 16, LINK_IPV4, types[i]);
		assert_int_equal(found.ifindex, 0);
		(void)snprintf(hex, sizeof(hex), "86dd 0000 00010002 0304 %02x 06 0200000000010000",
			       i);
		expect(276, hex, 20, LINK_IPV6, types[i]);
		assert_int_equal(found.ifindex, 0x10002);
		assert_int_equal(found.direction,
				 types[i] == FRAME_TYPE_OUTGOING  ? FRAME_DIRECTION_OUT
				 : types[i] == FRAME_TYPE_UNKNOWN ? FRAME_DIRECTION_UNKNOWN
								  : FRAME_DIRECTION_IN);
	}
	expect(113, "0104 0001 0006 0200000000010000 0800", 16, LINK_IPV4, FRAME_TYPE_UNKNOWN);
	/* 802.3 with LLC; netlink, whose protocol is its own; GRE, whose protocol is an ethertype
	 */
	expect(113, "0000 0001 0006 0200000000010000 0004", 16, 0, FRAME_TYPE_HOST);
	expect(113, "0000 0338 0000 0000000000000000 0800", 16, 0, FRAME_TYPE_HOST);
	expect(113, "0000 030a 0000 0000000000000000 0800", 16, LINK_IPV4, FRAME_TYPE_HOST);
}

static void test_bare_ip(void **state UNUSED)
{
	static const uint16_t either[] = {12, 14, 101};

	for (unsigned i = 0; i < ARRAY_SIZE(either); i++) {
		expect(either[i], "45", 0, LINK_IPV4, FRAME_TYPE_UNKNOWN);
		expect(either[i], "60", 0, LINK_IPV6, FRAME_TYPE_UNKNOWN);
		expect(either[i], "50", 0, 0, FRAME_TYPE_UNKNOWN);
	}
	expect(228, "45", 0, LINK_IPV4, FRAME_TYPE_UNKNOWN);
	expect(228, "60", 0, 0, FRAME_TYPE_UNKNOWN);
	expect(229, "60", 0, LINK_IPV6, FRAME_TYPE_UNKNOWN);
	expect(229, "45", 0, 0, FRAME_TYPE_UNKNOWN);
}

static void test_bsd_loopback(void **state UNUSED)
{
	expect(0, "02000000 45", 4, LINK_IPV4, FRAME_TYPE_UNKNOWN);
	expect(0, "00000002 45", 4, LINK_IPV4, FRAME_TYPE_UNKNOWN);
	expect(0, "18000000", 4, LINK_IPV6, FRAME_TYPE_UNKNOWN);
	expect(0, "0000001c", 4, LINK_IPV6, FRAME_TYPE_UNKNOWN);
	expect(0, "1e000000", 4, LINK_IPV6, FRAME_TYPE_UNKNOWN);
	expect(0, "0a000000", 4, LINK_IPV6, FRAME_TYPE_UNKNOWN);
	expect(0, "07000000", 4, 0, FRAME_TYPE_UNKNOWN);
	expect(108, "00000002", 4, LINK_IPV4, FRAME_TYPE_UNKNOWN);
	expect(108, "02000000", 4, 0, FRAME_TYPE_UNKNOWN);
}

static void test_flags_of_the_file_come_first(void **state UNUSED)
{
	struct frame p = packet_of(1, "ffffffffffff 020000000001 0800");
	struct link l;

	assert_int_equal(link_parse(&p, &l), 0);
	assert_int_equal(l.direction, FRAME_DIRECTION_UNKNOWN);
	p.type = FRAME_TYPE_OUTGOING;
	p.direction = FRAME_DIRECTION_OUT;
	assert_int_equal(link_parse(&p, &l), 0);
	assert_int_equal(l.type, FRAME_TYPE_OUTGOING);
	assert_int_equal(l.direction, FRAME_DIRECTION_OUT);
	free((void *)p.bytes);
}

static void test_cut_frames(void **state UNUSED)
{
	static const struct {
		uint16_t link;
		const char *hex; /* the shortest that is not cut */
	} whole[] = {
		{1, TO_HOST "0800"},
		{1, TO_HOST "8100 0001 88a8 0001 0800"},
		{113, "0000 0001 0006 0200000000010000 0800"},
		{113, "0000 0001 0006 0200000000010000 8100 0001 0800"},
		{276, "86dd 0000 00010002 0304 00 06 0200000000010000"},
		{0, "02000000"},
		{108, "00000002"},
		{101, "45"},
		{229, "60"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(whole); i++) {
		struct frame p = packet_of(whole[i].link, whole[i].hex);

		for (uint32_t n = 0; n <= p.length; n++) {
			struct frame cut = p;
			struct link l = {.offset = 77};
			uint8_t *bytes = malloc(n ? n : 1);

			assert_non_null(bytes);
			memcpy(bytes, p.bytes, n);
			cut.bytes = bytes;
			cut.captured = n;
			assert_int_equal(link_parse(&cut, &l), n == p.length ? 0 : -EBADMSG);
			assert_true(n == p.length || l.offset == 77);
			free(bytes);
		}
		free((void *)p.bytes);
	}
}

static void test_refusal_has_the_number(void **state UNUSED)
{
	char text[LINK_ERROR_MAX];
	unsigned known = 0;

	for (unsigned link = 0; link <= UINT16_MAX; link++) {
		assert_true(link_known((uint16_t)link) ==
			    (parse((uint16_t)link, "") != -EPROTONOSUPPORT));
		known += link_known((uint16_t)link);
	}
	assert_int_equal(known, 10);
	assert_int_equal(parse(105, TO_HOST "0800"), -EPROTONOSUPPORT);
	link_refusal(65535, text);
	assert_ptr_equal(strstr(text, "link type 65535 is not read"), text);
	assert_string_equal(text + strlen(text) - 7, "(0, 108)" + 1);
}

/* linux/if_packet.h has numbers from PACKET_HOST to PACKET_OUTGOING for what passes an interface,
 * and others for what the kernel does with packets inside. */
static void test_whom_a_packet_was_for(void **state)
{
	(void)state;
	assert_int_equal(frame_type_of(PACKET_HOST), FRAME_TYPE_HOST);
	assert_int_equal(frame_type_of(PACKET_BROADCAST), FRAME_TYPE_BROADCAST);
	assert_int_equal(frame_type_of(PACKET_MULTICAST), FRAME_TYPE_MULTICAST);
	assert_int_equal(frame_type_of(PACKET_OTHERHOST), FRAME_TYPE_OTHERHOST);
	assert_int_equal(frame_type_of(PACKET_OUTGOING), FRAME_TYPE_OUTGOING);
	assert_int_equal(frame_type_of(PACKET_LOOPBACK), FRAME_TYPE_UNKNOWN);
	assert_int_equal(frame_type_of(255), FRAME_TYPE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ethernet),
		cmocka_unit_test(test_vlan_tags),
		cmocka_unit_test(test_more_tags_than_are_gone_through),
		cmocka_unit_test(test_cooked),
		cmocka_unit_test(test_bare_ip),
		cmocka_unit_test(test_bsd_loopback),
		cmocka_unit_test(test_flags_of_the_file_come_first),
		cmocka_unit_test(test_cut_frames),
		cmocka_unit_test(test_refusal_has_the_number),
		cmocka_unit_test(test_whom_a_packet_was_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
