// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Capture files made by hand, in either byte order, and a reader on them.
 * They are written down byte by byte, so that no code under test makes what it is to read. */
#pragma once

#include <byteswap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "capture/reader.h"

struct file {
	bool swapped;
	size_t n, block;
	uint8_t b[2 << 20];
};

static inline void put(struct file *f, const void *p, size_t n)
{
	assert_true(n <= sizeof(f->b) - f->n);
	memcpy(f->b + f->n, p, n);
	f->n += n;
}

static inline void put8(struct file *f, uint8_t v)
{
	put(f, &v, sizeof(v));
}

static inline void put16(struct file *f, uint16_t v)
{
	v = f->swapped ? bswap_16(v) : v;
	put(f, &v, sizeof(v));
}

static inline void put32(struct file *f, uint32_t v)
{
	v = f->swapped ? bswap_32(v) : v;
	put(f, &v, sizeof(v));
}

static inline void put64(struct file *f, uint64_t v)
{
	v = f->swapped ? bswap_64(v) : v;
	put(f, &v, sizeof(v));
}

static inline void pad(struct file *f)
{
	while (f->n % 4)
		put8(f, 0);
}

static inline void put_pcap(struct file *f, uint32_t magic, uint32_t link)
{
	put32(f, magic);
	put16(f, 2);
	put16(f, 4);
	put32(f, 0);
	put32(f, 0);
	put32(f, 65535);
	put32(f, link);
}

static inline void put_record(struct file *f, uint32_t s, uint32_t part, uint32_t length,
			      const char *bytes)
{
	put32(f, s);
	put32(f, part);
	put32(f, (uint32_t)strlen(bytes));
	put32(f, length);
	put(f, bytes, strlen(bytes));
}

static inline void begin(struct file *f, uint32_t type)
{
	f->block = f->n;
	put32(f, type);
	put32(f, 0);
}

static inline void end(struct file *f)
{
	uint32_t size = (uint32_t)(f->n + 4 - f->block),
		 in_file = f->swapped ? bswap_32(size) : size;

	memcpy(f->b + f->block + 4, &in_file, 4);
	put32(f, size);
}

static inline void put_option(struct file *f, uint16_t code, const void *p, uint16_t n)
{
	put16(f, code);
	put16(f, n);
	put(f, p, n);
	pad(f);
}

static inline void put_section(struct file *f)
{
	begin(f, 0x0a0d0d0a);
	put32(f, 0x1a2b3c4d);
	put16(f, 1);
	put16(f, 0);
	put64(f, UINT64_MAX);
	end(f);
}

/* resolution and offset_s: 0: no such option. */
static inline void put_interface(struct file *f, uint16_t link, const char *name,
				 uint8_t resolution, int64_t offset_s)
{
	begin(f, 1);
	put16(f, link);
	put16(f, 0);
	put32(f, 64);
	if (name)
		put_option(f, 2, name, (uint16_t)strlen(name));
	if (resolution)
		put_option(f, 9, &resolution, 1);
	if (offset_s) {
		put16(f, 14);
		put16(f, 8);
		put64(f, (uint64_t)offset_s);
	}
	end(f);
}

/* Up to the options; end() is the caller's. */
static inline void put_enhanced(struct file *f, uint32_t interface, uint64_t time, uint32_t length,
				const char *bytes)
{
	begin(f, 6);
	put32(f, interface);
	put32(f, (uint32_t)(time >> 32));
	put32(f, (uint32_t)time);
	put32(f, (uint32_t)strlen(bytes));
	put32(f, length);
	put(f, bytes, strlen(bytes));
	pad(f);
}

static inline int memory_file(const void *p, size_t n)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static inline struct reader *read_bytes(const void *p, size_t n)
{
	struct reader *r = NULL;

	assert_int_equal(reader_new(memory_file(p, n), &r), 0);
	return r;
}

static inline void expect_text(struct text t, const char *want)
{
	assert_int_equal(t.len, strlen(want));
	assert_memory_equal(t.p, want, t.len);
}

static inline void expect_bytes(const struct frame *p, const char *want)
{
	expect_text((struct text){(const char *)p->bytes, p->captured}, want);
}
