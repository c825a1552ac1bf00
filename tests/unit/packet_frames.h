// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Frames put together header by header, for tests of the packet walk.
 * Layouts are the RFCs', written down once. */
#pragma once

struct frame {
	uint8_t p[1024];
	uint32_t n;
};

static inline void put(struct frame *f, const void *bytes, uint32_t n)
{
	assert_true(f->n + n <= sizeof(f->p));
	memcpy(f->p + f->n, bytes, n);
	f->n += n;
}

static inline void number(struct frame *f, uint32_t value, unsigned size)
{
	while (size--) {
		uint8_t byte = (uint8_t)(value >> (8 * size));

		put(f, &byte, 1);
	}
}

static inline void zeros(struct frame *f, unsigned n)
{
	while (n--)
		number(f, 0, 1);
}

static inline struct frame ethernet(uint32_t type)
{
	struct frame f = {.n = 0};

	zeros(&f, 12);
	number(&f, type, 2);
	return f;
}

/* length: of the whole packet, header included; words: of the header. */
static inline void ipv4(struct frame *f, unsigned protocol, unsigned words, unsigned length,
			unsigned fragment)
{
	number(f, 0x40 | words, 1);
	number(f, 0, 1);
	number(f, length, 2);
	number(f, 7, 2);
	number(f, fragment, 2);
	number(f, 64, 1);
	number(f, protocol, 1);
	number(f, 0, 2);
	number(f, 0xc0000201, 4);
	number(f, 0xc0000202, 4);
	for (unsigned i = 5; i < words; i++)
		number(f, 0x01010101, 4);
}

static inline void ipv6(struct frame *f, unsigned next, unsigned length)
{
	number(f, 0x60000000, 4);
	number(f, length, 2);
	number(f, next, 1);
	number(f, 64, 1);
	number(f, 0x20010db8, 4);
	zeros(f, 11);
	number(f, 1, 1);
	number(f, 0x20010db8, 4);
	zeros(f, 11);
	number(f, 2, 1);
}

static inline void extension(struct frame *f, unsigned next, unsigned length, unsigned bytes)
{
	number(f, next, 1);
	number(f, length, 1);
	zeros(f, bytes - 2);
}

static inline void tcp(struct frame *f, unsigned words)
{
	number(f, 999, 2);
	number(f, 80, 2);
	zeros(f, 8);
	number(f, words << 4, 1);
	number(f, 0x18, 1);
	zeros(f, 6);
	for (unsigned i = 5; i < words; i++)
		number(f, 0x01010101, 4);
}

static inline void udp(struct frame *f)
{
	number(f, 5353, 2);
	number(f, 53, 2);
	zeros(f, 4);
}
