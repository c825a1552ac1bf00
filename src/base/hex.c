// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Hexadecimal dumps, as print-ascii.c of tcpdump lays them out (hex_and_ascii_print).
 * Digits by table, as a large packet has thousands of lines. */
#include "base/hex.h"

enum {
	LINE = 16,
	ASCII_AT = 43, /* columns behind the offset and its colon */
};

static const char digits[] = "0123456789abcdef";

/* "\t0x0010:  4500 0034 ...  E..4": n is 1 to LINE. */
static void dump_line(struct buf *b, size_t offset, const uint8_t *p, size_t n)
{
	char line[HEX_DUMP_SIZE(1)];
	char *to = line, *behind;

	memset(line, ' ', sizeof(line));
	*to++ = '\t';
	*to++ = '0';
	*to++ = 'x';
	for (int shift = offset > 0xffff ? 16 : 12; shift >= 0; shift -= 4)
		*to++ = digits[offset >> shift & 15];
	*to++ = ':';
	behind = to;
	*to++ = ' ';
	for (size_t i = 0; i < n; i++) {
		if (i % 2 == 0)
			*to++ = ' ';
		*to++ = digits[p[i] >> 4];
		*to++ = digits[p[i] & 15];
	}
	to = behind + ASCII_AT;
	for (size_t i = 0; i < n; i++)
		*to++ = (char)(p[i] >= 0x21 && p[i] < 0x7f ? p[i] : '.');
	*to++ = '\n';
	buf_bytes(b, line, (size_t)(to - line));
}

void hex_dump(struct buf *b, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t at = 0; at < n; at += LINE)
		dump_line(b, at, p + at, MIN(n - at, (size_t)LINE));
}
