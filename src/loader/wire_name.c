// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Names and link types of interfaces, asked of the kernel through a socket that is opened while
 * that is allowed, and remembered for a moment: packets come by the thousand. */
#include "loader/wire_name.h"

#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define KEEP_NS 100000000
#define SLOTS   64

struct slot {
	struct wire_interface interface;
	uint64_t asked_ns; /* 0: never */
};

struct wire_names {
	int fd;                   /* the session's */
	struct slot slots[SLOTS]; /* by the index */
};

int wire_names_open(struct session *s, struct wire_names **out)
{
	int r, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct wire_names *w;

	if (fd < 0)
		return session_fail(s, -errno, "cannot open a socket: %s", strerror(errno));
	r = session_own_fd(s, fd);
	w = r ? NULL : calloc(1, sizeof(*w));
	if (!w)
		return session_fail(s, r ? r : -ENOMEM, "no room for names of interfaces");
	w->fd = fd;
	*out = w;
	return 0;
}

void wire_names_free(struct wire_names *w)
{
	free(w);
}

/* Leaves what is known where the kernel no longer knows it. */
static void ask(const struct wire_names *w, unsigned index, struct wire_interface *i)
{
	struct ifreq request = {.ifr_ifindex = (int)index};

	if (i->index != index)
		*i = (struct wire_interface){.index = index};
	if (ioctl(w->fd, SIOCGIFNAME, &request))
		return;
	memcpy(i->name, request.ifr_name, sizeof(i->name));
	if (ioctl(w->fd, SIOCGIFHWADDR, &request))
		return;
	i->type = request.ifr_hwaddr.sa_family;
	i->loopback = i->type == ARPHRD_LOOPBACK;
}

const struct wire_interface *wire_names_of(struct wire_names *w, unsigned index, uint64_t now_ns)
{
	struct slot *s = &w->slots[index % SLOTS];

	if (s->interface.index != index || now_ns - s->asked_ns > KEEP_NS) {
		ask(w, index, &s->interface);
		s->asked_ns = now_ns;
	}
	return &s->interface;
}
