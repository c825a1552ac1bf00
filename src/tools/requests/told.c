// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Requesters on loopback whose calls the responder's end tells as well: once both ends of a call
 * have been seen, the tap is told to leave the requester's out, and this remembers whose it is. */
/* An entry is in two tables: its handle of the second says whether it is there. */
#define uthash_nonfatal_oom(entry) ((void)0)
#include "base/uthash.h"
#include <utlist.h>

#include "tools/requests/requests.h"

#define TOLD_MAX 65536
/* After a requester is closed its responder may tell the last exchange so much later. */
#define CLOSED_NS 5000000000ull

/* The end that is made up for a silent requester: no socket has this cookie. */
#define MADE_UP (1ull << 63)

struct told {
	uint64_t requester, responder; /* socket cookies */
	struct owner owner;
	bool silent;
	uint64_t closed_ns; /* 0: it is open */
	struct told *prev, *next;
	UT_hash_handle by_requester, by_responder;
};

struct told_table {
	struct told *requesters, *responders; /* each by its cookie */
	struct told *closed;                  /* in the order of closing */
};

int told_new(struct told_table **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void drop(struct told_table *t, struct told *e)
{
	HASH_DELETE(by_requester, t->requesters, e);
	HASH_DELETE(by_responder, t->responders, e);
	if (e->closed_ns)
		DL_DELETE(t->closed, e);
	free(e);
}

void told_free(struct told_table *t)
{
	while (t && t->requesters)
		drop(t, t->requesters);
	free(t);
}

static struct told *of_requester(const struct told_table *t, uint64_t cookie)
{
	struct told *e = NULL;

	if (t->requesters)
		HASH_FIND(by_requester, t->requesters, &cookie, sizeof(cookie), e);
	return e;
}

static struct told *of_responder(const struct told_table *t, uint64_t cookie)
{
	struct told *e = NULL;

	if (t->responders)
		HASH_FIND(by_responder, t->responders, &cookie, sizeof(cookie), e);
	return e;
}

/* False: no memory. */
static bool add(struct told_table *t, const struct exchange *a, const struct exchange *b)
{
	struct told *e = of_responder(t, b->cookie);

	if (e)
		drop(t, e);
	if (HASH_CNT(by_requester, t->requesters) >= TOLD_MAX)
		drop(t,
		     t->requesters); /* the oldest: its calls lose their client, not themselves */
	e = calloc(1, sizeof(*e));
	if (!e)
		return false;
	e->requester = a->cookie;
	e->responder = b->cookie;
	e->owner = a->owner;
	HASH_ADD(by_requester, t->requesters, requester, sizeof(e->requester), e);
	if (!e->by_requester.tbl) {
		free(e);
		return false;
	}
	HASH_ADD(by_responder, t->responders, responder, sizeof(e->responder), e);
	if (e->by_responder.tbl)
		return true;
	HASH_DELETE(by_requester, t->requesters, e);
	free(e);
	return false;
}

void told_learn(struct requests *r, const struct call *c)
{
	const struct exchange *a = c->requester, *b = c->responder;
	struct told *e;

	if (!a || !b || !(a->flags & EX_LOCAL) || a->cookie & MADE_UP)
		return;
	e = of_requester(r->told, a->cookie);
	if (a->end == END_CLOSE && e && !e->silent)
		drop(r->told, e); /* it has ended before the tap knew */
	/* HTTP only: connections of other protocols may turn out to be streams, which both ends
	 * have to say. */
	if (e || a->end != END_NEXT || c->protocol != &protocol_http1)
		return;
	if (!add(r->told, a, b))
		return; /* both ends go on telling */
	r->tap->mark(r, a, MARK_SILENT);
}

/* A requester that is gone waits no longer: the join is to know, if something was in flight. */
static void gone(struct requests *r, const struct told *e, uint64_t now_ns)
{
	const struct exchange *last = join_snapshot(r->join, e->responder | MADE_UP);
	struct exchange x;

	if (!last)
		return;
	x = *last;
	x.end = END_CLOSE;
	x.now_ns = now_ns;
	(void)join_add(r->join, &x, now_ns);
}

int told_silent(struct session *s, const struct record *rec)
{
	const struct silent *x = (const struct silent *)rec;
	struct requests *r = session_state(s);
	struct told *e = of_requester(r->told, x->cookie);

	if (!e || e->closed_ns)
		return 0;
	e->silent = true;
	e->owner = x->owner;
	if (!x->closed)
		return 0;
	e->closed_ns = x->now_ns ? x->now_ns : 1;
	DL_APPEND(r->told->closed, e);
	gone(r, e, x->now_ns);
	return r->shown;
}

void told_expire(struct requests *r, uint64_t now_ns)
{
	struct told_table *t = r->told;

	while (t->closed && now_ns >= t->closed->closed_ns + CLOSED_NS)
		drop(t, t->closed);
}

/* The same exchange as the other end would have it, but for what only that end knows. */
static void make_up(struct exchange *a, const struct exchange *b, const struct told *e)
{
	*a = *b;
	a->r.size = sizeof(*a);
	a->cookie = b->cookie | MADE_UP;
	a->owner = e->owner;
	a->role = ROLE_REQUESTER;
	a->flags = (uint16_t)(b->flags | EX_LOCAL);
	a->read_ns = 0;
	a->connect_us = 0;
	a->retransmits = 0;
	a->request_head = 0;
	a->response_head = 0;
	a->local_port = b->remote_port;
	a->remote_port = b->local_port;
	memcpy(a->local, b->remote, sizeof(a->local));
	memcpy(a->remote, b->local, sizeof(a->remote));
}

bool told_take(struct requests *r, const struct exchange *x)
{
	const struct told *e;
	struct exchange made;

	if (x->role != ROLE_RESPONDER || !x->loopback)
		return false;
	e = of_responder(r->told, x->cookie);
	if (!e || !e->silent)
		return false;
	make_up(&made, x, e);
	if (x->end == END_SWEEP) {
		(void)join_add(r->join, &made, x->now_ns);
		(void)join_add(r->join, x, x->now_ns);
	} else {
		(void)join_add_told(r->join, &made, x, x->now_ns);
	}
	return true;
}
