// SPDX-License-Identifier: GPL-2.0-only
/* A case of latency: counted in the histogram of its group or, where single cases are asked for,
 * told of. Whose it is and who wants it is decided here, for every kind alike. */
#pragma once

#include "kernel/ends.bpf.h"
#include "kernel/socket_user.bpf.h"
#include "kernel/tcp_counters.bpf.h"

#include "abi/exchange.h"
#include "tools/latency/latency.h"

/* Set before loading. */
const volatile u32 kinds; /* bit i is enum latency_kind i */
const volatile u32 by;
const volatile bool owners_wanted; /* whose it is matters */
const volatile bool cases_wanted;  /* those that took slower_ns or more are told of */
const volatile u64 slower_ns;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LATENCY_CELLS);
	__type(key, struct latency_cell);
	__type(value, struct latency_sum);
} cells SEC(".maps");

/* Somebody of each group: names, for user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LATENCY_GROUPS);
	__type(key, struct latency_group);
	__type(value, struct owner);
} groups SEC(".maps");

/* The end at which a kind is measured, enum role; 0: at both. */
ALWAYS_INLINE u32 kind_role(u32 kind)
{
	if (kind == LATENCY_CONNECT || kind == LATENCY_FIRST_BYTE)
		return ROLE_REQUESTER;
	return kind == LATENCY_RTT || kind == LATENCY_SEND ? ROLE_UNKNOWN : ROLE_RESPONDER;
}

ALWAYS_INLINE bool asked(u32 kind)
{
	return kinds & 1u << kind;
}

ALWAYS_INLINE void group_of(const struct latency_case *c, struct latency_group *g)
{
	g->by[0] = 0;
	g->by[1] = 0;
	if (by == LATENCY_BY_PROCESS) {
		g->by[0] = c->owner.pid;
		g->by[1] = c->owner.start_ns;
	} else if (by == LATENCY_BY_PEER) {
		g->by[0] = c->remote[0];
		g->by[1] = c->remote[1];
	} else if (by == LATENCY_BY_PORT) {
		g->by[0] = c->connected ? c->remote_port : c->local_port;
	} else if (by == LATENCY_BY_CONTAINER) {
		g->by[0] = c->owner.cgroup_id;
	}
}

/* Two CPUs may come at once: the larger one stays. */
ALWAYS_INLINE void keep_max(u64 *max, u64 value)
{
	u64 was = *max;

	for (int i = 0; i < 8 && was < value; i++) {
		u64 now = __sync_val_compare_and_swap(max, was, value);

		if (now == was)
			return;
		was = now;
	}
}

/* The first case of a cell: its group's name comes before it, so that user space finds both. NULL:
 * there is no room, which has been counted. */
static __noinline struct latency_sum *new_cell(const struct latency_cell *key,
					       const struct owner *who)
{
	struct latency_group group = key->group;
	struct latency_sum none = {}, *sum;

	if (owners_wanted && !bpf_map_lookup_elem(&groups, &group) &&
	    bpf_map_update_elem(&groups, &group, who, BPF_ANY))
		count(COUNT_LOST_STATE, 1);
	bpf_map_update_elem(&cells, key, &none, BPF_NOEXIST);
	sum = bpf_map_lookup_elem(&cells, key);
	if (!sum)
		count(COUNT_LOST_STATE, 1);
	return sum;
}

static __noinline int count_in(const struct latency_cell *key, const struct owner *who, u64 took_ns)
{
	struct latency_sum *sum = bpf_map_lookup_elem(&cells, key);

	if (!sum)
		sum = new_cell(key, who);
	if (!sum)
		return 0;
	__sync_fetch_and_add(&sum->count, 1);
	keep_max(&sum->max_ns, took_ns);
	return 0;
}

/* Of the whole host, nothing but the time matters: who, where and how much is not even looked at.
 */
ALWAYS_INLINE bool only_time_matters(void)
{
	return by == LATENCY_BY_HOST && !cases_wanted && !owners_wanted && !filter.by_net;
}

static __noinline int count_time(u32 kind, u64 took_ns)
{
	struct latency_cell key = {.bucket = bucket_of(took_ns), .kind = kind};
	struct owner nobody = {};

	return count_in(&key, &nobody, took_ns);
}

ALWAYS_INLINE void count_case(const struct latency_case *c)
{
	struct latency_cell key = {.bucket = bucket_of(c->took_ns), .kind = c->kind};

	group_of(c, &key.group);
	count_in(&key, &c->owner, c->took_ns);
}

static __noinline int tell_case(const struct latency_case *c)
{
	struct latency_case *r;

	if (c->took_ns < slower_ns)
		return 0;
	r = ring_reserve(sizeof(*r));
	if (!r)
		return 0;
	*r = *c;
	r->r.kind = 0;
	r->r.pad = 0;
	r->r.size = sizeof(*r);
	ring_submit(&r->r);
	return 0;
}

ALWAYS_INLINE void take_case(struct latency_case *c, const struct ends *e)
{
	__builtin_memcpy(c->local, e->local, sizeof(c->local));
	__builtin_memcpy(c->remote, e->remote, sizeof(c->remote));
	c->local_port = e->local_port;
	c->remote_port = e->remote_port;
	if (!filter_ports(e->local_port, e->remote_port) || !filter_addresses(e->local, e->remote))
		return;
	if (cases_wanted)
		tell_case(c);
	else
		count_case(c);
}

/* sk: whatever kind of pointer the program has. False: the filter wants others. */
ALWAYS_INLINE bool case_owner(struct latency_case *c, void *sk)
{
	bool pass = false;

	if (!owners_wanted)
		return true;
	(void)socket_user_of(sk, &c->owner, &pass);
	return pass || !filters_owner();
}

/* From a hook that has the socket itself. */
ALWAYS_INLINE void measured(struct sock *sk, u32 kind, u64 took_ns, u64 size, bool connected)
{
	struct latency_case c = {.kind = kind, .took_ns = took_ns, .size = size};
	struct ends e;

	if (only_time_matters() && !filter.n_ports) {
		count_time(kind, took_ns);
		return;
	}
	if (!case_owner(&c, sk))
		return;
	c.now_ns = bpf_ktime_get_ns();
	c.connected = connected;
	ends_of_sock(sk, &e);
	take_case(&c, &e);
}
