// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The connections that are followed, and their runs put in order of sequence number.
 * Memory is fixed at the start; the connection that was fed longest ago makes room. */
#include "call/follow.h"

#include "base/hash.h"
#include "call/follow_state.h"

/* A run that is missing so long, or so many runs, will not come: the record was lost. A segment
 * that was lost on the way comes again after TCP's shortest timeout, 200 ms (RFC 6298, and
 * include/net/tcp.h TCP_RTO_MIN). */
#define HELD_NS  INT64_C(1000000000)
#define HELD_MAX 64

int follow_new(const struct follow_conf *conf, struct follow **out)
{
	const uint32_t most = 1u << 20;
	uint32_t slots = 16;

	if (conf->connections - 1 >= 1u << 16 || conf->messages - 1 >= most ||
	    conf->runs - 1 >= most || !conf->pair)
		return -EINVAL;
	struct follow *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	while (slots < conf->connections)
		slots *= 2;
	f->conf = *conf;
	f->mask = slots - 1;
	f->conns = calloc(conf->connections, sizeof(*f->conns));
	f->notes = calloc(conf->messages, sizeof(*f->notes));
	f->runs = calloc(conf->runs, sizeof(*f->runs));
	f->index = calloc(slots, sizeof(struct conn *));
	if (!f->conns || !f->notes || !f->runs || !f->index) {
		follow_free(f);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < conf->connections; i++)
		f->conns[i].chain = i + 1 < conf->connections ? &f->conns[i + 1] : NULL;
	for (uint32_t i = 0; i < conf->messages; i++)
		f->notes[i].next = i + 1 < conf->messages ? &f->notes[i + 1] : NULL;
	for (uint32_t i = 0; i < conf->runs; i++)
		f->runs[i].next = i + 1 < conf->runs ? &f->runs[i + 1] : NULL;
	f->free_conn = f->conns;
	f->free_note = f->notes;
	f->free_run = f->runs;
	*out = f;
	return 0;
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; f->conns && i < f->conf.connections; i++) {
		free(f->conns[i].dir[0].buf);
		free(f->conns[i].dir[1].buf);
	}
	free(f->conns);
	free(f->notes);
	free(f->runs);
	free(f->index);
	free(f);
}

struct follow_counts follow_counts(const struct follow *f)
{
	return f->counts;
}

/* ---- order ---- */

static void take_run(struct follow *f, struct conn *c, struct direction *d, const struct payload *p,
		     const uint8_t *bytes)
{
	uint32_t skip = d->next - p->seq; /* bytes of it that were taken before */

	if (skip >= p->length) {
		f->counts.doubled++;
		return;
	}
	struct run r = {.now_ns = p->now_ns,
			.number = p->number,
			.seq = d->next,
			.ack = p->ack,
			.length = p->length - skip,
			.captured = p->captured > skip ? p->captured - skip : 0};

	r.p = r.captured ? bytes + skip : NULL;
	d->next += r.length;
	follow_take(f, c, d, &r);
}

/* Takes what waited and has its turn now. */
static void drain(struct follow *f, struct conn *c, struct direction *d)
{
	struct held *h;

	while ((h = d->held) && (int32_t)(h->p.seq - d->next) <= 0) {
		d->held = h->next;
		d->n_held--;
		take_run(f, c, d, &h->p, h->bytes);
		h->next = f->free_run;
		f->free_run = h;
	}
}

/* Gives up the bytes before p. */
static void jump_to(struct follow *f, struct conn *c, struct direction *d, const struct payload *p)
{
	struct run hole = {.now_ns = p->now_ns,
			   .number = p->number,
			   .seq = d->next,
			   .ack = p->ack,
			   .length = p->seq - d->next};

	d->next = p->seq;
	follow_take(f, c, d, &hole);
}

static void skip_hole(struct follow *f, struct conn *c, struct direction *d)
{
	jump_to(f, c, d, &d->held->p);
	drain(f, c, d);
}

/* What the other side acknowledges, up to ack, came before that: of it nothing is waited for. */
static void skip_acknowledged(struct follow *f, struct conn *c, struct direction *d, uint32_t ack)
{
	while (d->held && (int32_t)(ack - d->held->p.seq) >= 0)
		skip_hole(f, c, d);
}

