// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Follows HTTP/1 connections byte by byte, where turns are not enough (pipelining): puts their
 * payload in order, finds the messages and pairs the i-th request with the i-th response. */
#pragma once

#include "abi/exchange.h"
#include "protocol/protocol.h"

struct follow_message {
	struct message m;           /* as far as its head was seen; texts point into head */
	const uint8_t *head;        /* the first bytes of the message */
	uint32_t head_len;          /* at most REQUEST_HEAD_MAX */
	uint32_t number;            /* the exchange that was going on at its first byte */
	uint32_t seq, ack;          /* its first byte's sequence number, and the segment's ack */
	uint64_t first_ns, last_ns; /* when its first byte was seen, and the last to come */
	uint64_t bytes;             /* head and body; of a response also its interim (1xx) ones */
	bool gap;                   /* bytes were missing that tell what it is or where it ends */
	bool cut;                   /* it had not ended when this was handed on */
};

struct follow_pair {
	uint64_t cookie;
	const struct follow_message *request;  /* NULL: not seen */
	const struct follow_message *response; /* NULL: none came, or it cannot be told which */
	/* Something is missing: a gap in one of the two, or which response answers which request
	 * could not be told after an earlier gap. */
	bool gap;
};

/* The pair is valid during the callback, which must not call back into follow. */
typedef void follow_pair_fn(void *arg, const struct follow_pair *pair);

struct follow_conf {
	uint32_t connections; /* followed at a time (1 to 2^16); 700 bytes each once touched */
	uint32_t messages; /* requests waiting for their answer, over all (1 to 2^20); 470 each */
	uint32_t runs; /* runs kept until earlier bytes come, over all (1 to 2^20); 1 KiB each */
	follow_pair_fn *pair;
	void *arg;
};

/* Requests of one connection that wait for their answer, and bytes of a head that is put together
 * from several runs. */
#define FOLLOW_OUTSTANDING_MAX 1024
#define FOLLOW_HEAD_MAX        65536

struct follow_counts {
	uint64_t pairs;        /* handed on with both messages */
	uint64_t unanswered;   /* handed on with the request alone */
	uint64_t orphans;      /* handed on with the response alone */
	uint64_t gaps;         /* places where the start of a message was lost */
	uint64_t overflow;     /* requests not handed on: too many outstanding */
	uint64_t evicted;      /* connections given up for want of room */
	uint64_t doubled;      /* runs that were seen before */
	uint64_t opaque_bytes; /* after an upgrade (101, CONNECT): counted and not parsed */
};

struct follow;

/* 0, -EINVAL or -ENOMEM. Only heads that come in several runs allocate later. */
int follow_new(const struct follow_conf *conf, struct follow **out);
void follow_free(struct follow *f); /* hands nothing on */

/* Takes one run with its captured bytes behind it; they may be gone afterwards. Runs may come twice
 * and out of order; the first one of a connection is the start of a message. Bytes that no run
 * covers are waited for (1 s, 64 runs): those that are not captured need runs, too. 0, or -EBADMSG:
 * its lengths contradict each other, not taken. */
int follow_feed(struct follow *f, const struct payload *p);

/* The connection is closed: what goes on until then ends here, the rest is handed on as it is. */
void follow_close(struct follow *f, uint64_t cookie);

/* The run ends: the same for all connections, the one fed longest ago first. */
void follow_flush(struct follow *f);

struct follow_counts follow_counts(const struct follow *f);

static inline void follow_freep_(struct follow **f)
{
	follow_free(*f);
}
#define _cleanup_follow_ _cleanup_(follow_freep_)
