// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Tallies: what sockets have in common, by --by, and their sums: a row each.
 * A connection's goes when it is over and was shown; the others when there are too many. */
#include "tools/top/state.h"

#define TALLIES_MAX  131072
#define TALLIES_KEPT 16384 /* of those without open connections */

uint64_t top_seed;

static struct text container_of_look(struct top *t, const struct top_look *l)
{
	if (!l->owner.pid)
		return (struct text){NULL, 0};
	return process_container(t->processes, l->owner.pid, l->owner.start_ns, l->owner.cgroup_id,
				 l->now_ns);
}

static void key_of(struct top *t, const struct top_look *l, struct tally_key *key)
{
	struct text name;

	memset(key, 0, sizeof(*key));
	switch (t->by) {
	case BY_CONNECTION:
		key->number[0] = l->cookie;
		break;
	case BY_PROCESS:
		key->number[0] = l->owner.pid;
		key->number[1] = l->owner.start_ns;
		break;
	case BY_CONTAINER:
		name = container_of_look(t, l);
		if (name.len)
			memcpy(key->name, name.p, MIN(name.len, sizeof(key->name)));
		break;
	case BY_PEER:
		memcpy(key->number, l->remote, sizeof(l->remote));
		break;
	case BY_PORT:
		key->number[0] = l->connected ? l->remote_port : l->local_port;
		break;
	case BY_HOST:
		break;
	}
}

struct tally *tally_of(struct top *t, const struct top_look *l)
{
	struct tally_key key;
	struct tally *tally;
	struct text name;

	key_of(t, l, &key);
	HASH_FIND(hh, t->tallies, &key, sizeof(key), tally);
	if (tally && (t->by != BY_CONNECTION || tally->last.owner.pid == l->owner.pid))
		return tally;
	if (!tally) {
		if (HASH_COUNT(t->tallies) < TALLIES_MAX)
			tally = calloc(1, sizeof(*tally));
		if (!tally)
			return NULL;
		tally->key = key;
		HASH_ADD(hh, t->tallies, key, sizeof(tally->key), tally);
		if (!tally)
			return NULL;
		t->over++;
	}
	tally->last = *l;
	name = container_of_look(t, l);
	memset(tally->container, 0, sizeof(tally->container));
	if (name.len)
		memcpy(tally->container, name.p, MIN(name.len, sizeof(tally->container)));
	return tally;
}

void tally_connects(struct top *t, struct tally *l)
{
	if (!l->connections++)
		t->over--;
}

void tally_disconnects(struct top *t, struct tally *l)
{
	if (!--l->connections)
		t->over++;
}

static struct tally_news *news_of_block(struct tally *l, uint64_t block)
{
	struct tally_news *n = &l->news[block & 1];

	if (n->block != block) {
		memset(n, 0, sizeof(*n));
		n->block = block;
	}
	return n;
}

struct tally_news *tally_counts(const struct top *t, struct tally *l)
{
	return news_of_block(l, t->block);
}

struct tally_news *tally_showing(const struct top *t, struct tally *l)
{
	return news_of_block(l, t->block - 1);
}

const struct tally_news *tally_shows(const struct top *t, const struct tally *l)
{
	const struct tally_news *n = &l->news[(t->block - 1) & 1];

	return n->block == t->block - 1 ? n : NULL;
}

void tally_forget(struct top *t)
{
	bool full = HASH_COUNT(t->tallies) > TALLIES_KEPT || t->by == BY_CONNECTION;
	struct tally *l, *next;

	if (!full || !t->over)
		return;
	HASH_ITER(hh, t->tallies, l, next)
	{
		if (l->connections || l->news[t->block & 1].block == t->block)
			continue;
		HASH_DEL(t->tallies, l);
		free(l);
		t->over--;
	}
}

void tally_free(struct top *t)
{
	struct tally *l, *next;

	HASH_ITER(hh, t->tallies, l, next)
	{
		HASH_DEL(t->tallies, l);
		free(l);
	}
	t->over = 0;
}
