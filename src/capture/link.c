// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Link layers of captures: Ethernet with VLAN tags, Linux cooked, BSD loopback, bare IP.
 * Source: the tcpdump group's list of LINKTYPE_ values and the page it has for each. */
#include "capture/link.h"

#include <stdio.h>

/* IEEE 802.1Q: customer tag, service tag; and what came before the service tag was standard. */
#define TAG         0x8100
#define TAG_SERVICE 0x88a8
#define TAG_OLD     0x9100
#define TAG_SIZE    4
#define VLAN_ID     0x0fff

/* IEEE 802.3 3.2.6: less than this is a length. */
#define ETHERTYPE_MIN 0x600

/* Kinds of cooked interfaces (linux/if_arp.h) whose protocol field holds something else. */
#define ARPHRD_FRAD     770
#define ARPHRD_RADIOTAP 803
#define ARPHRD_NETLINK  824

const uint16_t link_types[LINK_TYPES] = {
	LINK_ETHERNET, LINK_COOKED_2,    LINK_COOKED, LINK_RAW,       LINK_RAW_BSD,
	LINK_NULL,     LINK_RAW_OPENBSD, LINK_LOOP,   LINK_BARE_IPV4, LINK_BARE_IPV6,
};

bool link_known(uint16_t link)
{
	for (unsigned i = 0; i < LINK_TYPES; i++)
		if (link_types[i] == link)
			return true;
	return false;
}

void link_refusal(uint16_t link, char out[LINK_ERROR_MAX])
{
	(void)snprintf(out, LINK_ERROR_MAX,
		       "link type %u is not read, only Ethernet (1), Linux cooked (113, 276), "
		       "IP (12, 14, 101, 228, 229) and BSD loopback (0, 108)",
		       link);
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* From an ethertype in front of out->offset through the tags. */
static int tags(const struct frame *p, uint16_t ethertype, struct link *out)
{
	while (ethertype == TAG || ethertype == TAG_SERVICE || ethertype == TAG_OLD) {
		const uint8_t *tag = p->bytes + out->offset;

		if (out->vlans == LINK_VLANS)
			break;
		if (p->captured - out->offset < TAG_SIZE)
			return -EBADMSG;
		out->vlan[out->vlans++] = be16(tag) & VLAN_ID;
		ethertype = be16(tag + 2);
		out->offset += TAG_SIZE;
	}
	out->ethertype = ethertype < ETHERTYPE_MIN ? 0 : ethertype;
	return 0;
}

static int ethernet(const struct frame *p, struct link *out)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (p->captured < 14)
		return -EBADMSG;
	if (memcmp(p->bytes, broadcast, sizeof(broadcast)) == 0)
		out->type = FRAME_TYPE_BROADCAST;
	else if (p->bytes[0] & 1)
		out->type = FRAME_TYPE_MULTICAST;
	out->offset = 14;
	return tags(p, be16(p->bytes + 12), out);
}

/* Both versions have the same fields in other places: packet type, kind of interface, protocol. */
static int cooked(const struct frame *p, struct link *out)
{
	static const uint8_t types[] = {FRAME_TYPE_HOST, FRAME_TYPE_BROADCAST, FRAME_TYPE_MULTICAST,
					FRAME_TYPE_OTHERHOST, FRAME_TYPE_OUTGOING};
	bool second = p->link == LINK_COOKED_2;
	const uint8_t *b = p->bytes;
	uint16_t type, kind, protocol;

	out->offset = second ? 20 : 16;
	if (p->captured < out->offset)
		return -EBADMSG;
	type = second ? b[10] : be16(b);
	kind = be16(b + (second ? 8 : 2));
	protocol = be16(b + (second ? 0 : 14));
	if (second)
		out->ifindex = be32(b + 4);
	if (type < ARRAY_SIZE(types)) {
		out->type = types[type];
		out->direction =
			out->type == FRAME_TYPE_OUTGOING ? FRAME_DIRECTION_OUT : FRAME_DIRECTION_IN;
	}
	if (kind == ARPHRD_FRAD || kind == ARPHRD_RADIOTAP || kind == ARPHRD_NETLINK)
		return 0;
	return tags(p, protocol, out);
}

/* The address family: 2 is IPv4 everywhere, IPv6 differs between systems. LINK_NULL has it in the
 * byte order of the host that captured, which need not be the file's any more. */
static int loopback(const struct frame *p, struct link *out)
{
	uint32_t family;

	if (p->captured < 4)
		return -EBADMSG;
	family = be32(p->bytes);
	if (p->link == LINK_NULL && family > 0xffff)
		family = __builtin_bswap32(family);
	if (family == 2)
		out->ethertype = LINK_IPV4;
	else if (family == 24 || family == 28 || family == 30 || family == 10)
		out->ethertype = LINK_IPV6;
	out->offset = 4;
	return 0;
}

static int bare(const struct frame *p, struct link *out)
{
	if (p->captured < 1)
		return -EBADMSG;
	if (p->bytes[0] >> 4 == 4 && p->link != LINK_BARE_IPV6)
		out->ethertype = LINK_IPV4;
	else if (p->bytes[0] >> 4 == 6 && p->link != LINK_BARE_IPV4)
		out->ethertype = LINK_IPV6;
	return 0;
}

int link_parse(const struct frame *p, struct link *out)
{
	struct link found = {.type = FRAME_TYPE_UNKNOWN};
	int err;

	if (!link_known(p->link))
		return -EPROTONOSUPPORT;
	if (p->link == LINK_ETHERNET)
		err = ethernet(p, &found);
	else if (p->link == LINK_COOKED || p->link == LINK_COOKED_2)
		err = cooked(p, &found);
	else if (p->link == LINK_NULL || p->link == LINK_LOOP)
		err = loopback(p, &found);
	else
		err = bare(p, &found);
	if (err)
		return err;
	if (p->type != FRAME_TYPE_UNKNOWN)
		found.type = p->type;
	if (p->direction != FRAME_DIRECTION_UNKNOWN)
		found.direction = p->direction;
	*out = found;
	return 0;
}
