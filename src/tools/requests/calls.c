// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Exchanges become calls: protocol told, messages read, quality judged.
 * What an exchange cannot say alone (100-continue, early answers, upgrades) is left to notes.c. */
#include "protocol/http1.h"
#include "tools/requests/requests.h"

static struct text head_at(const struct exchange *x, uint32_t from, uint32_t n)
{
	return (struct text){(const char *)(x + 1) + from, n};
}

/* Of both ends, the one whose heads say more; on loopback only the responder keeps any. */
static const struct exchange *with_heads(const struct exchange *a, const struct exchange *b)
{
	if (!a || !b)
		return a ? a : b;
	return a->request_head > b->request_head ? a : b;
}

static void read_messages(struct call *c)
{
	const uint8_t *p = (const uint8_t *)c->request_head.p;
	const uint8_t *q = (const uint8_t *)c->response_head.p;
	uint32_t n = c->request_head.len, m = c->response_head.len;
	const struct message *asked = NULL;

	if (n) {
		c->protocol = protocol_detect(p, n);
		if (c->protocol && c->protocol->request(p, n, &c->request))
			c->protocol = NULL;
		asked = &c->request;
	} else if (m) {
		/* The request was not seen: the start of the response may tell. */
		if (!protocol_http1.response(q, m, NULL, &c->response) && c->response.status)
			c->protocol = &protocol_http1;
	}
	if (!c->protocol || !m)
		return;
	/* A 1xx may be followed by the final response in the same turn. */
	while (!c->protocol->response(q, m, asked, &c->response) && c->response.interim &&
	       c->response.head_whole && c->response.head_length < m) {
		c->interim_bytes += c->response.head_length;
		q += c->response.head_length;
		m -= c->response.head_length;
	}
	c->answered = c->response.status && !c->response.interim;
}

/* More came than the one response that was asked for: there were several requests in the turn.
 * Where the bytes after it were captured they must look like another one, as some servers send more
 * than they say. */
static bool answers_more(const struct call *c)
{
	const struct message *m = &c->response;
	uint64_t end = c->interim_bytes + m->head_length + m->body_length;
	size_t seen;

	if (c->protocol != &protocol_http1 || !c->answered || !m->head_whole ||
	    m->body != BODY_LENGTH || c->response_bytes <= end)
		return false;
	if (end >= c->response_head.len)
		return true;
	seen = MIN(c->response_head.len - end, 5u);
	return !memcmp(c->response_head.p + end, "HTTP/", seen);
}

/* Is this end's record its last word on the exchange? */
static bool is_final(const struct exchange *x)
{
	return x && x->end != END_SWEEP;
}

/* The client was gone before any of the answer came. */
static bool gave_up(const struct call *c)
{
	return is_final(c->requester) && c->requester->request_bytes &&
	       !c->requester->response_bytes;
}

/* The turn holds more than the one request that was read. */
static bool asks_more(const struct call *c)
{
	const struct message *q = &c->request;

	return c->protocol == &protocol_http1 && q->method.p && q->head_whole &&
	       (q->body == BODY_NONE || q->body == BODY_LENGTH) && c->response.status != 101 &&
	       c->request_bytes > q->head_length + q->body_length;
}

void call_judge(struct call *c)
{
	const struct exchange *a = c->requester, *b = c->responder;
	unsigned flags = (a ? a->flags : 0) | (b ? b->flags : 0);
	bool http = c->protocol == &protocol_http1;

	c->quality = 0;
	c->crossed = flags & EX_OVERLAP;

	if (http && c->request.method.p && !c->request.head_whole)
		c->quality |= QUALITY_HEAD_CUT;
	if (flags & EX_MIDWAY && !(http && c->request.method.p))
		c->quality |= QUALITY_MIDWAY;
	if (flags & EX_GAP)
		c->quality |= QUALITY_GAP;
	if (asks_more(c) || answers_more(c))
		c->quality |= QUALITY_PIPELINED;
	if (!b && a->flags & EX_LOCAL)
		c->quality |= QUALITY_LOST;
	if (c->request_bytes && (!c->response_bytes || (http && c->response.interim) || gave_up(c)))
		c->quality |= QUALITY_UNANSWERED;
	if (flags & EX_RESET && !call_is_whole(c))
		c->quality |= QUALITY_RESET;
}

