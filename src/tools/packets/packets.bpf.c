// SPDX-License-Identifier: GPL-2.0-only
/* packets, kernel side: a socket filter that looks at each packet of an interface.
 * It keeps every packet from its socket, so a record in the ring is all that is ever copied. */
#include "kernel/filter.bpf.h"
#include "kernel/load.bpf.h"
#include "kernel/segment.bpf.h"

#include "tools/packets/packets.h"

#define ETH_P_8021Q  0x8100
#define ETH_P_8021AD 0x88A8
#define VLAN_TAG     4
#define IP_FRAGMENT  0x3fff /* the flag MF and the offset, RFC 791 3.1 */
#define SSH_PORT     22

/* Set before loading: bytes in front of the IP header; 0 on a link that carries bare IP. */
const volatile u32 link_header;
const volatile bool ssh_shown;

/* A segment with payload. Offsets count from the start of the packet. */
struct view {
	u64 source[2], destination[2];
	u32 tcp, payload, end;
	u16 source_port, destination_port;
};

/* The type of what follows the link header and at most two VLAN tags, and its offset; 0: unknown. A
 * tag that the interface itself took off is not in the packet any more. */
ALWAYS_INLINE u16 network_type(struct __sk_buff *skb, u32 *at)
{
	u16 type;

	*at = link_header;
	if (!link_header)
		return skb->protocol;
	for (int tags = 0; tags < 3; tags++) {
		if (bpf_skb_load_bytes(skb, *at - sizeof(type), &type, sizeof(type)))
			return 0;
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			return type;
		*at += VLAN_TAG;
	}
	return 0;
}

/* A card pads short packets, so the IP header has the say on the length; it says 0 where
 * segmentation is left to the card and the length does not fit. */
ALWAYS_INLINE u32 packet_end(struct __sk_buff *skb, u32 at, u32 ip_length)
{
	if (!ip_length || at + ip_length > skb->len)
		return skb->len;
	return at + ip_length;
}

ALWAYS_INLINE u64 mapped(u32 address)
{
	return bpf_cpu_to_be64(0xffff00000000) | (u64)address << 32;
}

ALWAYS_INLINE bool view_ipv4(struct __sk_buff *skb, u32 at, struct view *v)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
		return false;
	if (ip.protocol != IPPROTO_TCP || ip.ihl < 5 || ip.frag_off & bpf_htons(IP_FRAGMENT))
		return false;
	v->source[0] = 0;
	v->source[1] = mapped(ip.saddr);
	v->destination[0] = 0;
	v->destination[1] = mapped(ip.daddr);
	v->tcp = at + ip.ihl * 4;
	v->end = packet_end(skb, at, bpf_ntohs(ip.tot_len));
	return true;
}

ALWAYS_INLINE bool view_ipv6(struct __sk_buff *skb, u32 at, struct view *v)
{
	u32 start = at + sizeof(struct ipv6hdr);
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
		return false;
	__builtin_memcpy(v->source, &ip.saddr, sizeof(v->source));
	__builtin_memcpy(v->destination, &ip.daddr, sizeof(v->destination));
	v->tcp = ipv6_tcp_offset(skb, start, ip.nexthdr);
	v->end = packet_end(skb, start, bpf_ntohs(ip.payload_len));
	return v->tcp;
}

/* False: no TCP segment with payload. */
ALWAYS_INLINE bool view_segment(struct __sk_buff *skb, struct view *v)
{
	struct tcphdr tcp;
	u32 at;

	switch (network_type(skb, &at)) {
	case bpf_htons(ETH_P_IP):
		if (!view_ipv4(skb, at, v))
			return false;
		break;
	case bpf_htons(ETH_P_IPV6):
		if (!view_ipv6(skb, at, v))
			return false;
		break;
	default:
		return false;
	}
	if (bpf_skb_load_bytes(skb, v->tcp, &tcp, sizeof(tcp)) || tcp.doff < 5)
		return false;
	v->source_port = bpf_ntohs(tcp.source);
	v->destination_port = bpf_ntohs(tcp.dest);
	v->payload = v->tcp + tcp.doff * 4;
	return v->payload < v->end;
}

ALWAYS_INLINE bool wanted(const struct view *v)
{
	if (!filter_ports(v->source_port, v->destination_port) ||
	    !filter_addresses(v->source, v->destination))
		return false;
	if (ssh_shown || (v->source_port != SSH_PORT && v->destination_port != SSH_PORT))
		return true;
	count(COUNT_SSH_BYTES, v->end - v->payload);
	return false;
}

ALWAYS_INLINE void emit(struct __sk_buff *skb, const struct view *v)
{
	struct packets_segment *p = ring_reserve(sizeof(*p));
	u32 n;

	if (!p)
		return;
	p->length = v->end - v->payload;
	n = p->length > PACKETS_START_MAX ? PACKETS_START_MAX : p->length;
	if (!load_bytes(skb, v->payload, p->start, n, PACKETS_START_MAX))
		n = 0; /* the row is worth having without it */
	p->captured = n;
	p->r.kind = 0;
	p->r.pad = 0;
	p->r.size = sizeof(*p);
	p->now_ns = bpf_ktime_get_ns();
	__builtin_memcpy(p->source, v->source, sizeof(p->source));
	__builtin_memcpy(p->destination, v->destination, sizeof(p->destination));
	p->source_port = v->source_port;
	p->destination_port = v->destination_port;
	p->pad = 0;
	ring_submit(&p->r);
}

SEC("socket")
int packets_filter(struct __sk_buff *skb)
{
	struct view v;

	if (view_segment(skb, &v) && wanted(&v))
		emit(skb, &v);
	return 0; /* bytes to queue to the socket */
}
