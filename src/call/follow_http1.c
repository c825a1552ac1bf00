// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* From runs in order to messages (RFC 9112 6 and 9.3.2) and to pairs of request and response.
 * A pair that is not certain is not made: the request is handed on without a response instead. */
#include "call/follow_state.h"

static bool is_request(const struct conn *c, const struct direction *d)
{
	return d == &c->dir[0];
}

static void advance(struct direction *d, struct run *r, uint32_t n)
{
	if (d->note) {
		d->note->msg.bytes += n;
		d->note->msg.last_ns = MAX(d->note->msg.last_ns, r->now_ns);
	}
	r->seq += n;
	r->length -= n;
	r->p = n < r->captured ? r->p + n : NULL;
	r->captured -= MIN(n, r->captured);
}

/* ---- handing on ---- */

static void give(struct follow *f, struct conn *c, struct note *request, struct note *response,
		 bool gap)
{
	struct follow_pair pair = {.cookie = c->cookie, .gap = gap};

	if (request) {
		request->msg.cut = !request->ended;
		pair.request = &request->msg;
		pair.gap |= request->msg.gap;
	}
	if (response) {
		response->msg.cut = !response->ended;
		pair.response = &response->msg;
		pair.gap |= response->msg.gap;
	}
	if (request && response)
		f->counts.pairs++;
	else if (request)
		f->counts.unanswered++;
	else
		f->counts.orphans++;
	f->conf.pair(f->conf.arg, &pair);
}

/* The note of a request that was handed on. If it still goes on, its bytes are counted no more. */
static void drop_request(struct follow *f, struct conn *c, struct note *n)
{
	if (c->dir[0].note == n)
		c->dir[0].note = NULL;
	n->next = f->free_note;
	f->free_note = n;
}

static struct note *dequeue(struct conn *c)
{
	struct note *n = c->queue.first;

	c->queue.first = n->next;
	if (!n->next)
		c->queue.last = NULL;
	c->queue.n--;
	return n;
}

/* The response is over, or as much of it as there will be. */
static void give_answer(struct follow *f, struct conn *c)
{
	struct note *asked = c->asked;

	give(f, c, asked, &c->answer, false);
	if (asked)
		drop_request(f, c, dequeue(c));
	c->asked = NULL;
	c->answered = false;
	c->dir[1].note = NULL;
}

/* Requests whose responses cannot be told any more, or never came. */
static void give_unanswered(struct follow *f, struct conn *c, bool gap)
{
	while (c->queue.first) {
		struct note *n = dequeue(c);

		give(f, c, n, NULL, gap);
		drop_request(f, c, n);
	}
}

/* ---- messages begin and end ---- */

/* at: of the responses' sequence numbers. */
static void lose_order(struct conn *c, uint32_t at)
{
	if (!c->lost || (int32_t)(at - c->lost_ack) > 0)
		c->lost_ack = at;
	c->lost = true;
}

/* Has the client, when it sent this, seen responses since the order was lost, and all that the
 * server ever sent, and is nothing open? Then this request and the next response belong together.
 */
static bool is_quiet(const struct conn *c, uint32_t ack)
{
	const struct direction *d = &c->dir[1];

	return !c->queue.first && !c->over && !d->note && !c->answered && !d->held &&
	       d->next == ack && (int32_t)(ack - c->lost_ack) > 0;
}

static void begin_request(struct follow *f, struct conn *c, const struct run *r)
{
	struct note *n = f->free_note;

	if (c->lost && is_quiet(c, r->ack)) {
		c->lost = false;
		if (c->dir[1].at == LOST)
			c->dir[1].at = AT_START; /* the next byte is its response's first */
	}
	if (c->lost)
		lose_order(c, r->ack); /* nor will it be known for this one */
	c->dir[0].note = NULL;
	if (c->over || !n || c->queue.n >= FOLLOW_OUTSTANDING_MAX) {
		f->counts.overflow++;
		if (!c->lost)
			c->over++;
		return;
	}
	f->free_note = n->next;
	*n = (struct note){.queued = !c->lost};
	c->dir[0].note = n;
	if (c->lost)
		return;
	*(c->queue.last ? &c->queue.last->next : &c->queue.first) = n;
	c->queue.last = n;
	c->queue.n++;
}