void call_of(struct call *c, const struct exchange *requester, const struct exchange *responder)
{
	const struct exchange *x = with_heads(requester, responder);
	/* Times as the client felt them, where the client is here: all of one end. */
	const struct exchange *t = requester ? requester : responder;

	if (requester && responder && requester->end == END_SWEEP && !requester->response_bytes &&
	    responder->response_bytes)
		t = responder; /* the requester's snapshot is older */
	memset(c, 0, sizeof(*c));
	c->requester = requester;
	c->responder = responder;
	c->x = x;
	c->request_head = head_at(x, 0, x->request_head);
	c->response_head = head_at(x, x->request_head, x->response_head);
	c->request_first_ns = t->request_first_ns;
	c->request_last_ns = t->request_last_ns;
	c->response_first_ns = t->response_first_ns;
	c->response_last_ns = t->response_last_ns;
	c->request_bytes = t->request_bytes;
	c->response_bytes = t->response_bytes;
	if (requester && responder) {
		c->request_bytes = MAX(requester->request_bytes, responder->request_bytes);
		c->response_bytes = MAX(requester->response_bytes, responder->response_bytes);
	}
	read_messages(c);
	c->host = c->request.host;
	call_judge(c);
}

/* The last bytes of the turn: at the end of its captured head, where that is all of it. */
static bool response_whole(const struct call *c)
{
	const uint8_t *tail = c->x->tail;
	unsigned n = TAIL_LEN;

	if (c->response_bytes <= c->response_head.len) {
		n = MIN(c->response_head.len, TAIL_LEN);
		tail = (const uint8_t *)c->response_head.p + c->response_head.len - n;
	}
	return http1_response_complete(&c->response, c->response_bytes - c->interim_bytes, tail, n);
}

bool call_is_whole(const struct call *c)
{
	const struct message *q = &c->request;

	if (c->protocol != &protocol_http1 || !c->answered)
		return false;
	if (q->head_whole && q->body == BODY_LENGTH &&
	    c->request_bytes < q->head_length + q->body_length)
		return false;
	return response_whole(c);
}

/* A head below its row, for people: each line marked with the way it went. */
static void head_show(struct requests *r, struct text head, const char *mark)
{
	char bytes[HEADS_MAX * 5];
	struct buf b = BUF_ON(bytes);
	const char *p = head.p, *end = head.p + head.len;

	while (p && p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl ? nl : end;
		struct text line = {p, (uint32_t)(stop - p)};

		if (line.len && line.p[line.len - 1] == '\r')
			line.len--;
		if (!line.len)
			break;
		buf_clear(&b);
		buf_str(&b, mark);
		buf_escaped(&b, line);
		buf_char(&b, '\n');
		(void)output_text(session_output(r->session), (struct text){b.p, (uint32_t)b.len});
		p = stop + 1;
	}
}

static void heads_show(struct requests *r, const struct call_row *row)
{
	if (row->row.known & 1ull << C_REQUEST_HEAD)
		head_show(r, row->request_head, "  > ");
	if (row->row.known & 1ull << C_RESPONSE_HEAD)
		head_show(r, row->response_head, "  < ");
}

void call_show(struct requests *r, struct call *c)
{
	struct call_row row;
	bool wanted;

	r->calls++;
	r->both_ends += c->requester && c->responder;
	row_of_call(r, c, &row);
	wanted = !r->shown && session_where(r->session, &row.row);
	frames_decide(r, c, &row, wanted);
	if (!wanted || (r->conf->in_flight && !r->by))
		return;
	if (r->by) {
		by_add(r->by, &row);
		return;
	}
	if (!r->shown)
		r->shown = session_row(r->session, &row.row);
	if (r->conf->heads)
		heads_show(r, &row);
}

/* A TLS end says goodbye by an alert of at most 31 bytes (RFC 8446 6.1, RFC 5246 7.2.1), which
 * nobody answers: no call. */
#define TLS_ALERT_MAX 31

static bool says_goodbye(const struct call *c)
{
	return c->protocol == &protocol_tls && !c->response_bytes &&
	       c->request_bytes <= TLS_ALERT_MAX &&
	       (c->x->end == END_CLOSE || c->x->end == END_FIN);
}

void calls_done(void *arg, const struct exchange *requester, const struct exchange *responder)
{
	struct requests *r = arg;
	struct call c;

	call_of(&c, requester, responder);
	told_learn(r, &c);
	if (followed_done(r, &c) || alone_take(r, &c))
		return;
	if (says_goodbye(&c)) {
		r->goodbyes++;
		return;
	}
	if (c.quality & QUALITY_PIPELINED)
		r->tap->mark(r, c.x, MARK_FOLLOW);
	if (!notes_take(r, &c))
		call_show(r, &c);
}

bool calls_complete(void *arg, const struct exchange *requester, const struct exchange *responder)
{
	struct requests *r = arg;
	struct call c;

	/* Snapshots of the two ends are of different moments. */
	if (requester && responder && requester->response_bytes != responder->response_bytes)
		return false;
	call_of(&c, requester, responder);
	if ((c.x->flags & (EX_STREAM | EX_FOLLOWED)) != 0)
		return false;
	if (c.request_bytes && notes_expects_rest(r->notes, c.x->cookie))
		return !protocol_http1.response((const uint8_t *)c.response_head.p,
						c.response_head.len, NULL, &c.response) &&
		       response_whole(&c);
	return call_is_whole(&c);
}
