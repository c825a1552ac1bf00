// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the first byte of a packet to its payload: Ethernet, VLAN tags, IPv4, IPv6 and its extension
 * headers, ports. It compiles for BPF and natively: unit tests, fuzzers and capture files run the
 * very code that runs in the kernel.
 *
 * Lengths come from the IP header, never from what was captured nor from a frame's padding; a
 * header that says more than the packet has is believed as far as the packet goes.
 */
#pragma once

#include "kernel/bytes.h"
#include "kernel/filter.h"

#define PACKET_ETHERNET   14 /* bytes of an Ethernet header */
#define PACKET_TAG        4  /* bytes of a VLAN tag, IEEE 802.1Q 9.3 */
#define PACKET_TAGS       2  /* that are walked: 802.1Q inside 802.1ad (QinQ) */
#define PACKET_EXTENSIONS 8  /* IPv6 extension headers that are walked */

enum packet_type { /* EtherTypes; below 0x600 the field is a length, IEEE 802.3 3.2.6 */
		   TYPE_LLC = 0x0004, /* stands for all of these, as ETH_P_802_2 does */
		   TYPE_MIN = 0x0600,
		   TYPE_IPV4 = 0x0800,
		   TYPE_VLAN = 0x8100,
		   TYPE_IPV6 = 0x86dd,
		   TYPE_QINQ = 0x88a8,
};

enum packet_protocol { /* IANA, Assigned Internet Protocol Numbers */
		       PROTO_HOP_BY_HOP = 0,
		       PROTO_ICMP = 1,
		       PROTO_IPV4 = 4,
		       PROTO_TCP = 6,
		       PROTO_UDP = 17,
		       PROTO_DCCP = 33,
		       PROTO_IPV6 = 41,
		       PROTO_ROUTING = 43,
		       PROTO_FRAGMENT = 44,
		       PROTO_GRE = 47,
		       PROTO_AH = 51,
		       PROTO_ICMPV6 = 58,
		       PROTO_NONE = 59,
		       PROTO_OPTIONS = 60,
		       PROTO_SCTP = 132,
		       PROTO_UDPLITE = 136,
};

enum packet_flag {
	PACKET_CUT = 1 << 0,      /* the header that comes next is only partly there */
	PACKET_MISSING = 1 << 1,  /* ... is not there at all */
	PACKET_BAD = 1 << 2,      /* a header says of itself what cannot be */
	PACKET_DEEP = 1 << 3,     /* more tags or extension headers than are walked */
	PACKET_FRAGMENT = 1 << 4, /* a part of a packet (RFC 791 3.2, RFC 8200 4.5) */
	PACKET_LATER = 1 << 5,    /* ... and not its first: no transport header */
	PACKET_PORTS = 1 << 6,    /* source_port and destination_port were read */
	PACKET_PAYLOAD = 1 << 7,  /* payload was reached: all headers in front of it are whole */
};

struct packet {
	u64 source[2], destination[2]; /* network order, IPv4 as IPv4-mapped; 0 without version */
	u32 network;                   /* offset of what type names */
	u32 transport;                 /* offset of what protocol names */
	u32 end;            /* offset after the last byte: by the IP header where there is one */
	u32 payload;        /* offset of the payload, with PACKET_PAYLOAD */
	u32 payload_length; /* up to end, whether captured or not; 0 without PACKET_PAYLOAD */
	u16 type;           /* EtherType behind the tags, host order; 0: could not be read */
	u16 source_port, destination_port; /* host order, with PACKET_PORTS */
	u8 version;                        /* 4 or 6; 0: no IP header was read */
	u8 protocol;                       /* behind the extension headers; with version */
	u8 tags;      /* VLAN tags in the packet; one in the kernel's metadata is not among them */
	u8 flags;     /* enum packet_flag */
	u8 tcp_flags; /* of a TCP header that was read */
	u8 pad;
	u32 seq, ack; /* likewise */
};
ABI_SIZE(struct packet, 72);

ALWAYS_INLINE u16 packet_u16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

ALWAYS_INLINE u32 packet_u32(const u8 *p)
{
	return (u32)packet_u16(p) << 16 | packet_u16(p + 2);
}

