// SPDX-License-Identifier: GPL-2.0-only
/*
 * The turn engine: TCP segments in, exchanges out. It works on sequence numbers, never on packet
 * counts, so reordering, retransmission and segmentation do not change a row. It compiles for BPF
 * and natively: unit tests, fuzzers and capture files run the very code that runs in the kernel.
 *
 * The including file defines `struct turn_lock` (empty where nothing can run at the same time).
 * Functions that say "locked" are called with it held: ingress runs before TCP takes the socket
 * lock and egress under it, so two CPUs can be inside one connection.
 */
#pragma once

#include "abi/exchange.h"

#ifndef ALWAYS_INLINE
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

enum phase {
	PHASE_IDLE,
	PHASE_REQUEST,
	PHASE_RESPONSE,
	PHASE_STREAM, /* counted only: directions flip without waiting for each other */
};

enum conn_mode {
	CONN_SEQ = 1 << 0,     /* next[] is known */
	CONN_MIDWAY = 1 << 1,  /* older than the tap, and no exchange has started since */
	CONN_HTTP = 1 << 2,    /* the last request began with an HTTP method */
	CONN_FOLLOW = 1 << 3,  /* emit its payload too */
	CONN_HOLE = 1 << 4,    /* bytes of a head were not seen yet */
	CONN_LOCAL = 1 << 5,   /* a requester on loopback: the responder's end keeps the heads */
	CONN_COUNTED = 1 << 6, /* a stream for good: user space said so */
};

/* Of the process that uses the socket: a byte of its own, as its writers are not the packets'. */
enum conn_user {
	USER_PASS = 1 << 0,   /* it matches the filter */
	USER_NONE = 1 << 1,   /* counted in `unowned`: no process has used the socket yet */
	USER_SILENT = 1 << 2, /* not tracked: the other end says all, and user space knows whose
				 this one is */
};

/* Overlaps raise `overlaps` by two and clean turns lower it by one: past this the connection is not
 * one of requests and answers in turn. */
#define OVERLAPS_STREAM 8

/* A stream that has been quiet for so long may go back to turns. */
#define STREAM_QUIET_NS 1000000000ll

/* A jump over more than this is not a lost segment but a connection that was joined midway. */
#define GAP_MAX (16u << 20)

/*
 * State of one end. It must stay within 184 bytes: with the kernel's 72 bytes of element header it
 * fills one 256-byte slab object exactly. Requests and responses are mostly seen on different CPUs,
 * so fields are grouped by who writes them, a cache line each: where requests are seen, where
 * responses are (which has to write `next` and `phase` too), and what hardly changes. Response
 * fields are those of the last response turn, and void until this exchange's begins.
 */
struct conn {
	struct turn_lock lock;
	u8 role, phase, mode, overlaps;
	u32 next[2];          /* the sequence number after the last byte seen: [0] requester's, [1]
				 responder's */
	u64 request_first_ns; /* while connecting: when the SYN was sent */
	u64 request_last_ns;
	u64 request_bytes;
	u32 join_seq, join_ack;
	u32 number; /* exchanges started */
	u16 flags;
	u16 retransmits;

	u64 read_ns; /* void if before request_first_ns */
	u64 response_first_ns, response_last_ns;
	u64 response_bytes;
	u32 response_seq; /* first of the response turn */
	u32 answer_ack;   /* what the last response segment acknowledged */
	u8 tail[TAIL_LEN];
	u16 response_head, response_base; /* committed length; where it begins in heads.b */
	u32 swept;                        /* last activity at the last snapshot, in us */
	u32 connect_us;
	u16 crossed; /* low half of next[1] at the last crossing: a burst that crosses counts once
		      */
	u16 pad;

	u32 first_seq, first_ack; /* the connection's first sequence numbers: both ends know them */
	u32 budget;               /* bytes of payload that may still be emitted */
	u16 single_len; /* length of the last request segment that held one message only */
	u8 user;        /* enum conn_user */
	u8 pad2;
	struct owner owner;
};

/* The heads of the exchange that is going on; a storage of its own, as most idle ends need none.
 * Bytes past request + response are not committed and belong to whoever is loading them. */
struct heads {
	u16 request;        /* committed length; that of the response is in conn */
	u16 hole, hole_end; /* bytes of b that were not seen yet, while CONN_HOLE */
	u16 pad;
	u8 b[HEADS_MAX];
};

