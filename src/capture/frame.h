// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* One captured packet: what a file is read into, what the window sorts, what is written.
 * One struct for the three, so that a packet goes through them as it is. */
#pragma once

#include "base/text.h"

/* libpcap's MAXIMUM_SNAPLEN (pcap-int.h): a packet with more bytes is a damaged length. */
#define FRAME_MAX 262144

enum frame_direction { FRAME_DIRECTION_UNKNOWN, FRAME_DIRECTION_IN, FRAME_DIRECTION_OUT };

/* Whom the packet was for, as the kernel tells it (linux/if_packet.h, PACKET_HOST and so on). */
enum frame_type {
	FRAME_TYPE_UNKNOWN,
	FRAME_TYPE_HOST,
	FRAME_TYPE_BROADCAST,
	FRAME_TYPE_MULTICAST,
	FRAME_TYPE_OTHERHOST,
	FRAME_TYPE_OUTGOING,
};

/* Of the kernel's number, from PACKET_HOST (0) to PACKET_OUTGOING (4). */
static inline enum frame_type frame_type_of(uint8_t kernel)
{
	return kernel <= 4 ? (enum frame_type)(FRAME_TYPE_HOST + kernel) : FRAME_TYPE_UNKNOWN;
}

struct frame {
	int64_t time_ns;     /* since the epoch */
	uint32_t captured;   /* bytes there are, at most FRAME_MAX and at most length */
	uint32_t length;     /* bytes there were */
	uint32_t interface;  /* its number in its section of the file, from 0 */
	uint16_t link;       /* LINKTYPE_ number of the tcpdump group's list */
	uint8_t direction;   /* enum frame_direction */
	uint8_t type;        /* enum frame_type, where the file's flags say it */
	struct text name;    /* of the interface; empty: not known */
	struct text comment; /* the first one */
	const uint8_t *bytes;
};
