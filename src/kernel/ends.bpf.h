// SPDX-License-Identifier: GPL-2.0-only
/* The two names of a connection, as its socket has them.
 * Every tool that knows sockets writes them alike, so that one can look up what another wrote. */
#pragma once

#include "kernel/bpf.h"

/* The two names of a connection at one end. */
struct ends {
	u64 local[2], remote[2];
	u16 local_port, remote_port;
	u32 pad;
};

#define MAPPED bpf_htonl(0xffff)

ALWAYS_INLINE void addr_v4(u64 *out, u32 v4)
{
	u32 *w = (u32 *)out;

	w[0] = 0;
	w[1] = 0;
	w[2] = MAPPED;
	w[3] = v4;
}

/* For programs that get the socket from the kernel: they may read it as it is. */
ALWAYS_INLINE void addr_v6(u64 *out, const struct in6_addr *v6)
{
	u32 *w = (u32 *)out;

	for (int i = 0; i < 4; i++)
		w[i] = v6->in6_u.u6_addr32[i];
}

ALWAYS_INLINE void ends_of_sock(const struct sock *sk, struct ends *e)
{
	if (sk->__sk_common.skc_family == 2) {
		addr_v4(e->local, sk->__sk_common.skc_rcv_saddr);
		addr_v4(e->remote, sk->__sk_common.skc_daddr);
	} else {
		addr_v6(e->local, &sk->__sk_common.skc_v6_rcv_saddr);
		addr_v6(e->remote, &sk->__sk_common.skc_v6_daddr);
	}
	e->local_port = sk->__sk_common.skc_num;
	/* skc_num is 0 once the port was given back; inet_sport stays. */
	if (!e->local_port)
		e->local_port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	e->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	e->pad = 0;
}

/* From the socket and never from headers: under DNAT the two directions show different ones.
 * Volatile: a load each, as the verifier takes no pointer arithmetic on a socket. */
ALWAYS_INLINE void ends_of_bpf_sock(volatile struct bpf_sock *sk, struct ends *e)
{
	u32 *l = (u32 *)e->local, *r = (u32 *)e->remote;
	u32 source = sk->src_ip4, dest = sk->dst_ip4;

	l[0] = sk->src_ip6[0];
	l[1] = sk->src_ip6[1];
	l[2] = sk->src_ip6[2];
	l[3] = sk->src_ip6[3];
	r[0] = sk->dst_ip6[0];
	r[1] = sk->dst_ip6[1];
	r[2] = sk->dst_ip6[2];
	r[3] = sk->dst_ip6[3];
	if (sk->family == 2 /* AF_INET */) {
		addr_v4(e->local, source);
		addr_v4(e->remote, dest);
	}
	e->local_port = sk->src_port;
	e->remote_port = bpf_ntohs(sk->dst_port);
	e->pad = 0;
}
