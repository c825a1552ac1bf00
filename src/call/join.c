// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The pool of ends: what is small and looked at often (slots) apart from the records themselves.
 * Every slot is in the list of what waits for its other end or of what is in flight. */
#include "call/join.h"

#include "base/hash.h"
#include "call/past.h"

#define NONE UINT32_MAX

/* How long an end waits: while it is open whether the other end is on this host at all, and when it
 * is known to be. A lost segment delays the other end's record by its retransmission timeouts. A
 * snapshot waits for the next sweep besides, however late that comes: the other end may be in it.
 */
enum hold { HOLD_OPEN_SWEEP, HOLD_PAIRED_SWEEP, HOLD_OPEN, HOLD_PAIRED, HOLDS };

#define PAIRED 4096 /* a power of two */

enum chain { BY_KEY, BY_ID, CHAINS };

struct slot {
	u64 key; /* join_seq << 32 | join_ack; 0: not known, joins nothing */
	u64 cookie;
	u64 due_ns; /* while it waits */
	u32 number;
	u32 chain[CHAINS]; /* BY_KEY: all with a key; BY_ID: snapshots, by cookie */
	u32 prev, next;    /* in its list */
	u32 partner;       /* the other end, where one is a snapshot */
	u8 role, hold;     /* hold: which list, while it waits */
	bool final, waits;
};

struct copy {
	struct exchange x;
	u8 heads[HEADS_MAX];
};

struct list {
	u32 first, last, n;
};

struct join {
	struct join_conf conf;
	struct join_counts counts;
	u64 factor;
	u32 mask, free;
	struct list waiting[HOLDS]; /* each in the order in which they are due */
	u64 hold_ns[HOLDS];
	u64 swept_ns;       /* when the last sweep that is over began */
	struct list flying; /* snapshots, the one renewed longest ago first */
	u64 paired[PAIRED]; /* cookies whose other end is known to be here, by hash */
	u32 *head[CHAINS];
	u32 *sorted; /* join_in_flight()'s */
	struct slot *slot;
	struct past *past;
	struct copy copy[]; /* conf.entries, by slot */
};

static u32 hash(const struct join *j, u64 v)
{
	return (u32)hash_fold(v ^ j->conf.seed, j->factor);
}

static u32 *new_index(u32 size)
{
	u32 *head = malloc(size * sizeof(*head));

	if (head)
		memset(head, 0xff, size * sizeof(*head)); /* NONE everywhere */
	return head;
}

static int allocate(struct join *j, u32 entries)
{
	u32 size = 16;

	while (size < 2 * entries)
		size *= 2;
	j->mask = size - 1;
	j->head[BY_KEY] = new_index(size);
	j->head[BY_ID] = new_index(size);
	j->sorted = calloc(entries, sizeof(*j->sorted));
	j->slot = calloc(entries, sizeof(*j->slot));
	if (!j->head[BY_KEY] || !j->head[BY_ID] || !j->sorted || !j->slot)
		return -ENOMEM;
	return past_new(j->conf.remembered, j->conf.seed, &j->past);
}

int join_new(const struct join_conf *conf, struct join **out)
{
	if (conf->entries < 4 || conf->entries > 1u << 20 || !conf->done || !conf->complete)
		return -EINVAL;
	struct join *j = calloc(1, sizeof(*j) + conf->entries * sizeof(*j->copy));
	int err;

	if (!j)
		return -ENOMEM;
	j->conf = *conf;
	j->factor = hash_fold(conf->seed ^ 0x243f6a8885a308d3, 0x9e3779b97f4a7c15) | 1;
	j->flying = (struct list){NONE, NONE, 0};
	for (int i = 0; i < HOLDS; i++)
		j->waiting[i] = j->flying;
	j->hold_ns[HOLD_OPEN] = j->hold_ns[HOLD_OPEN_SWEEP] = conf->hold_ns;
	j->hold_ns[HOLD_PAIRED] = j->hold_ns[HOLD_PAIRED_SWEEP] = conf->paired_hold_ns;
	j->swept_ns = UINT64_MAX;
	err = allocate(j, conf->entries);
	if (err) {
		join_free(j);
		return err;
	}
	/* Taken from the front and given back to it: a small working set stays in the cache. */
	for (u32 i = 0; i < conf->entries; i++)
		j->slot[i].next = i + 1 < conf->entries ? i + 1 : NONE;
	*out = j;
	return 0;
}

