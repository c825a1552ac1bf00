// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Sockets by cookie, with the counters of the last look: what is new since then goes to a tally.
 * Rates are over the time between two looks at the same socket. */
#include "base/clock.h"
#include "loader/socket_user.h"
#include "tools/top/state.h"

#define AHEAD 4 /* looks, of which a link is fetched */

static struct top_counts counts_of(const struct top_look *l)
{
	return (struct top_counts){{
		[COUNT_SENT] = l->sent,
		[COUNT_RECEIVED] = l->received,
		[COUNT_CALLS] = l->calls,
		[COUNT_SEGMENTS_OUT] = l->segments_out,
		[COUNT_SEGMENTS_IN] = l->segments_in,
		[COUNT_RETRANSMITS] = l->retransmits,
		[COUNT_SENDS] = l->sends,
		[COUNT_RECEIVES] = l->receives,
	}};
}

/* The kernel counts these in 32 bits. */
static bool is_short(unsigned counter)
{
	return counter == COUNT_SEGMENTS_OUT || counter == COUNT_SEGMENTS_IN ||
	       counter == COUNT_RETRANSMITS;
}

/* What is new, and then known. A look that was passed by a later one has nothing new. */
static struct top_counts news_of(struct sock_entry *e, const struct top_counts *now)
{
	struct top_counts news = {{0}};

	for (unsigned i = 0; i < TOP_COUNTERS; i++) {
		int64_t d = is_short(i) ? (int32_t)((uint32_t)now->n[i] - (uint32_t)e->counts.n[i])
					: (int64_t)(now->n[i] - e->counts.n[i]);

		if (d <= 0)
			continue;
		news.n[i] = (uint64_t)d;
		e->counts.n[i] += (uint64_t)d;
	}
	return news;
}

static struct sock_entry *entry_of(struct top *t, const struct top_look *l)
{
	struct sock_entry *e;

	HASH_FIND(hh, t->sockets, &l->cookie, sizeof(l->cookie), e);
	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->cookie = l->cookie;
	if (!l->fresh) /* what it did before tapline is not counted */
		e->counts = e->base = counts_of(l);
	HASH_ADD(hh, t->sockets, cookie, sizeof(e->cookie), e);
	return e;
}

static void add_srtt(struct top *t, struct tally *tally, uint32_t srtt_us)
{
	if (!srtt_us)
		return;
	if (tally->measured_round != t->round)
		tally->srtt_us = tally->measured = 0;
	tally->measured_round = t->round;
	tally->srtt_us += srtt_us;
	tally->measured++;
}

static void add_sums(struct tally *tally, const struct top_counts *more)
{
	for (unsigned i = 0; i < TOP_COUNTERS; i++)
		tally->sum.n[i] += more->n[i];
}

static void add_rates(struct top *t, struct tally *tally, const struct top_counts *news,
		      const struct top_look *l)
{
	double per_s = l->before_ns ? 1e9 / (double)(l->now_ns - l->before_ns) : 0;
	struct tally_news *to = NULL;

	for (unsigned i = 0; i < TOP_COUNTERS; i++) {
		if (!news->n[i])
			continue;
		if (!to)
			to = tally_counts(t, tally);
		if (l->before_ns)
			to->rate[i] += (double)news->n[i] * per_s;
		else
			to->part.n[i] += news->n[i];
	}
}

/* Its rates are kept for a change of what a row is. */
static void keep(struct top *t, struct sock_entry *e, const struct top_counts *news,
		 const struct top_look *l)
{
	uint64_t ns = l->before_ns ? l->now_ns - l->before_ns : t->elapsed_ns;

	e->block = t->block;
	for (unsigned i = 0; i < TOP_COUNTERS; i++)
		e->rate[i] = ns ? (double)news->n[i] * 1e9 / (double)ns : 0;
}

/* What was kept goes to the block that is shown. */
static void add_kept(struct top *t, const struct sock_entry *e, struct tally *tally)
{
	struct tally_news *to;

	if (e->block != t->block - 1)
		return;
	to = tally_showing(t, tally);
	for (unsigned i = 0; i < TOP_COUNTERS; i++)
		to->rate[i] += e->rate[i];
}

static struct top_counts since_start(const struct sock_entry *e)
{
	struct top_counts all;

	for (unsigned i = 0; i < TOP_COUNTERS; i++)
		all.n[i] = e->counts.n[i] - e->base.n[i];
	return all;
}

static void belong(struct top *t, struct sock_entry *e, struct tally *tally)
{
	if (e->tally)
		tally_disconnects(t, e->tally);
	if (tally)
		tally_connects(t, tally);
	e->tally = tally;
}

static void forget(struct top *t, struct sock_entry *e)
{
	belong(t, e, NULL);
	HASH_DEL(t->sockets, e);
	free(e);
}

/* One that was accepted may have bytes before a process used it: for a round these are nobody's
 * yet.
 */
static bool waits_for_owner(const struct top *t, struct sock_entry *e, const struct top_look *l)
{
	bool matters = t->by == BY_PROCESS || t->by == BY_CONTAINER;
	bool waits = matters && !l->owner.pid && !l->closed && l->fresh && !e->waited;

	e->waited |= waits;
	return waits;
}

/* What is not counted. */
static void skip(struct sock_entry *e, const struct top_counts *now)
{
	for (unsigned i = 0; i < TOP_COUNTERS; i++)
		e->base.n[i] += now->n[i] - e->counts.n[i];
	e->counts = *now;
}

