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

/*
 * Functions that are not static are verified once, for any arguments, and not again on each path
 * that leads to them: what has loops is here, so that loading takes milliseconds. They may take
 * only the context and numbers, and look their socket up again, which is why the common path is not
 * like this.
 */
ALWAYS_INLINE struct bpf_sock *socket_of(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_fullsock(sk) : NULL;
}

/* Bytes from..to of the heads are loaded, which so far ended at `length`: what hole is there now?
 * Two holes count as one, with what lies between: that is rare, and errs towards EX_GAP. */
ALWAYS_INLINE void heads_hole(struct conn *c, struct heads *h, u32 length, u32 from, u32 to)
{
	u32 begin = c->mode & CONN_HOLE ? h->hole : 0, end = c->mode & CONN_HOLE ? h->hole_end : 0;

	if (from > length) {
		begin = begin == end ? length : begin;
		end = from;
	} else {
		if (from <= begin && to > begin)
			begin = to < end ? to : end;
		if (to >= end && from < end)
			end = from > begin ? from : begin;
	}
	h->hole = begin;
	h->hole_end = end;
	bpf_spin_lock(&c->lock);
	if (begin != end)
		c->mode |= CONN_HOLE;
	else
		c->mode &= ~CONN_HOLE;
	bpf_spin_unlock(&c->lock);
}

/* The same for what is loaded at the start of a head, where there is nearly never a hole. */
__noinline int heads_loaded(struct __sk_buff *skb, u32 length, u32 from, u32 to)
{
	struct bpf_sock *sk = socket_of(skb);
	struct heads *h = sk ? bpf_sk_storage_get(&heads, sk, 0, 0) : NULL;
	struct conn *c = h ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;

	if (c)
		heads_hole(c, h, length, from, to);
	return 0;
}

/* The response's head mostly comes from another CPU's cache. Loads that nothing waits for fetch its
 * first lines both at once, and while the lock is taken. */
ALWAYS_INLINE void heads_touch(const volatile struct heads *h)
{
	(void)h->b[48];
	(void)h->b[48 + 64];
}

/* size, a constant, bytes to offset `at` of the heads, if they fit. */
ALWAYS_INLINE int load_at(struct __sk_buff *skb, u32 from, struct heads *h, u32 at, const u32 size)
{
	asm volatile("" : "+r"(at));
	return at > HEADS_MAX - size ? -1 : (int)bpf_skb_load_bytes(skb, from, h->b + at, size);
}

/* A head in several segments, or filled out of order: n bytes of the segment go to `offset` of the
 * request's or the response's head, in constant pieces, whose bounds every verifier can follow. */
__noinline int take_piece(struct __sk_buff *skb, u32 from, u32 n, u32 offset, u32 response)
{
	struct bpf_sock *sk = socket_of(skb);
	struct heads *h = sk ? bpf_sk_storage_get(&heads, sk, 0, 0) : NULL;
	struct conn *c = h ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
	u32 to, done = 0, have, room = REQUEST_HEAD_MAX;

	if (!c || (!response && c->phase == PHASE_RESPONSE))
		return 0;
	if (response)
		room = c->response_base <= HEADS_MAX - RESPONSE_HEAD_MAX
			       ? RESPONSE_HEAD_MAX
			       : HEADS_MAX - REQUEST_HEAD_MAX;
	if (offset >= room)
		return 0;
	n = n > room - offset ? room - offset : n;
	have = response ? c->response_head : h->request;
	if (offset + n <= have && !(c->mode & CONN_HOLE))
		return 0; /* a duplicate */
	to = offset + (response ? c->response_base : 0);
	for (int i = 0; i < REQUEST_HEAD_MAX / 16; i++) {
		if (done + 16 > n)
			break;
		if (load_at(skb, from + done, h, to + done, 16))
			return 0;
		done += 16;
	}
	if (n >= 16) { /* the last piece overlaps the one before */
		if (load_at(skb, from + n - 16, h, to + n - 16, 16))
			return 0;
	} else {
		for (u32 i = 0; i < 15; i++) {
			if (i >= n)
				break;
			if (load_at(skb, from + i, h, to + i, 1))
				return 0;
		}
	}
	heads_hole(c, h, to - offset + have, to, to + n);
	if (offset + n > have) {
		if (response)
			c->response_head = offset + n;
		else
			h->request = offset + n;
	}
	return 0;
}

