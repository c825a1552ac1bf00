// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What packets' two halves share: one record for each packet that is shown.
 * Addresses come from the packet's header: on an interface there is no socket to ask. */
#pragma once

#include "abi/record.h"
#include "kernel/packet.h"

#define PACKETS_SNAP     128    /* bytes of payload that are copied, when not told otherwise */
#define PACKETS_SNAP_MAX 262144 /* the most that can be asked for: more than any packet has */

struct packets_record {
	struct record r;
	u64 now_ns; /* CLOCK_MONOTONIC */
	struct packet packet;
	u32 length;   /* of the frame for a capture file: a VLAN tag that was beside it is in it */
	u32 captured; /* bytes of the payload, or of the frame, that follow this struct */
	u32 from;     /* of the frame: the offset in the packet at which it begins */
	u32 ifindex;
	u8 type;     /* PACKET_* of include/uapi/linux/if_packet.h */
	u8 ethernet; /* the frame begins with an Ethernet header, else with that of IP */
	u8 tag;      /* bytes that the VLAN tag takes in the frame, and not in the packet */
	u8 pad[5];
};
ABI_SIZE(struct packets_record, 112);
