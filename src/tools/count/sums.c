// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The kernel's sums, read for a block: a batch of keys at a time, each with a sum of every CPU.
 * Nothing is deleted, so a packet that is being counted meanwhile is in the next block. */
#include <bpf/bpf.h>

#include "tools/count/state.h"

#define BATCH 4096

int sums_open(struct count *c)
{
	c->cpus = libbpf_num_possible_cpus();
	if (c->cpus <= 0)
		return c->cpus ? c->cpus : -ENOENT;
	c->keys = calloc(BATCH, sizeof(*c->keys));
	c->values = calloc((size_t)c->cpus * BATCH, sizeof(*c->values));
	return c->keys && c->values ? 0 : -ENOMEM;
}

void sums_close(struct count *c)
{
	free(c->keys);
	free(c->values);
}

static struct count_sum of_cpus(const struct count *c, const struct count_sum *each)
{
	struct count_sum sum = {0, 0};

	for (int i = 0; i < c->cpus; i++) {
		sum.packets += each[i].packets;
		sum.bytes += each[i].bytes;
	}
	return sum;
}

static int add(struct count *c, const struct count_key *key, const struct count_sum *sum)
{
	if (c->flows)
		return flows_add(c, key, sum);
	return lines_add(c, key, NULL, sum);
}

static int read_protocols(struct count *c)
{
	int map = bpf_map__fd(c->kernel->maps.protocols), r = 0;

	for (uint32_t i = 0; !r && i < COUNT_PROTOCOL; i++) {
		struct count_key key = {.protocol = (uint8_t)i, .known = KEY_IP};
		struct count_sum sum;

		if (c->conf->by != BY_PROTOCOL && i != COUNT_NO_ROOM)
			continue;
		if (bpf_map_lookup_elem(map, &i, c->values))
			return -errno;
		sum = of_cpus(c, c->values);
		if (i == COUNT_NO_ROOM)
			c->no_room = sum;
		else if (sum.packets)
			r = add(c, &key, &sum);
	}
	return r;
}

static int read_keys(struct count *c)
{
	int map = bpf_map__fd(c->kernel->maps.sums), end = 0, r = 0;
	uint32_t n, at = 0;
	bool first = true;

	while (!r && !end) {
		n = BATCH;
		if (bpf_map_lookup_batch(map, first ? NULL : &at, &at, c->keys, c->values, &n,
					 NULL)) {
			if (errno != ENOENT)
				return -errno;
			end = 1; /* these are the last */
		}
		first = false;
		for (uint32_t i = 0; !r && i < n; i++) {
			struct count_sum sum = of_cpus(c, c->values + (size_t)i * (size_t)c->cpus);

			r = add(c, &c->keys[i], &sum);
		}
	}
	return r;
}

int sums_read(struct count *c)
{
	struct line *l, *next;
	int r;

	HASH_ITER(hh, c->lines, l, next)
	l->now = (struct count_sum){0, 0};
	r = read_protocols(c);
	if (!r)
		r = read_keys(c);
	return !r && c->flows ? flows_to_lines(c) : r;
}
