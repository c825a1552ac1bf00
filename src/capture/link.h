// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* From a captured packet's link layer to its network packet.
 * The one place that knows link types, so that what follows sees IP packets only. */
#pragma once

#include "capture/frame.h"

/* VLAN tags that are gone through; what is deeper stays what it is, a tag. */
#define LINK_VLANS 8

enum link_ethertype { LINK_IPV4 = 0x0800, LINK_IPV6 = 0x86dd };

struct link {
	uint32_t offset;    /* of the network packet in the captured bytes */
	uint32_t ifindex;   /* on the host that captured, where the link layer says it; else 0 */
	uint16_t ethertype; /* of the network packet; 0: it has none, or none is said */
	uint8_t type;       /* enum frame_type */
	uint8_t direction;  /* enum frame_direction */
	uint8_t vlans;      /* how many of */
	uint16_t vlan[LINK_VLANS]; /* VLAN ids, the outermost first */
};

/* LINKTYPE_ numbers. */
enum link_type {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW = 101,
	LINK_RAW_BSD =
		12, /* DLT_RAW, whose number differs between systems, where it got into a file */
	LINK_RAW_OPENBSD = 14,
	LINK_LOOP = 108,
	LINK_COOKED = 113,
	LINK_COOKED_2 = 276,
	LINK_BARE_IPV4 = 228,
	LINK_BARE_IPV6 = 229,
};

/* Those that link_parse knows: all of these. */
#define LINK_TYPES 10
extern const uint16_t link_types[LINK_TYPES];
/* Is it one of these? */
bool link_known(uint16_t link);

/* "link type 105 is not read, only ...": for one that is not known; at most 160 bytes with the
 * terminator are written to out. */
#define LINK_ERROR_MAX 160
void link_refusal(uint16_t link, char out[LINK_ERROR_MAX]);

/* 0; -EPROTONOSUPPORT: the link type is not known; -EBADMSG: the bytes end before the network
 * packet.
 *
 * type and direction are what the file's flags said, else what the link layer says: all of it in
 * Linux cooked captures; in Ethernet frames broadcast and multicast, also of those that went out.
 */
int link_parse(const struct frame *p, struct link *out);
