// SPDX-License-Identifier: GPL-2.0-only
/* Which packets are shown. It compiles for BPF and natively, so that a capture file is decided by
 * the code that decides in the kernel. */
#pragma once

#include "abi/wire.h"
#include "kernel/http.h"
#include "kernel/packet.h"

/* Of what options and filter say. */
struct packets_asked {
	bool all, http;
	bool ssh; /* was port 22 asked for? */
};

enum packets_verdict {
	PACKETS_LEAVE,
	PACKETS_SHOW,
	PACKETS_FRAGMENT, /* left out, and counted: it may be part of what was asked for */
	PACKETS_SSH,      /* left out, and counted */
};

/* Is it one that is shown without --all? */
ALWAYS_INLINE bool packets_has_payload(const struct packet *p)
{
	return p->payload_length && (p->protocol == PROTO_TCP || p->protocol == PROTO_UDP);
}

/* What would be its ports and payload are those of another packet, or none. */
ALWAYS_INLINE enum packets_verdict packets_fragment(const struct packet *p,
						    const volatile struct filter *f,
						    const struct packets_asked *asked)
{
	if (!filter_has_address(f, p->source, p->destination))
		return PACKETS_LEAVE;
	return asked->all && !asked->http && !f->n_ports ? PACKETS_SHOW : PACKETS_FRAGMENT;
}

ALWAYS_INLINE bool packets_is_ssh(const struct packet *p)
{
	return p->protocol == PROTO_TCP && p->flags & PACKET_PORTS &&
	       (p->source_port == SSH_PORT || p->destination_port == SSH_PORT);
}

/* As far as the payload is there. */
ALWAYS_INLINE bool packets_begins_http(packet_bytes *b, const struct packet *p)
{
	u32 n = p->payload_length, captured = packet_captured(b);
	u64 start = 0;

	if (captured < p->payload)
		return false;
	if (n > captured - p->payload)
		n = captured - p->payload;
	if (n > sizeof(start))
		n = sizeof(start);
	return load_bytes(b, p->payload, &start, n, sizeof(start)) && http_begins(start);
}

ALWAYS_INLINE enum packets_verdict packets_decide(packet_bytes *b, const struct packet *p,
						  const volatile struct filter *f,
						  const struct packets_asked *asked)
{
	if (p->flags & PACKET_FRAGMENT)
		return packets_fragment(p, f, asked);
	if ((!asked->all && !packets_has_payload(p)) || !packet_wanted(f, p))
		return PACKETS_LEAVE;
	if (!asked->ssh && packets_is_ssh(p))
		return PACKETS_SSH;
	if (asked->http && !(packets_has_payload(p) && packets_begins_http(b, p)))
		return PACKETS_LEAVE;
	return PACKETS_SHOW;
}
