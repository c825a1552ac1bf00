// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP connections as an interface or a capture file sees them: no end of them need be here. Around
 * the turn engine it finds out who asks, and when a connection begins and ends. It compiles for BPF
 * and natively: files and the wire run the same code.
 *
 * The including file provides flow_emit(), flow_payload() and flow_mark_of().
 */
#pragma once

#include "kernel/flow_edge.h"

/* Puts the record of an exchange out. */
ALWAYS_INLINE void flow_emit(struct flow *f, const struct ended *e, u64 now);
/* Puts payload of a followed connection out: len bytes from `from` on. *about is used up. */
ALWAYS_INLINE void flow_payload(packet_bytes *b, struct flow *f, struct payload *about, u32 from,
				u32 len);
/* What user space knows of the connection: enum mark, or 0. */
ALWAYS_INLINE u32 flow_mark_of(const struct flow *f);

/* ---- segments of a flow ---- */

/* Of a turn whose first byte was never seen there is no head, and a FIN says where its direction
 * ends. */
ALWAYS_INLINE void flow_headless(const struct flow *f, struct ended *e)
{
	bool cut = f->fins & 2 && (s32)(f->fin[1] - f->conn.next[1]) > 0;
	bool request = e->request_bytes && !f->heads.request;
	bool response = e->response_bytes && !e->response_head;

	if ((request || response || cut) && !(e->flags & EX_STREAM))
		e->flags |= EX_GAP;
}

/* Not static for BPF, as what follows: verified once, and with a stack of its own. Always 0. */
PACKET_FUNCTION int flow_end(struct flow *f, u32 why, u64 now)
{
	struct ended e;

	if (!f || !turn_end(&f->conn, &e, why))
		return 0;
	flow_headless(f, &e);
	flow_emit(f, &e, now);
	return 0;
}

/* Of an HTTP connection, crossed bytes that begin a request are pipelined, and followed from here
 * on; others are the rest of an upload. */
ALWAYS_INLINE bool flow_crossed_request(packet_bytes *b, struct conn *c,
					const struct flow_segment *v)
{
	u8 start[4];

	if (!(c->mode & CONN_HTTP) || !packet_load(b, v->at, start, sizeof(start)) ||
	    !http_method(start))
		return false;
	c->mode |= CONN_FOLLOW;
	c->budget = FOLLOW_BURST;
	return true;
}

ALWAYS_INLINE void flow_mark(struct flow *f)
{
	u32 mark = flow_mark_of(f);

	if (mark == MARK_FOLLOW)
		f->conn.mode |= CONN_FOLLOW;
	if (mark == MARK_STREAM)
		turn_stream(&f->conn);
}

/* What was there before is of another exchange. Always 0. */
PACKET_FUNCTION int flow_blank(struct flow *f, u32 from, u32 to)
{
	if (!f)
		return 0;
	for (u32 i = 0; i < HEADS_MAX; i++) { /* no branches: they would double the paths */
		s32 before = (s32)(i - from), behind = (s32)(to - 1 - i);

		asm volatile("" : "+r"(before), "+r"(behind)); /* or the compiler makes some */
		f->heads.b[i] &= (u8)((before | behind) >> 31);
	}
	return 0;
}

ALWAYS_INLINE void flow_hole(struct flow *f, u32 length, u32 from, u32 to)
{
	struct conn *c = &f->conn;

	if (from > length)
		flow_blank(f, length, from);
	if (heads_hole(&f->heads, c->mode & CONN_HOLE, length, from, to))
		c->mode |= CONN_HOLE;
	else
		c->mode &= ~CONN_HOLE;
}

ALWAYS_INLINE void flow_request_head(packet_bytes *b, struct flow *f, u32 from, u32 n, u32 offset)
{
	struct heads *h = &f->heads;
	u32 to = 0;

	if (offset) {
		if (!heads_piece(b, &f->conn, h, from, &n, offset, false, &to))
			return;
	} else {
		n = heads_request(b, &f->conn, h, from, n);
		if (!n)
			return;
	}
	flow_hole(f, h->request, to, to + n);
	if (offset + n > h->request)
		h->request = offset + n;
}

ALWAYS_INLINE void flow_response_head(packet_bytes *b, struct flow *f, u32 from, u32 n, u32 offset)
{
	struct conn *c = &f->conn;
	u32 base = c->response_base, to = base;

	if (offset) {
		if (!heads_piece(b, c, &f->heads, from, &n, offset, true, &to))
			return;
	} else {
		n = heads_response(b, c, &f->heads, from, n);
		if (!n)
			return;
	}
	flow_hole(f, base + c->response_head, to, to + n);
	if (offset + n > c->response_head)
		c->response_head = offset + n;
}