/* Not in the response phase: a head of the response stands where the rest would go. */
ALWAYS_INLINE void take_request(struct __sk_buff *skb, struct conn *c, struct heads *h, u32 from,
				u32 n)
{
	n = n > REQUEST_HEAD_MAX ? REQUEST_HEAD_MAX : n;
	if (c->phase == PHASE_RESPONSE || !load_bytes(skb, from, h->b, n, REQUEST_HEAD_MAX))
		return;
	if (c->mode & CONN_HOLE)
		heads_loaded(skb, h->request, 0, n);
	if (n > h->request)
		h->request = n;
}

/* The response's head follows the request's, which has ended: 432 bytes serve both. */
ALWAYS_INLINE void take_response(struct __sk_buff *skb, struct conn *c, struct heads *h, u32 from,
				 u32 n)
{
	u32 base = c->response_base;

	if (base <= HEADS_MAX - RESPONSE_HEAD_MAX) {
		n = n > RESPONSE_HEAD_MAX ? RESPONSE_HEAD_MAX : n;
		if (!load_bytes(skb, from, h->b + base, n, RESPONSE_HEAD_MAX))
			return;
	} else if (base <= REQUEST_HEAD_MAX) {
		n = n > HEADS_MAX - REQUEST_HEAD_MAX ? HEADS_MAX - REQUEST_HEAD_MAX : n;
		if (!load_bytes(skb, from, h->b + base, n, HEADS_MAX - REQUEST_HEAD_MAX))
			return;
	}
	if (c->mode & CONN_HOLE)
		heads_loaded(skb, base + c->response_head, base, base + n);
	if (n > c->response_head)
		c->response_head = n;
}

/* 1 where these four bytes (little-endian) are CRLF CRLF. Without a branch, which would double the
 * verifier's paths at each of them. */
ALWAYS_INLINE u32 ends_head(u32 word)
{
	u32 differs = word ^ 0x0a0d0a0d, negative = -differs;

	asm volatile(
		""
		: "+r"(negative)); /* or the compiler makes it the branch that it must not be */
	return 1 - ((differs | negative) >> 31);
}

/*
 * The start of a request whose length differs from that of the last one found single (clients
 * repeat lengths): is it HTTP, and is it more than one request? The end of a head that is not the
 * end of the segment says so, and then the connection is followed from this segment on.
 */
__noinline int look_at_request(struct __sk_buff *skb, u32 len)
{
	struct bpf_sock *sk = socket_of(skb);
	u32 ends = 0, n;
	struct heads *h;
	struct conn *c;
	int method;

	if (!sk)
		return 0;
	h = bpf_sk_storage_get(&heads, sk, 0, 0);
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!h || !c)
		return 0;
	method = h->request >= 4 ? http_method(h->b) : 0;
	if (!method) {
		c->mode &= ~CONN_HTTP;
		return 0;
	}
	c->mode |= CONN_HTTP;
	c->single_len = len;
	if (method != 1)
		return 0;
	n = h->request < len ? h->request : len - 1; /* the last byte may end the only head */
	for (u32 i = 0; i + 8 <= HEADS_MAX && i < REQUEST_HEAD_MAX; i += 4) {
		u64 word;

		/* All four places lie before the end; what fits into the rest is no request. */
		if (i + 7 > n)
			break;
		__builtin_memcpy(&word, h->b + i, sizeof(word));
		ends += ends_head(word) + ends_head(word >> 8) + ends_head(word >> 16) +
			ends_head(word >> 24);
	}
	if (ends) {
		c->mode |= CONN_FOLLOW;
		c->single_len = 0;
	}
	return 0;
}

/* Loads the first bytes of a head: n bytes from `from` on. what: as turn_data() says. */
ALWAYS_INLINE void take_start(struct __sk_buff *skb, struct conn *c, struct heads *h, u32 what,
			      u32 from, u32 n)
{
	if (what & TAKE_START)
		h->request = 0;
	if (what & TAKE_REQUEST)
		take_request(skb, c, h, from, n);
	else
		take_response(skb, c, h, from, n);
}

