// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Comparing, reading and decoding runs of hostile bytes.
 * Every parser needs these, and each is easy to get wrong at its bounds. */
#include "base/text.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool text_eq_nocase(struct text a, struct text b)
{
	if (a.len != b.len)
		return false;
	for (uint32_t i = 0; i < a.len; i++)
		if (lower((uint8_t)a.p[i]) != lower((uint8_t)b.p[i]))
			return false;
	return true;
}

int text_to_u64(struct text t, uint64_t *out)
{
	uint64_t v = 0;
	bool over = false;

	if (t.len == 0)
		return -EINVAL;
	for (uint32_t i = 0; i < t.len; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return -EINVAL;
		over |= __builtin_mul_overflow(v, 10, &v);
		over |= __builtin_add_overflow(v, (uint64_t)(t.p[i] - '0'), &v);
	}
	if (over)
		return -ERANGE;
	*out = v;
	return 0;
}

unsigned utf8_decode(const void *bytes, size_t n, uint32_t *character)
{
	const uint8_t *p = bytes;
	unsigned len;
	uint32_t c, least;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*character = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	least = len == 2 ? 0x80 : len == 3 ? 0x800 : 0x10000;
	if (n < len)
		return 0;
	c = p[0] & (0x7fU >> len);
	for (unsigned i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*character = c;
	return len;
}
