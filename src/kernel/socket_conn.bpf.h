// SPDX-License-Identifier: GPL-2.0-only
/* The turn engine's state of a socket: one `conn` for each end, in the storage of the socket, so
 * that nothing can be left behind and no table can fill; and how it begins. */
#pragma once

#define turn_lock bpf_spin_lock

#include "kernel/ends.bpf.h"
#include "kernel/segment.bpf.h"
#include "kernel/tcp_counters.bpf.h"
#include "kernel/turn.h"

_Static_assert(sizeof(struct conn) <= 184, "conn and the kernel's 72 bytes fill a 256-byte object");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
} conns SEC(".maps");

/* Older than the tap: roles and sequence numbers come from the socket. */
static __noinline void conn_midway(struct conn *c, struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	bool responder;
	u32 sent, received;

	if (!tp)
		return;
	responder = !tcp_connected((struct sock *)tp);
	sent = tp->snd_nxt;
	received = tp->rcv_nxt;
	bpf_spin_lock(&c->lock);
	c->role = responder ? ROLE_RESPONDER : ROLE_REQUESTER;
	c->next[0] = responder ? received : sent;
	c->next[1] = responder ? sent : received;
	c->first_seq = c->next[0];
	c->first_ack = c->next[1];
	c->mode |= CONN_SEQ | CONN_MIDWAY;
	bpf_spin_unlock(&c->lock);
}

/* It sends its SYN. NULL: no memory, which has been counted. */
ALWAYS_INLINE struct conn *conn_connecting(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!c) {
		count(COUNT_LOST_STATE, 1);
		return NULL;
	}
	c->role = ROLE_REQUESTER;
	c->request_first_ns = bpf_ktime_get_ns();
	return c;
}

/* Sequence numbers, where no segment has told them yet. */
ALWAYS_INLINE void conn_numbers(struct sock *sk, struct conn *c, bool accepted)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	u32 sent = BPF_CORE_READ(tp, snd_nxt), received = BPF_CORE_READ(tp, rcv_nxt);

	if (!accepted &&
	    c->phase == PHASE_REQUEST) { /* Fast Open: the other's numbers are known now */
		bpf_spin_lock(&c->lock);
		c->next[1] = received;
		c->join_ack = received;
		c->first_ack = received;
		bpf_spin_unlock(&c->lock);
	}
	if (!(c->mode & CONN_SEQ)) {
		bpf_spin_lock(&c->lock);
		c->next[0] = accepted ? received : sent;
		c->next[1] = accepted ? sent : received;
		c->first_seq = c->next[0];
		c->first_ack = c->next[1];
		c->mode |= CONN_SEQ;
		bpf_spin_unlock(&c->lock);
	}
}

/* NULL: it connected before the tap, or there is no memory, which has been counted. */
ALWAYS_INLINE struct conn *conn_established(struct sock *sk, bool accepted)
{
	struct conn *c =
		bpf_sk_storage_get(&conns, sk, 0, accepted ? BPF_SK_STORAGE_GET_F_CREATE : 0);

	if (!c) {
		if (accepted)
			count(COUNT_LOST_STATE, 1);
		return NULL;
	}
	if (accepted) {
		c->role = ROLE_RESPONDER;
	} else if (c->phase == PHASE_IDLE && c->request_first_ns) {
		c->connect_us = (bpf_ktime_get_ns() - c->request_first_ns) / 1000;
		c->request_first_ns = 0;
	}
	conn_numbers(sk, c, accepted);
	return c;
}
