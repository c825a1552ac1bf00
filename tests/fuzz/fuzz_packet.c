// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Any bytes as a packet: offsets stay in it, flags agree with each other, and what was captured
 * changes only what is known, never what it says. */
#include <assert.h>
#include <stdlib.h>

#include "tools/packets/decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct packet *p, u32 length)
{
	const u8 f = p->flags;

	assert(p->end <= length);
	assert(!(f & PACKET_LATER) || f & PACKET_FRAGMENT);
	assert(!(f & PACKET_FRAGMENT) || !(f & PACKET_PORTS));
	assert(!((f & PACKET_CUT) && (f & PACKET_MISSING)));
	assert(p->tags <= PACKET_TAGS);
	assert(p->version == 0 || p->version == 4 || p->version == 6);
	if (!p->version)
		assert(!(f & (PACKET_FRAGMENT | PACKET_PORTS | PACKET_PAYLOAD)));
	if (f & PACKET_PORTS)
		assert(p->transport + 8 <= p->end);
	if (f & PACKET_PAYLOAD) {
		assert(!(f & (PACKET_CUT | PACKET_MISSING | PACKET_BAD | PACKET_DEEP)));
		assert(p->payload >= p->transport && p->transport > p->network);
		assert(p->payload + p->payload_length == p->end);
	} else {
		assert(!p->payload && !p->payload_length);
	}
}

/* A tunnel's packet is walked as any other; what is none stays as it was. */
static void look_inside(packet_bytes *b, const struct packet *outer)
{
	struct packet p = *outer;
	struct tunnel tunnel;

	packet_inside(b, &p, &tunnel);
	if (tunnel.kind)
		check(&p, b->length);
	else
		assert(!memcmp(&p, outer, sizeof(p)));
}

/* What `packets` shows of it: more with --all, less with --http, and nothing of what is not there.
 */
static void decide(packet_bytes *b, const struct packet *p)
{
	const struct filter every = {0};
	struct packets_asked asked = {.ssh = true};
	enum packets_verdict plain = packets_decide(b, p, &every, &asked), all, http;

	asked.all = true;
	all = packets_decide(b, p, &every, &asked);
	asked.all = false;
	asked.http = true;
	http = packets_decide(b, p, &every, &asked);
	assert(all == PACKETS_SHOW);
	assert(plain == PACKETS_SHOW || http != PACKETS_SHOW);
	if (plain == PACKETS_SHOW)
		assert(p->flags & PACKET_PAYLOAD && p->flags & PACKET_PORTS && p->payload_length);
	if (http == PACKETS_SHOW) {
		const u8 *start = b->p + p->payload;

		assert(b->captured >= p->payload + 4);
		assert(http_method(start) || start[0] == 'H' || start[0] == 'P' || start[0] == 'Q');
	}
}

static void walk_all(const uint8_t *data, u32 captured, u32 length, struct packet *ethernet)
{
	packet_bytes b = {data, captured, length};
	struct packet p;
	u8 quick;

	packet_walk_ethernet(&b, 0, ethernet);
	check(ethernet, length);
	decide(&b, ethernet);
	look_inside(&b, ethernet);
	if (packet_quick_tcp(&b, &p))
		assert(!memcmp(&p, ethernet, sizeof(p)));
	if (packet_quick_protocol(&b, &quick) && captured >= 54)
		assert(ethernet->version && ethernet->protocol == quick);
	for (unsigned i = 0; i < 2; i++) {
		packet_walk(&b, 0, i ? TYPE_IPV6 : TYPE_IPV4, &p);
		check(&p, length);
		/* What is inside, if it were a tunnel's. */
		if (p.flags & PACKET_PAYLOAD) {
			packet_walk(&b, p.payload, i ? TYPE_IPV4 : TYPE_IPV6, &p);
			check(&p, length);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet whole, cut;

	walk_all(data, (u32)size, (u32)size, &whole);
	walk_all(data, (u32)size, (u32)size + 1000, &cut);
	for (u32 n = 0; n < size; n += (u32)size / 16 + 1) {
		uint8_t *copy = malloc(n + 1); /* so that a read past it is seen */

		if (!copy)
			return 0;
		memcpy(copy, data, n);
		walk_all(copy, n, (u32)size, &cut);
		free(copy);
		assert(!cut.version || cut.version == whole.version);
		if (cut.flags & PACKET_PORTS)
			assert(cut.source_port == whole.source_port &&
			       cut.destination_port == whole.destination_port);
		if (cut.flags & PACKET_PAYLOAD)
			assert(cut.payload == whole.payload &&
			       cut.payload_length == whole.payload_length);
	}
	return 0;
}
