// SPDX-License-Identifier: GPL-2.0-only
/* The records of conns: whether anybody wants one, whose the socket is, and what its counters say.
 * Every hook puts its own few fields on top. */
#pragma once

#include "kernel/ends.bpf.h"
#include "kernel/socket_user.bpf.h"

#include "tools/conns/conns.h"

/* Set before loading: bit i is enum conn_kind i. */
const volatile u32 kinds;
/* What was accepted, or waits for it. By the socket's address, as the hook at accept cannot reach
 * its storage; forgotten when the socket is destroyed. */
struct accepted {
	u64 established_ns;
	struct owner who; /* pid 0: it waits */
	u32 pass;
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, u64);
	__type(value, struct accepted);
} accepts SEC(".maps");

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

/* An accepted socket is a copy of its listener and keeps the limit of its queue. */
ALWAYS_INLINE u8 role_of(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_max_ack_backlog) ? CONN_RESPONDER : CONN_REQUESTER;
}

ALWAYS_INLINE void event_fill(struct conn_event *e, u32 kind, const struct ends *ends,
			      const struct owner *who)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->r.kind = RECORD_EVENT;
	e->r.size = sizeof(*e);
	e->kind = kind;
	e->now_ns = bpf_ktime_get_ns();
	__builtin_memcpy(e->local, ends->local, 16);
	__builtin_memcpy(e->remote, ends->remote, 16);
	e->local_port = ends->local_port;
	e->remote_port = ends->remote_port;
	e->owner = *who;
}

/* The record of an event without counters, or NULL: nobody wants it, or there is no room. */
ALWAYS_INLINE struct conn_event *event_of(struct sock *sk, u32 kind)
{
	struct conn_event *e;
	struct owner who;
	struct ends ends;

	if (!asked(kind))
		return NULL;
	ends_of_sock(sk, &ends);
	if (!ends_pass(&ends) || !owner_passes(sk, &who))
		return NULL;
	e = ring_reserve(sizeof(*e));
	if (!e)
		return NULL;
	event_fill(e, kind, &ends, &who);
	e->role = role_of(sk);
	e->state = sk->__sk_common.skc_state;
	return e;
}

#define SOCK_DONE 1 /* bit of skc_flags: FIN was received. include/net/sock.h */

/* TCP counts SYN and FIN as a byte each; they are no payload. old: the state in which it ended. */
ALWAYS_INLINE void count_payload(struct conn_counted *c, const struct sock *sk, int old)
{
	const struct tcp_sock *tp = (const struct tcp_sock *)sk;
	bool fin_sent = old == BPF_TCP_FIN_WAIT1 || old == BPF_TCP_FIN_WAIT2 ||
			old == BPF_TCP_CLOSING || old == BPF_TCP_LAST_ACK;
	bool fin_acked = fin_sent && BPF_CORE_READ(tp, snd_una) == BPF_CORE_READ(tp, write_seq);
	u64 sent = BPF_CORE_READ(tp, bytes_acked), received = BPF_CORE_READ(tp, bytes_received);
	u64 syn = c->e.role == CONN_REQUESTER,
	    fin = BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE & 1;

	c->sent = sent > syn + fin_acked ? sent - syn - fin_acked : 0;
	c->received = received > fin ? received - fin : 0;
}

ALWAYS_INLINE void count_rest(struct conn_counted *c, const struct sock *sk)
{
	const struct tcp_sock *tp = (const struct tcp_sock *)sk;
	u32 least = BPF_CORE_READ(tp, rtt_min.s[0].v);

	c->segments_out = BPF_CORE_READ(tp, segs_out);
	c->segments_in = BPF_CORE_READ(tp, segs_in);
	c->retransmits = BPF_CORE_READ(tp, total_retrans);
	c->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	c->min_rtt_us = least == ~0u ? 0 : least;
	c->pad = 0;
}

/* A record with counters, or NULL as of event_of. */
ALWAYS_INLINE struct conn_counted *counted_of(struct sock *sk, u32 kind, int state)
{
	struct conn_counted *c;
	struct owner who;
	struct ends ends;

	if (!asked(kind))
		return NULL;
	ends_of_sock(sk, &ends);
	if (!ends_pass(&ends) || !owner_passes(sk, &who))
		return NULL;
	c = ring_reserve(sizeof(*c));
	if (!c)
		return NULL;
	event_fill(&c->e, kind, &ends, &who);
	c->e.r.kind = RECORD_COUNTED;
	c->e.r.size = sizeof(*c);
	c->e.role = role_of(sk);
	c->e.state = state;
	count_payload(c, sk, state);
	count_rest(c, sk);
	return c;
}