/* Reads n bytes (a constant) that must lie before the end; where they do not, says how. */
ALWAYS_INLINE bool packet_read(packet_bytes *b, struct packet *p, u32 at, void *to, const u32 n)
{
	if (p->end >= n && at <= p->end - n && packet_load(b, at, to, n))
		return true;
	p->flags |= at < p->end ? PACKET_CUT : PACKET_MISSING;
	return false;
}

/* What the IP header says, as far as the packet goes. It says 0 where segmentation is left to the
 * card and the length does not fit in 16 bits. */
ALWAYS_INLINE void packet_set_end(struct packet *p, u32 from, u32 length)
{
	if (length && from <= p->end && length < p->end - from)
		p->end = from + length;
}

ALWAYS_INLINE void packet_set_payload(struct packet *p, u32 at)
{
	if (at > p->end) {
		p->flags |= PACKET_CUT;
		return;
	}
	p->payload = at;
	p->payload_length = p->end - at;
	p->flags |= PACKET_PAYLOAD;
}

ALWAYS_INLINE void packet_set_ports(struct packet *p, const u8 *header)
{
	p->source_port = packet_u16(header);
	p->destination_port = packet_u16(header + 2);
	p->flags |= PACKET_PORTS;
}

#define PACKET_IPV4 20 /* bytes of a header without options */
#define PACKET_TCP  20

/* RFC 9293 3.1. */
ALWAYS_INLINE void packet_set_tcp(struct packet *p, const u8 *h)
{
	u32 length = (h[12] >> 4) * 4;

	packet_set_ports(p, h);
	p->seq = packet_u32(h + 4);
	p->ack = packet_u32(h + 8);
	p->tcp_flags = h[13];
	if (length < PACKET_TCP)
		p->flags |= PACKET_BAD;
	else
		packet_set_payload(p, p->transport + length);
}

ALWAYS_INLINE void packet_tcp(packet_bytes *b, struct packet *p)
{
	u8 h[PACKET_TCP];

	if (packet_read(b, p, p->transport, h, sizeof(h)))
		packet_set_tcp(p, h);
}

/* What protocol names, at p->transport. Ports are those of the protocols that have two of 16 bits
 * first: TCP, UDP (RFC 768), UDP-Lite (RFC 3828), SCTP (RFC 9260 3.1), DCCP (RFC 4340 5.1). */
ALWAYS_INLINE void packet_transport(packet_bytes *b, struct packet *p)
{
	u8 h[8];

	if (p->flags & PACKET_FRAGMENT) {
		packet_set_payload(p, p->transport);
		return;
	}
	switch (p->protocol) {
	case PROTO_TCP:
		packet_tcp(b, p);
		return;
	case PROTO_UDP:
	case PROTO_UDPLITE:
	case PROTO_SCTP:
	case PROTO_DCCP:
		if (!packet_read(b, p, p->transport, h, sizeof(h)))
			return;
		packet_set_ports(p, h);
		if (p->protocol == PROTO_UDP || p->protocol == PROTO_UDPLITE) {
			packet_set_payload(p, p->transport + sizeof(h));
			return;
		}
		break;
	}
	packet_set_payload(p, p->transport);
}

/* RFC 791 3.1. */
ALWAYS_INLINE void packet_set_ipv4(struct packet *p, const u8 *h)
{
	static const u8 mapped[4] = {0, 0, 0xff, 0xff};

	p->version = 4;
	p->protocol = h[9];
	__builtin_memcpy((u8 *)p->source + 8, mapped, 4);
	__builtin_memcpy((u8 *)p->source + 12, h + 12, 4);
	__builtin_memcpy((u8 *)p->destination + 8, mapped, 4);
	__builtin_memcpy((u8 *)p->destination + 12, h + 16, 4);
}

