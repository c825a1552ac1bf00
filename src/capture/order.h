// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A window that puts a file's packets in the order of their times, in fixed memory.
 * Captures of several queues or interfaces are a little out of order, and the turn engine wants
 * time. */
#pragma once

#include "capture/frame.h"

/* How long a packet may wait: until one that is a second younger was read, or so many behind it, or
 * so many bytes. */
#define ORDER_NS      1000000000
#define ORDER_PACKETS 4096
#define ORDER_BYTES   (8 << 20)

struct order;

/* Where packets come from, as reader_next has it: 1: a packet, valid until the next call; 0: the
 * end; -errno. */
typedef int (*order_source)(void *from, struct frame *out);

/* 0, or -ENOMEM. from is the caller's, and must live until order_free, which takes NULL too. */
int order_new(order_source source, void *from, struct order **out);
void order_free(struct order *o);

/* The next packet by time, in the source's order where times are equal: 1; it is valid until the
 * next call. 0 and -errno as the source said, once all before that was handed on; -EINTR and
 * -EAGAIN at once, and nothing is lost. */
int order_next(struct order *o, struct frame *out);

/* The earliest packet that waits, without asking the source: for one that has nothing for a while.
 * 1 as order_next; 0: none waits. */
int order_next_held(struct order *o, struct frame *out);

/* Packets that came too late for their place, and were handed on when they came. */
uint64_t order_late(const struct order *o);

static inline void order_free_(struct order **o)
{
	order_free(*o);
}
#define _cleanup_order_ _cleanup_(order_free_)
