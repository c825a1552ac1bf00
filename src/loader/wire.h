// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The wire tap: a socket filter on an AF_PACKET socket, which sees what passes an interface.
 * Its program returns 0, so that no packet is ever queued to the socket. */
#pragma once

#include <net/if.h>

#include "abi/wire.h"
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

/* What to watch, as the options of a tool and its operands say. */
struct wire_tap {
	const struct opt_list *interfaces; /* names, borrowed; none of them, or "any": every one */
	uint64_t direction;                /* enum wire_direction */
	char *const *words;                /* of a filter expression: n_words, borrowed; 0: none */
	unsigned n_words;
	bool dump_filter; /* print what the filter becomes, and end with -ECANCELED */
};

extern const char *const wire_directions[]; /* words of an option, by enum wire_direction */

/*
 * From here on tap (a socket filter of obj, which is loaded; it returns 0) sees what passes; its
 * packets begin at the link layer. With a filter it is called by another that sees them first. An
 * interface that is named twice is watched once. The sockets are the session's, and go with it.
 * When an interface of that name is removed, the session ends the run and says so; one that is down
 * is still watched. 0 or -errno, said.
 */
int wire_watch(struct session *s, const struct wire_tap *t, const struct bpf_object *obj,
	       const struct bpf_program *tap);

/* Does --port or the filter name this port? False also where that does not compile, which
 * wire_watch will say. */
bool wire_asks_for(const struct session *s, const struct wire_tap *t, uint16_t port);

/* --pid, --comm and --container where a packet cannot tell: 0 when none was given, else -EINVAL,
 * said, with an expression for --where that does it. */
int wire_refuse_owner(struct session *s, const char *where);

/* For names that a function makes and gives back: `_cleanup_(wire_free_namesp)`. */
static inline void wire_free_namesp(struct if_nameindex **names)
{
	if (*names)
		if_freenameindex(*names);
}