/* A response that acknowledges nothing of a request does not answer it. */
static void begin_response(struct follow *f, struct conn *c, const struct run *r)
{
	struct note *first;

	if (c->answered)
		give_answer(f, c); /* its request goes on, but the server is done with it */
	first = c->queue.first;
	c->asked = NULL;
	if (first)
		c->asked = (int32_t)(r->ack - first->msg.seq) > 0 ? first : NULL;
	else if (c->over)
		c->over--;
	else
		lose_order(c, r->seq); /* some request was not seen, and maybe more were not */
	c->answer = (struct note){0};
	c->dir[1].note = &c->answer;
}

static void begin(struct follow *f, struct conn *c, struct direction *d, const struct run *r)
{
	bool interim = !is_request(c, d) && d->note;

	if (is_request(c, d))
		begin_request(f, c, r);
	else if (!interim)
		begin_response(f, c, r);
	if (!d->note)
		return;
	d->note->msg.number = r->number;
	d->note->msg.seq = r->seq;
	d->note->msg.ack = r->ack;
	d->note->msg.first_ns = r->now_ns;
}

/* Nothing more is learned about the request going on. */
static void leave_request(struct follow *f, struct conn *c)
{
	struct note *n = c->dir[0].note;

	c->dir[0].note = NULL;
	if (!n->queued) {
		give(f, c, n, NULL, true);
		drop_request(f, c, n);
	} else if (c->answered && c->asked == n) {
		give_answer(f, c);
	}
}

static void end_request(struct follow *f, struct conn *c)
{
	if (!c->dir[0].note)
		return; /* handed on already */
	c->dir[0].note->ended = true;
	leave_request(f, c);
}

static void end_response(struct follow *f, struct conn *c)
{
	c->answer.ended = true;
	c->dir[1].note = NULL;
	c->answered = true;
	if (!c->asked || c->dir[0].note != c->asked)
		give_answer(f, c);
}

static void end(struct follow *f, struct conn *c, struct direction *d)
{
	d->at = AT_START;
	if (is_request(c, d))
		end_request(f, c);
	else
		end_response(f, c);
}

/* ---- what a head says ---- */

static int parse(const struct conn *c, bool request, const uint8_t *p, size_t n, struct message *m)
{
	const struct message *asked =
		c->asked && c->asked->msg.m.method.p ? &c->asked->msg.m : NULL;

	return request ? protocol_http1.request(p, n, m) : protocol_http1.response(p, n, asked, m);
}

/* A text of the head at from, moved into the note's own copy of it; false: not all of it is there.
 */
static bool move_text(struct note *n, const uint8_t *from, struct text *t)
{
	size_t at = (size_t)((const uint8_t *)t->p - from);

	if (!t->p)
		return true;
	if (at >= n->msg.head_len) {
		*t = (struct text){NULL, 0};
		return false;
	}
	bool whole = t->len <= n->msg.head_len - at;

	*t = (struct text){(const char *)n->head + at,
			   whole ? t->len : (uint32_t)(n->msg.head_len - at)};
	return whole;
}

/* from: the n bytes that m was parsed from. */
static void keep_head(struct note *o, const struct message *m, const uint8_t *from, size_t n)
{
	o->msg.m = *m;
	o->msg.head = o->head;
	o->msg.head_len = (uint32_t)MIN(n, sizeof(o->head));
	memcpy(o->head, from, o->msg.head_len);
	(void)move_text(o, from, &o->msg.m.method);
	if (!move_text(o, from, &o->msg.m.path))
		o->msg.m.path_cut = true;
	if (!move_text(o, from, &o->msg.m.host)) /* half a name is a wrong one */
		o->msg.m.host = (struct text){NULL, 0};
}

