// SPDX-License-Identifier: GPL-2.0-only
/* packets, kernel side: a socket filter that looks at each packet of an interface.
 * It keeps every packet from its socket, so a record in the ring is all that is ever copied. */
#include "kernel/http.h"
#include "kernel/load.bpf.h"
#include "kernel/wire.bpf.h"
#include "kernel/wire_owner.bpf.h"

#include "tools/packets/packets.h"

/* Set before loading. */
const volatile bool show_all, only_http, ssh_shown;
const volatile u32 snap = PACKETS_SNAP;

ALWAYS_INLINE bool has_payload(const struct packet *p)
{
	return p->payload_length && (p->protocol == PROTO_TCP || p->protocol == PROTO_UDP);
}

/* A fragment's ports and payload are those of another packet, or none. */
ALWAYS_INLINE bool fragment_wanted(const struct packet *p)
{
	if (show_all && !filter.n_ports && !only_http)
		return wire_wants(p);
	if (filter_addresses(p->source, p->destination))
		count(COUNT_FRAGMENTS, 1);
	return false;
}

ALWAYS_INLINE bool is_ssh(const struct packet *p)
{
	return p->protocol == PROTO_TCP && p->flags & PACKET_PORTS &&
	       (p->source_port == SSH_PORT || p->destination_port == SSH_PORT);
}

ALWAYS_INLINE bool begins_http(struct __sk_buff *skb, const struct packet *p)
{
	u32 n = p->payload_length;
	u64 start = 0;

	if (n > sizeof(start))
		n = sizeof(start);
	return load_bytes(skb, p->payload, &start, n, sizeof(start)) && http_begins(start);
}

ALWAYS_INLINE bool wanted(struct __sk_buff *skb, const struct packet *p)
{
	if (p->flags & PACKET_FRAGMENT)
		return fragment_wanted(p);
	if ((!show_all && !has_payload(p)) || !wire_wants(p))
		return false;
	if (!ssh_shown && is_ssh(p)) {
		count(COUNT_SSH_BYTES, p->payload_length);
		return false;
	}
	return !only_http || (has_payload(p) && begins_http(skb, p));
}

ALWAYS_INLINE void fill(struct packets_record *r, struct __sk_buff *skb, const struct packet *p)
{
	r->r.kind = 0;
	r->r.pad = 0;
	r->now_ns = bpf_ktime_get_ns();
	r->packet = *p;
	r->length = skb->len;
	r->from = p->payload;
	r->ifindex = skb->ifindex;
	r->vlan_proto = 0;
	r->vlan_tci = 0;
	if (skb->vlan_present) {
		r->vlan_proto = bpf_ntohs(skb->vlan_proto);
		r->vlan_tci = skb->vlan_tci;
	}
	r->type = skb->pkt_type;
	__builtin_memset(r->pad, 0, sizeof(r->pad));
}

/* A record with n bytes of payload, at most room, a constant: reserving wants one. */
ALWAYS_INLINE int emit_room(struct __sk_buff *skb, const struct packet *p, u32 n, const u32 room)
{
	struct packets_record *r = ring_reserve(sizeof(*r) + room);

	if (!r)
		return 0;
	fill(r, skb, p);
	r->r.size = sizeof(*r) + room;
	r->captured = room && load_bytes(skb, p->payload, r + 1, n, room) ? n : 0;
	ring_submit(&r->r);
	return 0;
}

ALWAYS_INLINE int emit(struct __sk_buff *skb, const struct packet *p)
{
	u32 n = p->flags & PACKET_FRAGMENT ? 0 : p->payload_length;

	if (n > snap)
		n = snap;
	if (!n)
		return emit_room(skb, p, 0, 0);
	if (n <= PACKETS_SNAP)
		return emit_room(skb, p, n, PACKETS_SNAP);
	if (n <= 512)
		return emit_room(skb, p, n, 512);
	if (n <= 2048)
		return emit_room(skb, p, n, 2048);
	if (n <= 8192)
		return emit_room(skb, p, n, 8192);
	return emit_room(skb, p, n, PACKETS_SNAP_MAX + 1);
}

SEC("socket")
int packets_filter(struct __sk_buff *skb)
{
	struct packet p;

	if (!wire_passes(skb))
		return 0;
	wire_walk(skb, wire_is_ethernet(skb), &p);
	if (wanted(skb, &p))
		emit(skb, &p);
	return 0; /* bytes to queue to the socket */
}
