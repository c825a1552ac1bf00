// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What count's user side keeps: the lines it prints, and for --by process whose the packets are.
 * The kernel's sums only grow; they are read anew for each block. */
#pragma once

#include "base/hash.h"

extern uint64_t count_seed; /* of this run: strangers choose the keys */
#define HASH_FUNCTION(key, n, value) ((value) = (unsigned)hash_bytes((key), (n), count_seed))
#include "base/uthash.h"

#include "count.skel.h"
#include "loader/wire.h"
#include "tools/count/count.h"

struct count_conf {
	struct opt_list interfaces;
	uint64_t by, direction;
	bool dump_filter;
	const char *read; /* a capture file, or NULL */
};

/* A row of every block. By process, owner says whose: pid 0 is nobody's. */
struct line {
	struct count_key key; /* by process: the pid and the start of the process alone */
	struct owner owner;
	struct count_sum now, before; /* in this block and in the last one */
	UT_hash_handle hh;
};

struct count {
	struct session *session;
	const struct count_conf *conf;
	struct count_bpf *kernel; /* or: */
	struct file *file;
	struct line *lines; /* by key */
	struct count_sum no_room;
	struct flows *flows;     /* by process only */
	uint64_t printed_ns;     /* of the last block, CLOCK_MONOTONIC or the file's; 0: none yet */
	uint64_t interval_s;     /* 0: none was given */
	uint64_t blocks, wanted; /* wanted 0: until told */
	bool done;
	char *const *words; /* of the filter: n_words of argv */
	unsigned n_words;
	/* One sum for each CPU that there may be, and many of them for reading in batches. */
	int cpus;
	struct count_key *keys;
	struct count_sum *values;
};

/* Prints a block: 0, or -ECANCELED when it was the last one that is wanted; -errno, said. */
int count_block(struct count *c, uint64_t now_ns);
/* What is to be counted, as the command line says. */
struct wire_tap count_tap(const struct count *c);

/* What lines.c calls for each sum of the kernel. 0 or -errno. */
int lines_add(struct count *c, const struct count_key *key, const struct owner *owner,
	      const struct count_sum *sum);

/* Reads the kernel's sums into lines, anew. 0 or -errno. */
int sums_open(struct count *c);
int sums_read(struct count *c);
void sums_close(struct count *c);

/* The packets of a capture file, which are added to lines as they come. file_tick as tick of struct
 * tool. */
int file_open(struct count *c);
int file_tick(struct count *c);
/* The time of the last packet; 0: there was none. */
uint64_t file_time(const struct count *c);
bool file_has_nothing(const struct count *c); /* after its end: no packet could be read of it */
void file_ledger(const struct count *c, struct buf *out);
void file_close(struct count *c);

/* Prints a block. 0, or -errno, said. */
extern const struct schema count_schema;
int lines_set_schema(struct count *c);
int lines_show(struct count *c, uint64_t now_ns);
void lines_free(struct count *c);

/* By process: whose packets these are. */
int flows_open(struct count *c);
int flows_add(struct count *c, const struct count_key *key, const struct count_sum *sum);
/* After all of them were added: looks for owners and adds the flows to lines. */
int flows_to_lines(struct count *c);
void flows_free(struct count *c);
