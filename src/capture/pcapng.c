// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Blocks are put together in a fixed buffer and leave it whole.
 * Source: draft-ietf-opsawg-pcapng-02; section numbers below are those of the draft. */
#include "capture/pcapng.h"

#include <limits.h>
#include <stdio.h>

#include "base/buf.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a, /* 4.1 */
	BLOCK_INTERFACE = 1,        /* 4.2 */
	BLOCK_STATISTICS = 5,       /* 4.6 */
	BLOCK_PACKET = 6,           /* 4.3 */
};

enum {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_HARDWARE = 2,
	SECTION_OS = 3,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2,
	INTERFACE_RESOLUTION = 9,
	PACKET_FLAGS = 2,
	STATISTICS_START = 2,
	STATISTICS_END = 3,
	STATISTICS_RECEIVED = 4,
	STATISTICS_DROPPED = 5,
};

/* Sizes of blocks: that of counts, and at most those of an interface and of a packet, the packet's
 * bytes and comment aside. */
#define STATISTICS_SIZE (8 + 12 + 4 * 12 + 4 + 4)
#define INTERFACE_SIZE  (8 + 8 + 4 + PCAPNG_NAME_MAX + 8 + 4 + 4)
#define PACKET_SIZE     (8 + 20 + 3 + 4 + 3 + 8 + 4 + 4)

#define ESCAPED_MAX (4 * PCAPNG_COMMENT_MAX)

/* Above two of the largest blocks, so that a flush is worth its call. */
#define BUFFER_SIZE (768 << 10)

struct written_interface {
	uint16_t link;
	uint8_t name_len;
	bool counted;
	uint32_t snaplen;
	uint64_t received, dropped;
	int64_t now_ns;
	char name[PCAPNG_NAME_MAX];
};

struct pcapng {
	int fd;
	int failed; /* the first error of this run, or 0 */
	const struct pcapng_options *options;
	off_t on_disk;       /* where the file's last whole block ends */
	uint64_t packets;    /* in all files, as far as they are written */
	unsigned buffered;   /* of packets, those that are not */
	uint64_t file_bytes; /* of this file, buffered ones too */
	bool has_packet;     /* this file */
	unsigned number;     /* of this file */
	unsigned n_interfaces;
	unsigned n_on_disk; /* of them, those whose block is in this file */
	size_t block;       /* where the block that is being made begins */
	struct buf out;
	struct written_interface interfaces[PCAPNG_INTERFACES];
	char buffer[BUFFER_SIZE];
};

/* ---- blocks ---- */

static void put16(struct buf *b, uint16_t v)
{
	buf_bytes(b, &v, sizeof(v));
}

static void put32(struct buf *b, uint32_t v)
{
	buf_bytes(b, &v, sizeof(v));
}

/* Times are the one 64-bit number that is not written as such: the upper half comes first. They
 * have no sign, so nothing is before 1970. */
static void put_time(struct buf *b, int64_t ns)
{
	ns = MAX(ns, 0);
	put32(b, (uint32_t)((uint64_t)ns >> 32));
	put32(b, (uint32_t)ns);
}

static void pad(struct buf *b, size_t n)
{
	buf_fill(b, 0, -n & 3);
}

static void put_option(struct buf *b, uint16_t code, const void *p, size_t n)
{
	put16(b, code);
	put16(b, (uint16_t)n);
	buf_bytes(b, p, n);
	pad(b, n);
}

static void put_text(struct buf *b, uint16_t code, const char *s)
{
	if (s)
		put_option(b, code, s, strnlen(s, PCAPNG_COMMENT_MAX));
}

static void put_time_option(struct buf *b, uint16_t code, int64_t ns)
{
	put16(b, code);
	put16(b, 8);
	put_time(b, ns);
}

static void block_begin(struct pcapng *w, uint32_t type)
{
	w->block = w->out.len;
	put32(&w->out, type);
	put32(&w->out, 0);
}

static void block_end(struct pcapng *w)
{
	uint32_t size = (uint32_t)(w->out.len + 4 - w->block);

	memcpy(w->buffer + w->block + 4, &size, sizeof(size));
	put32(&w->out, size);
	w->file_bytes += size;
}

/* ---- the file ---- */

/* How many of n written bytes of the buffer are whole blocks, and how many packets are in them. */
static size_t whole_blocks(const struct pcapng *w, size_t n, unsigned *packets)
{
	size_t at = 0;
	uint32_t head[2]; /* type and size */

	*packets = 0;
	for (; at + sizeof(head) <= n; at += head[1]) {
		memcpy(head, w->buffer + at, sizeof(head));
		if (head[1] > n - at)
			break;
		*packets += head[0] == BLOCK_PACKET;
	}
	return at;
}

