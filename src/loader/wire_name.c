// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Names of interfaces, asked of the kernel through a socket that is opened while
 * that is allowed, and remembered for a moment: packets come by the thousand. */
#include "loader/wire_name.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"

#define KEEP_NS 100000000
#define SLOTS   64

struct slot {
	unsigned index;
	char name[IF_NAMESIZE];
	uint64_t asked_ns;
};

struct wire_names {
	int fd;                   /* the session's */
	struct slot slots[SLOTS]; /* by the index */
};

void wire_names_free(struct wire_names *w)
{
	free(w);
}

/* Leaves what is known where the kernel no longer knows it. */
static void ask(const struct wire_names *w, unsigned index, struct slot *s)
{
	struct ifreq request = {.ifr_ifindex = (int)index};

	if (s->index != index)
		*s = (struct slot){.index = index};
	if (!ioctl(w->fd, SIOCGIFNAME, &request))
		memcpy(s->name, request.ifr_name, sizeof(s->name));
}

const char *wire_names_of(struct wire_names *w, unsigned index, uint64_t now_ns)
{
	struct slot *s = &w->slots[index % SLOTS];

	if (s->index != index || now_ns - s->asked_ns > KEEP_NS) {
		ask(w, index, s);
		s->asked_ns = now_ns;
	}
	return s->name;
}

/* Those that are there now are asked at once: one may be gone when its first packet is looked at.
 */
int wire_names_open(struct session *s, struct wire_names **out)
{
	int r, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	_cleanup_(wire_free_namesp) struct if_nameindex *names = if_nameindex();
	uint64_t now = clock_mono_ns();
	struct wire_names *w;

	if (fd < 0)
		return session_fail(s, -errno, "cannot open a socket: %s", strerror(errno));
	r = session_own_fd(s, fd);
	w = r ? NULL : calloc(1, sizeof(*w));
	if (!w)
		return session_fail(s, r ? r : -ENOMEM, "no room for names of interfaces");
	w->fd = fd;
	for (struct if_nameindex *n = names; n && n->if_index; n++)
		(void)wire_names_of(w, n->if_index, now);
	*out = w;
	return 0;
}
