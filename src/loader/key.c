// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Keys out of the bytes that a terminal sends for them.
 * Sequences are those of ECMA-48 and of xterm: arrows are ESC [ A to D, or ESC O A to D. */
#include "loader/key.h"

enum state {
	PLAIN,
	ESCAPE,     /* ESC */
	CONTROL,    /* ESC [ */
	PARAMETERS, /* ESC [ and a digit, or what else says that it is no plain arrow */
	SINGLE,     /* ESC O, and ESC [ [ of the Linux console: one more character */
	IGNORED,    /* the same, of which no key is known */
};

/* The Escape key alone is an ESC that nothing follows. */
#define ESCAPE_NS 500000000ull

static unsigned arrow(uint8_t c)
{
	return c >= 'A' && c <= 'D' ? KEY_UP + (c - 'A') : 0;
}

/* The key that c ends, or 0. */
static unsigned in_control(struct key_reader *r, uint8_t c)
{
	bool plain = r->state == CONTROL;

	if (c >= 0x20 && c <= 0x3f) {
		r->state = PARAMETERS;
		return 0;
	}
	r->state = plain && c == '[' ? IGNORED : PLAIN;
	return plain ? arrow(c) : 0;
}

static unsigned next(struct key_reader *r, uint8_t c, uint64_t now_ns)
{
	enum state before = r->state;

	if (c == 0x1b) {
		r->state = ESCAPE;
		r->escape_ns = now_ns;
		return 0;
	}
	switch (before) {
	case CONTROL:
	case PARAMETERS:
		return in_control(r, c);
	case ESCAPE:
		r->state = c == '[' ? CONTROL : c == 'O' ? SINGLE : PLAIN;
		return 0;
	case SINGLE:
	case IGNORED:
		r->state = PLAIN;
		return before == SINGLE ? arrow(c) : 0;
	case PLAIN:
		break;
	}
	return c >= 0x20 && c < 0x7f ? c : 0;
}

unsigned key_read(struct key_reader *r, const uint8_t *bytes, size_t n, uint64_t now_ns,
		  uint16_t *keys)
{
	unsigned found = 0;

	if (r->state == ESCAPE && now_ns - r->escape_ns > ESCAPE_NS)
		r->state = PLAIN;
	for (size_t i = 0; i < n; i++) {
		unsigned key = next(r, bytes[i], now_ns);

		if (key)
			keys[found++] = (uint16_t)key;
	}
	return found;
}
