// SPDX-License-Identifier: GPL-2.0-only
/* Records of exchanges and of payload into the ring, whichever tap saw them, and what user space
 * asks of every tap. Reserving wants constants, so sizes come in steps, and long runs in pieces. */
#pragma once

#include "kernel/filter.bpf.h"
#include "kernel/frame.bpf.h"
#include "kernel/heads.h"

#include "abi/wire.h"

/* Set before loading. */
const volatile bool ssh_shown;
const volatile bool heads_shown; /* a column, a filter or -H asks for them */
const volatile bool frames_kept; /* packets are copied, too */
const volatile u32 frames_room;  /* bytes of the ring that they may fill */

/* What user space has learned of a connection, by the cookie of its records: read at the start of a
 * turn, and only while there is any. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u32);
} marks SEC(".maps");

u32 marks_used; /* by role, as bits: set by user space with the first mark of such an end */

/* The sweep: set by user space before it runs. */
u64 sweep_quiet_ns; /* snapshots of exchanges that have been quiet for so long */
bool sweep_all;     /* even of those that did not change since the last one */

ALWAYS_INLINE bool sweep_wants(const struct conn *c)
{
	if (c->phase == PHASE_IDLE)
		return false;
	return sweep_all || (turn_last_us(c) != c->swept &&
			     bpf_ktime_get_ns() - turn_last_ns(c) >= sweep_quiet_ns);
}

/* Does anybody want this connection? SSH is left out unless asked for, so that a remote terminal
 * does not feed itself. */
ALWAYS_INLINE bool tap_wants_ports(u16 local, u16 remote, u32 bytes)
{
	if (!ssh_shown && (local == SSH_PORT || remote == SSH_PORT)) {
		count(COUNT_SSH_BYTES, bytes);
		return false;
	}
	return filter_ports(local, remote);
}

/* A record with room for `size` bytes of heads, a constant, and the committed ones. */
ALWAYS_INLINE struct exchange *exchange_reserve_size(const struct heads *h, const u32 size)
{
	struct exchange *x = ring_reserve(sizeof(*x) + size);

	if (!x)
		return NULL;
	x->r.size = sizeof(*x) + size;
	__builtin_memcpy(x + 1, h->b, size);
	return x;
}

/* n bytes of heads in one of four sizes. */
ALWAYS_INLINE struct exchange *exchange_reserve_room(const struct heads *h, u32 n)
{
	struct exchange *x;

	if (h && n > 256)
		return exchange_reserve_size(h, HEADS_MAX);
	if (h && n > 128)
		return exchange_reserve_size(h, 256);
	if (h && n)
		return exchange_reserve_size(h, 128);
	x = ring_reserve(sizeof(*x));
	if (x)
		x->r.size = sizeof(*x);
	return x;
}

/* The record of an exchange, but for what its tap knows: ends, owner, cookie, the time, the
 * round-trip time. NULL: no room, which is counted. h may be NULL. */
ALWAYS_INLINE struct exchange *exchange_reserve(const struct ended *e, const struct heads *h)
{
	u32 request = h ? h->request : 0;
	u32 response = h ? heads_told(e, h, heads_shown) : 0;
	struct exchange *x = exchange_reserve_room(h, request + response);

	if (!x)
		return NULL;
	x->r.kind = RECORD_EXCHANGE;
	x->r.pad = 0;
	x->request_head = request;
	x->response_head = response;
	turn_tell(e, x);
	return x;
}

/* ---- payload of followed connections ---- */

/* One record: n bytes of the packet from `from` on. about: all of the record but its sizes.
 * 0, or -1: no room. Not static: verified once. */
__noinline int payload_piece(struct __sk_buff *skb, const struct payload *about, u32 from, u32 n)
{
	struct payload *p = about ? ring_reserve(sizeof(*p) + PAYLOAD_MAX) : NULL;

	if (!p)
		return -1;
	if (!load_bytes(skb, from, p + 1, n, PAYLOAD_MAX)) {
		bpf_ringbuf_discard(p, 0);
		return -1;
	}
	__builtin_memcpy(p, about, sizeof(*p));
	p->r.size = sizeof(*p) + PAYLOAD_MAX;
	p->length = n;
	p->captured = n;
	ring_submit(&p->r);
	return 0;
}

/* What is not copied for want of budget is still told, so that nobody waits for it. */
ALWAYS_INLINE void payload_skip(const struct payload *about, u32 len)
{
	struct payload *p;

	count(COUNT_FOLLOW_BYTES, len);
	p = ring_reserve(sizeof(*p));
	if (!p)
		return;
	__builtin_memcpy(p, about, sizeof(*p));
	p->r.size = sizeof(*p);
	p->length = len;
	ring_submit(&p->r);
}

/* len bytes of payload from `from` on, as far as the ring goes. *about is used up. */
ALWAYS_INLINE void payload_emit(struct __sk_buff *skb, struct payload *about, u32 from, u32 len)
{
	u32 done = 0;

	for (int i = 0; i < 64;
	     i++) { /* whole pieces first: constants keep the verifier's work small */
		if (len < done + PAYLOAD_MAX)
			break;
		if (payload_piece(skb, about, from + done, PAYLOAD_MAX))
			return;
		done += PAYLOAD_MAX;
		about->seq += PAYLOAD_MAX;
	}
	if (len > done)
		payload_piece(skb, about, from + done, len - done);
}

/* ---- packets ---- */

/* The packet's first bytes, from `from` on. about: all of the record but its sizes. Not static:
 * verified once. */
__noinline int frame_emit(struct __sk_buff *skb, const struct frame_record *about, u32 from)
{
	struct frame_record *f;
	u32 length, n;

	if (!about)
		return 0;
	length = frame_length(skb, about->ethernet, from);
	n = length > FRAME_KEPT_MAX ? FRAME_KEPT_MAX : length;
	/* What is lost is a packet of a call, and not the call. */
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > frames_room) {
		count(COUNT_LOST_FRAMES, 1);
		return 0;
	}
	f = ring_reserve(sizeof(*f) + FRAME_KEPT_MAX);
	if (!f)
		return 0;
	__builtin_memcpy(f, about, sizeof(*f));
	f->r.kind = RECORD_FRAME;
	f->r.pad = 0;
	f->r.size = sizeof(*f) + FRAME_KEPT_MAX;
	f->length = length;
	f->captured = frame_copy(skb, about->ethernet, from, (u8 *)(f + 1), n, FRAME_KEPT_MAX);
	ring_submit(&f->r);
	return 0;
}
