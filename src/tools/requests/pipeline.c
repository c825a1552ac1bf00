// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Pipelined connections: the tap sends their payload, call/follow finds and pairs the messages, and
 * the record of the exchange they belong to, which comes after them, says whose they are. */
#include "base/uthash.h"

#include "tools/requests/requests.h"

#define CONNECTIONS 256
#define OUTSTANDING 4096
#define RUNS        1024
#define PENDING     8192

/* A message pair that waits for the record of its exchange. */
struct pending {
	struct pending *next;
	uint32_t number;
	bool answered, gap;
	struct message request, response;
	uint64_t times[4]; /* request first, last, response first, last */
	uint64_t request_bytes, response_bytes;
	uint32_t head_len;
	uint8_t head[REQUEST_HEAD_MAX];
};

struct queue {
	uint64_t cookie;
	struct pending *first, **last;
	UT_hash_handle hh;
};

struct followed {
	struct queue *queues;
	struct pending *pool, *free;
	uint64_t lost; /* pairs that no room or no record was there for */
};

/* A text of the message, moved from the parser's bytes to ours. */
static struct text moved(struct text t, const uint8_t *from, const struct pending *p)
{
	const uint8_t *at = (const uint8_t *)t.p;

	if (!t.p || at < from || at + t.len > from + p->head_len)
		return (struct text){NULL, 0};
	return (struct text){(const char *)p->head + (at - from), t.len};
}

static struct queue *queue_of(struct followed *f, uint64_t cookie, bool make)
{
	struct queue *q = NULL;

	if (f->queues)
		HASH_FIND(hh, f->queues, &cookie, sizeof(cookie), q);
	if (q || !make)
		return q;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->cookie = cookie;
	q->last = &q->first;
	HASH_ADD(hh, f->queues, cookie, sizeof(cookie), q);
	return q;
}

static struct pending *pending_get(struct followed *f)
{
	struct pending *p;

	if (!f->pool) { /* most runs never see a pipelined connection */
		f->pool = calloc(PENDING, sizeof(*f->pool));
		if (!f->pool)
			return NULL;
		for (size_t i = 0; i < PENDING; i++) {
			f->pool[i].next = f->free;
			f->free = &f->pool[i];
		}
	}
	p = f->free;
	if (p)
		f->free = p->next;
	return p;
}

static void on_pair(void *arg, const struct follow_pair *pair)
{
	struct requests *r = arg;
	struct followed *f = r->followed;
	const struct follow_message *q = pair->request, *a = pair->response;
	struct queue *queue;
	struct pending *p;

	if (!q)
		return; /* an answer to what came before it was followed: the exchange's row has it
			 */
	queue = queue_of(f, pair->cookie, true);
	p = queue ? pending_get(f) : NULL;
	if (!p) {
		f->lost++;
		return;
	}
	memset(p, 0, sizeof(*p));
	p->number = q->number;
	p->gap = pair->gap;
	p->head_len = MIN(q->head_len, sizeof(p->head));
	memcpy(p->head, q->head, p->head_len);
	p->request = q->m;
	p->request.method = moved(q->m.method, q->head, p);
	p->request.path = moved(q->m.path, q->head, p);
	p->request.host = moved(q->m.host, q->head, p);
	p->times[0] = q->first_ns;
	p->times[1] = q->last_ns;
	p->request_bytes = q->bytes;
	if (a) {
		p->answered = a->m.status != 0;
		p->response = a->m;
		p->times[2] = a->first_ns;
		p->times[3] = a->last_ns;
		p->response_bytes = a->bytes;
	}
	*queue->last = p;
	queue->last = &p->next;
}

int followed_new(struct requests *r)
{
	struct follow_conf conf = {.connections = CONNECTIONS,
				   .messages = OUTSTANDING,
				   .runs = RUNS,
				   .pair = on_pair,
				   .arg = r};

	r->followed = calloc(1, sizeof(*r->followed));
	if (!r->followed)
		return -ENOMEM;
	return follow_new(&conf, &r->follow);
}

