// SPDX-License-Identifier: GPL-2.0-only
/* Payload out of segments: into the heads of the turn, and for followed connections into the ring.
 * Everything here is off the path of a segment that merely continues a turn. */
#pragma once

#include "kernel/load.bpf.h"
#include "kernel/segment.bpf.h"
#include "kernel/socket_tap.bpf.h"

/* Bytes a second that one followed connection may emit, and the most it may save up. */
#define FOLLOW_RATE_US 16 /* bytes for each microsecond: 16 MB/s */
#define FOLLOW_BURST   (16u << 20)

/* A head in several segments: small constant pieces, so that every verifier can follow the bounds. */
static __noinline u32 load_piecewise(struct __sk_buff *skb, u32 from, struct heads *h, u32 to, u32 n)
{
	u32 done = 0;

	if (!h || to >= HEADS_MAX)
		return 0;
	for (int i = 0; i < REQUEST_HEAD_MAX / 16; i++) {
		u32 at = to + done;

		asm volatile("" : "+r"(at));
		if (done + 16 > n || at > HEADS_MAX - 16)
			break;
		if (bpf_skb_load_bytes(skb, from + done, h->b + at, 16))
			return done;
		done += 16;
	}
	for (int i = 0; i < 15; i++) {
		u32 at = to + done;

		asm volatile("" : "+r"(at));
		if (done >= n || at > HEADS_MAX - 1)
			break;
		if (bpf_skb_load_bytes(skb, from + done, h->b + at, 1))
			return done;
		done++;
	}
	return done;
}

ALWAYS_INLINE void take_request(struct __sk_buff *skb, const struct tcp_view *v, struct heads *h,
				const struct head_take *t)
{
	u32 n = v->len - t->skip, from = v->offset + t->skip, end;

	if (t->start) {
		h->request = 0;
		h->response = 0;
		h->filled = 0;
	}
	if (t->offset == 0) {
		n = n > REQUEST_HEAD_MAX ? REQUEST_HEAD_MAX : n;
		if (!load_bytes(skb, from, h->b, n, REQUEST_HEAD_MAX))
			return;
		end = n;
	} else {
		if (t->offset >= REQUEST_HEAD_MAX)
			return;
		n = n > REQUEST_HEAD_MAX - t->offset ? REQUEST_HEAD_MAX - t->offset : n;
		if (n == 0 || h->response || t->offset + n > REQUEST_HEAD_MAX)
			return; /* the response's head stands there now */
		if (t->offset + n <= h->request && h->filled >= h->request)
			return;
		end = t->offset + load_piecewise(skb, from, h, t->offset, n);
	}
	h->filled += n;
	if (end > h->request)
		h->request = end;
}

/* The response's head follows the request's, which has ended: 432 bytes serve both. */
ALWAYS_INLINE void take_response(struct __sk_buff *skb, const struct tcp_view *v, struct heads *h,
				 const struct head_take *t)
{
	u32 base = h->request, n = v->len - t->skip, from = v->offset + t->skip, end, room;

	if (t->start) {
		base = 0;
		h->request = 0;
		h->response = 0;
		h->filled = 0;
	}
	if (base > REQUEST_HEAD_MAX)
		return;
	room = base <= HEADS_MAX - RESPONSE_HEAD_MAX ? RESPONSE_HEAD_MAX : HEADS_MAX - REQUEST_HEAD_MAX;
	if (t->offset >= room)
		return;
	n = n > room - t->offset ? room - t->offset : n;
	if (t->offset == 0 && base <= HEADS_MAX - RESPONSE_HEAD_MAX) {
		if (!load_bytes(skb, from, h->b + base, n, RESPONSE_HEAD_MAX))
			return;
		end = n;
	} else if (t->offset == 0) {
		if (!load_bytes(skb, from, h->b + base, n, HEADS_MAX - REQUEST_HEAD_MAX))
			return;
		end = n;
	} else {
		if (t->offset + n <= h->response && h->filled >= h->request + h->response)
			return;
		end = t->offset + load_piecewise(skb, from, h, base + t->offset, n);
	}
	h->filled += n;
	if (end > h->response)
		h->response = end;
}

