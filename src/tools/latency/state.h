// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What latency's user side keeps: the kernel's cells as they were last read, and the series of the
 * block that is being made, one for each row. */
#pragma once

#include "base/hash.h"

extern uint64_t latency_seed; /* of this run: strangers choose the keys */
#define HASH_FUNCTION(key, n, value) ((value) = (unsigned)hash_bytes((key), (n), latency_seed))
#include "base/uthash.h"

#include "call/histogram.h"
#include "host/container.h"
#include "host/process.h"
#include "latency.skel.h"
#include "loader/interval.h"
#include "tools/latency/latency.h"

struct latency_conf {
	uint64_t by;
	const char *slower;
	bool bars;
};

/* A cell of the kernel's as of the last block. */
struct kept_cell {
	struct latency_cell key;
	struct latency_sum was;
	uint64_t changed; /* the block in which it last did */
	UT_hash_handle hh;
};

/* Whose a group is, asked once. */
struct label {
	struct latency_group group;
	struct owner owner;
	uint64_t cells;                     /* of the group */
	char container[CONTAINER_NAME_MAX]; /* empty: none is known */
	UT_hash_handle hh;
};

struct series_key {
	uint64_t by[2];
	char name[CONTAINER_NAME_MAX]; /* by container: several cgroups may be of one */
	uint32_t kind;
	uint32_t pad;
};

/* A row of a block. */
struct series {
	struct series_key key;
	struct owner owner;
	struct histogram h;   /* of nanoseconds, new since the last block */
	uint64_t max_ns, top; /* the longest, from the highest bucket that has any */
	UT_hash_handle hh;
};

struct latency {
	struct session *session;
	const struct latency_conf *conf;
	struct latency_bpf *kernel;
	struct processes *processes;
	struct interval interval;
	uint32_t kinds;
	bool cases; /* --slower-than */
	uint64_t slower_ns;
	bool bars;
	struct kept_cell *cells;
	struct label *labels;
	struct series *series;
	struct latency_cell *keys; /* of a batch */
	struct latency_sum *sums;
	uint64_t blocks;
	bool done;
};

extern const char *const latency_kind_names[]; /* by enum latency_kind, NULL-terminated */

/* series.c: what is new in the kernel's cells, added to the series. 0 or -errno. */
int series_open(struct latency *l);
int series_read(struct latency *l);
/* The series that a cell is of, made where there is none. NULL: no memory. */
struct series *series_of(struct latency *l, const struct latency_cell *cell);
/* The block is over: all series are empty again. */
void series_end_block(struct latency *l);
void series_free(struct latency *l);

/* rows.c */
extern const struct schema latency_schema;
int latency_prepare(struct latency *l);
/* A row for each series, sorted. 0 or -errno; -ECANCELED: -n is reached. */
int latency_show(struct latency *l);
/* A row for a single case. */
int latency_row(struct latency *l, const struct latency_case *c);