void join_free(struct join *j)
{
	if (!j)
		return;
	free(j->head[BY_KEY]);
	free(j->head[BY_ID]);
	free(j->sorted);
	free(j->slot);
	past_free(j->past);
	free(j);
}

/* ---- lists and chains ---- */

static void list_add(struct join *j, struct list *l, u32 i)
{
	j->slot[i].prev = l->last;
	j->slot[i].next = NONE;
	if (l->last != NONE)
		j->slot[l->last].next = i;
	else
		l->first = i;
	l->last = i;
	l->n++;
}

static void list_del(struct join *j, struct list *l, u32 i)
{
	const struct slot *s = &j->slot[i];

	if (s->prev != NONE)
		j->slot[s->prev].next = s->next;
	else
		l->first = s->next;
	if (s->next != NONE)
		j->slot[s->next].prev = s->prev;
	else
		l->last = s->prev;
	l->n--;
}

static u32 *chain_of(struct join *j, enum chain c, const struct slot *s)
{
	return &j->head[c][hash(j, c == BY_KEY ? s->key : s->cookie) & j->mask];
}

static void chain_add(struct join *j, enum chain c, u32 i)
{
	u32 *head = chain_of(j, c, &j->slot[i]);

	j->slot[i].chain[c] = *head;
	*head = i;
}

static void chain_del(struct join *j, enum chain c, u32 i)
{
	u32 *at = chain_of(j, c, &j->slot[i]);

	while (*at != i)
		at = &j->slot[*at].chain[c];
	*at = j->slot[i].chain[c];
}

static void release(struct join *j, u32 i)
{
	struct slot *s = &j->slot[i];

	if (s->partner != NONE)
		j->slot[s->partner].partner = NONE;
	if (s->key)
		chain_del(j, BY_KEY, i);
	if (!s->final)
		chain_del(j, BY_ID, i);
	list_del(j, s->waits ? &j->waiting[s->hold] : &j->flying, i);
	s->next = j->free;
	j->free = i;
	j->counts.held--;
}

static u64 *paired_at(struct join *j, u64 cookie)
{
	return &j->paired[hash(j, cookie) & (PAIRED - 1)];
}

static void wait_for_other(struct join *j, u32 i, u64 now_ns)
{
	struct slot *s = &j->slot[i];
	bool known = j->copy[i].x.loopback || *paired_at(j, s->cookie) == s->cookie;

	s->waits = true;
	if (s->final)
		s->hold = known ? HOLD_PAIRED : HOLD_OPEN;
	else
		s->hold = known ? HOLD_PAIRED_SWEEP : HOLD_OPEN_SWEEP;
	s->due_ns = now_ns + j->hold_ns[s->hold];
	list_add(j, &j->waiting[s->hold], i);
}

/* Of what waits, the end that is to be handed on next, or NONE. Snapshots that came at swept_ns or
 * later are passed over. */
static u32 due_next(const struct join *j, u64 swept_ns)
{
	u32 next = NONE;

	for (int i = 0; i < HOLDS; i++) {
		u32 first = j->waiting[i].first;

		if (first == NONE ||
		    (!j->slot[first].final && j->slot[first].due_ns - j->hold_ns[i] >= swept_ns))
			continue;
		if (next == NONE || j->slot[first].due_ns < j->slot[next].due_ns)
			next = first;
	}
	return next;
}

