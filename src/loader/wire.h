// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The wire tap: a socket filter on an AF_PACKET socket, which sees what passes an interface.
 * Its program returns 0, so that no packet is ever queued to the socket. */
#pragma once

#include <net/if.h>

#include "loader/session.h"

struct wire_interface {
	char name[IF_NAMESIZE];
	unsigned index; /* 0: every interface of this network namespace, those to come too */
	unsigned type;  /* ARPHRD_* of include/uapi/linux/if_arp.h; 0 with index 0 */
	bool loopback;
};

/* The interface of that name; NULL or "any": every one. 0 or -errno, said, with the names there
 * are. */
int wire_find(struct session *s, const char *name, struct wire_interface *out);

/* Bytes in front of the IP header, or -EPROTONOSUPPORT, said: neither Ethernet nor bare IP. */
int wire_link_header(struct session *s, const struct wire_interface *i);

/*
 * From here on program (a socket filter that returns 0, borrowed) sees what passes; its packets
 * begin at the link layer. incoming: only what comes in. The socket is the session's, and goes with
 * it. 0 or -errno, said.
 */
int wire_open(struct session *s, const struct wire_interface *i, int program, bool incoming);

/* --pid, --comm and --container where a packet cannot tell: 0 when none was given, else -EINVAL,
 * said. */
int wire_refuse_owner(struct session *s);

/* The interfaces of this network namespace by their index, as they were when this was made: once
 * privileges are gone, the kernel is not asked again. Freed by if_freenameindex; NULL is none. */
const char *wire_name(const struct if_nameindex *names, unsigned index);

/* For names that a function makes and gives back: `_cleanup_(wire_free_namesp)`. */
static inline void wire_free_namesp(struct if_nameindex **names)
{
	if (*names)
		if_freenameindex(*names);
}
