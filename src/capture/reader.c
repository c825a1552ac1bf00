// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The window onto a capture file, telling its format, and pcap, the older one.
 * Source: draft-ietf-opsawg-pcap-04; what it leaves open is as libpcap does it (sf-pcap.c). */
#include "capture/reader.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "capture/reader_state.h"

#define MAGIC_MICRO  0xa1b2c3d4
#define MAGIC_NANO   0xa1b23c4d
#define MAGIC_PCAPNG 0x0a0d0d0a /* the same in both byte orders */

#define PCAP_HEADER 24
#define PCAP_RECORD 16

/* One read(2): more would only fall out of the caches before it is looked at. */
#define READ_MAX (256 << 10)

static int reader_start(struct reader *r, struct frame *out);

int reader_new(int fd, struct reader **out)
{
	struct reader *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	/* The buffer and the interfaces are left alone: pages that nobody needs stay unused. */
	memset(r, 0, offsetof(struct reader, interfaces));
	r->fd = fd;
	r->next = reader_start;
	*out = r;
	return 0;
}

int reader_open(const char *path, struct reader **out)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int err;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode)) /* opens, and only read(2) says so */
		return -EISDIR;
	err = reader_new(fd, out);
	if (!err)
		(void)TAKE_FD(fd);
	return err;
}

void reader_set_polled(struct reader *r)
{
	struct stat st;

	r->polled = fstat(r->fd, &st) || !S_ISREG(st.st_mode);
}

int reader_fd(const struct reader *r)
{
	return r->fd;
}

void reader_close(struct reader *r)
{
	if (!r)
		return;
	close_fd_(&r->fd);
	free(r);
}

const char *reader_error(const struct reader *r)
{
	return r->error;
}

int reader_fail(struct reader *r, const char *format, ...)
{
	int n = snprintf(r->error, sizeof(r->error), "byte %llu: ", (unsigned long long)r->offset);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(r->error + n, sizeof(r->error) - (size_t)n, format, args);
	va_end(args);
	return -EBADMSG;
}

/* Reads once into what is free: 1, 0 at the end of the file, or -errno. */
static int fill(struct reader *r)
{
	ssize_t got;

	if (r->ended)
		return 0;
	if (r->polled && poll(&(struct pollfd){.fd = r->fd, .events = POLLIN}, 1, 0) == 0)
		return -EAGAIN;
	got = read(r->fd, r->buffer + r->end, MIN(sizeof(r->buffer) - r->end, READ_MAX));
	if (got < 0) {
		int err = errno;

		if (err != EINTR && err != EAGAIN) {
			r->offset += r->end - r->start;
			(void)reader_fail(r, "%s", strerror(err));
		}
		return -err;
	}
	r->end += (size_t)got;
	r->ended = got == 0;
	return got > 0;
}

int reader_skip(struct reader *r)
{
	while (r->skip) {
		size_t n = MIN(r->skip, r->end - r->start);
		int err;

		reader_use(r, n);
		r->skip -= n;
		if (!r->skip)
			break;
		r->start = r->end = 0;
		err = fill(r);
		if (err < 0)
			return err;
		if (err == 0)
			return reader_fail(r,
					   "the file ends inside a block, %u bytes before its end",
					   r->skip);
	}
	return 0;
}

int reader_need(struct reader *r, size_t n)
{
	while (r->end - r->start < n) {
		int err;

		if (r->start + n > sizeof(r->buffer) || r->start == r->end) {
			memmove(r->buffer, r->buffer + r->start, r->end - r->start);
			r->end -= r->start;
			r->start = 0;
		}
		err = fill(r);
		if (err <= 0)
			return err;
	}
	return 1;
}

int reader_must(struct reader *r, size_t n, const char *what, uint64_t size)
{
	int err = reader_need(r, n);

	if (err)
		return err;
	return reader_fail(r, "the file ends inside %s of %llu bytes, %zu of them are there", what,
			   (unsigned long long)size, r->end - r->start);
}

static int pcap_next(struct reader *r, struct frame *out)
{
	const struct reader_interface *on = &r->interfaces[0];
	uint32_t captured, length;
	const uint8_t *p;
	int err = reader_need(r, PCAP_RECORD);

	if (err < 0 || (err == 0 && r->start == r->end))
		return err;
	if (err == 0)
		return reader_must(r, PCAP_RECORD, "a packet's header", PCAP_RECORD);
	captured = reader_u32(r, reader_at(r) + 8);
	if (captured > FRAME_MAX)
		return reader_fail(r, "a packet of %u bytes, more than the %u there can be",
				   captured, FRAME_MAX);
	err = reader_must(r, PCAP_RECORD + captured, "a packet with its header",
			  PCAP_RECORD + captured);
	if (err < 0)
		return err;
	p = reader_at(r);
	length = reader_u32(r, p + 12);
	*out = (struct frame){
		.time_ns = reader_u32(r, p) * 1000000000LL +
			   reader_u32(r, p + 4) * (int64_t)on->clock.ns,
		.captured = captured,
		.length = MAX(length, captured),
		.link = on->link,
		.bytes = p + PCAP_RECORD,
	};
	reader_use(r, PCAP_RECORD + captured);
	return 1;
}

/* Section 4 of the draft. The time zone is not used (section 4: set to zero, ignored by readers),
 * and of the last field only the link type is: a checksum behind a frame is past its IP packet. */
static int pcap_header(struct reader *r, bool nano)
{
	const uint8_t *p;
	uint16_t major, minor;
	int err = reader_must(r, PCAP_HEADER, "the header", PCAP_HEADER);

	if (err < 0)
		return err;
	p = reader_at(r);
	major = reader_u16(r, p + 4);
	minor = reader_u16(r, p + 6);
	if (major != 2 || minor != 4)
		return reader_fail(r, "pcap version %u.%u is not read, only 2.4", major, minor);
	r->interfaces[0] = (struct reader_interface){
		.link = (uint16_t)reader_u32(r, p + 20),
		.clock.ns = nano ? 1 : 1000,
	};
	reader_use(r, PCAP_HEADER);
	r->next = pcap_next;
	return 0;
}

/* The file's first bytes say what it is. */
static int reader_start(struct reader *r, struct frame *out)
{
	const uint8_t *p;
	uint32_t magic;
	int err = reader_need(r, sizeof(magic));

	if (err < 0)
		return err;
	if (err == 0 && r->start == r->end)
		return reader_fail(r, "the file is empty");
	if (err == 0)
		return reader_must(r, sizeof(magic), "the first number", sizeof(magic));
	memcpy(&magic, reader_at(r), sizeof(magic));
	r->swapped = magic == bswap_32(MAGIC_MICRO) || magic == bswap_32(MAGIC_NANO);
	if (r->swapped)
		magic = bswap_32(magic);
	if (magic == MAGIC_PCAPNG) {
		r->next = reader_pcapng;
	} else if (magic == MAGIC_MICRO || magic == MAGIC_NANO) {
		err = pcap_header(r, magic == MAGIC_NANO);
		if (err < 0)
			return err;
	} else {
		p = reader_at(r);
		return reader_fail(r,
				   "neither a pcap nor a pcapng file: it begins with %02x %02x "
				   "%02x %02x",
				   p[0], p[1], p[2], p[3]);
	}
	return r->next(r, out);
}

int reader_next(struct reader *r, struct frame *out)
{
	int err = r->failed ? r->failed : r->next(r, out);

	if (err < 0 && err != -EINTR && err != -EAGAIN)
		r->failed = err;
	return err;
}
