// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What packets' two halves share: one record for each packet that is shown.
 * Addresses come from the packet's header: on an interface there is no socket to ask. */
#pragma once

#include "abi/record.h"
#include "kernel/packet.h"

#define PACKETS_SNAP     128   /* bytes of payload that are copied, when not told otherwise */
#define PACKETS_SNAP_MAX 65535 /* the most that can be asked for */

struct packets_record {
	struct record r;
	u64 now_ns; /* CLOCK_MONOTONIC */
	struct packet packet;
	u32 length;   /* of the packet, from the link layer on */
	u32 from;     /* offset in the packet of the first byte that was copied */
	u32 captured; /* bytes that were copied: they follow this struct */
	u32 ifindex;
	u16 vlan_proto; /* of a tag that is not in the packet, host order; 0: there is none */
	u16 vlan_tci;   /* ... and what it says */
	u8 type;        /* PACKET_* of include/uapi/linux/if_packet.h */
	u8 pad[3];
};
ABI_SIZE(struct packets_record, 112);
