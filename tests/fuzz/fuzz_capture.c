// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Arbitrary bytes as a capture file: read, cut, sorted, and written and read again.
 * What is read of a cut file must be the beginning of what is read of the whole. */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>

#include "capture/link.h"
#include "capture/order.h"
#include "capture/pcapng.h"
#include "capture/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A packet without its pointers; enough to tell two apart. */
struct print {
	int64_t time_ns;
	uint32_t captured, length, interface, sum;
	uint16_t link;
	uint8_t direction, type;
	uint32_t pad; /* for memcmp */
};

#define PRINTS 256

struct prints {
	struct print p[PRINTS];
	unsigned n;
	int end; /* what the reader said behind them */
};

static int file_of(const uint8_t *p, size_t n)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	assert(fd >= 0 && ftruncate(fd, 0) == 0);
	assert(pwrite(fd, p, n, 0) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
	return dup(fd);
}

static uint32_t sum_of(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint32_t sum = (uint32_t)n;

	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + p[i];
	return sum;
}

static struct print print_of(const struct frame *p)
{
	return (struct print){
		.time_ns = p->time_ns,
		.captured = p->captured,
		.length = p->length,
		.interface = p->interface,
		.sum = sum_of(p->bytes, p->captured) + sum_of(p->name.p, p->name.len),
		.link = p->link,
		.direction = p->direction,
		.type = p->type,
	};
}

static void check(const struct frame *p)
{
	struct link l = {.offset = UINT32_MAX};
	int err = link_parse(p, &l);

	assert(p->captured <= FRAME_MAX && p->captured <= p->length);
	assert(p->interface < READER_INTERFACES && p->name.len <= READER_NAME_MAX);
	(void)sum_of(p->comment.p, p->comment.len);
	assert(err == 0 || err == -EBADMSG || err == -EPROTONOSUPPORT);
	assert((err == -EPROTONOSUPPORT) == !link_known(p->link));
	assert(err ? l.offset == UINT32_MAX : l.offset <= p->captured);
	assert(err || l.vlans <= LINK_VLANS);
}

static void read_all(const uint8_t *p, size_t n, struct prints *out)
{
	_cleanup_reader_ struct reader *r = NULL;
	struct frame packet;
	int err = reader_new(file_of(p, n), &r);

	assert(err == 0);
	out->n = 0;
	while ((err = reader_next(r, &packet)) > 0) {
		check(&packet);
		if (out->n < PRINTS)
			out->p[out->n++] = print_of(&packet);
	}
	assert(err == 0 || err == -EBADMSG);
	assert(err ? memcmp(reader_error(r), "byte ", 5) == 0 : !*reader_error(r));
	assert(reader_next(r, &packet) == err);
	out->end = err;
}

static void same(const struct prints *a, const struct prints *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert(memcmp(&a->p[i], &b->p[i], sizeof(a->p[i])) == 0);
}

static int next(void *from, struct frame *out)
{
	return reader_next(from, out);
}

/* As many packets, of the same kinds, in order of time but for those that were too late. */
static void sorted(const uint8_t *p, size_t n, const struct prints *whole)
{
	_cleanup_reader_ struct reader *r = NULL;
	_cleanup_order_ struct order *o = NULL;
	uint32_t sum = 0;
	int64_t last = INT64_MIN;
	uint64_t late = 0;
	unsigned got = 0;
	struct frame packet;
	int err = reader_new(file_of(p, n), &r);

	assert(err == 0 && order_new(next, r, &o) == 0);
	while ((err = order_next(o, &packet)) > 0) {
		sum += print_of(&packet).sum;
		late += packet.time_ns < last;
		last = packet.time_ns > last ? packet.time_ns : last;
		got++;
	}
	assert(err == whole->end && late <= order_late(o));
	if (whole->n == PRINTS)
		return;
	assert(got == whole->n);
	for (unsigned i = 0; i < whole->n; i++)
		sum -= whole->p[i].sum;
	assert(sum == 0);
}

/* What is read is written, and read again it is the same but for what the writer does not take:
 * times before 1970, and more interfaces than it has. Interfaces are those of the file's first
 * section. */
static void round_trip(const uint8_t *p, size_t n)
{
	static const struct pcapng_options options = {.application = "fuzz"};
	static struct prints written, read;
	static uint8_t again[1 << 20];
	_cleanup_reader_ struct reader *r = NULL;
	_cleanup_close_ int fd = memfd_create("fuzz-out", MFD_CLOEXEC);
	struct pcapng *w = NULL;
	struct frame packet;
	int err = reader_new(file_of(p, n), &r);
	ssize_t size;

	assert(fd >= 0 && err == 0 && pcapng_new(dup(fd), &options, &w) == 0);
	written.n = 0;
	while (reader_next(r, &packet) > 0 && written.n < 64) {
		if (packet.time_ns < 0)
			continue;
		err = pcapng_interface(w, packet.name, packet.link, 0);
		assert(err == (int)written.n);
		packet.interface = (uint32_t)err;
		assert(pcapng_packet(w, &packet) == 0);
		pcapng_counts(w, packet.interface, packet.length, packet.captured, packet.time_ns);
		written.p[written.n++] = print_of(&packet);
	}
	assert(pcapng_close(w) == 0);
	size = pread(fd, again, sizeof(again), 0);
	assert(size > 0 && size < (ssize_t)sizeof(again));
	read_all(again, (size_t)size, &read);
	assert(read.end == 0 && read.n == written.n);
	same(&read, &written, read.n);
}

/* The last byte says where the file is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct prints whole, cut;

	read_all(data, size, &whole);
	if (size) {
		read_all(data, size * data[size - 1] / 256, &cut);
		assert(cut.n <= whole.n);
		same(&cut, &whole, cut.n);
	}
	/* Each takes megabytes of memory, which would be most of a run. */
	if (whole.n > 1)
		sorted(data, size, &whole);
	if (whole.n)
		round_trip(data, size);
	return 0;
}