ALWAYS_INLINE void packet_ipv4(packet_bytes *b, struct packet *p)
{
	u8 h[PACKET_IPV4];
	u32 header, length, fragment;

	if (!packet_read(b, p, p->network, h, sizeof(h)))
		return;
	if (h[0] >> 4 != 4) {
		p->flags |= PACKET_BAD;
		return;
	}
	packet_set_ipv4(p, h);
	header = (h[0] & 15) * 4;
	length = packet_u16(h + 2);
	fragment = packet_u16(h + 6);
	if (fragment & 0x3fff) /* more of it follows, or an offset */
		p->flags |= PACKET_FRAGMENT;
	if (fragment & 0x1fff)
		p->flags |= PACKET_LATER;
	if (header < sizeof(h) || (length && length < header)) {
		p->flags |= PACKET_BAD;
		return;
	}
	packet_set_end(p, p->network, length);
	p->transport = p->network + header;
	if (p->transport > p->end)
		p->flags |= PACKET_CUT;
	else
		packet_transport(b, p);
}

/* One extension header at p->transport, which p->protocol names: RFC 8200 4, and RFC 4302 2.2 for
 * AH, whose length counts otherwise. False: there is nothing more to walk. */
ALWAYS_INLINE bool packet_extension(packet_bytes *b, struct packet *p)
{
	u32 length, fragment;
	u8 h[8];

	switch (p->protocol) {
	case PROTO_HOP_BY_HOP:
	case PROTO_ROUTING:
	case PROTO_OPTIONS:
	case PROTO_FRAGMENT:
	case PROTO_AH:
		break;
	default:
		return false;
	}
	if (!packet_read(b, p, p->transport, h, sizeof(h)))
		return false;
	length = (h[1] + 1) * 8;
	if (p->protocol == PROTO_AH)
		length = (h[1] + 2) * 4;
	if (p->protocol == PROTO_FRAGMENT) {
		length = sizeof(h);
		fragment = packet_u16(h + 2);
		/* Without offset and more to come it is a whole packet: RFC 6946. */
		if (fragment & 0xfff9)
			p->flags |= PACKET_FRAGMENT;
		if (fragment & 0xfff8)
			p->flags |= PACKET_LATER;
	}
	p->protocol = h[0];
	p->transport += length;
	return !(p->flags & PACKET_LATER);
}

/* RFC 8200 3. */
ALWAYS_INLINE void packet_ipv6(packet_bytes *b, struct packet *p)
{
	u8 h[40];
	int i;

	if (!packet_read(b, p, p->network, h, sizeof(h)))
		return;
	if (h[0] >> 4 != 6) {
		p->flags |= PACKET_BAD;
		return;
	}
	p->version = 6;
	p->protocol = h[6];
	__builtin_memcpy(p->source, h + 8, sizeof(p->source));
	__builtin_memcpy(p->destination, h + 24, sizeof(p->destination));
	p->transport = p->network + sizeof(h);
	packet_set_end(p, p->transport, packet_u16(h + 4));
	for (i = 0; i < PACKET_EXTENSIONS; i++)
		if (!packet_extension(b, p))
			break;
	if (i == PACKET_EXTENSIONS)
		p->flags |= PACKET_DEEP;
	if (p->flags & (PACKET_CUT | PACKET_MISSING | PACKET_DEEP))
		return;
	if (p->transport > p->end)
		p->flags |= PACKET_CUT;
	else if (p->protocol != PROTO_NONE)
		packet_transport(b, p);
}

ALWAYS_INLINE void packet_begin(const packet_bytes *b, u32 at, u32 type, struct packet *p)
{
	__builtin_memset(p, 0, sizeof(*p));
	p->network = at;
	p->type = (u16)type;
	p->end = packet_length(b);
}

/*
 * Walks from the header that type (host order) names, at offset at, and fills *p anew. A packet
 * inside a tunnel is walked by another call. Always 0; the BPF verifier wants a return value, and a
 * check of the pointer.
 */
PACKET_FUNCTION int packet_walk(packet_bytes *b, u32 at, u32 type, struct packet *p)
{
	if (!p)
		return 0;
	packet_begin(b, at, type, p);
	if (type == TYPE_IPV4)
		packet_ipv4(b, p);
	else if (type == TYPE_IPV6)
		packet_ipv6(b, p);
	return 0;
}

ALWAYS_INLINE bool packet_is_tag(u32 type)
{
	return type == TYPE_VLAN || type == TYPE_QINQ;
}

/* Walks from an Ethernet header at offset at, and fills *p. What an interface took out of the frame
 * (a tag in the kernel's metadata) is not looked for. */