/* What of the segment the heads want: t as turn_data() says. */
PACKET_FUNCTION int flow_heads(packet_bytes *b, struct flow *f, const struct head_take *t,
			       const struct flow_segment *v)
{
	u32 from, n, captured = packet_captured(b);

	if (!f || !t || !v)
		return 0;
	if (t->what & TAKE_START)
		f->heads.request = 0;
	from = v->at + t->skip;
	n = v->s.len - t->skip;
	if (from >= captured) {
		f->conn.flags |= EX_GAP;
		return 0;
	}
	n = n > captured - from ? captured - from : n;
	if (t->what & TAKE_REQUEST)
		flow_request_head(b, f, from, n, t->offset);
	else
		flow_response_head(b, f, from, n, t->offset);
	if (t->what & TAKE_START && t->what & TAKE_REQUEST && v->s.len != f->conn.single_len)
		heads_look(&f->conn, &f->heads, v->s.len - t->skip);
	return 0;
}

PACKET_FUNCTION int flow_follow(packet_bytes *b, struct flow *f, const struct flow_segment *v)
{
	struct payload about;

	if (!f || !v)
		return 0;
	turn_payload(&f->conn, &v->s, f->cookie, &about);
	flow_payload(b, f, &about, v->at, v->s.len);
	return 0;
}

/* How many bytes of the other direction were never seen, by what the segment acknowledges: they
 * passed before it did. A FIN takes a number too, and may be what was not seen. */
ALWAYS_INLINE u32 flow_unseen(const struct flow *f, const struct flow_segment *v)
{
	const struct conn *c = &f->conn;
	u32 other = turn_index(!v->s.request);
	s32 unseen = v->s.ack - c->next[other];

	if (!(v->flags & FLOW_ACK) || !(c->mode & CONN_SEQ) || unseen > (s32)GAP_MAX)
		return 0;
	if (unseen == 1 && (f->fins & (1u << other) || v->flags & FLOW_FIN))
		return 0;
	return unseen > 0 ? unseen : 0;
}

/* A segment of direction d (0: the requester's) is left out. Any CPU may say so. */
ALWAYS_INLINE void flow_skip(struct flow *f, u32 d)
{
	__sync_fetch_and_or(&f->skipped, 1u << d);
}

/* Segments may have been left out before this one. Those of its own direction within a turn that
 * goes on lack bytes and no more: numbers count them. Others may have been a turn. */
ALWAYS_INLINE void flow_skipped(struct flow *f, bool within, u32 d)
{
	u32 left;

	if (!f->skipped)
		return;
	left = __sync_fetch_and_and(&f->skipped, 0);
	if (!within || left & ~(1u << d))
		f->conn.flags |= EX_GAP;
}

/* Before a turn of the other side that was lost, bytes of this side were lost, too: most likely of
 * its turn before. */
ALWAYS_INLINE void flow_lost_before(struct flow *f, const struct flow_segment *v)
{
	struct conn *c = &f->conn;
	u32 own = turn_index(v->s.request);
	s32 hole = v->s.seq - c->next[own];

	if (hole <= 0 || hole > (s32)GAP_MAX ||
	    c->phase != (v->s.request ? PHASE_REQUEST : PHASE_RESPONSE))
		return;
	if (v->s.request)
		c->request_bytes += hole;
	else
		c->response_bytes += hole;
	c->next[own] = v->s.seq;
	c->flags |= EX_GAP;
	flow_skip(f, 0); /* if they were of the next turn, that has a gap, whoever's it is */
	flow_skip(f, 1);
}

/* The tap, or who captured, lost n bytes in front of the segment. They count, and make a turn where
 * there was none; what they said and when they passed is not known. */
PACKET_FUNCTION int flow_lost(struct flow *f, const struct flow_segment *v, u32 n)
{
	struct segment lost = {.len = n};
	struct head_take t = {};
	u64 request_last, response_last;
	struct conn *c;

	if (!f || !v)
		return 0;
	c = &f->conn;
	lost.request = !v->s.request;
	flow_lost_before(f, v);
	lost.seq = c->next[turn_index(lost.request)];
	lost.ack = c->next[turn_index(v->s.request)];
	if (turn_flips(c, &lost) && turn_ends(c, &lost, turn_crosses(c, &lost)))
		flow_end(f, END_NEXT, v->s.now);
	request_last = c->phase == PHASE_IDLE ? 0 : c->request_last_ns;
	response_last = c->phase < PHASE_RESPONSE ? 0 : c->response_last_ns;
	turn_data(c, &lost, &t);
	if (t.what & TAKE_START)
		f->heads.request = 0;
	c->request_last_ns = request_last;
	c->response_last_ns = response_last;
	c->flags |= EX_GAP;
	return 0;
}