/* The same to `offset` of the head, or where the socket's heads have no storage yet. */
__noinline int take_heads(struct __sk_buff *skb, u32 what, u32 offset, u32 from, u32 n)
{
	struct bpf_sock *sk = socket_of(skb);
	struct heads *h;
	struct conn *c;

	if (!sk)
		return 0;
	h = bpf_sk_storage_get(&heads, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!h || !c) {
		count(COUNT_LOST_STATE, 1);
		return 0;
	}
	if (what & TAKE_START)
		h->request = 0;
	if (offset)
		take_piece(skb, from, n, offset, !(what & TAKE_REQUEST));
	else
		take_start(skb, c, h, what, from, n);
	return 0;
}

/* All of a payload record but its sizes; numbers: seq << 32 | ack. */
ALWAYS_INLINE void payload_fill(struct payload *p, struct __sk_buff *skb, const struct conn *c,
				u64 numbers, u32 request)
{
	__builtin_memset(p, 0, sizeof(*p));
	p->r.kind = RECORD_PAYLOAD;
	p->cookie = bpf_get_socket_cookie(skb);
	p->now_ns = bpf_ktime_get_ns();
	p->number = c->number - 1;
	p->seq = numbers >> 32;
	p->ack = (u32)numbers;
	p->request = request;
}

/* One record of a followed connection's payload: n bytes from `from` on; numbers: seq << 32 | ack.
 * 0, or -1: no room. */
__noinline int follow_piece(struct __sk_buff *skb, u32 from, u32 n, u64 numbers, u32 request)
{
	struct bpf_sock *sk = socket_of(skb);
	struct conn *c = sk ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
	struct payload *p = c ? ring_reserve(sizeof(*p) + PAYLOAD_MAX) : NULL;

	if (!p)
		return -1;
	if (!load_bytes(skb, from, p + 1, n, PAYLOAD_MAX)) {
		bpf_ringbuf_discard(p, 0);
		return -1;
	}
	payload_fill(p, skb, c, numbers, request);
	p->r.size = sizeof(*p) + PAYLOAD_MAX;
	p->length = n;
	p->captured = n;
	ring_submit(&p->r);
	return 0;
}

/* What is not copied for want of budget is still told, so that nobody waits for it. */
ALWAYS_INLINE void follow_skip(struct __sk_buff *skb, struct conn *c, u32 len, u64 numbers,
			       u32 request)
{
	struct payload *p = ring_reserve(sizeof(*p));

	count(COUNT_FOLLOW_BYTES, len);
	if (!p)
		return;
	payload_fill(p, skb, c, numbers, request);
	p->r.size = sizeof(*p);
	p->length = len;
	ring_submit(&p->r);
}

/* Emits the payload of a followed connection's segment, as far as its budget and the ring go. */
__noinline int follow_emit(struct __sk_buff *skb, u32 from, u32 len, u64 numbers, u32 request)
{
	struct bpf_sock *sk = socket_of(skb);
	struct conn *c = sk ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
	u32 done = 0;

	if (!c)
		return 0;
	if (c->budget < len) {
		follow_skip(skb, c, len, numbers, request);
		return 0;
	}
	c->budget -= len;
	for (int i = 0; i < 64;
	     i++) { /* whole pieces first: constants keep the verifier's work small */
		if (len < done + PAYLOAD_MAX)
			break;
		if (follow_piece(skb, from + done, PAYLOAD_MAX, numbers + ((u64)done << 32),
				 request))
			return 0;
		done += PAYLOAD_MAX;
	}
	if (len > done)
		follow_piece(skb, from + done, len - done, numbers + ((u64)done << 32), request);
	return 0;
}

ALWAYS_INLINE void follow_refill(struct conn *c, u64 now, u64 before)
{
	u64 more = before ? (now - before) / 1000 * FOLLOW_RATE_US : FOLLOW_BURST;

	c->budget = c->budget + more > FOLLOW_BURST ? FOLLOW_BURST : c->budget + more;
}