static void keep_partial_head(const struct conn *c, struct direction *d)
{
	struct message m;

	if (d->at == IN_HEAD && d->note && d->buf_len &&
	    parse(c, is_request(c, d), d->buf, d->buf_len, &m) == 0)
		keep_head(d->note, &m, d->buf, d->buf_len);
}

/* ---- gaps ---- */

static void forget_head(struct direction *d)
{
	free(d->buf);
	d->buf = NULL;
	d->buf_len = d->buf_cap = 0;
}

/* Where the next message starts is not known. What was asked before can still be paired if the gap
 * is in the requests; after one in the responses it cannot be told which of them is the next. */
static void lose(struct follow *f, struct conn *c, struct direction *d, const struct run *r)
{
	f->counts.gaps++;
	keep_partial_head(c, d);
	forget_head(d);
	d->at = LOST;
	lose_order(c, is_request(c, d) ? r->ack : r->seq);
	if (d->note)
		d->note->msg.gap = true;
	if (is_request(c, d)) {
		if (d->note)
			leave_request(f, c);
		return;
	}
	if (d->note || c->answered)
		give_answer(f, c);
	c->over = 0;
	give_unanswered(f, c, true);
}

/* What is skipped may hold requests, and their responses are still to come. */
static void skip(struct conn *c, struct direction *d, struct run *r, size_t n)
{
	if (n && is_request(c, d))
		lose_order(c, r->ack);
	advance(d, r, (uint32_t)n);
}

static void find_start(struct conn *c, struct direction *d, struct run *r)
{
	struct message m;

	while (r->captured) {
		size_t at = protocol_http1.resync(r->p, r->captured, is_request(c, d));

		skip(c, d, r, MIN(at, r->captured));
		if (r->captured && parse(c, is_request(c, d), r->p, r->captured, &m) == 0) {
			d->at = AT_START;
			return;
		}
		skip(c, d, r, MIN(1, r->captured));
	}
	skip(c, d, r, r->length);
}

/* ---- heads ---- */

/* The head has ended: what follows? */
static void begin_body(struct follow *f, struct conn *c, struct direction *d, const struct run *r,
		       const struct message *m)
{
	if (!is_request(c, d) && m->interim) {
		d->at = AT_START; /* the response itself is still to come */
		return;
	}
	switch (m->body) {
	case BODY_UNKNOWN:
		lose(f, c, d, r);
		return;
	case BODY_UPGRADE:
		end(f, c, d);
		if (c->dir[0].note)
			lose(f, c, &c->dir[0], r);
		forget_head(&c->dir[0]);
		c->dir[0].at = c->dir[1].at = OPAQUE;
		return;
	case BODY_NONE:
		end(f, c, d);
		return;
	default:
		if (m->body == BODY_LENGTH && m->body_length == 0) {
			end(f, c, d);
			return;
		}
		http1_body_start(&d->body, m);
		d->at = IN_BODY;
	}
}

/* The length of the head at p if the blank line that ends it is there, at from or later; else 0. */
static size_t head_end(const uint8_t *p, size_t n, size_t from)
{
	const uint8_t *lf = p + from;

	while ((lf = memchr(lf, '\n', n - (size_t)(lf - p)))) {
		size_t left = n - (size_t)(++lf - p);

		if (left >= 1 && lf[0] == '\n')
			return (size_t)(lf - p) + 1;
		if (left >= 2 && lf[0] == '\r' && lf[1] == '\n')
			return (size_t)(lf - p) + 2;
	}
	return 0;
}

