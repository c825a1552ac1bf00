// SPDX-License-Identifier: GPL-2.0-only
/* Payload out of segments: into the heads of the turn, and for followed connections into the ring.
 * Everything here is off the path of a segment that merely continues a turn. */
#pragma once

#include "kernel/socket_tap.bpf.h"

/*
 * Functions that are not static are verified once, for any arguments, and not again on each path
 * that leads to them: what has loops is here, so that loading takes milliseconds. They may take
 * only the context and numbers, and look their socket up again, which is why the common path is not
 * like this.
 */

/* As heads_hole, and the connection says whether there is one. */
ALWAYS_INLINE void take_hole(struct conn *c, struct heads *h, u32 length, u32 from, u32 to)
{
	bool hole = heads_hole(h, c->mode & CONN_HOLE, length, from, to);

	bpf_spin_lock(&c->lock);
	if (hole)
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
		take_hole(c, h, length, from, to);
	return 0;
}

/* The response's head mostly comes from another CPU's cache. Loads that nothing waits for fetch its
 * first lines both at once, and while the lock is taken. */
ALWAYS_INLINE void heads_touch(const volatile struct heads *h)
{
	(void)h->b[48];
	(void)h->b[48 + 64];
}

/* A head in several segments, or filled out of order. */
__noinline int take_piece(struct __sk_buff *skb, u32 from, u32 n, u32 offset, u32 response)
{
	struct bpf_sock *sk = socket_of(skb);
	struct heads *h = sk ? bpf_sk_storage_get(&heads, sk, 0, 0) : NULL;
	struct conn *c = h ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
	u32 to;

	if (!c)
		return 0;
	if (!heads_piece(skb, c, h, from, &n, offset, response, &to))
		return 0;
	if (response) {
		take_hole(c, h, to - offset + c->response_head, to, to + n);
		if (offset + n > c->response_head)
			c->response_head = offset + n;
	} else {
		take_hole(c, h, h->request, to, to + n);
		if (offset + n > h->request)
			h->request = offset + n;
	}
	return 0;
}

ALWAYS_INLINE void take_request(struct __sk_buff *skb, struct conn *c, struct heads *h, u32 from,
				u32 n)
{
	n = heads_request(skb, c, h, from, n);
	if (!n)
		return;
	if (c->mode & CONN_HOLE)
		heads_loaded(skb, h->request, 0, n);
	if (n > h->request)
		h->request = n;
}

ALWAYS_INLINE void take_response(struct __sk_buff *skb, struct conn *c, struct heads *h, u32 from,
				 u32 n)
{
	u32 base = c->response_base;

	n = heads_response(skb, c, h, from, n);
	if (!n)
		return;
	if (c->mode & CONN_HOLE)
		heads_loaded(skb, base + c->response_head, base, base + n);
	if (n > c->response_head)
		c->response_head = n;
}

__noinline int look_at_request(struct __sk_buff *skb, u32 len)
{
	struct bpf_sock *sk = socket_of(skb);
	struct heads *h = sk ? bpf_sk_storage_get(&heads, sk, 0, 0) : NULL;
	struct conn *c = h ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;

	if (c)
		heads_look(c, h, len);
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

/* Emits the payload of a followed connection's segment, as far as its budget and the ring go;
 * numbers: seq << 32 | ack. */
__noinline int follow_emit(struct __sk_buff *skb, u32 from, u32 len, u64 numbers, u32 request)
{
	struct bpf_sock *sk = socket_of(skb);
	struct conn *c = sk ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
	struct segment s = {.seq = numbers >> 32, .ack = (u32)numbers, .request = request};
	struct payload about;

	if (!c)
		return 0;
	s.now = bpf_ktime_get_ns();
	turn_payload(c, &s, bpf_get_socket_cookie(skb), &about);
	if (c->budget < len) {
		payload_skip(&about, len);
		return 0;
	}
	c->budget -= len;
	payload_emit(skb, &about, from, len);
	return 0;
}
