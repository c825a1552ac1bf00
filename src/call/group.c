// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Groups in an array in the order they came, and an open-addressed index over them.
 * A hit is one hash, one probe and a few additions; only a new group allocates. */
#include "call/group.h"

#include "base/hash.h"

#define GROUPS_MAX (1u << 24)

struct groups {
	uint64_t seed;
	uint32_t max, n, mask;
	uint32_t *index;         /* group number + 1, 0: free; at most half full, so a probe ends */
	struct group_sum *group; /* max, and after them the other one */
};

int groups_new(uint32_t max, uint64_t seed, struct groups **out)
{
	uint32_t slots = 16;

	if (max == 0 || max > GROUPS_MAX)
		return -EINVAL;
	while (slots < 2 * max)
		slots *= 2;
	struct groups *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->seed = seed;
	g->max = max;
	g->mask = slots - 1;
	g->index = calloc(slots, sizeof(*g->index));
	g->group = calloc((size_t)max + 1, sizeof(*g->group));
	if (!g->index || !g->group) {
		groups_free(g);
		return -ENOMEM;
	}
	g->group[max].other = true;
	*out = g;
	return 0;
}

static void group_clear(struct group_sum *o)
{
	histogram_clear(&o->total_us);
	free((void *)o->key.p);
	*o = (struct group_sum){.other = o->other};
}

void groups_reset(struct groups *g)
{
	if (g->n)
		memset(g->index, 0, ((size_t)g->mask + 1) * sizeof(*g->index));
	for (uint32_t i = 0; i < g->n; i++)
		group_clear(&g->group[i]);
	group_clear(&g->group[g->max]);
	g->n = 0;
}

void groups_free(struct groups *g)
{
	if (!g)
		return;
	if (g->index && g->group)
		groups_reset(g);
	free(g->index);
	free(g->group);
	free(g);
}

uint32_t groups_count(const struct groups *g)
{
	return g->n;
}

/* NULL: no memory for its key. */
static struct group_sum *find_or_add(struct groups *g, struct text key)
{
	uint32_t hash = (uint32_t)hash_bytes(key.p, key.len, g->seed);
	uint32_t i = hash & g->mask;

	for (; g->index[i]; i = (i + 1) & g->mask) {
		struct group_sum *o = &g->group[g->index[i] - 1];

		if (o->hash == hash && text_eq(o->key, key))
			return o;
	}
	if (g->n == g->max)
		return &g->group[g->max];
	char *copy = malloc(MAX(key.len, 1));

	if (!copy)
		return NULL;
	if (key.len)
		memcpy(copy, key.p, key.len);
	struct group_sum *o = &g->group[g->n++];

	*o = (struct group_sum){.key = {copy, key.len}, .hash = hash};
	g->index[i] = g->n;
	return o;
}

int groups_add(struct groups *g, struct text key, const struct group_call *call)
{
	struct group_sum *o = find_or_add(g, key);

	if (!o)
		return -ENOMEM;
	o->calls++;
	o->errors += call->error;
	o->request_bytes += call->request_bytes;
	o->response_bytes += call->response_bytes;
	return call->timed ? histogram_add(&o->total_us, call->total_us) : 0;
}

bool group_more_calls(const struct group_sum *a, const struct group_sum *b)
{
	return a->calls > b->calls;
}

size_t groups_top(const struct groups *g,
		  bool (*before)(const struct group_sum *, const struct group_sum *),
		  const struct group_sum **out, size_t n)
{
	const struct group_sum *other = &g->group[g->max];
	size_t room = n - (n && other->calls), len = 0;

	for (uint32_t i = 0; i < g->n && room; i++) {
		const struct group_sum *o = &g->group[i];
		size_t lo = 0, hi = len;

		if (len == room && !before(o, out[len - 1]))
			continue;
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (before(o, out[mid]))
				hi = mid;
			else
				lo = mid + 1;
		}
		if (len < room)
			len++;
		memmove(&out[lo + 1], &out[lo], (len - lo - 1) * sizeof(*out));
		out[lo] = o;
	}
	if (n && other->calls)
		out[len++] = other;
	return len;
}