void followed_free(struct requests *r)
{
	struct queue *q, *next;

	follow_free(r->follow);
	if (!r->followed)
		return;
	HASH_ITER(hh, r->followed->queues, q, next)
	{
		HASH_DEL(r->followed->queues, q);
		free(q);
	}
	free(r->followed->pool);
	free(r->followed);
}

int followed_payload(struct session *s, const struct record *rec)
{
	struct requests *r = session_state(s);

	(void)follow_feed(r->follow, (const struct payload *)rec);
	return 0;
}

/* One message pair as a call. Times of the whole exchange (connect, server) go with its first only.
 */
static void show_pair(struct requests *r, const struct call *whole, const struct pending *p,
		      bool first)
{
	struct exchange ends[2];
	struct call c = *whole;

	if (!first) {
		if (c.requester) {
			ends[0] = *c.requester;
			ends[0].connect_us = 0;
			ends[0].retransmits = 0;
			c.requester = &ends[0];
		}
		if (c.responder) {
			ends[1] = *c.responder;
			ends[1].read_ns = 0;
			ends[1].retransmits = 0;
			c.responder = &ends[1];
		}
	}
	c.protocol = &protocol_http1;
	c.request = p->request;
	c.response = p->response;
	c.answered = p->answered;
	c.host = p->request.host;
	c.request_head = (struct text){(const char *)p->head, p->head_len};
	c.response_head = (struct text){NULL, 0};
	c.request_first_ns = p->times[0];
	c.request_last_ns = p->times[1];
	c.response_first_ns = p->times[2];
	c.response_last_ns = p->times[3];
	c.request_bytes = p->request_bytes;
	c.response_bytes = p->response_bytes;
	c.quality &= ~(unsigned)(QUALITY_HEAD_CUT | QUALITY_UNANSWERED | QUALITY_MIDWAY |
				 QUALITY_PIPELINED);
	if (p->answered)
		c.quality &= ~(unsigned)QUALITY_RESET;
	if (p->gap || (!p->answered && whole->response_bytes))
		c.quality |= QUALITY_PIPELINED;
	else if (!p->answered)
		c.quality |= QUALITY_UNANSWERED;
	call_show(r, &c);
}

/* Takes what waits for exchange x of one end off its queue; shows it, or drops it where the other
 * end's messages were shown. Returns how many. */
static unsigned take_queue(struct requests *r, const struct call *c, const struct exchange *x,
			   bool show)
{
	struct followed *f = r->followed;
	struct queue *q = x ? queue_of(f, x->cookie, false) : NULL;
	unsigned n = 0;

	while (q && q->first && (int32_t)(q->first->number - x->number) <= 0) {
		struct pending *p = q->first;

		q->first = p->next;
		if (!q->first)
			q->last = &q->first;
		if (show)
			show_pair(r, c, p, n == 0);
		p->next = f->free;
		f->free = p;
		n++;
	}
	if (q && !q->first) {
		HASH_DEL(f->queues, q);
		free(q);
	}
	return n;
}

bool followed_done(struct requests *r, struct call *c)
{
	const struct exchange *a = c->requester, *b = c->responder;
	unsigned flags = (a ? a->flags : 0) | (b ? b->flags : 0);
	unsigned n;

	if (!(flags & EX_FOLLOWED))
		return false;
	if (a && a->end == END_CLOSE)
		follow_close(r->follow, a->cookie);
	if (b && b->end == END_CLOSE)
		follow_close(r->follow, b->cookie);
	n = take_queue(r, c, b, true);
	if (take_queue(r, c, a, n == 0))
		n++;
	if (!n)
		c->quality |= QUALITY_PIPELINED; /* its payload was past the budget */
	return n != 0;
}

uint64_t followed_lost(const struct requests *r)
{
	return r->followed->lost + follow_counts(r->follow).overflow;
}