/* The whole head is at p, of which the run's first of_run bytes are a part. */
static void take_head(struct follow *f, struct conn *c, struct direction *d, struct run *r,
		      const uint8_t *p, size_t n, uint32_t of_run)
{
	struct message m;

	if (parse(c, is_request(c, d), p, n, &m) < 0 || !m.head_whole || m.head_length != n) {
		lose(f, c, d, r);
		return;
	}
	if (d->note)
		keep_head(d->note, &m, p, n);
	m.method = m.path = m.host = (struct text){NULL, 0};
	advance(d, r, of_run);
	forget_head(d);
	begin_body(f, c, d, r, &m);
}

/* Puts the run's bytes behind those of the head so far. */
static bool grow_head(struct direction *d, const struct run *r)
{
	uint32_t cap = d->buf_cap ? d->buf_cap : 1024;

	if (d->buf_len + r->captured > FOLLOW_HEAD_MAX)
		return false;
	while (cap < d->buf_len + r->captured)
		cap *= 2;
	if (cap != d->buf_cap) {
		uint8_t *buf = realloc(d->buf, cap);

		if (!buf)
			return false;
		d->buf = buf;
		d->buf_cap = cap;
	}
	memcpy(d->buf + d->buf_len, r->p, r->captured);
	d->buf_len += r->captured;
	return true;
}

static void take_in_head(struct follow *f, struct conn *c, struct direction *d, struct run *r)
{
	uint32_t before = d->buf_len;
	size_t n;

	if (r->captured && !before) { /* most heads come in one run and need no copy */
		n = head_end(r->p, r->captured, 0);
		if (n) {
			take_head(f, c, d, r, r->p, n, (uint32_t)n);
			return;
		}
	}
	if (!r->captured || !grow_head(d, r)) {
		lose(f, c, d, r);
		return;
	}
	n = head_end(d->buf, d->buf_len, before > 3 ? before - 3 : 0);
	if (n)
		take_head(f, c, d, r, d->buf, n, (uint32_t)n - before);
	else
		advance(d, r, r->captured);
}

static void take_start(struct follow *f, struct conn *c, struct direction *d, struct run *r)
{
	struct message m;

	/* RFC 9112 2.2: empty lines before a message. */
	while (r->captured && (r->p[0] == '\r' || r->p[0] == '\n'))
		advance(d, r, 1);
	if (!r->length)
		return;
	if (!r->captured) {
		lose(f, c, d, r);
		return;
	}
	if (parse(c, is_request(c, d), r->p, r->captured, &m) < 0) {
		lose(f, c, d, r);
		return;
	}
	begin(f, c, d, r);
	if (d->note)
		keep_head(d->note, &m, r->p, r->captured);
	d->at = IN_HEAD;
}

/* ---- runs ---- */

static void take_body(struct follow *f, struct conn *c, struct direction *d, struct run *r)
{
	size_t used = 0;
	int ret = http1_body_feed(&d->body, r->p, r->captured, r->length, &used);

	if (ret < 0) {
		lose(f, c, d, r);
		return;
	}
	advance(d, r, (uint32_t)used);
	if (ret > 0)
		end(f, c, d);
}

void follow_take(struct follow *f, struct conn *c, struct direction *d, struct run *r)
{
	while (r->length) {
		switch (d->at) {
		case AT_START:
			take_start(f, c, d, r);
			break;
		case IN_HEAD:
			take_in_head(f, c, d, r);
			break;
		case IN_BODY:
			take_body(f, c, d, r);
			break;
		case LOST:
			find_start(c, d, r);
			break;
		case OPAQUE:
			f->counts.opaque_bytes += r->length;
			advance(d, r, r->length);
			break;
		}
	}
}

void follow_finish(struct follow *f, struct conn *c, bool gap)
{
	struct direction *d = &c->dir[1];

	keep_partial_head(c, &c->dir[0]);
	keep_partial_head(c, d);
	if (d->note)
		c->answer.ended = d->at == IN_BODY && d->body.kind == BODY_TO_CLOSE;
	if (d->note || c->answered)
		give_answer(f, c);
	if (c->dir[0].note)
		leave_request(f, c);
	give_unanswered(f, c, gap);
}