static void hold(struct follow *f, struct direction *d, const struct payload *p)
{
	struct held *h = f->free_run, **at = &d->held;

	f->free_run = h->next;
	while (*at && (int32_t)((*at)->p.seq - p->seq) <= 0)
		at = &(*at)->next;
	h->p = *p;
	memcpy(h->bytes, p + 1, p->captured);
	h->next = *at;
	*at = h;
	d->n_held++;
}

/* ---- connections ---- */

static struct conn **slot_of(const struct follow *f, uint64_t cookie)
{
	return &f->index[hash_fold(cookie, 0x9e3779b97f4a7c15) & f->mask];
}

static void unlink_used(struct follow *f, struct conn *c)
{
	*(c->older ? &c->older->newer : &f->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &f->newest) = c->older;
}

static void link_newest(struct follow *f, struct conn *c)
{
	c->newer = NULL;
	c->older = f->newest;
	*(f->newest ? &f->newest->newer : &f->oldest) = c;
	f->newest = c;
}

static void close_conn(struct follow *f, struct conn *c, bool gap)
{
	struct conn **at = slot_of(f, c->cookie);

	for (int i = 0; i < 2; i++) {
		while (c->dir[i].held)
			skip_hole(f, c, &c->dir[i]);
	}
	follow_finish(f, c, gap);
	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
	unlink_used(f, c);
	free(c->dir[0].buf);
	free(c->dir[1].buf);
	*c = (struct conn){.chain = f->free_conn};
	f->free_conn = c;
}

static struct conn *find(const struct follow *f, uint64_t cookie)
{
	struct conn *c = *slot_of(f, cookie);

	while (c && c->cookie != cookie)
		c = c->chain;
	return c;
}

static struct conn *find_or_add(struct follow *f, uint64_t cookie)
{
	struct conn *c = find(f, cookie);

	if (c) {
		unlink_used(f, c);
	} else {
		if (!f->free_conn) {
			f->counts.evicted++;
			close_conn(f, f->oldest, true);
		}
		c = f->free_conn;
		f->free_conn = c->chain;
		c->cookie = cookie;
		c->chain = *slot_of(f, cookie);
		*slot_of(f, cookie) = c;
	}
	link_newest(f, c);
	return c;
}

static bool is_ahead(const struct direction *d, const struct payload *p)
{
	return (int32_t)(p->seq - d->next) > 0;
}

int follow_feed(struct follow *f, const struct payload *p)
{
	if (p->captured > PAYLOAD_MAX || p->captured > p->length || p->length > 1u << 30 ||
	    p->r.size < sizeof(*p) + p->captured)
		return -EBADMSG;
	if (!p->length)
		return 0;
	struct conn *c = find_or_add(f, p->cookie);
	struct direction *d = &c->dir[p->request ? 0 : 1];

	for (int i = 0; i < 2; i++) {
		struct direction *o = &c->dir[i];

		while (o->held && (int64_t)(p->now_ns - o->held->p.now_ns) > HELD_NS)
			skip_hole(f, c, o);
	}
	if (!c->seen) { /* by the ack, bytes of the other direction that are missing show, too */
		c->seen = true;
		d->next = p->seq;
		c->dir[p->request ? 1 : 0].next = p->ack;
	}
	skip_acknowledged(f, c, &c->dir[p->request ? 1 : 0], p->ack);
	while (is_ahead(d, p) && d->held && (d->n_held >= HELD_MAX || !f->free_run))
		skip_hole(f, c, d);
	if (is_ahead(d, p) && f->free_run) {
		hold(f, d, p);
		return 0;
	}
	if (is_ahead(d, p)) /* other connections hold all there are, and may need them */
		jump_to(f, c, d, p);
	take_run(f, c, d, p, (const uint8_t *)(p + 1));
	drain(f, c, d);
	return 0;
}

void follow_close(struct follow *f, uint64_t cookie)
{
	struct conn *c = find(f, cookie);

	if (c)
		close_conn(f, c, false);
}

void follow_flush(struct follow *f)
{
	while (f->oldest)
		close_conn(f, f->oldest, false);
}
