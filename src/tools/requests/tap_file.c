// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The file tap: the packets of a capture file through the engine that runs in the kernel, natively.
 * Its clock is the file's. Nothing is lost where the table is full: what has to go is shown first.
 */
#include "base/hash.h"

static uint64_t file_seed; /* of this run: strangers choose the keys */
#define HASH_FUNCTION(key, n, value) ((value) = (unsigned)hash_bytes((key), (n), file_seed))
/* An entry is in two tables: its handle of the second says whether it is there. */
#define uthash_nonfatal_oom(entry) ((void)0)
#include "base/uthash.h"
#include <utlist.h>

#include "kernel/filter.h"
#include "kernel/flow.h"
#include "loader/capture_in.h"
#include "tools/requests/requests.h"

#define CONNECTIONS_MAX 65536

/* What is known of a connection, before, while and after it has a flow. */
struct connection {
	struct flow_key key;
	struct flow_edge edge;
	bool has_edge, has_flow;
	uint32_t mark;
	struct requests *r;
	struct flow flow;
	struct connection *prev, *next;
	UT_hash_handle by_key, by_cookie;
};

struct file {
	struct capture_in *in;
	struct connection *keys, *cookies; /* each by its key; by cookie: those with a flow */
	struct connection *used;           /* the least recently used first */
	bool ssh_shown;
	uint64_t now_ns; /* the file's */
	uint64_t flows, evicted, fragments, late, ssh_bytes;
};

static struct connection *connection_of(struct flow *f)
{
	return (struct connection *)((char *)f - offsetof(struct connection, flow));
}

/* ---- what the engine asks for ---- */

static inline void flow_emit(struct flow *f, const struct ended *e, u64 now)
{
	struct {
		struct exchange x;
		u8 heads[HEADS_MAX];
	} record = {.x.r.kind = RECORD_EXCHANGE, .x.r.size = sizeof(record)};

	turn_tell(e, &record.x);
	flow_tell(f, &record.x, now);
	record.x.request_head = f->heads.request;
	memcpy(record.heads, f->heads.b, f->heads.request);
	/* Where the capture cut the request's head, the response's is further on. */
	if (e->response_base >= f->heads.request) {
		record.x.response_head = e->response_head;
		memcpy(record.heads + f->heads.request, f->heads.b + e->response_base,
		       e->response_head);
	}
	(void)requests_take(connection_of(f)->r, &record.x);
}

static inline void flow_payload(packet_bytes *b, struct flow *f, struct payload *about, u32 from,
				u32 len)
{
	struct {
		struct payload p;
		u8 bytes[PAYLOAD_MAX];
	} run = {.p = *about};

	for (u32 done = 0; done < len; done += PAYLOAD_MAX) {
		u32 n = MIN(len - done, PAYLOAD_MAX), at = from + done;
		u32 there = at < b->captured ? MIN(n, b->captured - at) : 0;

		run.p.seq = about->seq + done;
		run.p.length = n;
		run.p.captured = (u16)there;
		run.p.r.size = (u32)(sizeof(run.p) + there);
		if (there)
			memcpy(run.bytes, b->p + at, there);
		(void)followed_payload(connection_of(f)->r->session, &run.p.r);
	}
}

static inline u32 flow_mark_of(const struct flow *f)
{
	return connection_of((struct flow *)f)->mark;
}

/* ---- connections ---- */

/* Its end is remembered: by its last numbers, what comes late is known. */
static void flow_drop(struct file *t, struct connection *c)
{
	if (c->by_cookie.tbl)
		HASH_DELETE(by_cookie, t->cookies, c);
	c->has_flow = false;
}

static void connection_drop(struct file *t, struct connection *c)
{
	if (c->has_flow) {
		t->evicted++;
		flow_end(&c->flow, END_CLOSE, t->now_ns);
		flow_drop(t, c);
	}
	HASH_DELETE(by_key, t->keys, c);
	DL_DELETE(t->used, c);
	free(c);
}

static struct connection *connection_find(struct requests *r, const struct flow_key *key)
{
	struct file *t = r->file;
	struct connection *c = NULL;

	HASH_FIND(by_key, t->keys, key, sizeof(*key), c);
	if (c) {
		DL_DELETE(t->used, c);
		DL_APPEND(t->used, c);
		return c;
	}
	if (HASH_CNT(by_key, t->keys) >= CONNECTIONS_MAX)
		connection_drop(t, t->used);
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->key = *key;
	c->r = r;
	HASH_ADD(by_key, t->keys, key, sizeof(c->key), c);
	if (!c->by_key.tbl) {
		free(c);
		return NULL;
	}
	DL_APPEND(t->used, c);
	return c;
}

static void flow_make(struct file *t, struct connection *c, packet_bytes *b,
		      const struct flow_segment *v)
{
	memset(&c->flow, 0, sizeof(c->flow));
	c->mark = 0;
	c->flow.cookie = ++t->flows;
	c->has_flow = true;
	flow_start(b, &c->flow, &c->key, c->has_edge ? &c->edge : NULL, v);
	HASH_ADD(by_cookie, t->cookies, flow.cookie, sizeof(c->flow.cookie), c);
}

/* ---- packets ---- */

/* A SYN or SYN-ACK. */
static void take_syn(struct file *t, struct connection *c, const struct flow_segment *v)
{
	if (c->has_flow && flow_restarts(&c->flow, v)) {
		flow_end(&c->flow, END_CLOSE, v->s.now);
		flow_drop(t, c);
	}
	flow_opens(&c->edge, v, v->s.now);
	c->has_edge = true;
}

