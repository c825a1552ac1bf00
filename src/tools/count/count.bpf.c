// SPDX-License-Identifier: GPL-2.0-only
/* count, kernel side: a socket filter that adds each packet to a sum of this CPU.
 * It returns 0, and it needs nothing but the packet, so another program may tail-call it. */
#include "kernel/wire.bpf.h"
#include "kernel/wire_owner.bpf.h"

#include "tools/count/count.h"

/* Set before loading. */
const volatile u32 by;

/* Grows as keys come, so that its size costs nothing before they do. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
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

/* Any order of addresses will do, as long as both directions agree. */
ALWAYS_INLINE bool source_is_server(const struct packet *p)
{
	if (p->source_port != p->destination_port)
		return p->source_port < p->destination_port;
	if (p->source[0] != p->destination[0])
		return p->source[0] < p->destination[0];
	return p->source[1] < p->destination[1];
}

ALWAYS_INLINE void key_connection(const struct packet *p, bool outgoing, struct count_key *key)
{
	bool swap = source_is_server(p);

	__builtin_memcpy(key->client, swap ? p->destination : p->source, sizeof(key->client));
	__builtin_memcpy(key->server, swap ? p->source : p->destination, sizeof(key->server));
	key->client_port = swap ? p->destination_port : p->source_port;
	key->server_port = swap ? p->source_port : p->destination_port;
	key->known |= KEY_HOST;
	if (by == BY_PROCESS && swap != outgoing)
		key->known |= KEY_CLIENT;
}

ALWAYS_INLINE void key_of(const struct packet *p, bool outgoing, u32 bytes, struct count_key *key)
{
	if (by == BY_SIZE) {
		for (u32 n = bytes; n > 1 && key->type < 31; n >>= 1)
			key->type++;
		return;
	}
	if (by == BY_HOST) {
		if (!p->version)
			return;
		key->known = KEY_HOST;
		__builtin_memcpy(key->server, outgoing ? p->destination : p->source,
				 sizeof(key->server));
		return;
	}
	if (!p->version) {
		key->type = p->type;
		return;
	}
	key->protocol = p->protocol;
	key->known = KEY_IP;
	if (p->flags & PACKET_PORTS)
		key->known |= KEY_PORTS;
	if (by == BY_PORT)
		key->server_port =
			p->source_port < p->destination_port ? p->source_port : p->destination_port;
	else
		key_connection(p, outgoing, key);
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
	key_of(&p, outgoing, bytes, &key);
	add_key(&key, bytes);
	return 0; /* bytes to queue to the socket */
}