/* Methods as the first four bytes of a segment on a little-endian machine. */
#define WORD(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

/* 1: a method whose request has no body, 2: another HTTP method, 0: none. */
ALWAYS_INLINE int http_method(const u8 *p)
{
	switch (WORD(p[0], p[1], p[2], p[3])) {
	case WORD('G', 'E', 'T', ' '):
	case WORD('H', 'E', 'A', 'D'):
	case WORD('O', 'P', 'T', 'I'):
	case WORD('D', 'E', 'L', 'E'):
		return 1;
	case WORD('P', 'O', 'S', 'T'):
	case WORD('P', 'U', 'T', ' '):
	case WORD('P', 'A', 'T', 'C'):
	case WORD('C', 'O', 'N', 'N'):
	case WORD('T', 'R', 'A', 'C'):
		return 2;
	}
	return 0;
}

/*
 * Several requests in one segment? The end of a head that is not the end of the segment says so. Looked
 * for only where the length differs from that of the last request found single: clients repeat lengths.
 */
ALWAYS_INLINE bool pipelined(const struct heads *h, u32 len)
{
	u32 word = 0;

	for (u32 i = 0; i < REQUEST_HEAD_MAX; i++) {
		if (i >= h->request)
			break;
		word = word << 8 | h->b[i];
		if (word == 0x0d0a0d0a)
			return i + 1 < len;
	}
	return false;
}

/* One record of a followed connection's payload: n bytes of the segment from `done` on. False: no room. */
ALWAYS_INLINE bool follow_piece(struct __sk_buff *skb, struct conn *c, const struct tcp_view *v,
				const struct segment *s, u32 done, u32 n)
{
	struct payload *p = ring_reserve(sizeof(*p) + PAYLOAD_MAX);

	if (!p)
		return false;
	if (!load_bytes(skb, v->offset + done, p + 1, n, PAYLOAD_MAX)) {
		bpf_ringbuf_discard(p, 0);
		return false;
	}
	p->r.kind = RECORD_PAYLOAD;
	p->r.pad = 0;
	p->r.size = sizeof(*p) + PAYLOAD_MAX;
	p->cookie = bpf_get_socket_cookie(skb);
	p->now_ns = s->now;
	p->number = c->number - 1;
	p->seq = v->seq + done;
	p->ack = v->ack;
	p->length = n;
	p->captured = n;
	p->request = s->request;
	__builtin_memset(p->pad, 0, sizeof(p->pad));
	ring_submit(p);
	return true;
}

/* Emits the payload of a followed connection's segment, as far as its budget and the ring go. Whole
 * pieces first, at constant offsets, which keeps the verifier's work small. */
static __noinline void follow_emit(struct __sk_buff *skb, struct conn *c, const struct tcp_view *v,
				   const struct segment *s)
{
	u32 done = 0;

	if (c->budget < v->len) {
		count(COUNT_FOLLOW_BYTES, v->len);
		return;
	}
	c->budget -= v->len;
	for (int i = 0; i < 64; i++) {
		if (v->len < done + PAYLOAD_MAX)
			break;
		if (!follow_piece(skb, c, v, s, done, PAYLOAD_MAX))
			return;
		done += PAYLOAD_MAX;
	}
	if (v->len > done)
		follow_piece(skb, c, v, s, done, v->len - done);
}

ALWAYS_INLINE void follow_refill(struct conn *c, u64 now, u64 before)
{
	u64 more = before ? (now - before) / 1000 * FOLLOW_RATE_US : FOLLOW_BURST;

	c->budget = c->budget + more > FOLLOW_BURST ? FOLLOW_BURST : c->budget + more;
}
