// SPDX-License-Identifier: GPL-2.0-only
/* What a packet is counted by: the key of its sum. It compiles for BPF and natively, so that a
 * capture file is counted by the code that counts in the kernel. */
#pragma once

#include "kernel/packet.h"
#include "tools/count/count.h"

/* Any order of addresses will do, as long as both directions agree. */
ALWAYS_INLINE bool count_source_is_server(const struct packet *p)
{
	if (p->source_port != p->destination_port)
		return p->source_port < p->destination_port;
	if (p->source[0] != p->destination[0])
		return p->source[0] < p->destination[0];
	return p->source[1] < p->destination[1];
}

ALWAYS_INLINE void count_key_connection(const struct packet *p, u32 by, bool outgoing,
					struct count_key *key)
{
	bool swap = count_source_is_server(p);

	__builtin_memcpy(key->client, swap ? p->destination : p->source, sizeof(key->client));
	__builtin_memcpy(key->server, swap ? p->source : p->destination, sizeof(key->server));
	key->client_port = swap ? p->destination_port : p->source_port;
	key->server_port = swap ? p->source_port : p->destination_port;
	key->known |= KEY_HOST;
	if (by == BY_PROCESS && swap != outgoing)
		key->known |= KEY_CLIENT;
}

/* by: enum count_by; bytes: of the packet on the wire. *key is 0 before. */
ALWAYS_INLINE void count_key_of(const struct packet *p, u32 by, bool outgoing, u32 bytes,
				struct count_key *key)
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
	if (by == BY_PROTOCOL)
		return;
	if (p->flags & PACKET_PORTS)
		key->known |= KEY_PORTS;
	if (by == BY_PORT)
		key->server_port =
			p->source_port < p->destination_port ? p->source_port : p->destination_port;
	else
		count_key_connection(p, by, outgoing, key);
}
