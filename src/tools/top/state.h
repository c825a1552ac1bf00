// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What top's user side keeps: sockets with their last counters, and the tallies that they add up
 * to. TCP's counters run; what is new of them since the last look is added to a tally. */
#pragma once

#include "base/hash.h"

extern uint64_t top_seed; /* of this run: strangers choose the keys */
#define HASH_FUNCTION(key, n, value) ((value) = (unsigned)hash_bytes((key), (n), top_seed))
#include "base/uthash.h"
/* Shorter chains than there: each link is a line of memory that no cache holds. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 6U

#include "host/container.h"
#include "host/process.h"
#include "loader/interval.h"
#include "loader/iterator.h"
#include "tools/top/top.h"
#include "top.skel.h"

enum top_by { BY_CONNECTION, BY_PROCESS, BY_CONTAINER, BY_PEER, BY_PORT, BY_HOST };
#define TOP_BYS (BY_HOST + 1)
extern const char *const top_by_words[];

enum top_counter {
	COUNT_SENT,
	COUNT_RECEIVED,
	COUNT_CALLS,
	COUNT_SEGMENTS_OUT,
	COUNT_SEGMENTS_IN,
	COUNT_RETRANSMITS,
	COUNT_SENDS,
	COUNT_RECEIVES,
	TOP_COUNTERS
};

struct top_counts {
	uint64_t n[TOP_COUNTERS];
};

struct top_conf {
	uint64_t by;
	const char *sort;
	bool all;
};

struct tally_key {
	uint64_t number[4];
	char name[CONTAINER_NAME_MAX];
};

/* What was new in a block. */
struct tally_news {
	uint64_t block;            /* else it is old */
	double rate[TOP_COUNTERS]; /* a second, of sockets that were there all the time */
	struct top_counts part;    /* of the others, to be divided by the time of the block */
};

/* A row of the blocks. */
struct tally {
	struct tally_key key;
	struct top_look last;               /* of one of its sockets: for names, not for counters */
	char container[CONTAINER_NAME_MAX]; /* empty: none is known */
	struct top_counts sum;              /* since the start */
	struct tally_news news[2];          /* of the block that is counted, and of the one before,
					       which is shown: by their numbers' last bit */
	uint64_t connections;               /* open */
	uint64_t srtt_us, measured;         /* a sum over so many looks */
	uint64_t measured_round;            /* in which these were */
	UT_hash_handle hh;
};

struct sock_entry {
	UT_hash_handle hh; /* a line of memory with the key */
	uint64_t cookie;
	struct top_counts counts;
	struct tally *tally; /* NULL: none yet, or no room */
	uint64_t block;      /* in which it had this rate, a second: */
	double rate[TOP_COUNTERS];
	struct top_counts base; /* counts, at the start */
	uint64_t start_ns;      /* of the owner */
	uint32_t pid;
	bool waited;    /* for an owner */
	uint64_t round; /* that told of it last */
};

struct top {
	struct session *session;
	const struct top_conf *conf;
	struct top_bpf *kernel;
	struct processes *processes;
	int looks, files; /* iterators */
	struct sock_entry *sockets;
	struct tally *tallies;
	struct interval interval;
	uint64_t round;
	uint64_t block;                /* that is counted now; the one before is shown */
	size_t over;                   /* tallies without an open connection */
	unsigned full;                 /* rounds to come that look at all sockets */
	uint64_t lost;                 /* records, as of the last round */
	uint64_t looked_ns;            /* when the last round began, CLOCK_MONOTONIC */
	uint64_t elapsed_ns;           /* since the one before */
	struct iterator_budget budget; /* for looks at open files */
	uint64_t no_room;              /* looks at sockets that found no row */
	enum top_by by;
	unsigned sort; /* column */
	bool reversed, paused, help;
	bool regroups; /* this round makes the tallies anew */
	bool asks;     /* for a look at all: there was no room for one whose name is known */
	bool done;
	struct top_row *rows; /* of a block, reused */
	size_t room;
};

/* sockets.c: attaches the iterators and takes the first look, from which all is counted. 0 or
 * -errno, said. */
int sockets_open(struct top *t);
/* A look at every socket, added to the tallies. 0 or -errno. */
int sockets_round(struct top *t);
/* When what a row is has changed: a look at every socket, of which the tallies are made anew, each
 * with all that its open sockets did since the start, and with their rates of the block that is
 * shown. The block that is counted begins here. 0 or -errno. */
int sockets_regroup(struct top *t);
/* What the ring has of one. 0 or -ENOMEM. */
int sockets_told(struct top *t, const struct top_look *l);
void sockets_free(struct top *t);

/* tally.c: the tally that a look belongs to, made where there is none; NULL: no memory or no room.
 */
struct tally *tally_of(struct top *t, const struct top_look *l);
/* A connection of it more or less. */
void tally_connects(struct top *t, struct tally *l);
void tally_disconnects(struct top *t, struct tally *l);
/* What is new in the block that is counted, to be added to. */
struct tally_news *tally_counts(const struct top *t, struct tally *l);
/* The same of the block that is shown; NULL: nothing. */
const struct tally_news *tally_shows(const struct top *t, const struct tally *l);
/* The same, to be added to. */
struct tally_news *tally_showing(const struct top *t, struct tally *l);
/* Brings what tally_counts and a sum touch nearer. */
static inline void tally_fetch(const struct top *t, const struct tally *l)
{
	const struct tally_news *n = &l->news[t->block & 1];

	__builtin_prefetch(&l->sum);
	__builtin_prefetch(&l->measured);
	__builtin_prefetch(n);
	__builtin_prefetch(&n->rate[TOP_COUNTERS - 1]);
	__builtin_prefetch(&n->part.n[TOP_COUNTERS - 1]);
}
/* What is over and was shown goes. */
void tally_forget(struct top *t);
void tally_free(struct top *t);

/* rows.c */
extern const struct schema top_schema;
int rows_prepare(struct top *t);
/* The block that is shown, or shown again. */
int rows_show(struct top *t);
/* Other columns, as what a row is has changed. 0 or -errno. */
int rows_regroup(struct top *t);
/* Sorted by the next column of the table, or the one before it (step -1). */
void rows_sort_by_next(struct top *t, int step);

/* keys.c */
int top_keys(struct session *s, const uint16_t *keys, unsigned n);
/* A line above the rows: how they are grouped and sorted, and some keys. */
void keys_title(struct top *t);