/* A snapshot that is in flight no longer. */
static void land(struct join *j, u32 i, u64 now_ns)
{
	if (j->slot[i].waits)
		return;
	list_del(j, &j->flying, i);
	wait_for_other(j, i, now_ns);
}

/* ---- handing on ---- */

static bool role_known(u8 role)
{
	return role == ROLE_REQUESTER || role == ROLE_RESPONDER;
}

/* Is a, with b as its other end or NULL, the requester? Services have the lower ports; of two ends
 * exactly one is. */
static bool asks(const struct exchange *a, const struct exchange *b)
{
	if (role_known(a->role))
		return a->role == ROLE_REQUESTER;
	if (b && role_known(b->role))
		return b->role == ROLE_RESPONDER;
	if (!b)
		return a->local_port > a->remote_port;
	if (a->local_port != b->local_port)
		return a->local_port > b->local_port;
	return a->cookie > b->cookie;
}

static bool whole(const struct join *j, const struct exchange *a, const struct exchange *b)
{
	return asks(a, b) ? j->conf.complete(j->conf.arg, a, b)
			  : j->conf.complete(j->conf.arg, b, a);
}

static void deliver(struct join *j, const struct exchange *a, const struct exchange *b)
{
	if (b) {
		j->counts.joined++;
		*paired_at(j, a->cookie) = a->cookie;
		*paired_at(j, b->cookie) = b->cookie;
	} else {
		j->counts.alone++;
	}
	if (asks(a, b))
		j->conf.done(j->conf.arg, a, b);
	else
		j->conf.done(j->conf.arg, b, a);
}

static const struct exchange *partner_of(const struct join *j, u32 i)
{
	u32 p = j->slot[i].partner;

	return p == NONE ? NULL : &j->copy[p].x;
}

/* With its other end, if that is there. */
static void hand_on(struct join *j, u32 i)
{
	u32 p = j->slot[i].partner;

	deliver(j, &j->copy[i].x, partner_of(j, i));
	if (!j->slot[i].final)
		past_remember(j->past, j->slot[i].cookie, j->slot[i].number);
	if (p != NONE && !j->slot[p].final)
		past_remember(j->past, j->slot[p].cookie, j->slot[p].number);
	if (p != NONE)
		release(j, p);
	release(j, i);
}

/* ---- taking records ---- */

/* Ends may see a stream begin at different bytes: it is named by its connection. */
static u64 key_of(const struct exchange *x)
{
	if (x->flags & EX_STREAM)
		return (u64)x->first_seq << 32 | x->first_ack;
	return (u64)x->join_seq << 32 | x->join_ack;
}

/* So it is mostly, where requesters are known from before; the chains are cold then. */
static bool pool_is_empty(const struct join *j)
{
	return !j->counts.held;
}

/* The end of the same connection on the other side, if it has no partner yet. */
static u32 find_other(const struct join *j, const struct exchange *x)
{
	u64 key = key_of(x);

	if (!key || pool_is_empty(j))
		return NONE;
	for (u32 i = j->head[BY_KEY][hash(j, key) & j->mask]; i != NONE;
	     i = j->slot[i].chain[BY_KEY]) {
		const struct slot *s = &j->slot[i];

		if (s->key == key && s->partner == NONE && s->cookie != x->cookie &&
		    (s->role != x->role || !role_known(x->role)))
			return i;
	}
	return NONE;
}

/* The snapshot of this exchange, or NONE. Earlier exchanges of the socket are over. */
static u32 find_snapshot(struct join *j, const struct exchange *x, u64 now_ns)
{
	u32 found = NONE;

	if (pool_is_empty(j))
		return NONE;
	for (u32 i = j->head[BY_ID][hash(j, x->cookie) & j->mask]; i != NONE;
	     i = j->slot[i].chain[BY_ID]) {
		const struct slot *s = &j->slot[i];

		if (s->cookie != x->cookie)
			continue;
		if (s->number == x->number)
			found = i;
		else if (past_later(x->number, s->number))
			land(j, i, now_ns);
	}
	return found;
}

