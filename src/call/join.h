// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Joins the two local ends of a call: two exchange records with the same sequence numbers and
 * opposite roles. Keeps what waits for its other end or has not ended, in a pool of fixed size. */
#pragma once

#include "abi/exchange.h"
#include "base/def.h"

/*
 * Callbacks get records followed by their heads, as join_add() does; NULL: that end is not there.
 * The records are valid during the callback, which must not call back into the join.
 */
typedef void join_done_fn(void *arg, const struct exchange *requester,
			  const struct exchange *responder);
typedef bool join_complete_fn(void *arg, const struct exchange *requester,
			      const struct exchange *responder);

struct join_conf {
	uint32_t entries;    /* ends kept at a time, 4 to 2^20; 680 bytes each once touched */
	uint32_t remembered; /* exchanges whose final record is to be swallowed; 24 bytes each */
	uint64_t hold_ns;    /* how long a final end waits for the other one */
	uint64_t paired_hold_ns; /* the same, where the other end is known to be on this host */
	uint64_t seed;           /* random, against chosen collisions */
	/* Exactly once for each exchange: it is over, or the run is. */
	join_done_fn *done;
	/* Is this snapshot (both ends, or one) a whole call, though its connection goes on? */
	join_complete_fn *complete;
	void *arg;
};

/* Each record taken is in one of these or still held:
 * taken = 2 * joined + told + alone + replaced + swallowed + forgotten + held. */
struct join_counts {
	uint64_t taken;     /* records that join_add() accepted */
	uint64_t joined;    /* calls handed on with both ends */
	uint64_t told;      /* calls handed on with an end that was known from before */
	uint64_t alone;     /* calls handed on with one end */
	uint64_t replaced;  /* snapshots that a later record of the same exchange replaced */
	uint64_t swallowed; /* records of exchanges that were handed on before */
	uint64_t forgotten; /* snapshots dropped for want of room; their final record comes later */
	uint64_t evicted;   /* calls handed on before their time for want of room */
	uint32_t held;      /* ends in the pool */
};

struct join;

/* Allocates all that it will ever use. 0, -EINVAL or -ENOMEM. */
int join_new(const struct join_conf *conf, struct join **out);
void join_free(struct join *j); /* hands nothing on */

/*
 * Takes one record of either role with its heads behind it. x may be gone afterwards. now_ns: any
 * clock that does not go back. 0, or -EBADMSG: its lengths contradict each other, not taken.
 *
 * A final record is handed on with its other end, or after hold_ns without. A snapshot (END_SWEEP)
 * is replaced by any later record of its exchange; it is handed on when it is complete: at once
 * with both ends there, else after hold_ns with what came by then. It also waits no longer than
 * hold_ns once a later exchange of its connection is seen: its final record was lost.
 * Two ends of unknown role join too; the one with the higher port is given as the requester.
 */
int join_add(struct join *j, const struct exchange *x, uint64_t now_ns);

/* A sweep that began at began_ns is over: join_add() had all that it found. Where this is called,
 * join_expire() hands on no snapshot before a sweep that began after it came. */
void join_swept(struct join *j, u64 began_ns);

/* Takes the final record of a responder whose requester is known from before and most likely sends
 * none of its own for this exchange: handed on at once, with that one if it is there all the same,
 * else with requester, which is the caller's. */
int join_add_told(struct join *j, const struct exchange *requester,
		  const struct exchange *responder, uint64_t now_ns);

/* The snapshot of the exchange that is in flight at this socket, until the next call; or NULL. */
const struct exchange *join_snapshot(const struct join *j, u64 cookie);

/* Hands on what has waited for hold_ns. */
void join_expire(struct join *j, uint64_t now_ns);

/* The run ends: hands on all that is held, first what waits, then what is in flight. */
void join_flush(struct join *j);

/*
 * Calls each for the calls in flight, the longest first, at most max; returns how many. Left out
 * are snapshots made before since_ns (of their now_ns): a sweep since then did not renew them.
 */
uint32_t join_in_flight(struct join *j, uint64_t since_ns, uint32_t max, join_done_fn *each,
			void *arg);

struct join_counts join_counts(const struct join *j);

static inline void join_freep_(struct join **j)
{
	join_free(*j);
}
#define _cleanup_join_ _cleanup_(join_freep_)
