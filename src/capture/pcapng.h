// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Writes pcapng files that Wireshark opens: nanoseconds, comments, and what was dropped.
 * Whole blocks only: what is on the disk is a valid file whenever it is looked at.
 *
 * Names: the first file has the name that was asked for; file number n, from 1 on, has ".n" behind
 * it (pcapng_name). With `files` set, numbers go round: the file after the last one replaces number
 * 0. The writer opens nothing; it asks for the next file when one is full. */
#pragma once

#include "capture/frame.h"

#define PCAPNG_INTERFACES  256
#define PCAPNG_NAME_MAX    64  /* bytes of an interface's name that are written */
#define PCAPNG_COMMENT_MAX 512 /* bytes of a comment that are written, before escaping */

struct pcapng;

/* All of it the caller's, and needed until pcapng_close. */
struct pcapng_options {
	const char *hardware, *os, *application; /* of the section's header; NULL: left out */
	uint64_t file_bytes; /* no file becomes larger, unless by its only packet; 0: one file */
	unsigned files;      /* how many there are before the first is replaced; 0: no end */
	/* A descriptor of file number n, empty, for writing; the writer closes it. Or -errno.
	 * Called when the file before it is complete. Not needed where file_bytes is 0. */
	int (*open)(void *ctx, unsigned n);
	/* For what is no file: called before each write, which is then of at most PIPE_BUF bytes,
	 * so that it does not block once poll(2) said POLLOUT (pipe(7)). 0; -errno: writing has
	 * failed. NULL: all there is, in one write. */
	int (*ready)(void *ctx, int fd);
	void *ctx;
	int64_t start_ns; /* when the capture began, since the epoch */
};

/* Writes the header to fd, at the end of what is there. The writer owns fd from then on, unless
 * this fails: 0, -ENOMEM, or what write(2) said. */
int pcapng_new(int fd, const struct pcapng_options *options, struct pcapng **out);

/* An interface from which packets come; in files to come it is put in front of them. Its number,
 * from 0, or -errno: -ENOSPC: there are PCAPNG_INTERFACES. snaplen: bytes of a packet that are
 * kept, 0: all. */
int pcapng_interface(struct pcapng *w, struct text name, uint16_t link, uint32_t snaplen);

/* Writes p to its interface; link and name of p are not looked at. The comment is escaped as rows
 * are (base/escape.c), so that it is valid UTF-8. 0; -EINVAL: no such interface, or more bytes
 * captured than there can be; -errno. */
int pcapng_packet(struct pcapng *w, const struct frame *p);

/* What interface number n has counted since start_ns, at the time of now_ns: goes to the end of
 * every file from now on. Ignored where there is no such interface. */
void pcapng_counts(struct pcapng *w, unsigned n, uint64_t received, uint64_t dropped,
		   int64_t now_ns);

/* Hands what is in memory to the kernel: 0 or -errno. The memory is also handed on when it is full.
 */
int pcapng_flush(struct pcapng *w);

/* How many packets have been handed to the kernel, whole, in all files together. What is in memory
 * is not among them; after an error, those of the part that the file was cut to are. */
uint64_t pcapng_written(const struct pcapng *w);

/* Ends the file with the counts and frees w, also on failure: 0 or the first error there was. */
int pcapng_close(struct pcapng *w);

/* The name of file number n: 0, or -ENAMETOOLONG. */
int pcapng_name(const char *path, unsigned n, char *out, size_t size);

/* After an error of writing (a full disk) the file is cut to its last whole block, all of which is
 * left out from there on, and the same error comes again; only pcapng_close tries to add the
 * counts. A pipe cannot be cut. */
