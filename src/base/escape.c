// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Hostile bytes made harmless, for a terminal and for JSON, and how wide they are then.
 * Everything seen on a network passes here before it is shown, so plain ASCII must cost a copy. */
#include "base/buf.h"

/* Per byte: which of the two outputs cannot take it as it is. */
enum { STOP_PEOPLE = 1, STOP_JSON = 2 };

static inline unsigned stops(uint8_t c)
{
	if (c < 0x20 || c >= 0x7f)
		return STOP_PEOPLE | STOP_JSON;
	return c == '"' || c == '\\' ? STOP_JSON : 0;
}

#define EACH(byte) (0x0101010101010101ULL * (byte))

/* Sets the top bit of a byte that is zero; bytes above a zero byte may be set too. */
static inline uint64_t zero_bytes(uint64_t x)
{
	return (x - EACH(1)) & ~x & EACH(0x80);
}

/* Length of the plain ASCII that p starts with: eight bytes at a time, then singly. */
static inline size_t plain_run(const char *p, size_t n, unsigned stop)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t x, bad;

		memcpy(&x, p + i, 8);
		bad = x | (x - EACH(0x20)) | zero_bytes(x ^ EACH(0x7f));
		if (stop == STOP_JSON)
			bad |= zero_bytes(x ^ EACH('"')) | zero_bytes(x ^ EACH('\\'));
		if (bad & EACH(0x80))
			break;
	}
	while (i < n && !(stops((uint8_t)p[i]) & stop))
		i++;
	return i;
}

/* Characters that steer a terminal or break its lines: C0, DEL, C1, line and paragraph separators,
 * bidirectional controls (Unicode 15 Bidi_Control). */
static bool steers(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* The character at p: its length, at least 1, and whether it can be shown as it is. */
static unsigned next_character(const char *p, size_t n, uint32_t *c, bool *valid)
{
	unsigned len = utf8_decode(p, n, c);

	*valid = len != 0;
	return len ? len : 1;
}

static const char hex[] = "0123456789abcdef";

static void put_hex_bytes(struct buf *b, const char *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const char out[4] = {'\\', 'x', hex[(uint8_t)p[i] >> 4], hex[p[i] & 15]};

		buf_bytes(b, out, sizeof(out));
	}
}

void buf_escaped(struct buf *b, struct text t)
{
	size_t start = b->len;
	size_t i = 0;

	while (i < t.len) {
		size_t run = plain_run(t.p + i, t.len - i, STOP_PEOPLE);
		unsigned len;
		uint32_t c;
		bool valid;

		buf_bytes(b, t.p + i, run);
		i += run;
		if (i == t.len)
			break;
		len = next_character(t.p + i, t.len - i, &c, &valid);
		if (valid && !steers(c))
			buf_bytes(b, t.p + i, len);
		else
			put_hex_bytes(b, t.p + i, len);
		i += len;
	}
	if (b->over)
		b->len = start;
}

/* RFC 8259 7: the two-character forms where there is one, else \uNNNN. c is below U+10000. */
static void put_json_escape(struct buf *b, uint32_t c)
{
	static const char short_form[128] = {
		['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
		['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};

	if (c < 128 && short_form[c]) {
		const char out[2] = {'\\', short_form[c]};

		buf_bytes(b, out, sizeof(out));
	} else {
		const char out[6] = {
			'\\',       'u', hex[c >> 12 & 15], hex[c >> 8 & 15], hex[c >> 4 & 15],
			hex[c & 15]};

		buf_bytes(b, out, sizeof(out));
	}
}

void buf_json(struct buf *b, struct text t)
{
	size_t start = b->len;
	size_t i = 0;

	while (i < t.len) {
		size_t run = plain_run(t.p + i, t.len - i, STOP_JSON);
		unsigned len;
		uint32_t c;
		bool valid;

		buf_bytes(b, t.p + i, run);
		i += run;
		if (i == t.len)
			break;
		len = next_character(t.p + i, t.len - i, &c, &valid);
		if (!valid)
			buf_bytes(b, "\xef\xbf\xbd", 3); /* U+FFFD */
		else if (c == '"' || c == '\\' || steers(c))
			put_json_escape(b, c);
		else
			buf_bytes(b, t.p + i, len);
		i += len;
	}
	if (b->over)
		b->len = start;
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(const struct range *r, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n && c >= r[i].first; i++)
		if (c <= r[i].last)
			return true;
	return false;
}

/*
 * Columns of a character that is shown as it is. Own ranges instead of wcwidth: that one depends on
 * a locale being loaded, which a static binary may not have. Blocks, not every character: combining
 * marks of the scripts in common use, and what UAX 11 has as wide.
 */
static unsigned character_columns(uint32_t c)
{
	static const struct range zero[] = {
		{0x0300, 0x036f}, {0x0483, 0x0489},   {0x0591, 0x05bd}, {0x0610, 0x061a},
		{0x064b, 0x065f}, {0x06d6, 0x06dc},   {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},
		{0x0e47, 0x0e4e}, {0x1ab0, 0x1aff},   {0x1dc0, 0x1dff}, {0x200b, 0x200d},
		{0x2060, 0x2064}, {0x20d0, 0x20f0},   {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
		{0xfeff, 0xfeff}, {0xe0001, 0xe01ef},
	};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
		{0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26aa, 0x26ab},
		{0x26bd, 0x26be},   {0x26c4, 0x26c5},   {0x2705, 0x2705},   {0x270a, 0x270b},
		{0x2728, 0x2728},   {0x274c, 0x274c},   {0x2753, 0x2755},   {0x2795, 0x2797},
		{0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
		{0x3400, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
		{0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},
		{0x16fe0, 0x18cff}, {0x1b000, 0x1b2ff}, {0x1f300, 0x1f320}, {0x1f32d, 0x1f335},
		{0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3e0, 0x1f3f0},
		{0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d},
		{0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};

	if (c < 0x300)
		return 1;
	if (in_ranges(zero, ARRAY_SIZE(zero), c))
		return 0;
	return in_ranges(wide, ARRAY_SIZE(wide), c) ? 2 : 1;
}

/* Columns of the character at p once escaped, and its length in bytes. */
static unsigned shown_columns(const char *p, size_t n, unsigned *len)
{
	uint32_t c;
	bool valid;

	*len = next_character(p, n, &c, &valid);
	return valid && !steers(c) ? character_columns(c) : 4 * *len;
}

size_t text_columns(struct text t)
{
	size_t columns = 0;
	unsigned len;

	for (size_t i = 0; i < t.len; i += len) {
		size_t run = plain_run(t.p + i, t.len - i, STOP_PEOPLE);

		columns += run;
		i += run;
		if (i == t.len)
			break;
		columns += shown_columns(t.p + i, t.len - i, &len);
	}
	return columns;
}

uint32_t text_fit(struct text t, size_t columns)
{
	unsigned len;
	uint32_t i = 0;

	for (; i < t.len; i += len) {
		unsigned next = shown_columns(t.p + i, t.len - i, &len);

		if (next > columns)
			break;
		columns -= next;
	}
	return i;
}