/* Ends the exchange before the segment where it does, and takes it into the state. */
ALWAYS_INLINE void flow_data(packet_bytes *b, struct flow *f, const struct flow_segment *v)
{
	const struct segment *s = &v->s;
	struct conn *c = &f->conn;
	bool within = c->phase == (s->request ? PHASE_REQUEST : PHASE_RESPONSE);
	u64 before = turn_last_ns(c);
	struct head_take t = {};

	if (turn_flips(c, s)) {
		bool crosses = turn_crosses(c, s);

		if (turn_ends(c, s, crosses) || (crosses && flow_crossed_request(b, c, v)))
			flow_end(f, END_NEXT, s->now);
	}
	turn_data(c, s, &t);
	flow_skipped(f, within, turn_index(s->request));
	if (t.what == (TAKE_START | TAKE_REQUEST))
		flow_mark(f);
	if (t.what)
		flow_heads(b, f, &t, v);
	if (!s->request && c->response_bytes > RESPONSE_HEAD_MAX && s->len >= TAIL_LEN &&
	    v->flags & FLOW_PSH)
		packet_load(b, v->at + s->len - TAIL_LEN, c->tail, sizeof(c->tail));
	if (c->mode & CONN_FOLLOW && c->phase != PHASE_STREAM) {
		turn_refill(c, s->now, before);
		flow_follow(b, f, v);
	}
}

/* Has all of a direction come, up to its FIN? */
ALWAYS_INLINE bool flow_done(const struct flow *f, u32 d)
{
	return f->fins & (1u << d) && (s32)(f->conn.next[d] - f->fin[d]) >= 0;
}

/* FIN and RST, and what comes late up to a FIN. */
ALWAYS_INLINE void flow_ends(struct flow *f, const struct flow_segment *v)
{
	struct conn *c = &f->conn;
	u32 d = turn_index(v->s.request), end = v->s.seq + v->s.len;
	s32 far = v->s.seq - c->next[d];

	if (v->flags & FLOW_RST) {
		if (far < -FLOW_RESET_MAX || far > 1)
			return;
		c->flags |= EX_RESET;
		f->over = 1;
	} else if (v->flags & FLOW_FIN) {
		c->flags |= d ? EX_RSP_FIN : EX_REQ_FIN;
		f->fins |= 1u << d;
		f->fin[d] = end;
	}
	if (d && flow_done(f, 1))
		flow_end(f, END_FIN, v->s.now);
	if (flow_done(f, 0) && flow_done(f, 1))
		f->over = 1;
	if (f->over)
		flow_end(f, END_CLOSE, v->s.now);
}

/* Takes a segment with payload, FIN or RST, whose v->s.now is set, into its flow. f->over: it was
 * the last one. Always 0. */
PACKET_FUNCTION int flow_take(packet_bytes *b, struct flow *f, struct flow_segment *v)
{
	u32 unseen;

	if (!f || !v || f->over)
		return 0;
	v->s.request = v->from_b == f->b_asks;
	unseen = flow_unseen(f, v);
	if (unseen)
		flow_lost(f, v, unseen);
	if (v->s.len)
		flow_data(b, f, v);
	if (v->flags & (FLOW_FIN | FLOW_RST) || f->fins)
		flow_ends(f, v);
	return 0;
}

/* A SYN or SYN-ACK of a flow that is there: does it start another connection? Anybody may send a
 * SYN: an answer says so, or payload that comes with it. */
ALWAYS_INLINE bool flow_restarts(struct flow *f, const struct flow_segment *v)
{
	struct conn *c = &f->conn;

	if (v->from_b == f->b_asks)
		return v->s.len && v->s.seq != c->first_seq;
	if (!c->first_ack && v->flags & FLOW_ACK) { /* Fast Open: its numbers are known now */
		c->next[1] = v->s.seq;
		c->first_ack = v->s.seq;
	}
	return v->flags & FLOW_ACK && v->s.seq != c->first_ack;
}

/* The state after the end. */
ALWAYS_INLINE void flow_closed(const struct flow *f, struct flow_edge *e, u64 now)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->now_ns = now;
	e->next[0] = f->conn.next[0];
	e->next[1] = f->conn.next[1];
	e->b_asks = f->b_asks;
	e->closed = 1;
}

/* A record's fields that the engine's copy does not have. Joins with nothing: there is one view of
 * the call. Told as the responder's end, whose address is the local one. */
ALWAYS_INLINE void flow_tell(const struct flow *f, struct exchange *x, u64 now)
{
	const struct flow_key *k = &f->key;

	x->cookie = f->cookie;
	x->now_ns = now;
	x->srtt_us = 0;
	x->join_seq = 0;
	x->join_ack = 0;
	x->first_seq = 0;
	x->first_ack = 0;
	x->loopback = 0;
	__builtin_memset(&x->owner, 0, sizeof(x->owner));
	__builtin_memcpy(x->local, f->b_asks ? k->a : k->b, 16);
	__builtin_memcpy(x->remote, f->b_asks ? k->b : k->a, 16);
	x->local_port = f->b_asks ? k->a_port : k->b_port;
	x->remote_port = f->b_asks ? k->b_port : k->a_port;
}