ALWAYS_INLINE void packet_walk_ethernet(packet_bytes *b, u32 at, struct packet *p)
{
	u32 type = 0, field = at + PACKET_ETHERNET - 2;
	u8 tags = 0, h[2];
	bool missing = false;

	UNROLL
	for (int i = 0; i <= PACKET_TAGS; i++) {
		missing = !packet_load(b, field, h, sizeof(h));
		if (missing)
			break;
		type = packet_u16(h);
		if (!packet_is_tag(type) || tags == PACKET_TAGS)
			break;
		tags++;
		field += PACKET_TAG;
	}
	if (missing) {
		packet_walk(b, field, 0, p);
		p->flags |= field < packet_length(b) ? PACKET_CUT : PACKET_MISSING;
		p->tags = tags;
		return;
	}
	packet_walk(b, field + 2, type < TYPE_MIN ? TYPE_LLC : type, p);
	p->tags = tags;
	if (packet_is_tag(type))
		p->flags |= PACKET_DEEP;
}

/* The same, verified once for BPF. Always 0. */
PACKET_FUNCTION int packet_walk_frame(packet_bytes *b, u32 at, struct packet *p)
{
	if (p)
		packet_walk_ethernet(b, at, p);
	return 0;
}

/* Walks a packet of a capture file, for all that read one: a file says where the network packet
 * begins (at, of the EtherType type) for every kind of link; Ethernet is walked as on an interface,
 * so that a file's tags and cut headers are what they were there. */
ALWAYS_INLINE void packet_walk_captured(packet_bytes *b, bool ethernet, u32 at, u32 type,
					struct packet *p)
{
	if (ethernet)
		packet_walk_ethernet(b, 0, p);
	else
		packet_walk(b, at, type, p);
}

/* ---- tunnels ---- */

#define TYPE_BRIDGED 0x6558 /* an Ethernet frame in GRE: RFC 7637 3.2 */
#define VXLAN_PORT   4789   /* RFC 7348 5 */
#define VXLAN_LINUX  8472   /* the default of Linux, older than the RFC */

enum { GRE_CHECKSUM = 0x8000, GRE_ROUTING = 0x4000, GRE_KEY = 0x2000, GRE_SEQUENCE = 0x1000 };

/* What tells the networks inside of tunnels apart: a GRE key or a VXLAN's number is the network. */
enum packet_tunnel { TUNNEL_NONE, TUNNEL_IP, TUNNEL_GRE, TUNNEL_GRE_KEY, TUNNEL_VXLAN };

struct tunnel {
	u32 kind; /* enum packet_tunnel */
	u32 network;
};

/* Reads n bytes (a constant) of the tunnel's packet; *p stays as it is. */
ALWAYS_INLINE bool packet_peek(packet_bytes *b, const struct packet *p, u32 at, void *to,
			       const u32 n)
{
	return p->end >= n && at <= p->end - n && packet_load(b, at, to, n);
}

/* RFC 2784 2.1, RFC 2890 2; version 0 without routing (RFC 1701). *p and *tunnel stay as they are
 * where it is not followed. */
ALWAYS_INLINE void packet_gre(packet_bytes *b, struct packet *p, struct tunnel *tunnel)
{
	u32 at = p->transport + 4, flags, type;
	u8 h[4], key[4] = {0};

	if (!packet_peek(b, p, p->transport, h, sizeof(h)))
		return;
	flags = packet_u16(h);
	type = packet_u16(h + 2);
	if (flags & (GRE_ROUTING | 7))
		return;
	if (flags & GRE_CHECKSUM)
		at += 4;
	if (flags & GRE_KEY) {
		if (!packet_peek(b, p, at, key, sizeof(key)))
			return;
		at += 4;
	}
	if (flags & GRE_SEQUENCE)
		at += 4;
	if (type == TYPE_BRIDGED)
		packet_walk_frame(b, at, p);
	else if (type == TYPE_IPV4 || type == TYPE_IPV6)
		packet_walk(b, at, type, p);
	else
		return;
	tunnel->kind = flags & GRE_KEY ? TUNNEL_GRE_KEY : TUNNEL_GRE;
	tunnel->network = packet_u32(key);
}

