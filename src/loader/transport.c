// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* How records come from the kernel: choosing a ring buffer or a perf event array, and reading it.
 * Both are mapped here, while privileges are there; reading takes nothing but the mapped memory. */
#include "loader/transport.h"

#include <time.h>

#include "base/log.h"
#include "loader/feature.h"
#include "loader/perf_merge.h"

/* For each CPU: what 100,000 connections a second tell in the 4 ms between two drains, and within
 * the 516 KiB that may be mapped without CAP_IPC_LOCK (perf_event_mlock_kb). */
#define PERF_BYTES (256 << 10)

struct transport {
	struct ring_buffer *ring; /* or: */
	struct perf_buffer *perf;
	struct perf_pages *pages; /* of perf's CPUs */
	unsigned n_pages;
	int (*take)(void *arg, void *rec, size_t size);
	void *arg;
};

enum transport_kind transport_choose(enum transport_kind asked, int ring_error)
{
	if (asked != TRANSPORT_AUTO)
		return asked;
	return ring_error && ring_error != -EPERM && ring_error != -EACCES ? TRANSPORT_PERF
									   : TRANSPORT_RING;
}

static enum transport_kind choose_here(enum transport_kind asked)
{
	return transport_choose(asked, feature_check(FEATURE_RINGBUF));
}

unsigned transport_need(enum transport_kind asked)
{
	return choose_here(asked) == TRANSPORT_PERF ? NEED_PERF : NEED_RINGBUF;
}

bool transport_prepare(struct bpf_map *ring, enum transport_kind asked)
{
	if (choose_here(asked) != TRANSPORT_PERF)
		return false;
	/* A map takes all of this until it is created; 0: an entry for each CPU. */
	(void)bpf_map__set_type(ring, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	(void)bpf_map__set_key_size(ring, sizeof(int));
	(void)bpf_map__set_value_size(ring, sizeof(int));
	(void)bpf_map__set_max_entries(ring, 0);
	log_info("records come by a perf event array, %d KiB for each CPU", PERF_BYTES >> 10);
	return true;
}

static int map_pages(struct transport *t)
{
	t->n_pages = (unsigned)perf_buffer__buffer_cnt(t->perf);
	t->pages = calloc(t->n_pages, sizeof(*t->pages));
	if (!t->pages)
		return -ENOMEM;
	for (unsigned i = 0; i < t->n_pages; i++) {
		struct perf_pages *p = &t->pages[i];
		void *base;
		int r = perf_buffer__buffer(t->perf, (int)i, &base, &p->size);

		if (r)
			return r;
		p->control = base;
		p->data = (const char *)base + sysconf(_SC_PAGESIZE);
	}
	return 0;
}

/* Without the watermark each sample would wake the loop, which drains by the clock. */
static int open_perf(struct transport *t, int map)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_MERGE_SAMPLE,
		.sample_period = 1,
		.watermark = 1,
		.wakeup_watermark = PERF_BYTES / 2,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	size_t pages = MAX(PERF_BYTES / (size_t)sysconf(_SC_PAGESIZE), 1u);

	t->perf = perf_buffer__new_raw(map, pages, &attr, NULL, NULL, NULL);
	return t->perf ? map_pages(t) : -errno;
}

int transport_new(struct transport **out, const struct bpf_map *ring,
		  int (*take)(void *arg, void *rec, size_t size), void *arg)
{
	struct transport *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->take = take;
	t->arg = arg;
	if (bpf_map__type(ring) == BPF_MAP_TYPE_PERF_EVENT_ARRAY) {
		r = open_perf(t, bpf_map__fd(ring));
	} else {
		t->ring = ring_buffer__new(bpf_map__fd(ring), take, arg, NULL);
		r = t->ring ? 0 : -errno;
	}
	if (r)
		transport_free(t);
	else
		*out = t;
	return r;
}

int transport_epoll_fd(const struct transport *t)
{
	return t->perf ? perf_buffer__epoll_fd(t->perf) : ring_buffer__epoll_fd(t->ring);
}

int transport_drain(struct transport *t)
{
	int r;

	if (t->perf)
		return perf_merge(t->pages, t->n_pages, t->take, t->arg);
	r = ring_buffer__consume(t->ring);
	return r < 0 && r != -EINTR ? r : 0;
}

const char *transport_loss(const struct transport *t)
{
	return t->perf ? "records lost: the buffer of their CPU had no room"
		       : "records lost: the ring was full";
}

void transport_free(struct transport *t)
{
	if (!t)
		return;
	ring_buffer__free(t->ring);
	perf_buffer__free(t->perf);
	free(t->pages);
	free(t);
}
