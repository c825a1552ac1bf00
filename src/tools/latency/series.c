// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* From the kernel's cells to series: what each cell has counted since the last block. Nothing is
 * reset in the kernel, so what is counted meanwhile is in the next block; cells in which nothing
 * was counted for long make room when there is little left. */
#include <bpf/bpf.h>

#include "base/clock.h"
#include "tools/latency/state.h"

#define BATCH 4096
/* When so many cells are in use, those make room that did not change for so many blocks. */
#define CELLS_MANY  (LATENCY_CELLS / 2)
#define IDLE_BLOCKS 3

uint64_t latency_seed;

int series_open(struct latency *l)
{
	latency_seed = hash_seed();
	l->keys = calloc(BATCH, sizeof(*l->keys));
	l->sums = calloc(BATCH, sizeof(*l->sums));
	return l->keys && l->sums ? 0 : -ENOMEM;
}

static bool has_owner(const struct latency *l)
{
	return l->conf->by == LATENCY_BY_PROCESS || l->conf->by == LATENCY_BY_CONTAINER;
}

/* NULL: no memory. */
static struct label *label_of(struct latency *l, const struct latency_group *group)
{
	struct label *label;
	struct text name;

	HASH_FIND(hh, l->labels, group, sizeof(*group), label);
	if (label)
		return label;
	label = calloc(1, sizeof(*label));
	if (!label)
		return NULL;
	label->group = *group;
	HASH_ADD(hh, l->labels, group, sizeof(label->group), label);
	if (!label)
		return NULL;
	if (bpf_map_lookup_elem(bpf_map__fd(l->kernel->maps.groups), group, &label->owner) ||
	    !label->owner.pid)
		return label;
	name = process_container(l->processes, label->owner.pid, label->owner.start_ns,
				 label->owner.cgroup_id, clock_mono_ns());
	if (name.len)
		memcpy(label->container, name.p, MIN(name.len, sizeof(label->container) - 1));
	return label;
}

struct series *series_of(struct latency *l, const struct latency_cell *cell)
{
	struct label *label = has_owner(l) ? label_of(l, &cell->group) : NULL;
	struct series_key key;
	struct series *s;

	memset(&key, 0, sizeof(key));
	key.kind = cell->kind;
	if (l->conf->by == LATENCY_BY_CONTAINER && label)
		memcpy(key.name, label->container, sizeof(key.name));
	else
		memcpy(key.by, cell->group.by, sizeof(key.by));
	HASH_FIND(hh, l->series, &key, sizeof(key), s);
	if (s || (has_owner(l) && !label))
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = key;
	if (label)
		s->owner = label->owner;
	HASH_ADD(hh, l->series, key, sizeof(s->key), s);
	return s;
}

/* The longest of a cell is exact if it is new, else somewhere in the bucket. */
static int add(struct latency *l, struct kept_cell *c, const struct latency_sum *now)
{
	uint64_t n = now->count - c->was.count, middle = bucket_middle(c->key.bucket);
	struct series *s = n ? series_of(l, &c->key) : NULL;
	int r;

	if (!n)
		return 0;
	r = s ? histogram_add_many(&s->h, middle, n) : -ENOMEM;
	if (r)
		return r;
	if (!s->max_ns || c->key.bucket > s->top) {
		s->top = c->key.bucket;
		s->max_ns = 0;
	}
	if (c->key.bucket == s->top)
		s->max_ns = MAX(s->max_ns, now->max_ns > c->was.max_ns ? now->max_ns : middle);
	c->was = *now;
	c->changed = l->blocks;
	return 0;
}

static int take(struct latency *l, const struct latency_cell *key, const struct latency_sum *now)
{
	struct kept_cell *c;

	HASH_FIND(hh, l->cells, key, sizeof(*key), c);
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->key = *key;
		c->changed = l->blocks;
		HASH_ADD(hh, l->cells, key, sizeof(c->key), c);
		if (!c)
			return -ENOMEM;
		if (has_owner(l) && label_of(l, &key->group))
			label_of(l, &key->group)->cells++;
	}
	return add(l, c, now);
}

static void forget_label(struct latency *l, const struct latency_group *group)
{
	struct label *label;

	HASH_FIND(hh, l->labels, group, sizeof(*group), label);
	if (!label || --label->cells)
		return;
	(void)bpf_map_delete_elem(bpf_map__fd(l->kernel->maps.groups), group);
	HASH_DEL(l->labels, label);
	free(label);
}

/* A cell that begins to count again while it is deleted is one that nobody used for blocks. */
static void make_room(struct latency *l)
{
	int map = bpf_map__fd(l->kernel->maps.cells);
	struct kept_cell *c, *next;

	if (HASH_COUNT(l->cells) < CELLS_MANY)
		return;
	HASH_ITER(hh, l->cells, c, next)
	{
		if (c->changed + IDLE_BLOCKS > l->blocks || bpf_map_delete_elem(map, &c->key))
			continue;
		if (has_owner(l))
			forget_label(l, &c->key.group);
		HASH_DEL(l->cells, c);
		free(c);
	}
}

int series_read(struct latency *l)
{
	int map = bpf_map__fd(l->kernel->maps.cells), end = 0, r = 0;
	struct series *s, *next;
	uint32_t n, at = 0;
	bool first = true;

	make_room(l);
	while (!r && !end) {
		n = BATCH;
		if (bpf_map_lookup_batch(map, first ? NULL : &at, &at, l->keys, l->sums, &n,
					 NULL)) {
			if (errno != ENOENT)
				return -errno;
			end = 1; /* these are the last */
		}
		first = false;
		for (uint32_t i = 0; !r && i < n; i++)
			r = take(l, &l->keys[i], &l->sums[i]);
	}
	HASH_ITER(hh, l->series, s, next)
	s->h.max = s->max_ns;
	return r;
}

void series_end_block(struct latency *l)
{
	struct series *s, *next;

	HASH_ITER(hh, l->series, s, next)
	{
		HASH_DEL(l->series, s);
		histogram_clear(&s->h);
		free(s);
	}
}

void series_free(struct latency *l)
{
	struct label *label, *next_label;
	struct kept_cell *c, *next;

	series_end_block(l);
	HASH_ITER(hh, l->labels, label, next_label)
	{
		HASH_DEL(l->labels, label);
		free(label);
	}
	HASH_ITER(hh, l->cells, c, next)
	{
		HASH_DEL(l->cells, c);
		free(c);
	}
	free(l->keys);
	free(l->sums);
}
