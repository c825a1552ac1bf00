// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* How records come from the kernel: by a ring buffer or, from programs that can do both
 * (kernel/transport.bpf.h), by a perf event array, which kernels without a ring buffer have. */
#pragma once

#include <bpf/libbpf.h>

enum transport_kind { TRANSPORT_RING, TRANSPORT_PERF, TRANSPORT_AUTO };

/* By what is asked for, and by what feature_check says of the ring buffer: with TRANSPORT_AUTO a
 * perf event array where the kernel has none. Where privileges hide that, the ring buffer. */
enum transport_kind transport_choose(enum transport_kind asked, int ring_error);

/* What a run on this kernel needs for it (enum need). */
unsigned transport_need(enum transport_kind asked);

/* Before loading: makes the map `ring` a perf event array if this run takes one. True: it does, so
 * by_perf is to be set. */
bool transport_prepare(struct bpf_map *ring, enum transport_kind asked);

/* The end that reads. */
struct transport;

/* Maps the buffers of the map `ring`, which is loaded. take ends a drain by a negative value. 0 or
 * -errno. */
int transport_new(struct transport **out, const struct bpf_map *ring,
		  int (*take)(void *arg, void *rec, size_t size), void *arg);
/* Readable when the buffers fill up: between drains by the clock nobody is woken. */
int transport_epoll_fd(const struct transport *t);
/* Takes what is there, in order of time. 0, -errno, or what take returned. */
int transport_drain(struct transport *t);
/* For the ledger: why a record was lost. */
const char *transport_loss(const struct transport *t);
void transport_free(struct transport *t); /* NULL too */