/* Cuts off what was written of a block that could not be finished. Where this cannot be done, as in
 * a pipe, nothing is better. */
static void cut(struct pcapng *w, size_t written)
{
	unsigned packets;

	w->on_disk += (off_t)whole_blocks(w, written, &packets);
	w->packets += packets;
	if (ftruncate(w->fd, w->on_disk) == 0)
		(void)lseek(w->fd, w->on_disk, SEEK_SET);
}

/* Bytes written, or -errno. */
static ssize_t write_some(struct pcapng *w, const char *p, size_t n)
{
	ssize_t done;
	int err = w->options->ready ? w->options->ready(w->options->ctx, w->fd) : 0;

	if (err)
		return err;
	if (w->options->ready)
		n = MIN(n, (size_t)PIPE_BUF);
	do
		done = write(w->fd, p, n);
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

static int flush(struct pcapng *w)
{
	size_t done = 0;
	int err = 0;

	if (!w->out.len)
		return 0;
	while (done < w->out.len && !err) {
		ssize_t n = write_some(w, w->buffer + done, w->out.len - done);

		if (n < 0)
			err = (int)n;
		else
			done += (size_t)n;
	}
	if (err) {
		cut(w, done);
	} else {
		w->on_disk += (off_t)done;
		w->packets += w->buffered;
		w->n_on_disk = w->n_interfaces;
	}
	w->buffered = 0;
	buf_clear(&w->out);
	return err;
}

static void put_section(struct pcapng *w)
{
	block_begin(w, BLOCK_SECTION);
	put32(&w->out, 0x1a2b3c4d);
	put16(&w->out, 1);
	put16(&w->out, 0);
	put32(&w->out, UINT32_MAX); /* the section's length, 64 bits: not known yet */
	put32(&w->out, UINT32_MAX);
	put_text(&w->out, SECTION_HARDWARE, w->options->hardware);
	put_text(&w->out, SECTION_OS, w->options->os);
	put_text(&w->out, SECTION_APPLICATION, w->options->application);
	put_option(&w->out, OPTION_END, NULL, 0);
	block_end(w);
}

static void put_interface(struct pcapng *w, const struct written_interface *i)
{
	static const uint8_t ns = 9; /* 4.2: units of 10 to the power of -9 s */

	block_begin(w, BLOCK_INTERFACE);
	put16(&w->out, i->link);
	put16(&w->out, 0);
	put32(&w->out, i->snaplen);
	if (i->name_len)
		put_option(&w->out, INTERFACE_NAME, i->name, i->name_len);
	put_option(&w->out, INTERFACE_RESOLUTION, &ns, sizeof(ns));
	put_option(&w->out, OPTION_END, NULL, 0);
	block_end(w);
}

static void put_statistics(struct pcapng *w, unsigned n)
{
	const struct written_interface *i = &w->interfaces[n];

	block_begin(w, BLOCK_STATISTICS);
	put32(&w->out, n);
	put_time(&w->out, i->now_ns);
	put_time_option(&w->out, STATISTICS_START, w->options->start_ns);
	put_time_option(&w->out, STATISTICS_END, i->now_ns);
	put_option(&w->out, STATISTICS_RECEIVED, &i->received, sizeof(i->received));
	put_option(&w->out, STATISTICS_DROPPED, &i->dropped, sizeof(i->dropped));
	put_option(&w->out, OPTION_END, NULL, 0);
	block_end(w);
}

/* The header goes out at once: an empty file is not a valid one. */
static int file_begin(struct pcapng *w, int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);

	w->fd = fd;
	w->on_disk = MAX(end, 0);
	w->file_bytes = 0;
	w->has_packet = false;
	w->n_on_disk = 0;
	buf_clear(&w->out);
	put_section(w);
	for (unsigned i = 0; i < w->n_interfaces; i++)
		put_interface(w, &w->interfaces[i]);
	return flush(w);
}

static int file_end(struct pcapng *w)
{
	int err, last;

	if (w->fd < 0)
		return 0;
	err = flush(w);
	for (unsigned i = 0; i < w->n_on_disk; i++) {
		if (w->interfaces[i].counted)
			put_statistics(w, i);
	}
	last = flush(w);
	if (close(w->fd) && !last)
		last = -errno;
	w->fd = -1;
	return err ? err : last;
}

static int file_next(struct pcapng *w)
{
	unsigned number = w->number + 1;
	int err = file_end(w), fd;

	if (err)
		return err;
	if (w->options->files)
		number %= w->options->files;
	fd = w->options->open(w->options->ctx, number);
	if (fd < 0)
		return fd;
	w->number = number;
	return file_begin(w, fd);
}

