// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the two halves of every tool on an interface share: directions, and sockets by the names
 * that their packets have. */
#pragma once

#include "abi/types.h"

#define SSH_PORT 22

/* Types of links, each with a filter of its own in wire_filters of kernel/wire.bpf.h. */
enum wire_link { WIRE_ETHERNET, WIRE_BARE_IP, WIRE_LINKS };

enum wire_direction { DIRECTION_BOTH, DIRECTION_OUT, DIRECTION_IN };

/* A socket, as the packets that it sends and gets name it. Remote is 0 for one that is not
 * connected, local is 0 for one that is bound to no address. */
struct wire_socket {
	u64 local[2], remote[2];     /* network order, IPv4 as IPv4-mapped */
	u16 local_port, remote_port; /* host order */
	u16 protocol;
	u16 pad;
};
ABI_SIZE(struct wire_socket, 40);

/* Owners that were told, counted apart by the names of their sockets: while a socket's count stands
 * still, so does its owner. */
#define WIRE_CHANGES     256
#define WIRE_CHANGE(key) (((key)->local_port ^ (key)->remote_port) % WIRE_CHANGES)