/* An exchange that has ended (or a snapshot of it), copied out of conn under the lock. */
struct ended {
	u64 request_first_ns, request_last_ns;
	u64 response_first_ns, response_last_ns;
	u64 read_ns;
	u64 request_bytes, response_bytes;
	u32 number, join_seq, join_ack;
	u32 first_seq, first_ack, connect_us;
	u16 flags, retransmits;
	u16 response_head, response_base;
	u8 role, end;
	u8 pad[6];
	u8 tail[TAIL_LEN];
};

struct segment {
	u32 seq, ack, len; /* of the payload */
	bool request;      /* requester to responder */
	bool egress;
	u64 now;
};

enum take {
	TAKE_NOTHING,
	TAKE_REQUEST = 1,
	TAKE_RESPONSE = 2,
	TAKE_START = 4, /* heads begin anew */
};

/* What the caller is to load for the heads: len bytes of the segment from `skip` go to offset. */
struct head_take {
	u32 what;   /* enum take, as bits */
	u32 offset; /* from the first byte of the turn */
	u32 skip;   /* bytes of the segment that are before the turn */
};

ALWAYS_INLINE u64 turn_last_ns(const struct conn *c)
{
	return c->response_last_ns > c->request_last_ns ? c->response_last_ns : c->request_last_ns;
}

ALWAYS_INLINE u32 turn_last_us(const struct conn *c)
{
	return turn_last_ns(c) / 1000;
}

/* The index in next[] of a direction. A verifier does not know that a bool in memory is 0 or 1. */
ALWAYS_INLINE u32 turn_index(bool request)
{
	u32 d = !request;

	asm volatile("" : "+r"(d));
	return d & 1;
}

/* Is this segment the requester's next bytes, after the response began? A look before the lock. */
ALWAYS_INLINE bool turn_flips(const struct conn *c, const struct segment *s)
{
	return s->request && s->len && c->phase >= PHASE_RESPONSE &&
	       (s32)(s->seq + s->len - c->next[0]) > 0;
}

/*
 * Did it cross the response on its way: sent before all of the response was seen, or after a
 * response that was sent before all of the request was? Told by what segments acknowledge, which
 * both ends see.
 */
ALWAYS_INLINE bool turn_crosses(const struct conn *c, const struct segment *s)
{
	return (s32)(s->ack - c->next[1]) < 0 || (s32)(c->answer_ack - c->next[0]) < 0;
}

/* If it flips, does it end the exchange? Not when it crossed: these bytes were not waiting for the
 * response and belong to what is going on, an upload that was answered early, or both directions at
 * once. */
ALWAYS_INLINE bool turn_ends(const struct conn *c, const struct segment *s, bool crossed)
{
	if (crossed)
		return false;
	if (c->phase == PHASE_RESPONSE)
		return true;
	return !(c->mode & CONN_COUNTED) && (s64)(s->now - turn_last_ns(c)) > STREAM_QUIET_NS;
}

ALWAYS_INLINE void turn_start(struct conn *c)
{
	c->join_seq = c->next[0];
	c->join_ack = c->next[1];
	c->request_first_ns = 0;
	c->request_last_ns = 0;
	c->request_bytes = 0;
	c->retransmits = 0;
	c->flags = c->mode & CONN_MIDWAY ? EX_MIDWAY : 0;
	c->mode &= ~(CONN_MIDWAY | CONN_HOLE);
	c->number++;
}

/* Locked. The response turn begins: its fields are this exchange's from here on. */
ALWAYS_INLINE void turn_response_start(struct conn *c, u64 now)
{
	c->response_first_ns = now;
	c->response_last_ns = now;
	c->response_bytes = 0;
	c->response_seq = c->next[1];
	c->response_head = 0;
	c->response_base =
		c->request_bytes < REQUEST_HEAD_MAX ? c->request_bytes : REQUEST_HEAD_MAX;
	__builtin_memset(c->tail, 0, sizeof(c->tail));
}

ALWAYS_INLINE void turn_overlap(struct conn *c, bool overlap)
{
	if (!overlap) {
		if (c->overlaps)
			c->overlaps--;
		return;
	}
	c->flags |= EX_OVERLAP;
	if (c->overlaps < 250)
		c->overlaps += 2;
	if (c->overlaps >= OVERLAPS_STREAM && !(c->mode & CONN_HTTP)) {
		c->phase = PHASE_STREAM;
		c->flags |= EX_STREAM;
	}
}

/* Locked. What of the segment belongs to the head of its turn; bytes that were seen before are
 * taken again, as a retransmission may be cut anew and fill a hole with its start. */
