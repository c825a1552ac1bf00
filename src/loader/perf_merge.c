// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Records from the perf buffers of all CPUs as one stream: a merge of what is already in order.
 * Layout: perf_event_open(2), "MMAP layout". */
#include "loader/perf_merge.h"

#include "base/def.h"

/* What the kernel writes before a record. */
struct sample {
	struct perf_event_header header;
	uint64_t time_ns;
	uint32_t bytes; /* of the record, with up to 7 that fill the sample up */
};
#define HEAD (offsetof(struct sample, bytes) + sizeof(uint32_t))

/* n bytes from tail + from on, which may go round the buffer's end. */
static void copy(const struct perf_pages *p, uint64_t from, void *to, size_t n)
{
	size_t at = (p->tail + from) & (p->size - 1);
	size_t first = MIN(n, p->size - at);

	memcpy(to, p->data + at, first);
	memcpy((char *)to + first, p->data, n - first);
}

static void leave(struct perf_pages *p)
{
	p->tail += p->length;
	__atomic_store_n(&p->control->data_tail, p->tail, __ATOMIC_RELEASE);
}

/* Goes to the next sample, if there is one. Behind an event whose length cannot be, nothing can be
 * told apart: all of it is one damaged sample. */
static void find(struct perf_pages *p)
{
	for (; p->tail < p->head; leave(p)) {
		uint64_t left = p->head - p->tail;
		struct sample s = {0};

		copy(p, 0, &s, MIN(sizeof(s), left));
		p->time_ns = s.time_ns;
		p->length = s.header.size;
		p->bytes = s.bytes;
		if (p->length < sizeof(s.header) || p->length > left) {
			p->length = left;
			p->bytes = 0;
			return;
		}
		if (s.header.type != PERF_RECORD_SAMPLE)
			continue;
		if (p->length < HEAD || p->bytes > p->length - HEAD || p->bytes > PERF_MERGE_MAX)
			p->bytes = 0;
		return;
	}
}

static struct perf_pages *earliest(struct perf_pages *p, unsigned n)
{
	struct perf_pages *first = NULL;

	for (unsigned i = 0; i < n; i++)
		if (p[i].tail < p[i].head && (!first || p[i].time_ns < first->time_ns))
			first = &p[i];
	return first;
}

static int take_one(struct perf_pages *p, int (*take)(void *arg, void *rec, size_t size), void *arg)
{
	_Alignas(8) char rec[PERF_MERGE_MAX];
	int r;

	copy(p, HEAD, rec, p->bytes);
	r = take(arg, rec, p->bytes);
	leave(p);
	find(p);
	return r;
}

int perf_merge(struct perf_pages *p, unsigned n, int (*take)(void *arg, void *rec, size_t size),
	       void *arg)
{
	struct perf_pages *first;
	int r = 0;

	for (unsigned i = 0; i < n; i++) {
		p[i].head = __atomic_load_n(&p[i].control->data_head, __ATOMIC_ACQUIRE);
		find(&p[i]);
	}
	while (!r && (first = earliest(p, n)))
		r = take_one(first, take, arg);
	return r;
}
