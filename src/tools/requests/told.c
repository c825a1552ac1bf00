// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Whose the requester's sockets on loopback are. Their kernel side says it once for each
 * connection, and then leaves the record of each call to the responder's end: half the records, and
 * no waiting. */
#include <uthash.h>

#include "tools/requests/requests.h"

#define TOLD_MAX 65536

struct told {
	uint64_t responder; /* socket cookie */
	uint64_t requester;
	struct owner owner;
	UT_hash_handle hh;
};

static struct told *told_of(const struct requests *r, uint64_t responder)
{
	struct told *t = NULL;

	if (r->told)
		HASH_FIND(hh, r->told, &responder, sizeof(responder), t);
	return t;
}

static void told_drop(struct requests *r, struct told *t)
{
	HASH_DEL(r->told, t);
	free(t);
}

void told_learn(struct requests *r, const struct exchange *requester,
		const struct exchange *responder)
{
	struct told *t;

	if (!requester || !(requester->flags & EX_LOCAL))
		return;
	if (!responder) { /* whose end it is cannot be told of */
		if (requester->end == END_NEXT)
			notes_mark(r, requester->cookie, MARK_TELL);
		return;
	}
	t = told_of(r, responder->cookie);
	if (requester->end != END_NEXT) { /* it was the last one */
		if (t && requester->end != END_SWEEP)
			told_drop(r, t);
		return;
	}
	if (!t) {
		if (HASH_COUNT(r->told) >= TOLD_MAX)
			told_drop(r, r->told); /* the oldest: its calls lose their client, not
						  themselves */
		t = calloc(1, sizeof(*t));
		if (!t)
			return;
		t->responder = responder->cookie;
		HASH_ADD(hh, r->told, responder, sizeof(t->responder), t);
	}
	t->requester = requester->cookie;
	t->owner = requester->owner;
}

bool told_take(struct requests *r, const struct exchange *x)
{
	const struct told *t;
	struct exchange q;

	if (x->role != ROLE_RESPONDER || !x->loopback || x->end != END_NEXT)
		return false;
	t = told_of(r, x->cookie);
	if (!t)
		return false;
	/* The same exchange as the other end has it, but for what only that end knows. */
	q = *x;
	q.r.size = sizeof(q);
	q.cookie = t->requester;
	q.owner = t->owner;
	q.role = ROLE_REQUESTER;
	q.flags = (uint16_t)(x->flags | EX_LOCAL);
	q.read_ns = 0;
	q.connect_us = 0;
	q.retransmits = 0;
	q.request_head = 0;
	q.response_head = 0;
	q.local_port = x->remote_port;
	q.remote_port = x->local_port;
	memcpy(q.local, x->remote, sizeof(q.local));
	memcpy(q.remote, x->local, sizeof(q.remote));
	(void)join_add_told(r->join, &q, x, x->now_ns);
	return true;
}

void told_free(struct requests *r)
{
	while (r->told)
		told_drop(r, r->told);
}