ALWAYS_INLINE void turn_head(const struct conn *c, const struct segment *s, struct head_take *t)
{
	s32 max = s->request ? REQUEST_HEAD_MAX : RESPONSE_HEAD_MAX;
	u64 bytes = s->request ? c->request_bytes : c->response_bytes;
	s32 into = s->seq - (s->request ? c->join_seq : c->response_seq);

	/* Sequence numbers come round again in a long turn. */
	if (c->phase != (s->request ? PHASE_REQUEST : PHASE_RESPONSE) || bytes > GAP_MAX)
		return;
	if ((into >= max && !(t->what & TAKE_START)) || into + (s64)s->len <= 0)
		return;
	t->what |= s->request ? TAKE_REQUEST : TAKE_RESPONSE;
	t->skip = into < 0 ? -into : 0;
	t->offset = into < 0 ? 0 : into;
}

/* Locked. User space says that this is a stream for good, as a turn of it begins. */
ALWAYS_INLINE void turn_stream(struct conn *c)
{
	if (c->phase == PHASE_STREAM)
		return;
	if (c->phase < PHASE_RESPONSE)
		turn_response_start(c, 0);
	c->phase = PHASE_STREAM;
	c->flags |= EX_STREAM;
	c->mode |= CONN_COUNTED;
}

/* Locked. The requester's new bytes. */
ALWAYS_INLINE void turn_request(struct conn *c, const struct segment *s, u32 fresh,
				struct head_take *t)
{
	if (c->phase == PHASE_IDLE) {
		turn_start(c);
		c->phase = PHASE_REQUEST;
		t->what = TAKE_START;
	} else if (c->phase == PHASE_RESPONSE && (u16)c->next[1] != c->crossed) {
		c->crossed = (u16)c->next[1];
		turn_overlap(c, true);
	}
	if (!c->request_first_ns)
		c->request_first_ns = s->now;
	turn_head(c, s, t);
	c->request_bytes += fresh;
	if (c->phase != PHASE_RESPONSE) /* the response is measured from the bytes before it */
		c->request_last_ns = s->now;
}

/* Locked. The responder's new bytes. */
ALWAYS_INLINE void turn_response(struct conn *c, const struct segment *s, u32 fresh,
				 struct head_take *t)
{
	if (c->phase == PHASE_IDLE) { /* it speaks first: an exchange without a request */
		turn_start(c);
		c->phase = PHASE_REQUEST;
		t->what = TAKE_START;
	}
	if (c->phase == PHASE_REQUEST) {
		c->phase = PHASE_RESPONSE;
		turn_response_start(c, s->now);
		/* Sent before the request was seen: not its answer. */
		turn_overlap(c, c->request_bytes && (s32)(s->ack - c->join_seq) <= 0);
	} else if (!c->response_first_ns) {
		c->response_first_ns = s->now;
	}
	turn_head(c, s, t);
	c->response_bytes += fresh;
	c->response_last_ns = s->now;
	c->answer_ack = s->ack;
}

ALWAYS_INLINE void turn_retransmit(struct conn *c)
{
	if (c->retransmits < 0xffff)
		c->retransmits++;
}

/* Locked. A segment none of whose bytes are new: on egress a retransmission; on ingress a
 * duplicate, or the late filling of a hole, whose bytes the head may still lack. */
ALWAYS_INLINE void turn_old(struct conn *c, const struct segment *s, struct head_take *t)
{
	if (s->egress)
		turn_retransmit(c);
	else
		turn_head(c, s, t);
}

/* Locked. Takes a segment with payload into the state; *t says which bytes of it the heads want. */
ALWAYS_INLINE void turn_data(struct conn *c, const struct segment *s, struct head_take *t)
{
	u32 d = turn_index(s->request);
	u32 end = s->seq + s->len;
	s32 ahead, fresh;

	if (!(c->mode &
	      CONN_SEQ)) { /* data on a SYN, or a first sight without the socket's own numbers */
		c->next[d] = s->seq;
		c->next[!d] = s->ack;
		c->first_seq = c->next[0];
		c->first_ack = c->next[1];
		c->mode |= CONN_SEQ;
	}
	ahead = s->seq - c->next[d];
	if (ahead > (s32)GAP_MAX || ahead < -(s32)(1u << 30)) {
		c->next[d] = s->seq;
		c->flags |= EX_GAP;
		ahead = 0;
	}
	fresh = end - c->next[d];
	if (fresh <= 0) {
		turn_old(c, s, t);
		return;
	}
	if (ahead < 0 && s->egress)
		turn_retransmit(c);
	/* turn_start reads next[] as the first number of the turn: a hole belongs to it. */
	if (s->request)
		turn_request(c, s, fresh, t);
	else
		turn_response(c, s, fresh, t);
	c->next[d] = end;
}

