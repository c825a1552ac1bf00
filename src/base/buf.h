// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A bounded output buffer: appends never overrun, and an append that does not fit is remembered.
 * Rows are rendered into one that is reused, so nothing is allocated for a row. */
#pragma once

#include "base/addr.h"
#include "base/text.h"

struct buf {
	char *p;
	size_t len, cap;
	bool over; /* an append did not fit; the buffer holds what came before it */
};

#define BUF_ON(array) ((struct buf){(array), 0, sizeof(array), false})

static inline void buf_clear(struct buf *b)
{
	b->len = 0;
	b->over = false;
}

/* After the first append that did not fit, nothing more is taken: no hole can open in a row. */
static inline bool buf_room(struct buf *b, size_t n)
{
	if (b->over || n > b->cap - b->len)
		b->over = true;
	return !b->over;
}

static inline void buf_bytes(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_room(b, n))
		return;
	memcpy(b->p + b->len, p, n);
	b->len += n;
}

static inline void buf_str(struct buf *b, const char *s)
{
	buf_bytes(b, s, strlen(s));
}

static inline void buf_char(struct buf *b, char c)
{
	if (buf_room(b, 1))
		b->p[b->len++] = c;
}

static inline struct text buf_text(const struct buf *b)
{
	return (struct text){b->p, (uint32_t)b->len};
}

void buf_fill(struct buf *b, char c, size_t n);
void buf_u64(struct buf *b, uint64_t v);
void buf_i64(struct buf *b, int64_t v);
void buf_addr(struct buf *b, const struct addr *a);
/* RFC 3339 with microseconds in UTC, of ns since the epoch: 27 bytes. Not for several threads: the
 * text of the last second is kept. */
void buf_time(struct buf *b, int64_t wall_ns);
/* For messages, not for rows; needs one byte of room more than it appends. */
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* For people: control bytes, bytes that are not UTF-8, and characters that steer a terminal
 * (C0, DEL, C1, line separators, bidirectional controls) become \xNN for each of their bytes. */
void buf_escaped(struct buf *b, struct text t);
/* The inside of a JSON string (RFC 8259 7), always valid UTF-8: a byte that is not UTF-8 becomes
 * U+FFFD, and what buf_escaped neutralises becomes \uNNNN. */
void buf_json(struct buf *b, struct text t);

/* The words of t, wrapped at width (0: not wrapped) from column on; lines after the first start
 * with indent spaces. No newline at the end. A word longer than a line is not cut. */
void buf_wrapped(struct buf *b, struct text t, unsigned column, unsigned indent, unsigned width);

/* Columns that t takes on a terminal once escaped: an escaped byte 4, others 0, 1 or 2 (UAX 11). */
size_t text_columns(struct text t);
/* How many bytes of t, whole characters, take at most so many columns once escaped. */
uint32_t text_fit(struct text t, size_t columns);
