// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Packets of calls, for -w: they come before it is known whether their call is shown, so they wait
 * in a store of fixed size. The oldest go first; what goes undecided is counted.
 */
#include "base/hash.h"

static uint64_t frames_seed; /* of this run: strangers choose what cookies stand for */
#define HASH_FUNCTION(key, n, value) ((value) = (unsigned)hash_bytes((key), (n), frames_seed))
#include "base/uthash.h"
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <utlist.h>

#include "capture/link.h"
#include "capture/pcapng.h"
#include "loader/wire_name.h"
#include "tools/requests/requests.h"

#ifndef STORE_BYTES /* the fuzzer's are smaller */
#define STORE_BYTES   (32u << 20)
#define EXCHANGES_MAX 16384
#endif
#define COMMENT_MAX 160
#define RING_BYTES  (8u << 20) /* packets come as fast as a body is sent */
#define NONE        UINT32_MAX

/* A packet in the store: its bytes follow. */
struct item {
	uint32_t size;      /* in the store, all of it */
	uint32_t next;      /* of the same exchange, by offset */
	struct kept *of;    /* NULL: nobody wants it any more */
	struct frame frame; /* bytes, name and comment are not set */
	int interface;      /* its number, for capture_out_frame */
	uint8_t bytes[];
};

enum decision { UNDECIDED, WRITE, LEAVE };

/* An exchange at one end, and those of its packets that wait. */
struct kept {
	struct {
		uint64_t cookie;
		uint32_t number, pad;
	} key;
	enum decision decision;
	uint32_t first, last; /* offsets of items */
	uint32_t comment_len; /* of packets that come after the decision */
	char comment[COMMENT_MAX];
	struct kept *prev, *next;
	UT_hash_handle hh;
};

struct frames {
	struct capture_out *out;
	struct wire_names *names;       /* NULL: packets come from a file */
	struct kept *all;               /* by key */
	struct kept *waiting, *decided; /* each the oldest first */
	uint32_t head, tail, used;      /* of the store: where the next goes, where the oldest is */
	uint64_t lost;
	_Alignas(16) uint8_t store[STORE_BYTES]; /* of struct item */
};

static struct item *item_at(struct frames *t, uint32_t at)
{
	return (struct item *)(t->store + at);
}

int frames_new(struct requests *r)
{
	struct capture_out *out;
	struct frames *t;
	int e = capture_out_open(r->session, &r->conf->out, &out);

	if (e || !out)
		return e;
	t = malloc(sizeof(*t));
	if (!t)
		return session_fail(r->session, -ENOMEM, "no memory");
	memset(t, 0, offsetof(struct frames, store));
	frames_seed = hash_seed();
	r->frames = t;
	t->out = out;
	return r->tap->read ? 0 : wire_names_open(r->session, &t->names);
}

uint32_t frames_ring(const struct requests *r, struct bpf_map *ring)
{
	if (!r->frames)
		return 0;
	(void)bpf_map__set_max_entries(ring, RING_BYTES); /* where that fails it is a smaller one */
	return bpf_map__max_entries(ring) / 4 * 3;
}

void frames_free(struct requests *r)
{
	struct kept *k, *next;

	if (!r->frames)
		return;
	HASH_ITER(hh, r->frames->all, k, next)
	{
		HASH_DEL(r->frames->all, k);
		free(k);
	}
	wire_names_free(r->frames->names);
	free(r->frames);
	r->frames = NULL;
}

/* ---- interfaces ---- */

static int number_of(const struct requests *r, const struct frame *f, uint32_t index)
{
	struct capture_out_interface from = {
		.index = index,
		.link = f->link,
		.snaplen = r->tap->read ? 0 : FRAME_KEPT_MAX,
		.name = f->name,
	};

	return capture_out_number(r->frames->out, &from);
}

static uint64_t lost_of(const struct requests *r)
{
	return r->frames->lost + session_counter(r->session, COUNT_LOST_FRAMES);
}

/* What was lost of several interfaces was not told apart: each says all of it. */
static void count(void *ctx, uint32_t index UNUSED, struct capture_out_counts *c)
{
	const struct requests *r = ctx;

	c->dropped = lost_of(r) + session_counter(r->session, COUNT_LOST_RING);
}

int frames_finish(struct requests *r)
{
	return r->frames ? capture_out_finish(r->frames->out, count, r) : 0;
}

