// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Packets wait in a ring in the order in which they came, and in a binary heap by time.
 * Memory is freed in the order of the ring, so a packet that waits long holds up those behind it.
 */
#include "capture/order.h"

#define ALIGN(n) (((n) + 15) & ~(size_t)15)

/* A packet that waits, and where its bytes, comment and interface name are. */
struct slot {
	struct frame packet;
	size_t at, size;
	bool done;
};

struct order {
	order_source source;
	void *from;
	struct frame incoming; /* read, and not yet in the window */
	bool pending;          /* there is one */
	bool ended;
	int status;             /* what the source said at its end */
	struct slot *handed_on; /* the packet that the caller looks at */
	int64_t newest_ns, last_ns;
	uint64_t late;
	uint64_t first, next;         /* numbers of slots: the oldest, and the one to come */
	size_t head;                  /* where the next packet's bytes go */
	unsigned n;                   /* of heap */
	uint64_t heap[ORDER_PACKETS]; /* numbers of slots, the earliest first */
	struct slot slots[ORDER_PACKETS];
	uint8_t bytes[ORDER_BYTES];
};

int order_new(order_source source, void *from, struct order **out)
{
	struct order *o = malloc(sizeof(*o));

	if (!o)
		return -ENOMEM;
	memset(o, 0, offsetof(struct order, heap));
	o->source = source;
	o->from = from;
	o->newest_ns = o->last_ns = INT64_MIN;
	*out = o;
	return 0;
}

void order_free(struct order *o)
{
	free(o);
}

uint64_t order_late(const struct order *o)
{
	return o->late;
}

static struct slot *slot_of(struct order *o, uint64_t number)
{
	return &o->slots[number % ORDER_PACKETS];
}

static bool before(struct order *o, uint64_t a, uint64_t b)
{
	int64_t at = slot_of(o, a)->packet.time_ns, bt = slot_of(o, b)->packet.time_ns;

	return at != bt ? at < bt : a < b;
}

static void heap_add(struct order *o, uint64_t number)
{
	unsigned i = o->n++;

	for (; i && before(o, number, o->heap[(i - 1) / 2]); i = (i - 1) / 2)
		o->heap[i] = o->heap[(i - 1) / 2];
	o->heap[i] = number;
}

static uint64_t heap_take(struct order *o)
{
	uint64_t first = o->heap[0], last = o->heap[--o->n];
	unsigned i = 0, child;

	while ((child = 2 * i + 1) < o->n) {
		if (child + 1 < o->n && before(o, o->heap[child + 1], o->heap[child]))
			child++;
		if (!before(o, o->heap[child], last))
			break;
		o->heap[i] = o->heap[child];
		i = child;
	}
	o->heap[i] = last;
	return first;
}

/* Gives back what the caller is done with. */
static void reclaim(struct order *o)
{
	if (o->handed_on)
		o->handed_on->done = true;
	o->handed_on = NULL;
	while (o->first != o->next && slot_of(o, o->first)->done)
		o->first++;
	if (o->first == o->next)
		o->head = 0;
}

/* Where so many bytes can go, or -ENOBUFS. The free part is one run, or two around the end. */
static int room(struct order *o, size_t size, size_t *at)
{
	size_t tail = slot_of(o, o->first)->at;

	if (o->next - o->first == ORDER_PACKETS)
		return -ENOBUFS;
	if (o->first == o->next || o->head > tail) {
		if (sizeof(o->bytes) - o->head >= size) {
			*at = o->head;
			return 0;
		}
		if (o->first == o->next || tail <= size)
			return -ENOBUFS;
		*at = 0;
		return 0;
	}
	if (tail - o->head <= size)
		return -ENOBUFS;
	*at = o->head;
	return 0;
}

static void copy_text(struct text *t, uint8_t *to)
{
	if (t->len)
		memcpy(to, t->p, t->len);
	t->p = (const char *)to;
}

/* Takes the incoming packet into the window: 0; -ENOBUFS: it is full; -EMSGSIZE: it could never. */
static int hold(struct order *o)
{
	const struct frame *p = &o->incoming;
	size_t size = ALIGN((size_t)p->captured + p->comment.len + p->name.len + 1), at;
	struct slot *s = slot_of(o, o->next);

	if (size > sizeof(o->bytes) / 2)
		return -EMSGSIZE;
	if (room(o, size, &at))
		return -ENOBUFS;
	*s = (struct slot){.packet = *p, .at = at, .size = size};
	if (p->captured)
		memcpy(o->bytes + at, p->bytes, p->captured);
	s->packet.bytes = o->bytes + at;
	copy_text(&s->packet.comment, o->bytes + at + p->captured);
	copy_text(&s->packet.name, o->bytes + at + p->captured + p->comment.len);
	o->head = at + size;
	o->newest_ns = MAX(o->newest_ns, p->time_ns);
	o->late += p->time_ns < o->last_ns;
	heap_add(o, o->next++);
	return 0;
}

/* Has the earliest packet waited long enough? */
static bool ripe(struct order *o)
{
	if (!o->n)
		return false;
	if (o->pending || o->ended)
		return true;
	return (uint64_t)o->newest_ns - (uint64_t)slot_of(o, o->heap[0])->packet.time_ns > ORDER_NS;
}

static int take(struct order *o, struct frame *out)
{
	o->handed_on = slot_of(o, heap_take(o));
	*out = o->handed_on->packet;
	o->last_ns = MAX(o->last_ns, out->time_ns);
	return 1;
}

int order_next_held(struct order *o, struct frame *out)
{
	reclaim(o);
	return o->n ? take(o, out) : 0;
}

int order_next(struct order *o, struct frame *out)
{
	reclaim(o);
	for (;;) {
		int err;

		if (o->pending) {
			err = hold(o);
			if (err == -EMSGSIZE)
				return err;
			o->pending = err == -ENOBUFS;
		}
		if (ripe(o))
			return take(o, out);
		if (o->ended)
			return o->status;
		err = o->source(o->from, &o->incoming);
		if (err == -EINTR || err == -EAGAIN)
			return err;
		o->pending = err > 0;
		o->ended = err <= 0;
		o->status = err;
	}
}
