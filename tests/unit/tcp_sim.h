// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A TCP connection over a network that loses, doubles and reorders, for model tests and fuzzers of
 * what taps it. What happens next is chosen by the caller's pick(). */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "abi/types.h"

#define SIM_FLIGHT 48
#define SIM_RANGES 64
#define SIM_WINDOW (1u << 20)

/* One direction. Places are offsets from its first byte. */
struct sim_dir {
	u32 first; /* sequence number of the first byte */
	u64 written, sent, acked;
	u64 received; /* in order, at the receiver */
	u64 seen;     /* past the last byte that the receiver's tap saw */
	bool fin, fin_sent, fin_received;
	struct {
		u64 from, to;
	} early[SIM_RANGES]; /* received out of order */
	unsigned n_early;
	u64 resent; /* segments with nothing or only in part new */
};

struct sim_packet {
	unsigned d;
	u64 from;
	u32 len, ack;
	bool fin;
	bool passed; /* the middle */
};

/* Where a packet is seen. */
enum sim_place { SIM_SENT, SIM_PASSES, SIM_ARRIVES };

struct sim {
	struct sim_dir d[2]; /* 0: requests */
	struct sim_packet flight[SIM_FLIGHT];
	unsigned n_flight;
	u32 mss;
	u32 loss, doubled, reorder; /* in 256 */
	bool tapped;
	bool middle;        /* there is one, and on either side of it a network like the other's */
	u32 (*pick)(u32 n); /* 0 to n - 1 */
	void (*tap)(struct sim *s, const struct sim_packet *p, enum sim_place place);
};

static inline u32 sim_seq(const struct sim *s, unsigned d, u64 at)
{
	return s->d[d].first + (u32)at;
}

static inline void sim_put(struct sim *s, const struct sim_packet *p)
{
	if (s->n_flight < SIM_FLIGHT && s->pick(256) >= s->loss)
		s->flight[s->n_flight++] = *p;
}

static inline void sim_send(struct sim *s, unsigned d, u64 from, u32 len, bool fin)
{
	struct sim_packet p = {.d = d, .from = from, .len = len, .fin = fin};

	p.ack = sim_seq(s, !d, s->d[!d].received);
	s->tap(s, &p, SIM_SENT);
	sim_put(s, &p);
	if (s->pick(256) < s->doubled)
		sim_put(s, &p);
}

/* The next new bytes, if any wait and the window takes them. */
static inline bool sim_transmit(struct sim *s, unsigned d)
{
	struct sim_dir *x = &s->d[d];
	u64 n = x->written - x->sent, from = x->sent;

	if (!n && x->fin && !x->fin_sent) {
		x->fin_sent = true;
		sim_send(s, d, from, 0, true);
		return true;
	}
	if (!n || x->sent - x->acked >= SIM_WINDOW)
		return false;
	n = n > s->mss ? s->mss : n;
	if (s->pick(4) == 0)
		n = 1 + s->pick((u32)n);
	if (x->fin && from + n == x->written && s->pick(2))
		x->fin_sent = true;
	/* tcp_write_xmit moves snd_nxt after the segment went out. */
	sim_send(s, d, from, (u32)n, x->fin_sent);
	x->sent += n;
	return true;
}

/* From the first byte that was not acknowledged, or any later one: cut anew, as kernels do. */
static inline bool sim_resend(struct sim *s, unsigned d)
{
	struct sim_dir *x = &s->d[d];
	u64 n = x->sent - x->acked, from = x->acked;

	if (!n) {
		if (x->fin_sent && !x->fin_received)
			sim_send(s, d, x->sent, 0, true);
		return x->fin_sent && !x->fin_received;
	}
	if (s->pick(2) == 0) {
		from += s->pick((u32)n);
		n = x->sent - from;
	}
	n = n > s->mss ? s->mss : n;
	if (s->pick(4) == 0)
		n = 1 + s->pick((u32)n);
	x->resent++;
	sim_send(s, d, from, (u32)n, x->fin_sent && from + n == x->written);
	return true;
}

static inline void sim_receive(struct sim_dir *x, u64 from, u64 to)
{
	bool more = true;

	if (from == to)
		return; /* a FIN by itself */
	if (to > x->seen)
		x->seen = to;
	if (from > x->received) {
		if (x->n_early == SIM_RANGES)
			return; /* no room: as if it had been lost behind the tap */
		x->early[x->n_early].from = from;
		x->early[x->n_early++].to = to;
		return;
	}
	if (to > x->received)
		x->received = to;
	while (more) {
		more = false;
		for (unsigned i = 0; i < x->n_early; i++) {
			if (x->early[i].from > x->received)
				continue;
			if (x->early[i].to > x->received)
				x->received = x->early[i].to;
			x->early[i] = x->early[--x->n_early];
			more = true;
			break;
		}
	}
}

/* From the first network to the second. */
static inline void sim_pass(struct sim *s, struct sim_packet *p)
{
	s->tap(s, p, SIM_PASSES);
	p->passed = true;
	sim_put(s, p);
	if (s->pick(256) < s->doubled)
		sim_put(s, p);
}

static inline bool sim_deliver(struct sim *s)
{
	unsigned i = 0;
	struct sim_packet p;
	struct sim_dir *x, *back;
	u64 acked;

	if (!s->n_flight)
		return false;
	if (s->pick(256) < s->reorder)
		i = s->pick(s->n_flight);
	p = s->flight[i];
	memmove(&s->flight[i], &s->flight[i + 1], (--s->n_flight - i) * sizeof(p));
	x = &s->d[p.d];
	back = &s->d[!p.d];
	if (s->middle && !p.passed) {
		sim_pass(s, &p);
		return true;
	}
	s->tap(s, &p, SIM_ARRIVES);
	sim_receive(x, p.from, p.from + p.len);
	if (p.fin && x->received == x->written)
		x->fin_received = true;
	/* What it acknowledges, and the acknowledgement that it causes, unless that is lost. */
	acked = back->acked + (u32)(p.ack - sim_seq(s, !p.d, back->acked));
	if (acked <= back->sent)
		back->acked = acked;
	if (s->pick(4))
		x->acked = x->received;
	return true;
}

/* One step of the network; false: nothing is under way in either direction. */
static inline bool sim_step(struct sim *s)
{
	unsigned d = s->pick(2);

	switch (s->pick(8)) {
	case 0 ... 3:
		if (sim_deliver(s))
			return true;
		break;
	case 4:
		if (s->loss && s->pick(16) == 0 && sim_resend(s, d))
			return true;
		break;
	default:
		break;
	}
	return sim_transmit(s, d) || sim_transmit(s, !d) || sim_deliver(s) || sim_resend(s, d) ||
	       sim_resend(s, !d);
}

static inline bool sim_quiet(const struct sim *s)
{
	const struct sim_dir *a = &s->d[0], *b = &s->d[1];

	return a->received == a->written && b->received == b->written && !s->n_flight;
}

/* Until all that was written arrived; what is late may stay on its way. */
static inline void sim_settle(struct sim *s, unsigned d)
{
	for (u64 i = 0; s->d[d].received < s->d[d].written; i++) {
		assert(i < 10000000);
		sim_step(s);
	}
}
