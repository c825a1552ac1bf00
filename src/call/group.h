// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Sums over calls that have something in common, for --by: a bounded hash table of groups.
 * The key is opaque bytes, so any columns can be joined into one; what does not fit is "other". */
#pragma once

#include "base/text.h"
#include "call/histogram.h"

struct group_sum {
	struct text key; /* owned by the table; empty for the group of what did not fit */
	bool other;      /* calls whose key came when the table was full */
	uint32_t hash;
	uint64_t calls, errors;
	uint64_t request_bytes, response_bytes;
	struct histogram total_us; /* of the calls whose duration is known */
};

/* What one call adds to its group. */
struct group_call {
	bool error;
	bool timed; /* total_us is known */
	uint64_t request_bytes, response_bytes, total_us;
};

struct groups;

/* Room for max groups (1 to 2^24) and the other one. seed: random, against chosen collisions.
 * 0, -EINVAL or -ENOMEM. Memory is touched as groups come, so a high max costs nothing. */
int groups_new(uint32_t max, uint64_t seed, struct groups **out);
void groups_free(struct groups *g);

/* key is copied when it is new. 0, or -ENOMEM: the call is not counted, or not its duration. */
int groups_add(struct groups *g, struct text key, const struct group_call *call);

/* Forgets every group: a new interval begins. */
void groups_reset(struct groups *g);

/* How many there are, the other one not counted. */
uint32_t groups_count(const struct groups *g);

/*
 * The first n groups in the order of before (true: a comes before b), equal ones in the order they
 * came; the other one, if any call went there, is last and counts among the n. Returns how many
 * were written to out; they are valid until the next add or reset.
 */
size_t groups_top(const struct groups *g,
		  bool (*before)(const struct group_sum *, const struct group_sum *),
		  const struct group_sum **out, size_t n);

/* For groups_top: most calls first. */
bool group_more_calls(const struct group_sum *a, const struct group_sum *b);

static inline void groups_freep_(struct groups **g)
{
	groups_free(*g);
}
#define _cleanup_groups_ _cleanup_(groups_freep_)
