// SPDX-License-Identifier: GPL-2.0-only
/* A packet as it was on the wire, for capture files: the kernel takes an outer VLAN tag out of the
 * frame and keeps it beside, and a file has it where it was. */
#pragma once

#include "kernel/load.bpf.h"

#define FRAME_ADDRESSES 12 /* bytes of an Ethernet frame in front of the tag, IEEE 802.1Q 9.3 */
#define FRAME_TAG       4

/* The frame begins at `from` in the packet: on Ethernet with the link layer, and else with the IP
 * header, as capture files know few link types. */
ALWAYS_INLINE bool frame_has_tag(const struct __sk_buff *skb, bool ethernet)
{
	return ethernet && skb->vlan_present;
}

ALWAYS_INLINE u32 frame_length(const struct __sk_buff *skb, bool ethernet, u32 from)
{
	u32 length = skb->len > from ? skb->len - from : 0;

	return frame_has_tag(skb, ethernet) ? length + FRAME_TAG : length;
}

/* Its first n bytes; room, at least 64, is a constant. How many; 0: they cannot be read. */
ALWAYS_INLINE u32 frame_copy(struct __sk_buff *skb, bool ethernet, u32 from, u8 *to, u32 n,
			     const u32 room)
{
	const u32 tagged = FRAME_ADDRESSES + FRAME_TAG;

	if (!frame_has_tag(skb, ethernet))
		return load_bytes(skb, from, to, n, room) ? n : 0;
	if (n <= tagged) {
		if (n > FRAME_ADDRESSES)
			n = FRAME_ADDRESSES;
		return load_bytes(skb, from, to, n, FRAME_ADDRESSES) ? n : 0;
	}
	if (!load_bytes(skb, from, to, FRAME_ADDRESSES, FRAME_ADDRESSES) ||
	    !load_bytes(skb, from + FRAME_ADDRESSES, to + tagged, n - tagged, room - tagged))
		return 0;
	*(u16 *)(to + FRAME_ADDRESSES) = skb->vlan_proto; /* in network order, as it is kept */
	*(u16 *)(to + FRAME_ADDRESSES + 2) = bpf_htons(skb->vlan_tci);
	return n;
}
