// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Two memories: of exchanges handed on as snapshots, until their final record comes, in a ring with
 * an index; and of the latest ends, in a small cache, for snapshots that come a moment too late. */
#include "call/past.h"

#include "base/hash.h"

#define NONE UINT32_MAX

/* A sweep on one CPU and the end of the exchange on another race for a place in the ring buffer, so
 * a snapshot may come just after its final record. So many sockets' latest ends are kept. */
#define RECENT 4096

struct handed {
	u64 cookie;
	u32 number, next;
	bool used;
};

struct ended {
	u64 cookie;
	u32 number;
	bool used;
};

struct past {
	u64 seed, factor;
	u32 size, mask, at, n;
	u32 *head;
	struct handed *handed;
	struct ended recent[RECENT];
};

int past_new(u32 remembered, u64 seed, struct past **out)
{
	u32 slots = 16;

	if (remembered == 0 || remembered > 1u << 20)
		return -EINVAL;
	while (slots < remembered)
		slots *= 2;
	struct past *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->seed = seed;
	p->factor = hash_fold(seed ^ 0xa4093822299f31d0, 0x9e3779b97f4a7c15) | 1;
	p->size = remembered;
	p->mask = slots - 1;
	p->head = malloc(slots * sizeof(*p->head));
	p->handed = calloc(remembered, sizeof(*p->handed));
	if (!p->head || !p->handed) {
		past_free(p);
		return -ENOMEM;
	}
	memset(p->head, 0xff, slots * sizeof(*p->head)); /* NONE everywhere */
	*out = p;
	return 0;
}

void past_free(struct past *p)
{
	if (!p)
		return;
	free(p->head);
	free(p->handed);
	free(p);
}

static u32 hash(const struct past *p, u64 cookie)
{
	return (u32)hash_fold(cookie ^ p->seed, p->factor);
}

static void forget(struct past *p, u32 i)
{
	u32 *at = &p->head[hash(p, p->handed[i].cookie) & p->mask];

	while (*at != i)
		at = &p->handed[*at].next;
	*at = p->handed[i].next;
	p->handed[i].used = false;
	p->n--;
}

void past_remember(struct past *p, u64 cookie, u32 number)
{
	u32 i = p->at, *head = &p->head[hash(p, cookie) & p->mask];

	if (p->handed[i].used)
		forget(p, i);
	p->handed[i] = (struct handed){cookie, number, *head, true};
	*head = i;
	p->n++;
	p->at = i + 1 < p->size ? i + 1 : 0;
}

bool past_final(struct past *p, u64 cookie, u32 number)
{
	u32 h = hash(p, cookie), next;
	struct ended *e = &p->recent[h % RECENT];
	bool found = false;

	if (!e->used || e->cookie != cookie || past_later(number, e->number))
		*e = (struct ended){cookie, number, true};
	if (!p->n)
		return false;
	for (u32 i = p->head[h & p->mask]; i != NONE; i = next) {
		const struct handed *o = &p->handed[i];

		next = o->next;
		if (o->cookie != cookie || past_later(o->number, number))
			continue;
		found |= o->number == number;
		forget(p, i);
	}
	return found;
}

bool past_has(const struct past *p, u64 cookie, u32 number)
{
	u32 h = hash(p, cookie);
	const struct ended *e = &p->recent[h % RECENT];

	if (e->used && e->cookie == cookie && !past_later(number, e->number))
		return true;
	for (u32 i = p->head[h & p->mask]; i != NONE; i = p->handed[i].next) {
		const struct handed *o = &p->handed[i];

		if (o->cookie == cookie && !past_later(number, o->number))
			return true;
	}
	return false;
}
