// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the reader's two files share: the window onto the file, and integers in its byte order.
 * Nobody else includes this. */
#pragma once

#include <byteswap.h>

#include "base/def.h"
#include "capture/reader.h"

/* The unit of an interface's times. */
struct reader_clock {
	uint64_t per_second; /* units */
	uint64_t ns;         /* ns of a unit, where it is a whole number of them; else 0 */
	int64_t offset_s;
};

struct reader_interface {
	struct reader_clock clock;
	uint32_t snaplen; /* 0: no limit */
	uint16_t link;
	uint8_t name_len;
	char name[READER_NAME_MAX];
};

struct reader {
	int fd;
	int failed;                                       /* the error that comes again, or 0 */
	bool ended;                                       /* read(2) said so */
	bool polled;                                      /* ask before each read(2) */
	bool swapped;                                     /* the section's byte order is not ours */
	int (*next)(struct reader *r, struct frame *out); /* of the file's format */
	uint64_t offset;                                  /* in the file, of buffer[start] */
	size_t start, end;                                /* what is read and not used yet */
	uint32_t skip; /* bytes of a block still to be gone past */
	int64_t last_ns;
	unsigned n_interfaces;
	char error[READER_ERROR_MAX];
	struct reader_interface interfaces[READER_INTERFACES];
	uint8_t buffer[READER_HELD_MAX];
};

static inline const uint8_t *reader_at(const struct reader *r)
{
	return r->buffer + r->start;
}

static inline void reader_use(struct reader *r, size_t n)
{
	r->start += n;
	r->offset += n;
}

static inline uint16_t reader_u16(const struct reader *r, const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return r->swapped ? bswap_16(v) : v;
}

static inline uint32_t reader_u32(const struct reader *r, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return r->swapped ? bswap_32(v) : v;
}

static inline uint64_t reader_u64(const struct reader *r, const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return r->swapped ? bswap_64(v) : v;
}

/* Has n bytes, at most READER_HELD_MAX, at reader_at: 1; 0: the file ends before them (what there
 * is of them, if anything, is there); -errno. */
int reader_need(struct reader *r, size_t n);

/* Goes past r->skip bytes: 0, or -errno. */
int reader_skip(struct reader *r);

/* Says what is wrong at r->offset, and returns -EBADMSG. */
int reader_fail(struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);

/* reader_need for bytes that must be there: 1, or an error; what names the whole of which they are
 * part, as in "a block of 28 bytes". */
int reader_must(struct reader *r, size_t n, const char *what, uint64_t size);

/* The next packet of a pcapng file. */
int reader_pcapng(struct reader *r, struct frame *out);
