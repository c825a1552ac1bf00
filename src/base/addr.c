// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Addresses and networks to text and back.
 * Own formatting: inet_ntop goes through printf and shows IPv4-mapped addresses in IPv6 form. */
#include <arpa/inet.h>

#include "base/addr.h"
#include "base/text.h"

static char *put_byte(char *at, uint8_t v)
{
	if (v >= 100)
		*at++ = (char)('0' + v / 100);
	if (v >= 10)
		*at++ = (char)('0' + v / 10 % 10);
	*at++ = (char)('0' + v % 10);
	return at;
}

static char *put_group(char *at, unsigned v)
{
	static const char hex[] = "0123456789abcdef";

	if (v >> 12)
		*at++ = hex[v >> 12];
	if (v >> 8)
		*at++ = hex[v >> 8 & 15];
	if (v >> 4)
		*at++ = hex[v >> 4 & 15];
	*at++ = hex[v & 15];
	return at;
}

static unsigned group(const struct addr *a, unsigned i)
{
	return (unsigned)a->b[2 * i] << 8 | a->b[2 * i + 1];
}

/* The first of the longest runs of two or more zero groups (RFC 5952 4.2); 0 groups when none. */
static unsigned zero_run(const struct addr *a, unsigned *start)
{
	unsigned best = 1;

	for (unsigned i = 0, run = 0; i < 8; i++) {
		run = group(a, i) ? 0 : run + 1;
		if (run > best) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return best > 1 ? best : 0;
}

size_t addr_format(const struct addr *a, char *out)
{
	char *at = out;

	if (addr_is_v4(a)) {
		for (unsigned i = 12; i < 16; i++) {
			at = put_byte(at, a->b[i]);
			*at++ = '.';
		}
		at--;
	} else {
		unsigned start = 8;
		unsigned run = zero_run(a, &start);

		for (unsigned i = 0; i < 8;) {
			if (run && i == start) {
				*at++ = ':';
				*at++ = ':';
				i += run;
				continue;
			}
			if (i && i != start + run)
				*at++ = ':';
			at = put_group(at, group(a, i++));
		}
	}
	*at = '\0';
	return (size_t)(at - out);
}

/* An IPv4 or IPv6 address without a prefix: its number of bits, or 0. */
static unsigned parse_address(const char *s, size_t n, struct addr *out)
{
	char text[ADDR_TEXT_MAX];

	if (n >= sizeof(text))
		return 0;
	memcpy(text, s, n);
	text[n] = '\0';
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->b + 12) == 1) {
		out->b[10] = out->b[11] = 0xff;
		return 32;
	}
	return inet_pton(AF_INET6, text, out->b) == 1 ? 128 : 0;
}

int addr_parse_net(const char *s, struct addr *out, unsigned *prefix, const char **why)
{
	const char *slash = strchr(s, '/');
	struct addr a;
	unsigned bits = parse_address(s, slash ? (size_t)(slash - s) : strlen(s), &a);
	uint64_t len = bits;

	if (!bits) {
		*why = "is not an IPv4 or IPv6 address or network, give one like 10.0.0.0/8 or "
		       "fe80::/10";
		return -EINVAL;
	}
	if (slash && (text_to_u64(text_of(slash + 1), &len) || len > bits)) {
		*why = bits == 32 ? "has no valid prefix length, give 0 to 32 after the slash"
				  : "has no valid prefix length, give 0 to 128 after the slash";
		return -EINVAL;
	}
	len += 128 - bits;
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = len > 8 * i ? (unsigned)MIN(len - 8 * i, 8U) : 0;

		a.b[i] &= (uint8_t)(0xff00 >> keep);
	}
	*out = a;
	*prefix = (unsigned)len;
	return 0;
}