/* RFC 7348 5: the flag I and 24 bits of network, then an Ethernet frame. As packet_gre. */
ALWAYS_INLINE void packet_vxlan(packet_bytes *b, struct packet *p, struct tunnel *tunnel)
{
	u8 h[8];

	if ((p->destination_port != VXLAN_PORT && p->destination_port != VXLAN_LINUX) ||
	    !packet_peek(b, p, p->payload, h, sizeof(h)) || !(h[0] & 8))
		return;
	packet_walk_frame(b, p->payload + sizeof(h), p);
	tunnel->kind = TUNNEL_VXLAN;
	tunnel->network = packet_u32(h + 4) >> 8;
}

/* Where *p is a tunnel's packet, walks the one inside, and says in which network that is. Tunnels
 * inside of tunnels are not looked for. */
ALWAYS_INLINE void packet_inside(packet_bytes *b, struct packet *p, struct tunnel *tunnel)
{
	tunnel->kind = TUNNEL_NONE;
	tunnel->network = 0;
	if (!(p->flags & PACKET_PAYLOAD) || p->flags & PACKET_FRAGMENT)
		return;
	switch (p->protocol) {
	case PROTO_IPV4:
	case PROTO_IPV6:
		packet_walk(b, p->transport, p->protocol == PROTO_IPV4 ? TYPE_IPV4 : TYPE_IPV6, p);
		tunnel->kind = TUNNEL_IP;
		break;
	case PROTO_GRE:
		packet_gre(b, p, tunnel);
		break;
	case PROTO_UDP:
		packet_vxlan(b, p, tunnel);
		break;
	}
}

/* Fills *p as packet_walk_ethernet at 0 would, by one load: nearly every TCP packet of IPv4 is
 * whole, without tags and options of IP. False: it takes a walk to know. */
ALWAYS_INLINE bool packet_quick_tcp(packet_bytes *b, struct packet *p)
{
	u8 h[2 + PACKET_IPV4 + PACKET_TCP], *ip = h + 2; /* from the EtherType on */

	if (!packet_load(b, PACKET_ETHERNET - 2, h, sizeof(h)) || packet_u16(h) != TYPE_IPV4 ||
	    ip[0] != (4 << 4 | PACKET_IPV4 / 4) || ip[9] != PROTO_TCP ||
	    packet_u16(ip + 2) < PACKET_IPV4 + PACKET_TCP || packet_u16(ip + 6) & 0x3fff)
		return false;
	packet_begin(b, PACKET_ETHERNET, TYPE_IPV4, p);
	packet_set_ipv4(p, ip);
	packet_set_end(p, PACKET_ETHERNET, packet_u16(ip + 2));
	p->transport = PACKET_ETHERNET + PACKET_IPV4;
	packet_set_tcp(p, ip + PACKET_IPV4);
	return true;
}

/* The protocol that packet_walk_ethernet would find, by one load: nearly every packet is IP without
 * tags and extension headers. False: it takes a walk to know. */
ALWAYS_INLINE bool packet_quick_protocol(packet_bytes *b, u8 *protocol)
{
	u8 h[22]; /* EtherType and an IPv4 header, or as much of an IPv6 one */
	u32 type;

	if (!packet_load(b, PACKET_ETHERNET - 2, h, sizeof(h)))
		return false;
	type = packet_u16(h);
	if (type == TYPE_IPV4 && h[2] >> 4 == 4) {
		*protocol = h[11];
		return true;
	}
	if (type != TYPE_IPV6 || h[2] >> 4 != 6 || packet_length(b) < PACKET_ETHERNET + 40)
		return false;
	*protocol = h[8];
	return *protocol == PROTO_TCP || *protocol == PROTO_UDP || *protocol == PROTO_ICMPV6;
}

/* --port and --net. Ports count only where the packet has them. */
ALWAYS_INLINE bool packet_wanted(const volatile struct filter *f, const struct packet *p)
{
	if (f->n_ports && (!(p->flags & PACKET_PORTS) ||
			   !filter_has_port(f, p->source_port, p->destination_port)))
		return false;
	return !f->by_net || (p->version && filter_has_address(f, p->source, p->destination));
}
