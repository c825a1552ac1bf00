// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections by the names in their packets: which packets are of one, which connection that
 * is, what is known of it before its first payload and after its end, and how a flow begins. */
#pragma once

#ifndef turn_lock
struct turn_lock {
}; /* nobody else is inside: flow_enter() */
#endif
#include "kernel/filter.h"
#include "kernel/heads.h"
#include "kernel/packet.h"

#include "abi/wire.h"

/* Both directions of a connection have the same: of its two ends, a is the lower one. */
struct flow_key {
	u64 a[2], b[2]; /* network order, IPv4 as IPv4-mapped */
	u16 a_port, b_port;
	u16 tunnel; /* enum packet_tunnel: what it was in */
	u16 pad;
	u32 network; /* of the tunnel */
	u32 pad2;
};
ABI_SIZE(struct flow_key, 48);

struct flow {
	struct flow_key key;
	u32 turn;    /* odd while a CPU is inside; flow_enter() */
	u32 skipped; /* whose segments were left out since the last: flow_skip() */
	u64 cookie;  /* no other flow of the run has it */
	u32 fin[2];  /* last number of the requester (fins has bit 0) and the responder (bit 1) */
	u8 b_asks;   /* the requester is b of the key */
	u8 fins;
	u8 over; /* both FINs, or a RST: nothing more comes */
	u8 pad[5];
	struct conn conn;
	struct heads heads;
};

/* What is known of a connection before its first payload and after its end. Apart from flows, so
 * that a flood of SYNs pushes out no connection that is in use. */
struct flow_edge {
	u64 now_ns;
	u32 next[2]; /* of the requester, of the responder; opening: 0 is not known */
	u32 connect_us;
	u8 b_asks;
	u8 closed;   /* it has ended; else it opens */
	u8 answered; /* next[1] is known */
	u8 pad;
};

/* A segment that comes so long after the end of its connection, with new bytes, is not of it. */
#define FLOW_LINGER_NS 1000000000ull

/* An end takes a RST only at the number that it waits for (RFC 5961 3.2): the next one, behind a
 * FIN the one after it, or what it has acknowledged so far, at most this much less. */
#define FLOW_RESET_MAX (1 << 16)

struct flow_segment {
	struct segment s; /* s.seq: of the first byte, behind a SYN */
	u32 at;           /* of the payload in the packet */
	u8 flags;         /* of the TCP header */
	u8 from_b;        /* sent by b of the key */
	u16 pad;
};

enum { FLOW_FIN = 1, FLOW_SYN = 2, FLOW_RST = 4, FLOW_PSH = 8, FLOW_ACK = 16 };

/* What becomes of a packet, tunnels looked into. SSH is left out unless it was asked for (ssh), so
 * that a remote terminal does not feed itself. */
enum flow_decision { FLOW_TAKEN, FLOW_LEFT, FLOW_FRAGMENT, FLOW_SSH };

ALWAYS_INLINE enum flow_decision flow_decide(const volatile struct filter *f, bool ssh,
					     const struct packet *p)
{
	if (p->flags & PACKET_FRAGMENT)
		return FLOW_FRAGMENT;
	if (p->protocol != PROTO_TCP || !(p->flags & PACKET_PAYLOAD) ||
	    (!p->payload_length && !(p->tcp_flags & (FLOW_SYN | FLOW_FIN | FLOW_RST))))
		return FLOW_LEFT;
	if (!ssh && (p->source_port == SSH_PORT || p->destination_port == SSH_PORT))
		return FLOW_SSH;
	if (!filter_has_port(f, p->source_port, p->destination_port) ||
	    !filter_has_address(f, p->source, p->destination))
		return FLOW_LEFT;
	return FLOW_TAKEN;
}

ALWAYS_INLINE bool flow_b_is_lower(const struct packet *p)
{
	if (p->source[0] != p->destination[0])
		return p->destination[0] < p->source[0];
	if (p->source[1] != p->destination[1])
		return p->destination[1] < p->source[1];
	return p->destination_port < p->source_port;
}

/* The key of a TCP segment, and the segment. */
ALWAYS_INLINE void flow_of(const struct packet *p, const struct tunnel *tunnel,
			   struct flow_key *key, struct flow_segment *v)
{
	bool swap = flow_b_is_lower(p);

