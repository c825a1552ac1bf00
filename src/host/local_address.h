// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which addresses are this host's own, in the network namespace of this process.
 * A packet to one of them is for a socket here; one that is only forwarded is not. */
#pragma once

#include "base/addr.h"

struct local_addresses {
	struct addr *v; /* owned; local_addresses_free */
	size_t n;
};

/* Replaces *a by what /proc says now: IPv4 addresses and broadcasts of /proc/net/fib_trie, IPv6
 * addresses of /proc/net/if_inet6. 0 or -errno; a family that the kernel lacks is no error. */
int local_addresses_read(struct local_addresses *a);
void local_addresses_free(struct local_addresses *a);

/* Is it one of them, or one that every host takes packets for: 127.0.0.0/8, multicast, the limited
 * broadcast? */
bool local_address_is(const struct local_addresses *a, const struct addr *address);

/* Of a line of these files; 0, or -ENOENT: it names none. last: the last address that a line of
 * fib_trie named, which its next lines say more of. */
int local_address_of_trie(const char *line, struct addr *last, struct addr *out);
int local_address_of_inet6(const char *line, struct addr *out);
