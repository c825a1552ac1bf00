// SPDX-License-Identifier: GPL-2.0-only
/* count, kernel side: a socket filter that adds each packet to a sum of this CPU.
 * It returns 0, and it needs nothing but the packet, so another program may tail-call it. */
#include "kernel/wire.bpf.h"
#include "kernel/wire_owner.bpf.h"

#include "tools/count/key.h"

/* Set before loading. */
const volatile u32 by;

/* Grows as keys come, so that its size costs nothing before they do. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, COUNT_KEYS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct count_key);
	__type(value, struct count_sum);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNT_PROTOCOL);
	__type(key, u32);
	__type(value, struct count_sum);
} protocols SEC(".maps");

/* Packets are filtered with softirqs off, so nothing else on this CPU is between load and store. */
ALWAYS_INLINE void add(struct count_sum *sum, u32 bytes)
{
	if (!sum)
		return;
	sum->packets++;
	sum->bytes += bytes;
}

ALWAYS_INLINE void add_protocol(u32 protocol, u32 bytes)
{
	add(bpf_map_lookup_elem(&protocols, &protocol), bytes);
}

ALWAYS_INLINE void add_key(const struct count_key *key, u32 bytes)
{
	struct count_sum *sum = bpf_map_lookup_elem(&sums, key);
	struct count_sum zero = {};

	if (!sum) {
		/* Another CPU may be first: then there is one. */
		bpf_map_update_elem(&sums, key, &zero, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&sums, key);
	}
	if (sum)
		add(sum, bytes);
	else
		add_protocol(COUNT_NO_ROOM, bytes);
}

SEC("socket")
int count_filter(struct __sk_buff *skb)
{
	/* A tag that was taken out of the frame was on the wire all the same. */
	u32 bytes = skb->len + (skb->vlan_present ? PACKET_TAG : 0);
	bool outgoing = wire_is_outgoing(skb), from_ethernet;
	bool filtered = filter.n_ports || filter.by_net;
	struct count_key key;
	struct packet p;
	u8 protocol;

	if (!wire_passes(skb))
		return 0;
	from_ethernet = wire_is_ethernet(skb);
	if (by == BY_PROTOCOL && !filtered && from_ethernet &&
	    packet_quick_protocol(skb, &protocol)) {
		add_protocol(protocol, bytes);
		return 0;
	}
	__builtin_memset(&p, 0, sizeof(p));
	__builtin_memset(&key, 0, sizeof(key));
	if (by != BY_SIZE || filtered) {
		wire_walk(skb, from_ethernet, &p);
		if (!wire_wants(&p))
			return 0;
	}
	if (by == BY_PROTOCOL && p.version) {
		add_protocol(p.protocol, bytes);
		return 0;
	}
	count_key_of(&p, by, outgoing, bytes, &key);
	add_key(&key, bytes);
	return 0; /* bytes to queue to the socket */
}