/* To a tally that did not have it yet it brings all that it did. */
static void count_news(struct top *t, struct sock_entry *e, struct top_counts news,
		       const struct top_look *l)
{
	bool is_new = !e->tally;
	struct top_counts all;

	if (!l->known &&
	    (!e->tally || e->pid != l->owner.pid || e->start_ns != l->owner.start_ns)) {
		belong(t, e, tally_of(t, l));
		e->pid = l->owner.pid;
		e->start_ns = l->owner.start_ns;
	}
	if (!e->tally) {
		t->no_room++;
		t->asks = true;
		return;
	}
	if (is_new)
		all = since_start(e);
	add_sums(e->tally, is_new ? &all : &news);
	add_srtt(t, e->tally, l->srtt_us);
	if (is_new && t->regroups) {
		add_kept(t, e, e->tally);
		return;
	}
	add_rates(t, e->tally, &news, l);
	if (session_hears_keys(t->session))
		keep(t, e, &news, l);
}

static int take(struct top *t, const struct top_look *l)
{
	struct sock_entry *e = entry_of(t, l);
	struct top_counts now = counts_of(l), news;

	if (!e)
		return -ENOMEM;
	e->round = t->round;
	if (l->others) {
		skip(e, &now);
		return 0;
	}
	if (waits_for_owner(t, e, l))
		return 0;
	news = news_of(e, &now);
	count_news(t, e, news, l);
	if (l->closed)
		forget(t, e);
	return 0;
}

int sockets_told(struct top *t, const struct top_look *l)
{
	return take(t, l);
}

/* ---- a round ---- */

static const struct UT_hash_bucket *bucket_of(const struct top *t, const struct top_look *l)
{
	const struct UT_hash_table *table = t->sockets->hh.tbl;
	unsigned hash, at;

	HASH_VALUE(&l->cookie, sizeof(l->cookie), hash);
	HASH_TO_BKT(hash, table->num_buckets, at);
	return &table->buckets[at];
}

/* Mostly that of the look; NULL: none. */
static const struct sock_entry *first_of(const struct top *t, const struct top_look *l)
{
	struct UT_hash_handle *hh = bucket_of(t, l)->hh_head;

	return hh ? ELMT_FROM_HH(t->sockets->hh.tbl, hh) : NULL;
}

/* What the looks behind this one need is fetched meanwhile, link by link: with many sockets nothing
 * of it is in a cache, and to wait for each would take longer than all else. */
static void fetch_ahead(const struct top *t, const struct top_look *l, uint32_t left)
{
	const struct sock_entry *e;

	if (!t->sockets || left <= 3 * AHEAD)
		return;
	__builtin_prefetch(bucket_of(t, l + 3 * AHEAD));
	e = first_of(t, l + 2 * AHEAD);
	for (unsigned line = 0; e && line < sizeof(*e); line += 64)
		__builtin_prefetch((const char *)e + line);
	e = first_of(t, l + AHEAD);
	if (e && e->tally)
		tally_fetch(t, e->tally);
}

static int take_looks(void *top)
{
	struct top *t = top;
	uint32_t n = MIN(t->kernel->bss->n_looks, (uint32_t)TOP_LOOKS);
	const struct top_look *l = t->kernel->bss->looks;
	int r = 0;

	for (; !r && n; n--, l++) {
		fetch_ahead(t, l, n);
		r = take(t, l);
	}
	t->kernel->bss->n_looks = 0;
	return r;
}

/* Sockets that were accepted and not used yet have no owner, till their files are looked at. */
static void seek_owners(struct top *t, uint64_t now)
{
	if (!t->kernel->bss->unowned || !iterator_may_run(&t->budget, now))
		return;
	(void)socket_users_look(t->session, t->files);
	iterator_ran(&t->budget, now);
}

/* Sockets whose last record was lost: two full rounds did not meet them. One does not suffice, as a
 * record may be on its way. */
static void forget_gone(struct top *t)
{
	struct sock_entry *e, *next;

	HASH_ITER(hh, t->sockets, e, next)
	if (t->round - e->round >= 2)
		forget(t, e);
}

/* A round is full at the start, and when records were lost. */
static void plan_round(struct top *t)
{
	uint64_t lost = session_counter(t->session, COUNT_LOST_RING);

	if (lost != t->lost)
		t->full = 2;
	t->lost = lost;
	t->kernel->bss->look_at_all = t->full != 0 || t->regroups || t->asks;
	t->asks = false;
	t->kernel->bss->unowned = 0;
	t->round++;
}

int sockets_round(struct top *t)
{
	uint64_t now = clock_mono_ns();
	int r;

	t->elapsed_ns = t->looked_ns ? now - t->looked_ns : 0;
	seek_owners(t, now);
	t->looked_ns = now;
	plan_round(t);
	r = iterator_each(t->looks, 1, take_looks, t); /* a byte: the array is full */
	if (!r)
		r = session_drain(t->session);
	if (r || !t->full)
		return r;
	if (--t->full == 0)
		forget_gone(t);
	return 0;
}

int sockets_regroup(struct top *t)
{
	struct sock_entry *e, *next;
	int r;

	HASH_ITER(hh, t->sockets, e, next)
	e->tally = NULL;
	tally_free(t);
	t->regroups = true;
	r = sockets_round(t);
	t->regroups = false;
	return r;
}

int sockets_open(struct top *t)
{
	struct bpf_object *obj = t->kernel->obj;
	int r;

	t->files = iterator_attach(t->session, obj, "owner_files", NULL);
	if (t->files < 0)
		return t->files;
	t->looks = iterator_attach(t->session, obj, "top_looks", t->kernel->maps.socket_users);
	if (t->looks < 0)
		return t->looks;
	r = socket_users_look(t->session, t->files);
	if (!r)
		r = sockets_round(t);
	return r ? session_fail(t->session, r, "cannot look at the sockets: %s", strerror(-r)) : 0;
}

void sockets_free(struct top *t)
{
	struct sock_entry *e, *next;

	HASH_ITER(hh, t->sockets, e, next)
	forget(t, e);
}
