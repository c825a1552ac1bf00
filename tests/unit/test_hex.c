// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Hexadecimal dumps, byte for byte what tcpdump 4.99 -X printed of the same bytes.
 * They go below rows of the table, so a control byte in them would steer a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"

static void same(const void *bytes, size_t n, const char *want)
{
	char text[1024];
	struct buf b = BUF_ON(text);

	hex_dump(&b, bytes, n);
	assert_false(b.over);
	assert_true(b.len <= HEX_DUMP_SIZE(n));
	text[b.len] = '\0';
	assert_string_equal(text, want);
}

static void test_lines(void **state UNUSED)
{
	static const uint8_t packet[] = {
		0x45, 0x00, 0x00, 0x35, 0x17, 0x52, 0x40, 0x00, 0x40, 0x11, 0x25, 0x64, 0x7f, 0x00,
		0x00, 0x01, 0x7f, 0x00, 0x00, 0x01, 0xdf, 0xbd, 0x00, 0x09, 0x00, 0x21, 0xfe, 0x34,
		0x61, 0x62, 0x63, 0x20, 0x64, 0x65, 0x66, 0x00, 0x7f, 0x30, 0x31, 0x32, 0x33};

	same(packet, sizeof(packet),
	     "\t0x0000:  4500 0035 1752 4000 4011 2564 7f00 0001  E..5.R@.@.%d....\n"
	     "\t0x0010:  7f00 0001 dfbd 0009 0021 fe34 6162 6320  .........!.4abc.\n"
	     "\t0x0020:  6465 6600 7f30 3132 33                   def..0123\n");
	same("", 0, "");
	same("A", 1, "\t0x0000:  41                                       A\n");
}

static void test_every_byte(void **state UNUSED)
{
	uint8_t bytes[256];
	char text[HEX_DUMP_SIZE(256)];
	struct buf b = BUF_ON(text);

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	hex_dump(&b, bytes, sizeof(bytes));
	assert_false(b.over);
	assert_int_equal(b.len, 16 * 68);
	for (size_t i = 0; i < b.len; i++)
		assert_true(text[i] == '\t' || text[i] == '\n' ||
			    (text[i] >= ' ' && text[i] < 0x7f));
	assert_memory_equal(text + 15 * 68, "\t0x00f0:  f0f1 f2f3", 19);
}

static void test_long(void **state UNUSED)
{
	static uint8_t bytes[0x10010];
	static char text[HEX_DUMP_SIZE(sizeof(bytes))];
	struct buf b = BUF_ON(text);

	hex_dump(&b, bytes, sizeof(bytes));
	assert_false(b.over);
	assert_memory_equal(text + 0xfff * 68, "\t0xfff0:  0000 0000", 19);
	assert_memory_equal(text + 0x1000 * 68, "\t0x10000:  0000 0000", 20);
	assert_memory_equal(text + b.len - 19, "  ................\n", 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
