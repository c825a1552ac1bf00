// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Reads pcap and pcapng files, one packet at a time, in memory that is allocated once.
 * Not libpcap's reader: a broken or cut file gives its packets up to the damage, then one sentence.
 */
#pragma once

#include "capture/frame.h"

/* Larger blocks are damage. Those with packets and interfaces are held whole, others are skipped
 * (16 MiB is also where Wireshark stops, wiretap/pcapng.c). */
#define READER_HELD_MAX (1 << 20)
#define READER_SKIP_MAX (16 << 20)

#define READER_INTERFACES 1024 /* of one section */
#define READER_NAME_MAX   64   /* bytes of an interface's name that are kept */
#define READER_ERROR_MAX  160

struct reader;

/* Opens path ("-": standard input) and reads nothing yet, so that privileges can go in between.
 * 0, or -errno. Free it with reader_close, which takes NULL too. */
int reader_open(const char *path, struct reader **out);
/* The same on a descriptor that allows reading: a file, a pipe, a socket. The reader owns it from
 * then on, unless this fails. */
int reader_new(int fd, struct reader **out);
void reader_close(struct reader *r);

/* From now on reader_next says -EAGAIN where read(2) would wait: what fd is, is found out once, and
 * a regular file never makes anybody wait. */
void reader_set_polled(struct reader *r);
/* The descriptor, still the reader's. */
int reader_fd(const struct reader *r);

/* 1: a packet; what it points to is valid until the next call. 0: the end, between two blocks.
 * -EBADMSG: the file is damaged or of a kind that is not read; -EINTR, -EAGAIN: nothing is lost,
 * call again; another -errno: reading failed. After an error but those two the same comes again.
 *
 * captured is never more than length: where a file says so, length is raised. A simple packet block
 * has no time, and gets that of the packet before it. */
int reader_next(struct reader *r, struct frame *out);

/* What is wrong, and at which byte of the file: "byte 24: the file ends inside ...". Valid until
 * reader_close; empty where nothing is. */
const char *reader_error(const struct reader *r);

static inline void reader_close_(struct reader **r)
{
	reader_close(*r);
}
#define _cleanup_reader_ _cleanup_(reader_close_)