/* Makes room for a block of at most size bytes, in this file or the next one. */
static int block_room(struct pcapng *w, size_t size)
{
	uint64_t statistics = (uint64_t)(w->n_interfaces + 1) * STATISTICS_SIZE;
	uint64_t limit = w->options->file_bytes;

	if (w->failed)
		return w->failed;
	if (limit && w->has_packet && w->file_bytes + size + statistics > limit)
		w->failed = file_next(w);
	if (!w->failed && size > w->out.cap - w->out.len)
		w->failed = flush(w);
	return w->failed;
}

/* ---- the public side ---- */

int pcapng_new(int fd, const struct pcapng_options *options, struct pcapng **out)
{
	_cleanup_free_ struct pcapng *w = malloc(sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	memset(w, 0, offsetof(struct pcapng, interfaces));
	w->options = options;
	w->out = BUF_ON(w->buffer);
	err = file_begin(w, fd);
	if (!err)
		*out = TAKE_PTR(w);
	return err;
}

int pcapng_interface(struct pcapng *w, struct text name, uint16_t link, uint32_t snaplen)
{
	struct written_interface i = {
		.link = link,
		.snaplen = snaplen && snaplen < FRAME_MAX ? snaplen : FRAME_MAX,
		.name_len = (uint8_t)MIN(name.len, sizeof(i.name)),
	};
	int err;

	if (w->n_interfaces == PCAPNG_INTERFACES)
		return -ENOSPC;
	err = block_room(w, INTERFACE_SIZE);
	if (err)
		return err;
	if (i.name_len)
		memcpy(i.name, name.p, i.name_len);
	put_interface(w, &i);
	w->interfaces[w->n_interfaces] = i;
	return (int)w->n_interfaces++;
}

/* 4.3.1: direction in the lowest bits, then whom it was for. */
static uint32_t packet_flags(const struct frame *p)
{
	static const uint8_t types[] = {
		[FRAME_TYPE_HOST] = 1,      [FRAME_TYPE_MULTICAST] = 2, [FRAME_TYPE_BROADCAST] = 3,
		[FRAME_TYPE_OTHERHOST] = 4, [FRAME_TYPE_OUTGOING] = 0,
	};
	uint32_t flags = p->direction == FRAME_DIRECTION_IN    ? 1
			 : p->direction == FRAME_DIRECTION_OUT ? 2
							       : 0;

	return p->type < ARRAY_SIZE(types) ? flags | (uint32_t)types[p->type] << 2 : flags;
}

int pcapng_packet(struct pcapng *w, const struct frame *p)
{
	char escaped[ESCAPED_MAX];
	struct buf comment = BUF_ON(escaped);
	uint32_t captured, flags = packet_flags(p);
	int err;

	if (p->interface >= w->n_interfaces || p->captured > FRAME_MAX)
		return -EINVAL;
	captured = MIN(p->captured, w->interfaces[p->interface].snaplen);
	buf_escaped(&comment, (struct text){p->comment.p, MIN(p->comment.len, PCAPNG_COMMENT_MAX)});
	err = block_room(w, PACKET_SIZE + captured + comment.len);
	if (err)
		return err;
	block_begin(w, BLOCK_PACKET);
	put32(&w->out, p->interface);
	put_time(&w->out, p->time_ns);
	put32(&w->out, captured);
	put32(&w->out, MAX(p->length, p->captured));
	buf_bytes(&w->out, p->bytes, captured);
	pad(&w->out, captured);
	if (comment.len)
		put_option(&w->out, OPTION_COMMENT, escaped, comment.len);
	if (flags)
		put_option(&w->out, PACKET_FLAGS, &flags, sizeof(flags));
	if (comment.len || flags)
		put_option(&w->out, OPTION_END, NULL, 0);
	block_end(w);
	w->has_packet = true;
	w->buffered++;
	return 0;
}

void pcapng_counts(struct pcapng *w, unsigned n, uint64_t received, uint64_t dropped,
		   int64_t now_ns)
{
	struct written_interface *i = &w->interfaces[MIN(n, PCAPNG_INTERFACES - 1)];

	if (n >= w->n_interfaces)
		return;
	i->received = received;
	i->dropped = dropped;
	i->now_ns = now_ns;
	i->counted = true;
}

uint64_t pcapng_written(const struct pcapng *w)
{
	return w->packets;
}

int pcapng_flush(struct pcapng *w)
{
	if (!w->failed)
		w->failed = flush(w);
	return w->failed;
}

int pcapng_close(struct pcapng *w)
{
	int failed = w->failed, err = file_end(w);

	free(w);
	return failed ? failed : err;
}

int pcapng_name(const char *path, unsigned n, char *out, size_t size)
{
	char number[16] = "";

	if (n)
		(void)snprintf(number, sizeof(number), ".%u", n);
	if (strlen(path) + strlen(number) >= size)
		return -ENAMETOOLONG;
	(void)snprintf(out, size, "%s%s", path, number);
	return 0;
}
