// SPDX-License-Identifier: GPL-2.0-only
/* Sent to acknowledged: one segment at a time for the round-trip time, as RFC 6298 has it, and each
 * call of tcp_sendmsg until the last of its bytes is acknowledged. Pure: the including file defines
 * `struct turn_lock`, as for the turn engine, and functions that say "locked" are called with it.
 */
#pragma once

#include "abi/types.h"

#ifndef ALWAYS_INLINE
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

/* Calls of one socket whose bytes are under way. More are not measured, and counted. */
#define CALLS 32 /* a power of two */

struct call {
	u64 began_ns;
	u32 end; /* the sequence number after its last byte */
	u32 bytes;
};

struct sends {
	struct turn_lock lock;
	u16 known; /* not 0: the numbers are */
	u16 role;  /* as it was seen: 1 it connected, 2 it was accepted; 0: it is older */
	u32 sent;  /* after the last byte that went out */
	u32 acked; /* as the other end said last, and when */
	u64 acked_ns;
	u64 timed_ns;             /* a segment is timed since then; 0: none is */
	u32 timed_end, timed_len; /* of its payload */
	u32 call_begin; /* where the bytes of the call that goes on begin, or the next one's */
	u32 first, n;   /* of calls */
	u32 pad;
	u64 call_ns; /* when it began, or its first byte left; 0: neither */
	struct call calls[CALLS];
};

ALWAYS_INLINE bool seq_before(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}

/* Locked. The first look at a socket: seq is what it sends next. */
ALWAYS_INLINE void sends_begin(struct sends *s, u32 seq)
{
	if (s->known)
		return;
	s->known = 1;
	s->sent = seq;
	s->acked = seq;
	s->call_begin = seq;
}

/* Locked. Bytes go out, and with fin a FIN behind them, which takes a number and is not timed by
 * itself. Those that go out again are timed no longer (Karn): what is acknowledged then is not
 * clear. */
ALWAYS_INLINE void sends_out(struct sends *s, u32 seq, u32 len, bool fin, u64 now)
{
	u32 end = seq + len + fin;

	sends_begin(s, seq);
	if (seq_before(seq, s->sent)) {
		s->timed_ns = 0;
	} else if (!s->timed_ns && len) {
		s->timed_ns = now;
		s->timed_end = end;
		s->timed_len = len;
	}
	if (seq_before(s->sent, end))
		s->sent = end;
	if (!s->call_ns && !seq_before(s->call_begin, seq) && seq_before(s->call_begin, end))
		s->call_ns = now;
}

/* Locked. The round-trip time of what ack acknowledges, in ns; 0: none is known by it. */
ALWAYS_INLINE u64 sends_round_trip(struct sends *s, u32 ack, u64 now)
{
	u64 took;

	if (!s->known || !seq_before(s->acked, ack) || seq_before(s->sent, ack))
		return 0;
	s->acked = ack;
	s->acked_ns = now;
	if (!s->timed_ns || seq_before(ack, s->timed_end))
		return 0;
	took = now - s->timed_ns;
	s->timed_ns = 0;
	return took;
}

/* Locked. The oldest call, if it has been acknowledged: true, and *c is it. */
ALWAYS_INLINE bool sends_acked(struct sends *s, struct call *c)
{
	u32 at = s->first & (CALLS - 1);

	if (!s->n)
		return false;
	*c = s->calls[at];
	if (seq_before(s->acked, c->end))
		return false;
	s->first++;
	s->n--;
	return true;
}

/* Locked. A call has returned; end: of what the socket has been given. *took: how long its bytes
 * took, where they have been acknowledged already, else 0. False: too many are under way. */
ALWAYS_INLINE bool sends_returned(struct sends *s, u32 end, u32 bytes, u64 now, u64 *took)
{
	u64 began = s->call_ns ?: now;
	u32 at = (s->first + s->n) & (CALLS - 1);

	sends_begin(s, end - bytes);
	s->call_begin = end;
	s->call_ns = 0;
	*took = 0;
	if (!seq_before(s->acked, end)) {
		*took = s->acked_ns > began ? s->acked_ns - began : 1;
		return true;
	}
	if (s->n == CALLS)
		return false;
	s->calls[at] = (struct call){.began_ns = began, .end = end, .bytes = bytes};
	s->n++;
	return true;
}
