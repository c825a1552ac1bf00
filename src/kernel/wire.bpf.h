// SPDX-License-Identifier: GPL-2.0-only
/* What every socket filter on an interface needs of a packet before its own work: which way it
 * goes, where its headers are on this type of link, and the common filter. */
#pragma once

#include "kernel/filter.bpf.h"
#include "kernel/packet.h"

#include "abi/wire.h"

#define LOOPBACK_INDEX  1 /* LOOPBACK_IFINDEX of include/net/net_namespace.h */
#define PACKET_OUTGOING 4 /* include/uapi/linux/if_packet.h */

/* Set before loading. */
const volatile u32 wire_direction;

/* By the index of an interface: are its packets Ethernet's? An index is given again
 * only to who asks for it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u8);
} wire_ethernet SEC(".maps");

ALWAYS_INLINE bool wire_is_outgoing(const struct __sk_buff *skb)
{
	return skb->pkt_type == PACKET_OUTGOING;
}

/* Is this the direction that was asked for? */
ALWAYS_INLINE bool wire_passes(const struct __sk_buff *skb)
{
	bool outgoing = wire_is_outgoing(skb);

	if (wire_direction == DIRECTION_OUT)
		return outgoing;
	if (wire_direction == DIRECTION_IN)
		return !outgoing;
	/* There what goes out comes in, and would be seen twice. */
	return !outgoing || skb->ifindex != LOOPBACK_INDEX;
}

/* Bytes in front of the IP header. The kernel knows them for every type of link: the context of a
 * filter is the packet itself. Where that may not be read, the link is taken for Ethernet. */
ALWAYS_INLINE u32 wire_link_header(struct __sk_buff *skb)
{
	struct sk_buff *packet = (struct sk_buff *)skb;
	u16 network = 0, link = 0;

	if (bpf_core_read(&network, sizeof(network), &packet->network_header) ||
	    bpf_core_read(&link, sizeof(link), &packet->mac_header))
		return PACKET_ETHERNET;
	return (u16)(network - link);
}

/* Asked once an interface, as the answer costs as much as all else that a packet does. */
ALWAYS_INLINE bool wire_is_ethernet(struct __sk_buff *skb)
{
	u32 index = skb->ifindex;
	u8 *known = bpf_map_lookup_elem(&wire_ethernet, &index);

	if (known && *known)
		return true;
	/* Behind tags, what the kernel says differs between its versions; only Ethernet has any. */
	if (packet_is_tag(bpf_ntohs(skb->protocol)))
		return true;
	if (wire_link_header(skb) != PACKET_ETHERNET)
		return false;
	if (known)
		*known = 1;
	return true;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, WIRE_LINKS);
	__type(key, u32);
	__type(value, u32);
} wire_filters SEC(".maps");

/* In front of the tap where it watches every interface with a filter, which fits one type of link.
 * A link for which the filter makes no sense has none, and nothing on it matches. */
SEC("socket")
int wire_dispatch(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &wire_filters, wire_is_ethernet(skb) ? WIRE_ETHERNET : WIRE_BARE_IP);
	return 0;
}

/* from_ethernet: what wire_is_ethernet said. */
ALWAYS_INLINE void wire_walk(struct __sk_buff *skb, bool from_ethernet, struct packet *p)
{
	if (from_ethernet)
		packet_walk_ethernet(skb, 0, p);
	else
		packet_walk(skb, wire_link_header(skb), bpf_ntohs(skb->protocol), p);
}

/* --port and --net. */
ALWAYS_INLINE bool wire_wants(const struct packet *p)
{
	return packet_wanted(&filter, p);
}
