// SPDX-License-Identifier: GPL-2.0-only
/* packets, kernel side: a socket filter that looks at each packet of an interface.
 * It keeps every packet from its socket, so a record in the ring is all that is ever copied. */
#include "kernel/frame.bpf.h"
#include "kernel/wire.bpf.h"
#include "kernel/wire_owner.bpf.h"

#include "tools/packets/decide.h"
#include "tools/packets/packets.h"

/* Set before loading. */
const volatile bool show_all, only_http, ssh_shown;
const volatile bool whole; /* packets and not only their payload: for a capture file */
const volatile u32 snap = PACKETS_SNAP;

/* Records that were lost, by the index of the interface. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

ALWAYS_INLINE void count_lost(u32 index)
{
	u64 *n = bpf_map_lookup_elem(&lost, &index);

	if (n)
		__sync_fetch_and_add(n, 1);
}

ALWAYS_INLINE void fill(struct packets_record *r, struct __sk_buff *skb, const struct packet *p,
			bool ethernet, u32 from)
{
	r->r.kind = 0;
	r->r.pad = 0;
	r->now_ns = bpf_ktime_get_ns();
	r->packet = *p;
	r->length = frame_length(skb, ethernet, from);
	r->from = from;
	r->ifindex = skb->ifindex;
	r->type = skb->pkt_type;
	r->ethernet = ethernet;
	r->tag = frame_has_tag(skb, ethernet) ? FRAME_TAG : 0;
	__builtin_memset(r->pad, 0, sizeof(r->pad));
}

/* A record with n bytes, at most room, a constant: reserving wants one. */
ALWAYS_INLINE int emit_room(struct __sk_buff *skb, const struct packet *p, bool ethernet, u32 n,
			    const u32 room)
{
	u32 from = ethernet ? 0 : p->network;
	struct packets_record *r = ring_reserve(sizeof(*r) + room);

	if (!r) {
		count_lost(skb->ifindex);
		return 0;
	}
	fill(r, skb, p, ethernet, from);
	r->r.size = sizeof(*r) + room;
	if (!room)
		r->captured = 0;
	else if (whole)
		r->captured = frame_copy(skb, ethernet, from, (u8 *)(r + 1), n, room);
	else
		r->captured = load_bytes(skb, p->payload, r + 1, n, room) ? n : 0;
	ring_submit(&r->r);
	return 0;
}

/* Not static: verified once. */
__noinline int emit(struct __sk_buff *skb, const struct packet *p, u32 ethernet)
{
	u32 n;

	if (!p)
		return 0;
	n = p->flags & PACKET_FRAGMENT ? 0 : p->payload_length;
	if (whole)
		n = frame_length(skb, ethernet, ethernet ? 0 : p->network);
	if (n > snap)
		n = snap;
	if (!n)
		return emit_room(skb, p, ethernet, 0, 0);
	if (n <= PACKETS_SNAP)
		return emit_room(skb, p, ethernet, n, PACKETS_SNAP);
	if (n <= 512)
		return emit_room(skb, p, ethernet, n, 512);
	if (n <= 2048)
		return emit_room(skb, p, ethernet, n, 2048);
	if (n <= 8192)
		return emit_room(skb, p, ethernet, n, 8192);
	if (n <= 65536 + 128) /* an IP packet is no longer, but where its length does not fit */
		return emit_room(skb, p, ethernet, n, 65536 + 128);
	return emit_room(skb, p, ethernet, n, PACKETS_SNAP_MAX);
}

SEC("socket")
int packets_filter(struct __sk_buff *skb)
{
	struct packets_asked asked = {.all = show_all, .http = only_http, .ssh = ssh_shown};
	bool from_ethernet;
	struct packet p;

	if (!wire_passes(skb))
		return 0;
	from_ethernet = wire_is_ethernet(skb);
	wire_walk(skb, from_ethernet, &p);
	switch (packets_decide(skb, &p, &filter, &asked)) {
	case PACKETS_SHOW:
		emit(skb, &p, from_ethernet);
		break;
	case PACKETS_FRAGMENT:
		count(COUNT_FRAGMENTS, 1);
		break;
	case PACKETS_SSH:
		count(COUNT_SSH_BYTES, p.payload_length);
		break;
	case PACKETS_LEAVE:
		break;
	}
	return 0; /* bytes to queue to the socket */
}
