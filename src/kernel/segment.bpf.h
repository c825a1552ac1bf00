// SPDX-License-Identifier: GPL-2.0-only
/* The TCP segment in a __sk_buff whose data begins at the IP header (cgroup_skb): where its payload
 * lies and how long it is. Headers are read in place; only payload is ever copied. */
#pragma once

#include "kernel/bpf.h"

#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86DD

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

struct tcp_view {
	u32 seq, ack;
	u32 offset;       /* of the payload, from the start of the skb's data */
	u32 len;          /* of the payload */
	u16 source, dest; /* host order */
	u8 flags;
};

/* The socket that a segment is of, or NULL: none, or one of a handshake. */
ALWAYS_INLINE struct bpf_sock *socket_of(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_fullsock(sk) : NULL;
}

/* Skips IPv6 extension headers (RFC 8200 4) from off, which is behind the fixed header that names
 * next; returns the TCP header's offset, or 0. */
ALWAYS_INLINE u32 ipv6_tcp_offset(struct __sk_buff *skb, u32 off, u8 next)
{
	u8 ext[2];

	for (int i = 0; i < 6; i++) {
		if (next == IPPROTO_TCP)
			return off;
		if (next != 0 /* hop-by-hop */ && next != 43 /* routing */ &&
		    next != 60 /* options */)
			return 0;
		if (bpf_skb_load_bytes(skb, off, ext, sizeof(ext)))
			return 0;
		next = ext[0];
		off += (ext[1] + 1) * 8;
		if (off > 1024)
			return 0;
	}
	return 0;
}

ALWAYS_INLINE u32 tcp_offset(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data;

		if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP)
			return 0;
		return ip->ihl * 4;
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = data;

		if ((void *)(ip + 1) > end)
			return 0;
		if (ip->nexthdr == IPPROTO_TCP)
			return sizeof(*ip);
		return ipv6_tcp_offset(skb, sizeof(*ip), ip->nexthdr);
	}
	return 0;
}

/* False: not TCP, or its header is not where it can be read. */
ALWAYS_INLINE bool segment_view(struct __sk_buff *skb, struct tcp_view *v)
{
	u32 off = tcp_offset(skb);
	void *data, *end;
	struct tcphdr *tcp;

	if (off < sizeof(struct iphdr) || off > 1200)
		return false;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	tcp = data + off;
	if ((void *)(tcp + 1) > end)
		return false;
	v->flags = ((u8 *)tcp)[13];
	v->seq = bpf_ntohl(tcp->seq) + !!(v->flags & TCP_SYN);
	v->ack = bpf_ntohl(tcp->ack_seq);
	v->source = bpf_ntohs(tcp->source);
	v->dest = bpf_ntohs(tcp->dest);
	v->offset = off + (((u8 *)tcp)[12] >> 4) * 4;
	v->len = skb->len > v->offset ? skb->len - v->offset : 0;
	return true;
}
