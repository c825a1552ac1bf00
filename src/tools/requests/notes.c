// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What one exchange leaves for the next on its connection: a call that waits for its rest
 * (100-continue, an answer before the upload's end), an upgrade, the server name of a TLS
 * connection. Only such connections are here, in a bounded table, the least recently used going
 * first. */
#include "base/uthash.h"

#include "protocol/http1.h"
#include "tools/requests/requests.h"

#define NOTES_MAX 1024
/* How long a call waits for its rest before it is shown without: after an early answer the rest may
 * never come; after a 100-continue it does, however slow the upload, or the connection closes. */
#define REST_NS    2000000000ull
#define INTERIM_NS 600000000000ull

enum end_index { REQUESTER, RESPONDER, ENDS };

struct held_end {
	struct exchange x;
	uint8_t heads[HEADS_MAX];
};

/* A call whose request or answer goes on in the next exchange; known by the cookies of its ends. */
struct rest {
	bool has[ENDS], merged[ENDS];
	bool interim; /* the answer so far was a 1xx */
	uint32_t interim_bytes;
	struct held_end end[ENDS];
};

struct note {
	uint64_t cookie;
	enum { NOTE_REST, NOTE_UPGRADED, NOTE_TLS } kind;
	uint64_t since_ns;
	struct rest *rest; /* NOTE_REST: shared by the notes of both ends */
	uint32_t host_len;
	char host[256]; /* NOTE_TLS */
	UT_hash_handle hh;
};

struct notes {
	struct note *by_cookie;
};

int notes_new(struct notes **out)
{
	struct notes *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	*out = n;
	return 0;
}

static struct note *note_find(const struct notes *n, uint64_t cookie)
{
	struct note *note = NULL;

	if (n->by_cookie)
		HASH_FIND(hh, n->by_cookie, &cookie, sizeof(cookie), note);
	return note;
}

static struct note *note_of(const struct notes *n, const struct call *c)
{
	struct note *note = c->requester ? note_find(n, c->requester->cookie) : NULL;

	return note || !c->responder ? note : note_find(n, c->responder->cookie);
}

static void note_drop(struct notes *n, struct note *note)
{
	HASH_DEL(n->by_cookie, note);
	free(note);
}

/* Takes the rest out of the table; the caller frees it. */
static struct rest *rest_take(struct notes *n, struct rest *rest)
{
	for (int i = 0; i < ENDS; i++) {
		struct note *note = rest->has[i] ? note_find(n, rest->end[i].x.cookie) : NULL;

		if (note && note->rest == rest)
			note_drop(n, note);
	}
	return rest;
}

/* The call as far as it is known. The heads of 1xx answers are gone, their bytes are not. */
static void rest_call(const struct rest *rest, struct call *c)
{
	call_of(c, rest->has[REQUESTER] ? &rest->end[REQUESTER].x : NULL,
		rest->has[RESPONDER] ? &rest->end[RESPONDER].x : NULL);
	if (c->response.interim)
		return;
	c->interim_bytes += rest->interim_bytes;
	call_judge(c);
}

/* Shown, and forgotten. */
static void rest_show(struct requests *r, struct rest *rest)
{
	struct call c;

	(void)rest_take(r->notes, rest);
	rest_call(rest, &c);
	call_show(r, &c);
	free(rest);
}

void notes_free(struct notes *n)
{
	struct note *note, *next;

	if (!n)
		return;
	HASH_ITER(hh, n->by_cookie, note, next)
	{
		if (note->kind == NOTE_REST) {
			free(rest_take(n, note->rest));
			next = n->by_cookie;
		} else {
			note_drop(n, note);
		}
	}
	free(n);
}

static struct note *note_add(struct requests *r, uint64_t cookie, int kind)
{
	struct notes *n = r->notes;
	struct note *note = note_find(n, cookie);

	if (note && note->kind != NOTE_REST) { /* used again: it moves to the end of the order */
		HASH_DEL(n->by_cookie, note);
	} else {
		if (HASH_COUNT(n->by_cookie) >= NOTES_MAX) {
			struct note *oldest = n->by_cookie;

			if (oldest->kind == NOTE_REST)
				rest_show(r, oldest->rest);
			else
				note_drop(n, oldest);
		}
		note = calloc(1, sizeof(*note));
		if (!note)
			return NULL;
	}
	note->cookie = cookie;
	note->kind = kind;
	note->since_ns = r->now_ns;
	HASH_ADD(hh, n->by_cookie, cookie, sizeof(cookie), note);
	return note;
}

static bool rest_hold(struct requests *r, const struct call *c)
{
	const struct exchange *x[ENDS] = {c->requester, c->responder};
	struct rest *rest = calloc(1, sizeof(*rest));

	if (!rest)
		return false;
	rest->interim = c->response.interim;
	rest->interim_bytes = rest->interim ? (uint32_t)c->response_bytes : 0;
	for (int i = 0; i < ENDS; i++) {
		struct note *note = x[i] ? note_add(r, x[i]->cookie, NOTE_REST) : NULL;

		if (!note)
			continue;
		note->rest = rest;
		rest->has[i] = true;
		rest->end[i].x = *x[i];
		memcpy(rest->end[i].heads, x[i] + 1, x[i]->request_head + x[i]->response_head);
	}
	if (rest->has[REQUESTER] || rest->has[RESPONDER])
		return true;
	free(rest);
	return false;
}

/* Adds the exchange that follows to a held end. Its response, if any, is the final one. */
static void end_merge(struct held_end *h, const struct exchange *n, bool interim)
{
	struct exchange *x = &h->x;

	if (n->request_bytes)
		x->request_last_ns = n->request_last_ns;
	x->request_bytes += n->request_bytes;
	if (n->response_bytes && (interim || !x->response_bytes)) {
		x->response_first_ns = n->response_first_ns;
		x->response_head = (uint16_t)MIN(n->response_head, HEADS_MAX - x->request_head);
		memcpy(h->heads + x->request_head, (const uint8_t *)(n + 1) + n->request_head,
		       x->response_head);
		memcpy(x->tail, n->tail, sizeof(x->tail));
	}
	if (n->response_bytes)
		x->response_last_ns = n->response_last_ns;
	x->response_bytes += n->response_bytes;
	x->retransmits += n->retransmits;
	x->flags |= n->flags & (EX_RESET | EX_GAP | EX_REQ_FIN | EX_RSP_FIN);
	x->owner = n->owner.pid ? n->owner : x->owner;
	x->end = n->end;
	x->now_ns = n->now_ns;
}

static bool needs_rest(const struct call *c)
{
	const struct message *q = &c->request;

	if (c->protocol != &protocol_http1 || c->x->end == END_CLOSE || c->x->end == END_SWEEP ||
	    !c->response_bytes)
		return false;
	if (c->response.interim && !c->answered)
		return true;
	return q->head_whole && q->body == BODY_LENGTH &&
	       c->request_bytes < q->head_length + q->body_length;
}

/* What follows on a connection whose call waits for its rest. True: c was part of it. */
static bool rest_continue(struct requests *r, struct rest *rest, struct call *c)
{
	const struct exchange *x[ENDS] = {c->requester, c->responder};
	struct call whole;

	if (!rest->interim && c->protocol == &protocol_http1 && c->request.method.p) {
		rest_show(r, rest); /* a new request: the rest never came */
		return false;
	}
	for (int i = 0; i < ENDS; i++) {
		if (!x[i] || !rest->has[i])
			continue;
		end_merge(&rest->end[i], x[i], rest->interim);
		frames_merge(r, &rest->end[i].x, x[i]);
		rest->merged[i] = true;
	}
	for (int i = 0; i < ENDS; i++)
		if (rest->has[i] && !rest->merged[i])
			return true; /* the other end's record is on its way, or its time will be up
				      */
	rest_call(rest, &whole);
	rest->interim = whole.response.interim && !whole.answered;
	if (rest->interim)
		rest->interim_bytes = (uint32_t)whole.response_bytes;
	if (needs_rest(&whole)) {
		memset(rest->merged, 0, sizeof(rest->merged));
		return true;
	}
	rest_show(r, rest);
	return true;
}

/* After 101 the connection speaks another protocol: its bytes are counted, here and in the kernel.
 */
static void note_upgrade(struct requests *r, const struct exchange *x)
{
	if (x && note_add(r, x->cookie, NOTE_UPGRADED))
		r->tap->mark(r, x, MARK_STREAM);
}

static void note_tls(struct requests *r, struct call *c, struct note *note)
{
	if (!c->host.len && note && note->kind == NOTE_TLS) {
		c->host = (struct text){note->host, note->host_len};
		return;
	}
	if (!c->host.len || c->host.len > sizeof(note->host))
		return;
	note = note_add(r, c->x->cookie, NOTE_TLS);
	if (!note)
		return;
	note->host_len = c->host.len;
	memcpy(note->host, c->host.p, c->host.len);
}

bool notes_take(struct requests *r, struct call *c)
{
	struct note *note = note_of(r->notes, c);

	if (note && note->kind == NOTE_REST) {
		if (rest_continue(r, note->rest, c))
			return true;
		note = note_of(r->notes, c); /* the other one is gone */
	}
	if (note && note->kind == NOTE_UPGRADED) {
		r->upgraded_bytes += c->request_bytes + c->response_bytes;
		return true;
	}
	if (c->protocol == &protocol_tls) {
		note_tls(r, c, note_of(r->notes, c));
		return false;
	}
	if (c->response.status == 101) {
		note_upgrade(r, c->requester);
		note_upgrade(r, c->responder);
		return false;
	}
	return needs_rest(c) && rest_hold(r, c);
}

bool notes_expects_rest(const struct notes *n, uint64_t cookie)
{
	const struct note *note = note_find(n, cookie);

	return note && note->kind == NOTE_REST && note->rest->interim;
}

void notes_expire(struct requests *r, bool all)
{
	struct note *note = r->notes->by_cookie;

	while (note) {
		struct note *next = note->hh.next;

		uint64_t limit =
			note->kind == NOTE_REST && note->rest->interim ? INTERIM_NS : REST_NS;

		if (note->kind == NOTE_REST && (all || r->now_ns - note->since_ns > limit)) {
			rest_show(r, note->rest);
			next = r->notes->by_cookie; /* two notes may have gone */
		}
		note = next;
	}
}
