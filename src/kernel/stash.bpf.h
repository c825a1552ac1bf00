// SPDX-License-Identifier: GPL-2.0-only
/* First bytes that arrive on a listener, before the connection's own socket exists:
 * TCP_DEFER_ACCEPT, Fast Open, a lost or delayed third ACK, SYN cookies. They wait here for the
 * child to claim them. */
#pragma once

#include "kernel/socket_conn.bpf.h"

#include "kernel/heads.h"
#include "kernel/load.bpf.h"

struct stashed {
	u32 seq, ack, len;
	u32 captured;
	u64 now;
	u8 b[REQUEST_HEAD_MAX];
};

/* Least recently used, as a listener's bytes may be an attacker's: what no child claims is counted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct ends);
	__type(value, struct stashed);
} stash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stashed);
} stash_scratch SEC(".maps");

u32 stash_waiting; /* not 0: look for first bytes when a child appears */

ALWAYS_INLINE void ends_of_packet(struct __sk_buff *skb, const struct tcp_view *v, struct ends *e)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	__builtin_memset(e, 0, sizeof(*e));
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data;

		if ((void *)(ip + 1) > end)
			return;
		addr_v4(e->local, ip->daddr);
		addr_v4(e->remote, ip->saddr);
	} else {
		struct ipv6hdr *ip = data;

		if ((void *)(ip + 1) > end)
			return;
		__builtin_memcpy(e->local, &ip->daddr, 16);
		__builtin_memcpy(e->remote, &ip->saddr, 16);
	}
	e->local_port = v->dest;
	e->remote_port = v->source;
}

/* Ingress on a LISTEN socket runs in softirq, so the scratch of this CPU is ours. */
__noinline int stash_put(struct __sk_buff *skb)
{
	u32 zero = 0, n;
	struct stashed *s = bpf_map_lookup_elem(&stash_scratch, &zero);
	struct tcp_view v;
	struct ends e;

	if (!s || !segment_view(skb, &v))
		return 0;
	n = v.len > REQUEST_HEAD_MAX ? REQUEST_HEAD_MAX : v.len;
	ends_of_packet(skb, &v, &e);
	if (bpf_map_lookup_elem(&stash, &e))
		return 0; /* a retransmission: the first bytes are there */
	s->seq = v.seq;
	s->ack = v.ack;
	s->len = v.len;
	s->captured = n;
	s->now = bpf_ktime_get_ns();
	if (!load_bytes(skb, v.offset, s->b, n, REQUEST_HEAD_MAX))
		return 0;
	if (bpf_map_update_elem(&stash, &e, s, BPF_NOEXIST))
		return 0;
	count(COUNT_STASHED, 1);
	stash_waiting = 1;
	return 0;
}

/* The child of e has appeared: what waits for it begins its first request turn. h may be NULL. */
ALWAYS_INLINE void stash_claim(struct conn *c, struct heads *h, struct ends *e)
{
	struct stashed *s;
	struct segment seg = {.request = true};
	struct head_take t = {};

	if (!stash_waiting)
		return;
	s = bpf_map_lookup_elem(&stash, e);
	if (!s)
		return;
	seg.seq = s->seq;
	seg.ack = s->ack;
	seg.len = s->len;
	seg.now = s->now;
	if (h) {
		h->request = s->captured;
		__builtin_memcpy(h->b, s->b, REQUEST_HEAD_MAX);
	}
	bpf_spin_lock(&c->lock);
	/* The child may have taken these bytes into rcv_nxt already. */
	c->next[0] = seg.seq;
	c->mode |= CONN_SEQ;
	if (c->phase == PHASE_IDLE)
		turn_data(c, &seg, &t);
	bpf_spin_unlock(&c->lock);
	bpf_map_delete_elem(&stash, e);
	count(COUNT_CLAIMED, 1);
}

/* The first sight of a socket that answers before it is established (Fast Open): its request came
 * to the listener. h may be NULL. */
ALWAYS_INLINE void stash_fast_open(struct conn *c, struct heads *h, struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct ends e;

	ends_of_bpf_sock(sk, &e);
	c->role = ROLE_RESPONDER;
	if (tp)
		c->next[1] = tp->snd_nxt;
	stash_claim(c, h, &e);
}