/* ---- the store ---- */

static void write_item(struct requests *r, const struct item *i, struct text comment)
{
	struct frame f = i->frame;
	int e;

	f.bytes = i->bytes;
	f.comment = comment;
	e = capture_out_frame(r->frames->out, i->interface, &f);
	if (e && !r->shown)
		r->shown = e;
}

/* Its items are nobody's from here on; with write, they are in the file. */
static void kept_settle(struct requests *r, struct kept *k, bool write)
{
	struct text comment = {k->comment, k->comment_len};

	for (uint32_t at = k->first; at != NONE;) {
		struct item *i = item_at(r->frames, at);

		at = i->next;
		i->of = NULL;
		if (write)
			write_item(r, i, comment);
	}
	k->first = k->last = NONE;
}

static void kept_decide(struct requests *r, struct kept *k, enum decision decision)
{
	struct frames *t = r->frames;

	k->decision = decision;
	DL_DELETE(t->waiting, k);
	DL_APPEND(t->decided, k);
	kept_settle(r, k, decision == WRITE);
}

/* One has to go: of those that are decided, unless there are none. */
static void kept_drop(struct requests *r)
{
	struct frames *t = r->frames;
	struct kept *k = t->decided ? t->decided : t->waiting;

	for (uint32_t at = k->first; at != NONE; at = item_at(t, at)->next)
		t->lost++;
	kept_settle(r, k, false);
	if (k->decision == UNDECIDED)
		DL_DELETE(t->waiting, k);
	else
		DL_DELETE(t->decided, k);
	HASH_DEL(t->all, k);
	free(k);
}

/* The oldest item goes. Of an exchange that is undecided, it is its first. */
static void store_drop(struct frames *t)
{
	struct item *i = item_at(t, t->tail);

	if (i->of) {
		i->of->first = i->next;
		if (i->next == NONE)
			i->of->last = NONE;
		t->lost++;
	}
	t->used -= i->size;
	t->tail = (t->tail + i->size) % STORE_BYTES;
}

/* An item does not wrap: what is left at the end of the store is one that nobody wants. */
static struct item *store_add(struct frames *t, uint32_t bytes)
{
	uint32_t size = (uint32_t)(sizeof(struct item) + bytes + 15) & ~15u;
	uint32_t rest = STORE_BYTES - t->head;
	struct item *i;

	if (rest < size) {
		while (STORE_BYTES - t->used < rest)
			store_drop(t);
		if (rest) {
			i = item_at(t, t->head);
			i->size = rest;
			i->of = NULL;
			t->used += rest;
		}
		t->head = 0;
	}
	while (STORE_BYTES - t->used < size)
		store_drop(t);
	i = item_at(t, t->head);
	i->size = size;
	i->next = NONE;
	t->used += size;
	t->head = (t->head + size) % STORE_BYTES;
	return i;
}

static struct kept *kept_of(struct requests *r, uint64_t cookie, uint32_t number, bool make)
{
	struct frames *t = r->frames;
	struct kept *k = NULL, want = {.key = {cookie, number, 0}};

	HASH_FIND(hh, t->all, &want.key, sizeof(want.key), k);
	if (k || !make)
		return k;
	if (HASH_COUNT(t->all) >= EXCHANGES_MAX)
		kept_drop(r);
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->key = want.key;
	k->first = k->last = NONE;
	HASH_ADD(hh, t->all, key, sizeof(k->key), k);
	if (!k)
		return NULL;
	DL_APPEND(t->waiting, k);
	return k;
}

void frames_keep(struct requests *r, uint64_t cookie, uint32_t number, const struct frame *f,
		 uint32_t index)
{
	struct frames *t = r->frames;
	struct kept *k = kept_of(r, cookie, number, true);
	int interface = number_of(r, f, index);
	struct item *i;
	uint32_t at;

	capture_out_received(t->out, interface);
	if (!k || interface < 0 || f->captured > FRAME_MAX) {
		t->lost++;
		return;
	}
	if (k->decision == LEAVE)
		return;
	i = store_add(t, f->captured);
	at = (uint32_t)((uint8_t *)i - t->store);
	i->frame = *f;
	i->interface = interface;
	memcpy(i->bytes, f->bytes, f->captured);
	i->of = k->decision == UNDECIDED ? k : NULL;
	if (k->decision == WRITE) { /* after its call was shown: a FIN, or sent again */
		write_item(r, i, (struct text){k->comment, k->comment_len});
		return;
	}
	if (k->last != NONE)
		item_at(t, k->last)->next = at;
	else
		k->first = at;
	k->last = at;
}