static void take_segment(struct requests *r, struct connection *c, packet_bytes *b,
			 struct flow_segment *v, const struct frame *f)
{
	struct file *t = r->file;

	if (!c->has_flow) {
		if (!v->s.len)
			return;
		if (c->has_edge && flow_is_late(&c->edge, v, v->s.now)) {
			t->late += flow_is_new(&c->edge, v);
			return;
		}
		flow_make(t, c, b, v);
	}
	flow_take(b, &c->flow, v);
	if (r->frames)
		frames_keep(r, c->flow.cookie, c->flow.conn.number - 1, f, f->interface);
	if (!c->flow.over)
		return;
	flow_closed(&c->flow, &c->edge, v->s.now);
	c->has_edge = true;
	flow_drop(t, c);
}

/* What is not taken is counted, where that is not for want of interest. */
static bool takes(struct requests *r, const struct packet *p)
{
	struct file *t = r->file;
	enum flow_decision decision = flow_decide(session_filter(r->session), t->ssh_shown, p);

	if (decision == FLOW_FRAGMENT)
		t->fragments++;
	if (decision == FLOW_SSH)
		t->ssh_bytes += p->payload_length;
	return decision == FLOW_TAKEN;
}

static int take(struct requests *r, const struct frame *f, const struct link *l)
{
	packet_bytes b = {.p = f->bytes, .captured = f->captured, .length = f->length};
	struct flow_segment v;
	struct connection *c;
	struct flow_key key;
	struct packet p;
	struct tunnel tunnel;

	packet_walk_captured(&b, f->link == LINK_ETHERNET, l->offset, l->ethertype, &p);
	packet_inside(&b, &p, &tunnel);
	if (!takes(r, &p))
		return 0;
	flow_of(&p, &tunnel, &key, &v);
	v.s.now = (u64)f->time_ns;
	c = connection_find(r, &key);
	if (!c)
		return session_fail(r->session, -ENOMEM, "no memory");
	if (v.flags & FLOW_SYN)
		take_syn(r->file, c, &v);
	if (v.s.len || !(v.flags & FLOW_SYN))
		take_segment(r, c, &b, &v, f);
	return r->shown;
}

static int file_read(struct requests *r)
{
	struct frame f;
	struct link l;
	int e = 0;

	r->now_ns = r->file->now_ns;
	for (unsigned i = 0; !e && i < CAPTURE_IN_BATCH; i++) {
		e = capture_in_next(r->file->in, &f, &l);
		if (e != 1)
			return e ? e : -ECANCELED;
		if (!r->begin_ns)
			r->begin_ns = (u64)f.time_ns;
		if ((u64)f.time_ns > r->now_ns)
			r->now_ns = r->file->now_ns = (u64)f.time_ns;
		e = take(r, &f, &l);
	}
	return e;
}

/* ---- the tap ---- */

static int file_open(struct requests *r)
{
	struct wire_tap tap = requests_wire_tap(r);

	file_seed = hash_seed();
	r->file = calloc(1, sizeof(*r->file));
	if (!r->file)
		return session_fail(r->session, -ENOMEM, "no memory");
	r->file->ssh_shown = requests_ssh_shown(r);
	return capture_in_open(r->session, r->conf->file, &tap, &r->file->in);
}

/* Only at the end: till then every exchange comes when the next one, or the end of its connection,
 * does. */
static int file_sweep(struct requests *r, uint64_t quiet_ns, bool all)
{
	struct connection *c, *next;

	(void)quiet_ns;
	(void)all;
	DL_FOREACH_SAFE(r->file->used, c, next)
	{
		if (c->has_flow)
			flow_end(&c->flow, END_SWEEP, r->now_ns);
	}
	return r->shown == -ECANCELED ? 0 : r->shown;
}

static void file_mark(struct requests *r, const struct exchange *x, uint32_t mark)
{
	struct connection *c = NULL;

	HASH_FIND(by_cookie, r->file->cookies, &x->cookie, sizeof(x->cookie), c);
	if (c)
		c->mark = mark;
}

/* A file does not tell whose a packet is. */
static void file_owner(struct requests *r, const struct exchange *x, bool client, struct owner *out)
{
	(void)r;
	(void)x;
	(void)client;
	(void)out;
}

static void file_ledger(struct requests *r, struct buf *out)
{
	const struct file *t = r->file;

	capture_in_ledger(t->in, out);
	ledger_line(out, "flows", t->flows, "connections that were followed");
	ledger_line(out, "evicted_flows", t->evicted,
		    "connections of these whose calls were shown early for want of room");
	ledger_line(out, "fragments", t->fragments, "IP fragments, which are not followed");
	if (t->late)
		ledger_line(out, "late", t->late,
			    "segments with new bytes, right after their connection's end");
	if (t->ssh_bytes)
		ledger_line(out, "ssh_bytes", t->ssh_bytes,
			    "payload on port 22, left out (show with --port 22)");
}

static void file_close(struct requests *r)
{
	struct file *t = r->file;
	struct connection *c, *next;

	if (!t)
		return;
	HASH_CLEAR(by_key, t->keys);
	HASH_CLEAR(by_cookie, t->cookies);
	DL_FOREACH_SAFE(t->used, c, next)
	{
		free(c);
	}
	capture_in_free(t->in);
	free(t);
	r->file = NULL;
}

const struct tap tap_file = {
	.open = file_open,
	.read = file_read,
	.sweep = file_sweep,
	.mark = file_mark,
	.owner = file_owner,
	.ledger = file_ledger,
	.close = file_close,
};