static void copy_in(struct join *j, u32 i, const struct exchange *x)
{
	memcpy(&j->copy[i], x, sizeof(*x) + x->request_head + x->response_head);
}

/* In no list yet; there is a free slot. */
static u32 store(struct join *j, const struct exchange *x)
{
	u32 i = j->free, other = find_other(j, x);
	struct slot *s = &j->slot[i];

	j->free = s->next;
	j->counts.held++;
	*s = (struct slot){
		.key = key_of(x), .cookie = x->cookie, .number = x->number, .role = x->role};
	s->final = x->end != END_SWEEP;
	s->partner = other;
	if (other != NONE)
		j->slot[other].partner = i;
	copy_in(j, i, x);
	if (s->key)
		chain_add(j, BY_KEY, i);
	if (!s->final)
		chain_add(j, BY_ID, i);
	return i;
}

/* At most half of the pool is in flight, so if it is full, something waits. */
static void make_room(struct join *j)
{
	if (j->free != NONE)
		return;
	j->counts.evicted++;
	hand_on(j, due_next(j, UINT64_MAX));
}

static void add_final(struct join *j, const struct exchange *x, u64 now_ns)
{
	u32 own, other;

	if (past_final(j->past, x->cookie, x->number)) {
		j->counts.swallowed++;
		return;
	}
	own = find_snapshot(j, x, now_ns);
	if (own != NONE) {
		j->counts.replaced++;
		release(j, own);
	}
	other = find_other(j, x);
	if (other != NONE && j->slot[other].final) {
		deliver(j, x, &j->copy[other].x);
		release(j, other);
	} else if (!key_of(x)) {
		deliver(j, x, NULL);
	} else {
		make_room(j);
		wait_for_other(j, store(j, x), now_ns);
	}
}

/* Does the snapshot that just came make a whole call? */
static void judge(struct join *j, u32 i, u64 now_ns)
{
	const struct slot *s = &j->slot[i];
	const struct slot *other = s->partner == NONE ? NULL : &j->slot[s->partner];
	const struct exchange *x = &j->copy[i].x;

	if (other && other->final)
		return; /* which waits for this end to be final, too */
	if (other && whole(j, x, partner_of(j, i))) {
		hand_on(j, i);
		return;
	}
	if (s->waits || (other && other->waits) || !whole(j, x, NULL))
		return;
	if (s->key)
		land(j, i, now_ns);
	else
		hand_on(j, i); /* nothing can join it */
}

static void add_snapshot(struct join *j, const struct exchange *x, u64 now_ns)
{
	u32 i;

	if (past_has(j->past, x->cookie, x->number)) {
		j->counts.swallowed++;
		return;
	}
	i = find_snapshot(j, x, now_ns);
	if (i != NONE)
		j->counts.replaced++;
	if (i != NONE && (j->slot[i].key != key_of(x) || j->slot[i].role != x->role)) {
		release(j, i);
		i = NONE;
	}
	if (i == NONE) {
		if (j->flying.n >= j->conf.entries / 2) {
			j->counts.forgotten++;
			release(j, j->flying.first);
		}
		make_room(j);
		i = store(j, x);
		list_add(j, &j->flying, i);
	} else {
		copy_in(j, i, x);
		if (!j->slot[i].waits) {
			list_del(j, &j->flying, i);
			list_add(j, &j->flying, i);
		}
	}
	judge(j, i, now_ns);
}

int join_add(struct join *j, const struct exchange *x, u64 now_ns)
{
	size_t heads = (size_t)x->request_head + x->response_head;

	if (heads > HEADS_MAX || x->r.size < sizeof(*x) + heads)
		return -EBADMSG;
	j->counts.taken++;
	if (x->end == END_SWEEP)
		add_snapshot(j, x, now_ns);
	else
		add_final(j, x, now_ns);
	return 0;
}

