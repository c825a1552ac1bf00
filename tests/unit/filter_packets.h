// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Generated Ethernet frames, for tests of filters: of every kind that expressions ask for, also
 * cut off and at random.
 * Addresses and ports come from small sets, so that expressions which name them match some. The
 * same seed makes the same frames everywhere. */
#pragma once

#include "base/def.h"

enum { FRAME_MAX = 400 };

struct frame {
	uint8_t p[FRAME_MAX];
	unsigned n;
};

struct frames {
	uint64_t seed;
	struct frame f;
};

/* Marsaglia, "Xorshift RNGs" (2003), the 64-bit one; below n. */
static inline unsigned frames_draw(struct frames *g, unsigned n)
{
	g->seed ^= g->seed << 13;
	g->seed ^= g->seed >> 7;
	g->seed ^= g->seed << 17;
	return (unsigned)((g->seed >> 20) % n);
}

static inline void put(struct frames *g, const void *p, unsigned n)
{
	n = MIN(n, FRAME_MAX - g->f.n);
	memcpy(g->f.p + g->f.n, p, n);
	g->f.n += n;
}

static inline void put8(struct frames *g, unsigned v)
{
	uint8_t b = (uint8_t)v;

	put(g, &b, 1);
}

static inline void put16(struct frames *g, unsigned v)
{
	put8(g, v >> 8);
	put8(g, v);
}

static inline void put32(struct frames *g, unsigned v)
{
	put16(g, v >> 16);
	put16(g, v);
}

static inline void put_random(struct frames *g, unsigned n)
{
	while (n--)
		put8(g, frames_draw(g, 256));
}