/* ---- packets from the kernel ---- */

int frames_record(struct session *s, const struct record *rec)
{
	const struct frame_record *x = (const struct frame_record *)rec;
	struct requests *r = session_state(s);
	struct frame f = {
		.time_ns = session_wall(s, x->now_ns),
		.captured = x->captured,
		.length = x->length,
		.link = x->ethernet ? LINK_ETHERNET : LINK_RAW,
		.direction = x->type == PACKET_OUTGOING ? FRAME_DIRECTION_OUT : FRAME_DIRECTION_IN,
		.type = (uint8_t)frame_type_of(x->type),
		.name = TEXT("sockets"),
		.bytes = (const uint8_t *)(x + 1),
	};

	if (!r->frames || x->captured > rec->size - sizeof(*x) || x->captured > x->length)
		return 0;
	if (x->interface)
		f.name = text_of(wire_names_of(r->frames->names, x->interface, x->now_ns));
	frames_keep(r, x->cookie, x->number, &f, x->interface);
	return r->shown;
}

/* ---- calls ---- */

static void put_owner(struct buf *b, const char *what, const struct call_row *row,
		      enum call_column known, struct text comm, uint64_t pid, struct text container)
{
	if (!(row->row.known & 1ull << known))
		return;
	buf_str(b, b->len ? ", " : "");
	buf_str(b, what);
	buf_char(b, ' ');
	buf_bytes(b, comm.p, comm.len);
	buf_printf(b, "[%llu]", (unsigned long long)pid);
	if (row->row.known & 1ull << (known + 2) && container.len) {
		buf_str(b, " in ");
		buf_bytes(b, container.p, container.len);
	}
}

_Static_assert(C_CLIENT_CONTAINER == C_CLIENT_PID + 2 && C_SERVER_CONTAINER == C_SERVER_PID + 2,
	       "put_owner finds the container's column by that of the pid");

/* Whose the call is, of which an end may be elsewhere. */
static uint32_t comment_of(const struct call_row *row, char *out)
{
	struct buf b = {.p = out, .cap = COMMENT_MAX};

	put_owner(&b, "client", row, C_CLIENT_PID, row->client_comm, row->client_pid,
		  row->client_container);
	put_owner(&b, "server", row, C_SERVER_PID, row->server_comm, row->server_pid,
		  row->server_container);
	return (uint32_t)b.len;
}

void frames_decide(struct requests *r, const struct call *c, const struct call_row *row,
		   bool wanted)
{
	const struct exchange *ends[] = {c->responder, c->requester};
	struct kept *k = NULL;

	if (!r->frames)
		return;
	/* Both ends of a call saw the same packets: one of them is enough. */
	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
		struct kept *end =
			ends[i] ? kept_of(r, ends[i]->cookie, ends[i]->number, false) : NULL;

		if (!end || end->decision != UNDECIDED)
			continue;
		/* Other messages of a pipelined exchange may be wanted. */
		if (k || (!wanted && !(c->x->flags & EX_FOLLOWED))) {
			kept_decide(r, end, LEAVE);
		} else if (wanted) {
			k = end;
		}
	}
	if (!k)
		return;
	k->comment_len = comment_of(row, k->comment);
	kept_decide(r, k, WRITE);
}

void frames_merge(struct requests *r, const struct exchange *into, const struct exchange *from)
{
	struct kept *k, *more;

	if (!r->frames)
		return;
	more = kept_of(r, from->cookie, from->number, false);
	k = more ? kept_of(r, into->cookie, into->number, true) : NULL;
	if (!k || k == more || k->decision != UNDECIDED || more->first == NONE)
		return;
	for (uint32_t at = more->first; at != NONE; at = item_at(r->frames, at)->next)
		item_at(r->frames, at)->of = k;
	if (k->last != NONE)
		item_at(r->frames, k->last)->next = more->first;
	else
		k->first = more->first;
	k->last = more->last;
	more->first = more->last = NONE;
}

void frames_ledger(const struct requests *r, struct buf *out)
{
	if (r->frames && lost_of(r))
		ledger_line(out, "lost_frames", lost_of(r),
			    "packets that had to go before their call was shown");
}