int join_add_told(struct join *j, const struct exchange *requester,
		  const struct exchange *responder, u64 now_ns)
{
	size_t heads = (size_t)responder->request_head + responder->response_head;
	u32 i;

	if (heads > HEADS_MAX || responder->r.size < sizeof(*responder) + heads)
		return -EBADMSG;
	j->counts.taken++;
	if (past_final(j->past, responder->cookie, responder->number)) {
		j->counts.swallowed++;
		return 0;
	}
	i = find_snapshot(j, responder, now_ns);
	if (i != NONE) {
		j->counts.replaced++;
		release(j, i);
	}
	i = find_other(j, responder);
	if (i != NONE && j->slot[i].final) {
		deliver(j, responder, &j->copy[i].x);
		release(j, i);
		return 0;
	}
	if (i != NONE) {
		j->counts.replaced++;
		past_remember(j->past, j->slot[i].cookie, j->slot[i].number);
		release(j, i);
	}
	j->counts.told++;
	j->conf.done(j->conf.arg, requester, responder);
	return 0;
}

const struct exchange *join_snapshot(const struct join *j, u64 cookie)
{
	for (u32 i = j->head[BY_ID][hash(j, cookie) & j->mask]; i != NONE;
	     i = j->slot[i].chain[BY_ID])
		if (j->slot[i].cookie == cookie && !j->slot[i].waits)
			return &j->copy[i].x;
	return NULL;
}

void join_swept(struct join *j, u64 began_ns)
{
	j->swept_ns = began_ns;
}

void join_expire(struct join *j, u64 now_ns)
{
	u32 i = due_next(j, j->swept_ns);

	while (i != NONE && j->slot[i].due_ns <= now_ns) {
		hand_on(j, i);
		i = due_next(j, j->swept_ns);
	}
}

void join_flush(struct join *j)
{
	for (u32 i = due_next(j, UINT64_MAX); i != NONE; i = due_next(j, UINT64_MAX))
		hand_on(j, i);
	while (j->flying.n)
		hand_on(j, j->flying.first);
}

/* ---- in flight ---- */

static u64 begin_ns(const struct exchange *x)
{
	if (x->request_first_ns)
		return x->request_first_ns;
	return x->response_first_ns ? x->response_first_ns : x->now_ns;
}

static int by_begin(const void *a, const void *b, void *arg)
{
	const struct join *j = arg;
	const u32 ia = *(const u32 *)a, ib = *(const u32 *)b;
	u64 ta = begin_ns(&j->copy[ia].x), tb = begin_ns(&j->copy[ib].x);

	if (ta != tb)
		return ta < tb ? -1 : 1;
	return ia < ib ? -1 : 1;
}

u32 join_in_flight(struct join *j, u64 since_ns, u32 max, join_done_fn *each, void *arg)
{
	u32 n = 0;

	for (u32 i = j->flying.first; i != NONE; i = j->slot[i].next) {
		const struct exchange *x = &j->copy[i].x, *o = partner_of(j, i);

		if (o && (j->slot[j->slot[i].partner].waits || !asks(x, o)))
			continue; /* about to be handed on, or listed with its requester */
		if (x->now_ns >= since_ns || (o && o->now_ns >= since_ns))
			j->sorted[n++] = i;
	}
	qsort_r(j->sorted, n, sizeof(*j->sorted), by_begin, j);
	n = MIN(n, max);
	for (u32 k = 0; k < n; k++) {
		const struct exchange *x = &j->copy[j->sorted[k]].x;
		const struct exchange *o = partner_of(j, j->sorted[k]);

		if (asks(x, o))
			each(arg, x, o);
		else
			each(arg, o, x);
	}
	return n;
}

struct join_counts join_counts(const struct join *j)
{
	return j->counts;
}