static inline void put_mac(struct frames *g)
{
	static const uint8_t known[][6] = {{0, 0, 0, 0, 0, 1},
					   {0, 0, 0, 0, 0, 2},
					   {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
					   {0x01, 0x00, 0x5e, 0, 0, 1},
					   {0x33, 0x33, 0, 0, 0, 1},
					   {0x02, 0x42, 0x0a, 0, 0, 1}};

	put(g, known[frames_draw(g, ARRAY_SIZE(known))], 6);
}

static inline void put_ip4(struct frames *g)
{
	static const uint32_t known[] = {0x0a000001, 0x0a000002, 0x0a0000ff, 0xc0a80101,
					 0xac100505, 0x7f000001, 0xe0000001, 0xffffffff};

	put32(g, frames_draw(g, 12) ? known[frames_draw(g, ARRAY_SIZE(known))] : (unsigned)g->seed);
}

static inline void put_ip6(struct frames *g)
{
	static const uint32_t known[][4] = {{0, 0, 0, 1},
					    {0xfe800000, 0, 0, 1},
					    {0x20010db8, 0, 0, 1},
					    {0x20010db8, 0, 0, 2},
					    {0xff020000, 0, 0, 1}};
	const uint32_t *a = known[frames_draw(g, ARRAY_SIZE(known))];

	for (int i = 0; i < 4; i++)
		put32(g, a[i]);
}

static inline void put_port(struct frames *g)
{
	static const uint16_t known[] = {80, 443, 53, 22, 8080, 1023, 1024, 6081, 4789, 65535};

	put16(g,
	      frames_draw(g, 8) ? known[frames_draw(g, ARRAY_SIZE(known))] : frames_draw(g, 65536));
}

static inline void put_tcp(struct frames *g)
{
	unsigned words = frames_draw(g, 4) ? 5 : 5 + frames_draw(g, 11);

	put_port(g);
	put_port(g);
	put_random(g, 8);
	put8(g, words << 4);
	put8(g, frames_draw(g, 256));
	put_random(g, 6 + (words - 5) * 4);
	if (frames_draw(g, 3) == 0)
		put(g, "GET / HTTP/1.1\r\n", 16);
	put_random(g, frames_draw(g, 40));
}

static inline void put_ipv4(struct frames *g, int deep);
static inline void put_ipv6(struct frames *g, int deep);

static inline void put_geneve(struct frames *g, int deep)
{
	unsigned words = frames_draw(g, 4);

	put8(g, words);
	put8(g, 0);
	put16(g, 0x6558);
	put32(g, frames_draw(g, 3) << 8);
	put_random(g, words * 4);
	put_mac(g);
	put_mac(g);
	put16(g, 0x0800);
	put_ipv4(g, deep + 1);
}

static inline void put_udp(struct frames *g, int deep)
{
	bool geneve = deep < 2 && frames_draw(g, 6) == 0;

	put_port(g);
	if (geneve)
		put16(g, 6081);
	else
		put_port(g);
	put16(g, 8 + frames_draw(g, 64));
	put_random(g, 2);
	if (geneve)
		put_geneve(g, deep);
	else
		put_random(g, frames_draw(g, 64));
}

static inline void put_gre(struct frames *g, int deep)
{
	bool six = frames_draw(g, 2);

	put16(g, 0);
	put16(g, six ? 0x86dd : 0x0800);
	if (deep > 2)
		return;
	if (six)
		put_ipv6(g, deep + 1);
	else
		put_ipv4(g, deep + 1);
}

/* IP protocol numbers, with ones that nobody has. */
static inline unsigned draw_protocol(struct frames *g)
{
	static const uint8_t known[] = {6, 6,  6,  17,  17,  17, 1,  58, 47,
					2, 50, 51, 132, 112, 4,  41, 89};

	return frames_draw(g, 20) ? known[frames_draw(g, ARRAY_SIZE(known))] : frames_draw(g, 256);
}

static inline void put_transport(struct frames *g, unsigned protocol, int deep)
{
	switch (protocol) {
	case 6:
		put_tcp(g);
		return;
	case 17:
		put_udp(g, deep);
		return;
	case 132:
		put_port(g);
		put_port(g);
		put_random(g, 20);
		return;
	case 47:
		put_gre(g, deep);
		return;
	case 1:
	case 58:
		put8(g, frames_draw(g, 2) ? frames_draw(g, 20) : 128 + frames_draw(g, 10));
		put8(g, frames_draw(g, 4));
		put_random(g, 2 + frames_draw(g, 40));
		return;
	case 51:
		put8(g, 6);
		put8(g, 1 + frames_draw(g, 4));
		put_random(g, 10);
		put_tcp(g);
		return;
	default:
		put_random(g, frames_draw(g, 48));
	}
}

static inline void put_ipv4(struct frames *g, int deep)
{
	unsigned words = frames_draw(g, 3) ? 5 : frames_draw(g, 16);
	unsigned protocol = draw_protocol(g), kind = frames_draw(g, 10);

	put8(g, 0x40 | words);
	put8(g, frames_draw(g, 4) ? 0 : frames_draw(g, 256));
	put16(g, frames_draw(g, 5) ? 20 + frames_draw(g, 200) : frames_draw(g, 65536));
	put_random(g, 2);
	/* Don't fragment, a first fragment, a later one. */
	put16(g, kind < 6   ? 0x4000
		 : kind < 8 ? 0
		 : kind < 9 ? 0x2000
			    : 0x2000 | frames_draw(g, 185));
	put8(g, frames_draw(g, 3) ? 64 : frames_draw(g, 256));
	put8(g, protocol);
	put_random(g, 2);
	put_ip4(g);
	put_ip4(g);
	put_random(g, words > 5 ? (words - 5) * 4 : 0);
	put_transport(g, protocol, deep);
}

static inline void put_ipv6(struct frames *g, int deep)
{
	static const uint8_t extensions[] = {0, 43, 44, 60, 51};
	unsigned protocol = draw_protocol(g), n = frames_draw(g, 3) ? 0 : 1 + frames_draw(g, 3);
	unsigned next = n ? extensions[frames_draw(g, ARRAY_SIZE(extensions))] : protocol;

	put32(g, 0x60000000 | frames_draw(g, 1 << 20));
	put16(g, frames_draw(g, 300));
	put8(g, next);
	put8(g, 64);
	put_ip6(g);
	put_ip6(g);
	for (; n; n--) {
		unsigned words = next == 44 || next == 51 ? 0 : frames_draw(g, 2);
		bool later = frames_draw(g, 2);

		next = n == 1 ? protocol : extensions[frames_draw(g, ARRAY_SIZE(extensions))];
		put8(g, next);
		put8(g, words);
		put16(g, later ? 0x0010 : 0);
		put_random(g, 4 + words * 8);
	}
	put_transport(g, protocol, deep);
}

static inline void put_arp(struct frames *g)
{
	put16(g, 1);
	put16(g, 0x0800);
	put8(g, 6);
	put8(g, 4);
	put16(g, 1 + frames_draw(g, 2));
	put_mac(g);
	put_ip4(g);
	put_mac(g);
	put_ip4(g);
}

static inline void put_mpls(struct frames *g)
{
	for (unsigned n = frames_draw(g, 3); n; n--)
		put32(g, (100 + frames_draw(g, 3)) << 12 | 64);
	put32(g, (100 + frames_draw(g, 3)) << 12 | 0x100 | 64);
	put_ipv4(g, 1);
}

static inline void put_pppoe(struct frames *g)
{
	put8(g, 0x11);
	put8(g, 0);
	put16(g, frames_draw(g, 3));
	put16(g, 40);
	put16(g, frames_draw(g, 3) ? 0x0021 : 0x0057);
	put_ipv4(g, 1);
}

static inline void put_llc(struct frames *g)
{
	static const uint8_t saps[] = {0x42, 0xaa, 0xfe, 0xf0, 0xe0};
	unsigned sap = saps[frames_draw(g, ARRAY_SIZE(saps))];

	put16(g, 3 + frames_draw(g, 200));
	put8(g, sap);
	put8(g, sap);
	put8(g, 3);
	if (sap == 0xaa) {
		put_random(g, 3);
		put16(g, frames_draw(g, 2) ? 0x809b : 0x0800);
	}
	put_random(g, frames_draw(g, 40));
}

static inline void put_tags(struct frames *g, unsigned n)
{
	static const uint16_t types[] = {0x8100, 0x88a8, 0x9100};

	for (; n; n--) {
		put16(g, types[frames_draw(g, ARRAY_SIZE(types))]);
		put16(g,
		      frames_draw(g, 8) << 13 | (frames_draw(g, 3) ? 1 + frames_draw(g, 5) : 100));
	}
}

static inline void put_payload(struct frames *g)
{
	static const uint16_t others[] = {0x8035, 0x809b, 0x6003, 0x8137, 0x9999};
	unsigned kind = frames_draw(g, 100);

	if (kind < 55) {
		put16(g, 0x0800);
		put_ipv4(g, 0);
	} else if (kind < 80) {
		put16(g, 0x86dd);
		put_ipv6(g, 0);
	} else if (kind < 85) {
		put16(g, frames_draw(g, 4) ? 0x0806 : 0x8035);
		put_arp(g);
	} else if (kind < 89) {
		put16(g, frames_draw(g, 4) ? 0x8847 : 0x8848);
		put_mpls(g);
	} else if (kind < 92) {
		put16(g, frames_draw(g, 4) ? 0x8864 : 0x8863);
		put_pppoe(g);
	} else if (kind < 96) {
		put_llc(g);
	} else {
		put16(g, others[frames_draw(g, ARRAY_SIZE(others))]);
		put_random(g, frames_draw(g, 60));
	}
}

/* The next frame, valid until the next call: at least 1 byte; some are cut off anywhere, and some
 * are random from some byte on. */
static inline const struct frame *frames_next(struct frames *g)
{
	unsigned kind = frames_draw(g, 16);

	g->f.n = 0;
	put_mac(g);
	put_mac(g);
	if (kind < 4)
		put_tags(g, 1 + frames_draw(g, 3));
	put_payload(g);
	if (kind == 4 || kind == 5)
		g->f.n = 1 + frames_draw(g, g->f.n);
	if (kind == 6) {
		unsigned from = frames_draw(g, g->f.n), n = g->f.n - from;

		g->f.n = from;
		put_random(g, n);
	}
	return &g->f;
}