/* Locked. What is going on. No branches: they would double the verifier's paths through all that
 * follows. */
ALWAYS_INLINE void turn_copy(const struct conn *c, struct ended *e, u8 end)
{
	u64 answered = -(u64)(c->phase >> 1); /* all ones from PHASE_RESPONSE on */

	e->request_first_ns = c->request_first_ns;
	e->request_last_ns = c->request_last_ns;
	e->response_first_ns = c->response_first_ns & answered;
	e->response_last_ns = c->response_last_ns & answered;
	e->read_ns = c->read_ns;
	e->request_bytes = c->request_bytes;
	e->response_bytes = c->response_bytes & answered;
	e->number = c->number - 1;
	e->join_seq = c->join_seq;
	e->join_ack = c->join_ack;
	e->first_seq = c->first_seq;
	e->first_ack = c->first_ack;
	e->connect_us = c->connect_us;
	e->flags = c->flags | (c->mode & CONN_FOLLOW) * (EX_FOLLOWED / CONN_FOLLOW) |
		   (c->mode & CONN_LOCAL) * (EX_LOCAL / CONN_LOCAL) |
		   (c->mode & CONN_HOLE) / (CONN_HOLE / EX_GAP);
	e->retransmits = c->retransmits;
	e->response_head = c->response_head & answered;
	e->response_base = c->response_base;
	e->role = c->role;
	e->end = end;
	__builtin_memcpy(e->tail, c->tail, sizeof(e->tail));
}

/* Locked. Ends the exchange that is going on (END_SWEEP: takes a snapshot of it). False: there was
 * none to end, and what *e holds means nothing. */
ALWAYS_INLINE bool turn_end(struct conn *c, struct ended *e, u8 end)
{
	turn_copy(c, e, end); /* before the decision: the verifier walks through it once */
	if (c->phase == PHASE_IDLE || (end == END_NEXT && c->phase < PHASE_RESPONSE))
		return false;
	/* The responder is done, the requester is not waiting for it: only the close ends this. */
	if (end == END_FIN && (c->phase == PHASE_STREAM || c->flags & EX_OVERLAP))
		return false;
	if (end == END_SWEEP) {
		c->swept = turn_last_us(c);
		return true;
	}
	c->phase = PHASE_IDLE;
	return true;
}

/* What an exchange's record says of the exchange itself; the rest of *x stays as it is. */
ALWAYS_INLINE void turn_tell(const struct ended *e, struct exchange *x)
{
	x->request_first_ns = e->request_first_ns;
	x->request_last_ns = e->request_last_ns;
	x->response_first_ns = e->response_first_ns;
	x->response_last_ns = e->response_last_ns;
	x->read_ns = e->read_ns;
	x->request_bytes = e->request_bytes;
	x->response_bytes = e->response_bytes;
	x->number = e->number;
	x->join_seq = e->join_seq;
	x->join_ack = e->join_ack;
	x->connect_us = e->connect_us;
	x->retransmits = e->retransmits;
	x->flags = e->flags;
	x->role = e->role;
	x->end = e->end;
	x->first_seq = e->first_seq;
	x->first_ack = e->first_ack;
	__builtin_memcpy(x->tail, e->tail, sizeof(x->tail));
}

/* Bytes a second that one followed connection may emit, and the most it may save up. */
#define FOLLOW_RATE_US 16 /* bytes for each microsecond: 16 MB/s */
#define FOLLOW_BURST   (16u << 20)

/* before: when the connection was last seen, 0: not known. */
ALWAYS_INLINE void turn_refill(struct conn *c, u64 now, u64 before)
{
	u64 more = before ? (now - before) / 1000 * FOLLOW_RATE_US : FOLLOW_BURST;

	c->budget = c->budget + more > FOLLOW_BURST ? FOLLOW_BURST : c->budget + more;
}

/* The record of payload that is about to be emitted, but for its sizes. */
ALWAYS_INLINE void turn_payload(const struct conn *c, const struct segment *s, u64 cookie,
				struct payload *p)
{
	__builtin_memset(p, 0, sizeof(*p));
	p->r.kind = RECORD_PAYLOAD;
	p->cookie = cookie;
	p->now_ns = s->now;
	p->number = c->number - 1;
	p->seq = s->seq;
	p->ack = s->ack;
	p->request = s->request;
}
