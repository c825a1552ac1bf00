// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Packets into capture files (pcapng): -w, -C and -W of every tool that has packets.
 * The session flushes the file, ends it, and says in the ledger what was written. */
#pragma once

#include "capture/frame.h"
#include "loader/session.h"

struct capture_out_conf {
	const char *path;   /* "-": standard output; NULL: no file */
	uint64_t megabytes; /* a file becomes no larger than so many million bytes; 0: one file */
	uint64_t files;     /* so many are kept, going round; 0: all */
};

/* Rows of a tool's options, for the capture_out_conf at this offset in the tool's own struct. */
#define CAPTURE_OUT_AT(at, member) ((at) + offsetof(struct capture_out_conf, member))
#define CAPTURE_OUT_OPTS(at)                                                                       \
	CAPTURE_OUT_OPT_FILE(at), CAPTURE_OUT_OPT_SIZE(at), CAPTURE_OUT_OPT_COUNT(at)
#define CAPTURE_OUT_OPT_FILE(at)                                                                   \
	{                                                                                          \
		.letter = 'w', .name = "write", .arg = "FILE", .type = OPT_TEXT,                   \
		.offset = CAPTURE_OUT_AT(at, path),                                                \
		.help = "write packets to FILE as pcapng (-: standard output), and no rows "       \
			"unless -o or --fields ask for them",                                      \
	}
#define CAPTURE_OUT_OPT_SIZE(at)                                                                   \
	{                                                                                          \
		.letter = 'C', .name = "file-size", .arg = "MB", .type = OPT_UINT, .min = 1,       \
		.max = 1000000000, .offset = CAPTURE_OUT_AT(at, megabytes),                        \
		.help = "with -w: before a file becomes larger than so many million bytes, go "    \
			"on in FILE.1, FILE.2 and so on",                                          \
	}
#define CAPTURE_OUT_OPT_COUNT(at)                                                                  \
	{                                                                                          \
		.letter = 'W', .name = "file-count", .arg = "N", .type = OPT_UINT, .min = 1,       \
		.max = 1000000, .offset = CAPTURE_OUT_AT(at, files),                               \
		.help = "with -C: keep so many files, then begin again with FILE",                 \
	}

/* Where packets come from. The file has a description of each, put there before its first packet.
 */
struct capture_out_interface {
	uint32_t index;   /* any number that, with name and link, tells it from others */
	uint16_t link;    /* LINKTYPE_ number */
	uint32_t snaplen; /* bytes of a packet that are kept; 0: all */
	struct text name; /* borrowed for the call; empty: not known */
};

struct capture_out;

/*
 * In open, before session_load: the file is begun by the session, once open was well, and emptied
 * only then. Rows are not printed any more, unless the command line says how. For the next files a
 * process of their own is started (opener.h). *out is the session's, and NULL where conf, which
 * must stay, names no file. 0 or -errno, said.
 */
int capture_out_open(struct session *s, const struct capture_out_conf *conf,
		     struct capture_out **out);

/* What an interface has counted since the start. */
struct capture_out_counts {
	uint64_t received, dropped; /* packets: that came by it, those dropped among them */
};

/* The number of i in this run, from 0 on, always the same; -ENOSPC: there are too many. */
int capture_out_number(struct capture_out *o, const struct capture_out_interface *i);

/* A packet has come by the interface of this number, to be written or not: for the statistics at
 * the end of each file. Nothing happens for -ENOSPC. */
void capture_out_received(struct capture_out *o, int number);

/*
 * Writes f, with its comment, as a packet of the interface of this number; interface, link and name
 * of f are not looked at. For -ENOSPC it is counted as not written.
 * 0, or -ECANCELED, to be handed on: it could not be written, and the session is to end; it says
 * why. Not after finish.
 */
int capture_out_frame(struct capture_out *o, int number, const struct frame *f);

/* In finish, for the statistics: count is called for each interface by which a packet has come,
 * with the index that it was named with and those received; it adds what else it knows. Returns as
 * capture_out_frame. */
int capture_out_finish(struct capture_out *o,
		       void (*count)(void *ctx, uint32_t index, struct capture_out_counts *c),
		       void *ctx);
