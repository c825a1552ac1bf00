// SPDX-License-Identifier: GPL-2.0-only
/* The records of conns: whether anybody wants one, whose the socket is, and what its counters say.
 * Every hook puts its own few fields on top. */
#pragma once

#include "kernel/accept.bpf.h"
#include "kernel/socket_user.bpf.h"
#include "kernel/tcp_counters.bpf.h"
#include "kernel/transport.bpf.h"

#include "tools/conns/conns.h"

/* Set before loading: bit i is enum conn_kind i. */
const volatile u32 kinds;

ALWAYS_INLINE bool asked(u32 kind)
{
	return kinds & 1u << kind;
}

ALWAYS_INLINE bool ends_pass(const struct ends *e)
{
	return filter_ports(e->local_port, e->remote_port) && filter_addresses(e->local, e->remote);
}

/* Whose it is (pid 0: nobody's that is known); false: the filter wants others. */
ALWAYS_INLINE bool owner_passes(struct sock *sk, struct owner *who)
{
	u64 key = (u64)sk;
	struct accepted *a;
	bool pass = false;

	__builtin_memset(who, 0, sizeof(*who));
	if (!socket_user_of(sk, who, &pass)) {
		a = bpf_map_lookup_elem(&accepts, &key);
		if (a) {
			*who = a->who;
			pass = a->pass;
		}
	}
	return pass || !filters_owner();
}

/* In the storage of the socket. */
struct conn_times {
	u64 connect_ns;     /* SYN_SENT; 0: it did not connect, or has been told of */
	u64 established_ns; /* 0: before the tool */
	u32 role;           /* enum conn_role, where it was seen */
	u32 state;          /* the last that was taken: of two programs, the first one does */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn_times);
} times SEC(".maps");

ALWAYS_INLINE u8 role_of(struct sock *sk)
{
	struct conn_times *t = bpf_sk_storage_get(&times, sk, 0, 0);

	if (t && t->role)
		return t->role;
	return tcp_connected(sk) ? CONN_REQUESTER : CONN_RESPONDER;
}

ALWAYS_INLINE void event_fill(struct conn_event *e, u32 kind, const struct ends *ends,
			      const struct owner *who)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->r.kind = RECORD_EVENT;
	e->kind = kind;
	e->now_ns = bpf_ktime_get_ns();
	__builtin_memcpy(e->local, ends->local, 16);
	__builtin_memcpy(e->remote, ends->remote, 16);
	e->local_port = ends->local_port;
	e->remote_port = ends->remote_port;
	e->owner = *who;
}

/* The record of an event without counters. False: nobody wants it. */
ALWAYS_INLINE bool event_of(struct sock *sk, u32 kind, struct conn_event *e)
{
	struct owner who;
	struct ends ends;

	if (!asked(kind))
		return false;
	ends_of_sock(sk, &ends);
	if (!ends_pass(&ends) || !owner_passes(sk, &who))
		return false;
	event_fill(e, kind, &ends, &who);
	e->role = role_of(sk);
	e->state = sk->__sk_common.skc_state;
	return true;
}

ALWAYS_INLINE void count_all(struct conn_counted *c, struct tcp_sock *t, u8 state)
{
	u32 least = BPF_CORE_READ(t, rtt_min.s[0].v);

	tcp_payload(t, state, c->e.kind == CONN_CLOSE, c->e.role == CONN_REQUESTER, &c->sent,
		    &c->received);
	c->segments_out = t->segs_out;
	c->segments_in = t->segs_in;
	c->retransmits = t->total_retrans;
	c->srtt_us = tcp_srtt_us(t);
	c->min_rtt_us = least == ~0u ? 0 : least;
	c->pad = 0;
}

/* A record with counters. state: now, or before it closed. False: nobody wants it. */
ALWAYS_INLINE bool counted_of(struct sock *sk, u32 kind, u8 state, struct conn_counted *c)
{
	struct tcp_sock *t = bpf_skc_to_tcp_sock(sk);

	if (!t || !event_of(sk, kind, &c->e))
		return false;
	c->e.r.kind = RECORD_COUNTED;
	c->e.state = state;
	count_all(c, t, state);
	return true;
}
