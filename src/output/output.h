// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Rows out: table, JSON or CSV to a descriptor, by way of a bounded queue that never blocks a run.
 * A reader that is too slow costs rows, which are counted; it never stalls the kernel's ring. */
#pragma once

#include "base/buf.h"
#include "output/schema.h"

struct output;

/* One output format. A new output is one file with one of these and one line in output_kinds. */
struct output_kind {
	const char *name;
	bool people; /* headings and repeated headers are for people, not for parsers */
	/* Works out once what every row needs; *state is malloc'd and freed by output_free. May be
	 * NULL. 0 or -errno. */
	int (*prepare)(struct output *o, void **state);
	void (*header)(struct output *o, struct buf *b); /* may be NULL */
	void (*row)(struct output *o, const struct row *row, struct buf *b);
};

extern const struct output_kind *const output_kinds[]; /* NULL-terminated */

struct output_style {
	bool terminal;  /* fit and colour for a person */
	bool color;     /* terminal, and NO_COLOR is not set */
	unsigned width; /* of the terminal; 0: do not cut */
	unsigned lines; /* of the terminal; 0: no limit */
};

/* Looks at fd and the environment (isatty, NO_COLOR, TIOCGWINSZ, COLUMNS). */
struct output_style output_style_of(int fd);

/*
 * An output of kind on fd (borrowed), for the columns fields[0..n) of schema. *out is the caller's,
 * for output_free. 0 or -errno. Before privileges are dropped: it opens a pipe or terminal once
 * more, so that O_NONBLOCK touches nobody else, and reads the time zone. The caller ignores
 * SIGPIPE.
 */
int output_new(struct output **out, const struct output_kind *kind, const struct schema *schema,
	       const uint8_t *fields, unsigned n, int fd, struct output_style style);
void output_free(struct output *o);

/* Queues a row (and, before the first, the header), and writes, without blocking, when much is
 * queued. 0; -ENOBUFS: dropped whole and counted; other -errno: the reader is gone (output_flush).
 */
int output_row(struct output *o, const struct row *row);
/* Queues text as it is, for block headings and blank lines: only for a format that people read,
 * nothing is written into JSON or CSV. The text must be safe for a terminal. 0 or -errno as
 * output_row. */
int output_text(struct output *o, struct text t);
/* The header comes again before the next row (a new block), in a format that people read. */
void output_repeat_header(struct output *o);
/* A block that replaces the one before: a terminal is cleared, and fitted if its size is another by
 * now; a pipe gets a blank line between. */
void output_new_block(struct output *o);
/* A line above the block's header, on a terminal, cut to its width. The text must be safe for one.
 */
void output_title(struct output *o, struct text t);
/* Other columns, for the rows that come; the header comes again. 0 or -errno. */
int output_set_fields(struct output *o, const uint8_t *fields, unsigned n);
/* Is the format one that people read (not JSON or CSV)? */
bool output_for_people(const struct output *o);
/* Rows that fit below a header, and a title if there is one, on the terminal; 0: no limit. */
unsigned output_lines(const struct output *o);

/*
 * Writes as much as fd takes now without blocking. 0: all written; -EAGAIN: some is left;
 * -EPIPE and other -errno: the reader is gone. With wait, for the end of a run: waits at most 2 s
 * for a reader that stalls, then drops and counts what is left.
 */
int output_flush(struct output *o, bool wait);
/*
 * For a run that can wait, as a file can: from now on no row is dropped. Where there is no room,
 * and in output_flush with wait, the reader gets the time it takes, until told, which is asked ten
 * times a second, says that the run was told to end; then all is as without.
 */
void output_set_patient(struct output *o, bool (*told)(void *ctx), void *ctx);
uint64_t output_dropped(const struct output *o); /* rows */
const struct output_style *output_style(const struct output *o);
/* For the formats: what prepare left, and the chosen columns. */
void *output_state(const struct output *o);
const struct schema *output_schema(const struct output *o);
unsigned output_fields(const struct output *o, const uint8_t **fields);
