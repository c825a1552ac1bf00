// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the two halves of follow share: follow.c puts runs of bytes in order, follow_http1.c makes
 * messages and pairs of them. Private to these two files. */
#pragma once

#include "call/follow.h"
#include "protocol/http1.h"

/* A message with its own copy of the start of its head. */
struct note {
	struct follow_message msg;
	struct note *next;
	bool queued; /* in the connection's queue of requests */
	bool ended;
	uint8_t head[REQUEST_HEAD_MAX];
};

struct queue {
	struct note *first, *last;
	uint32_t n;
};

/* A run that waits for the bytes before it. */
struct held {
	struct payload p;
	uint8_t bytes[PAYLOAD_MAX];
	struct held *next;
};

/* A run in its place; a hole is one of which nothing was captured. */
struct run {
	uint64_t now_ns;
	uint32_t number, seq, ack;
	uint32_t length, captured;
	const uint8_t *p;
};

enum follow_at {
	AT_START, /* between messages */
	IN_HEAD,
	IN_BODY,
	LOST,   /* looking for the start of a message */
	OPAQUE, /* upgraded: no messages any more */
};

struct direction {
	enum follow_at at;
	uint32_t next;     /* sequence number of the next byte in order */
	struct held *held; /* by sequence number */
	uint32_t n_held;
	struct note *note; /* the message going on; NULL also if it was handed on already */
	struct http1_body body;
	uint8_t *buf; /* a head that came in several runs, so far */
	uint32_t buf_len, buf_cap;
};

struct conn {
	uint64_t cookie;
	bool seen;                  /* a run: next of both directions is known */
	struct conn *chain;         /* of the index, or of the free ones */
	struct conn *older, *newer; /* in order of use */
	struct direction dir[2];    /* 0: requests, 1: responses */
	struct queue queue;         /* requests that wait for their answer */
	uint32_t over;      /* requests after those of the queue, for which there was no room */
	struct note *asked; /* first of the queue, while answer answers it */
	struct note answer; /* dir[1].note, or ended and waiting for the end of asked */
	bool answered;      /* answer has ended, asked has not */
	bool lost;          /* after the queue, which response answers which request is not known */
	uint32_t lost_ack;  /* until the client has seen responses past this, at least */
};

struct follow {
	struct follow_conf conf;
	struct follow_counts counts;
	struct conn *conns, *free_conn, *oldest, *newest, **index;
	struct note *notes, *free_note;
	struct held *runs, *free_run;
	uint32_t mask;
};

/* Takes the next run in order, to its end. */
void follow_take(struct follow *f, struct conn *c, struct direction *d, struct run *r);

/* Hands on all that is left of the connection; gap: it goes on, but is followed no more. */
void follow_finish(struct follow *f, struct conn *c, bool gap);
