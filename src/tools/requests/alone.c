// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Exchanges that one end alone saw although both are on this host. The ends of a connection that
 * turns out to be a stream may cut its beginning at different bytes: its row has them, theirs would
 * be double. */
#include "base/uthash.h"

#include "tools/requests/requests.h"

#define ALONE_MAX  512 /* connections */
#define OF_ONE_MAX 64  /* exchanges of one of them */

struct alone {
	uint64_t connection; /* its first sequence numbers, which both ends know */
	UT_hash_handle hh;
	struct alone *next; /* of the same connection, in order */
	struct exchange x;
	uint8_t heads[HEADS_MAX];
};

static uint64_t connection_of(const struct exchange *x)
{
	return (uint64_t)x->first_seq << 32 | x->first_ack;
}

static void show(struct requests *r, struct alone *a)
{
	bool requester = a->x.role == ROLE_REQUESTER;
	struct call c;

	call_of(&c, requester ? &a->x : NULL, requester ? NULL : &a->x);
	call_show(r, &c);
}

/* Shows or drops what is held of one connection. */
static void settle(struct requests *r, struct alone *first, bool drop)
{
	HASH_DEL(r->alone, first);
	while (first) {
		struct alone *next = first->next;

		if (drop)
			r->absorbed++;
		else
			show(r, first);
		free(first);
		first = next;
	}
}

static struct alone *find(const struct requests *r, uint64_t connection)
{
	struct alone *a = NULL;

	if (r->alone)
		HASH_FIND(hh, r->alone, &connection, sizeof(connection), a);
	return a;
}

static bool hold(struct requests *r, const struct exchange *x)
{
	struct alone *first = find(r, connection_of(x)), *a;
	unsigned n = 0;

	for (struct alone *i = first; i; i = i->next)
		n++;
	if (n == OF_ONE_MAX) { /* so many are no beginning of a stream */
		settle(r, first, false);
		return false;
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		return false;
	a->connection = connection_of(x);
	a->x = *x;
	memcpy(a->heads, x + 1, x->request_head + x->response_head);
	if (first) {
		while (first->next)
			first = first->next;
		first->next = a;
		return true;
	}
	if (HASH_COUNT(r->alone) >= ALONE_MAX)
		settle(r, r->alone, false);
	HASH_ADD(hh, r->alone, connection, sizeof(a->connection), a);
	return a != NULL;
}

/* The same connection, seen from its other end? */
static bool mirrors(const struct exchange *a, const struct exchange *b)
{
	return a->role != b->role && a->local_port == b->remote_port &&
	       a->remote_port == b->local_port && !memcmp(a->local, b->remote, sizeof(a->local)) &&
	       !memcmp(a->remote, b->local, sizeof(a->remote));
}

/* A response that was under way when tapline came: with bytes on their way, its ends first see
 * other numbers and do not join. Its other end, if it is held: shown with it. */
static bool pair_midway(struct requests *r, const struct exchange *x)
{
	for (struct alone *a = r->alone; a; a = a->hh.next) {
		bool asks = x->role == ROLE_REQUESTER;
		struct call c;

		if (!(a->x.flags & EX_MIDWAY) || a->next || !mirrors(&a->x, x))
			continue;
		HASH_DEL(r->alone, a);
		call_of(&c, asks ? x : &a->x, asks ? &a->x : x);
		call_show(r, &c);
		free(a);
		return true;
	}
	return false;
}

bool alone_take(struct requests *r, const struct call *c)
{
	const struct filter *f = session_filter(r->session);
	const struct exchange *x = c->x;
	struct alone *held = find(r, connection_of(x));
	bool both = c->requester && c->responder;

	if (held && (both || x->flags & EX_STREAM) && (x->flags & EX_STREAM || x->end == END_CLOSE))
		settle(r, held, x->flags & EX_STREAM);
	if (!both && x->loopback && x->flags & EX_MIDWAY && !x->request_bytes)
		return pair_midway(r, x) || hold(r, x);
	if (both || !x->loopback || c->protocol || x->flags & EX_STREAM || !connection_of(x))
		return false;
	if (filter_has_owner(f)) /* the other end is not asked for */
		return false;
	return hold(r, x);
}

void alone_flush(struct requests *r)
{
	while (r->alone)
		settle(r, r->alone, false);
}

void alone_free(struct requests *r)
{
	while (r->alone)
		settle(r, r->alone, true);
}