	__builtin_memset(key, 0, sizeof(*key));
	__builtin_memcpy(key->a, swap ? p->destination : p->source, sizeof(key->a));
	__builtin_memcpy(key->b, swap ? p->source : p->destination, sizeof(key->b));
	key->a_port = swap ? p->destination_port : p->source_port;
	key->b_port = swap ? p->source_port : p->destination_port;
	key->tunnel = tunnel->kind;
	key->network = tunnel->network;
	__builtin_memset(v, 0, sizeof(*v));
	v->from_b = swap;
	v->flags = p->tcp_flags;
	v->s.seq = p->seq + !!(p->tcp_flags & FLOW_SYN);
	v->s.ack = p->ack;
	v->s.len = p->payload_length;
	v->at = p->payload;
}

/* ---- before the first payload, and after the end ---- */

ALWAYS_INLINE void flow_opens_asked(struct flow_edge *e, const struct flow_segment *v, u64 now)
{
	if (!e->closed && e->next[0] == v->s.seq && e->b_asks == v->from_b)
		return; /* sent again: the first one counts */
	e->b_asks = v->from_b;
	e->next[0] = v->s.seq;
	e->next[1] = 0;
	e->connect_us = 0;
	e->answered = 0;
	e->closed = 0;
	e->now_ns = now;
}

ALWAYS_INLINE void flow_opens_answered(struct flow_edge *e, const struct flow_segment *v, u64 now)
{
	bool awaited = e->next[0] && !e->closed && !e->answered && e->b_asks != v->from_b;

	if (e->answered && !e->closed && e->next[1] == v->s.seq)
		return; /* sent again */
	e->b_asks = !v->from_b;
	e->next[0] = v->s.ack;
	e->next[1] = v->s.seq;
	e->connect_us = awaited ? (now - e->now_ns) / 1000 : 0;
	e->answered = 1;
	e->closed = 0;
	e->now_ns = now;
}

/* A SYN or SYN-ACK; payload that it has comes after this. *e is what was known (zero: nothing), and
 * is brought up to date. */
ALWAYS_INLINE void flow_opens(struct flow_edge *e, const struct flow_segment *v, u64 now)
{
	if (v->flags & FLOW_ACK)
		flow_opens_answered(e, v, now);
	else
		flow_opens_asked(e, v, now);
}

/* Are there bytes in it that the connection which ended did not have? */
ALWAYS_INLINE bool flow_is_new(const struct flow_edge *e, const struct flow_segment *v)
{
	u32 d = turn_index(v->from_b == e->b_asks);

	return (s32)(v->s.seq + v->s.len - e->next[d]) > 0;
}

/* Data without a flow: does it belong to the connection that ended? */
ALWAYS_INLINE bool flow_is_late(const struct flow_edge *e, const struct flow_segment *v, u64 now)
{
	if (!e->closed || v->flags & FLOW_SYN)
		return false;
	return !flow_is_new(e, v) || now - e->now_ns < FLOW_LINGER_NS;
}

/* Who asks, of a connection whose SYN was not seen: what the bytes say, else the lower port is the
 * server's. */
ALWAYS_INLINE bool flow_guess(packet_bytes *b, const struct flow_key *key,
			      const struct flow_segment *v)
{
	u8 start[5];

	if (v->s.len >= sizeof(start) && packet_load(b, v->at, start, sizeof(start))) {
		if (http_method(start))
			return v->from_b;
		if (!__builtin_memcmp(start, "HTTP/", 5))
			return !v->from_b;
	}
	return key->a_port <= key->b_port;
}

/* A new flow, zeroed, for its first payload; e: what is known of its opening, or NULL. */
ALWAYS_INLINE void flow_start(packet_bytes *b, struct flow *f, const struct flow_key *key,
			      const struct flow_edge *e, const struct flow_segment *v)
{
	struct conn *c = &f->conn;

	f->key = *key;
	c->role = ROLE_RESPONDER;
	if (e && !e->closed) {
		f->b_asks = e->b_asks;
		c->connect_us = e->connect_us;
		c->next[0] = e->next[0];
		c->next[1] = v->from_b == e->b_asks ? v->s.ack : v->s.seq;
		if (e->answered)
			c->next[1] = e->next[1];
		c->first_seq = c->next[0];
		c->first_ack = c->next[1];
		c->mode = CONN_SEQ;
		return;
	}
	f->b_asks = flow_guess(b, key, v);
	c->mode = CONN_MIDWAY;
}
