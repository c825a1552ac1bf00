// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Packet sockets: found by the name of an interface, filtered before they are bound, held by the
 * session. What they see never reaches user space but through the program's ring and maps. */
#include "loader/wire.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "loader/state.h"
#include "loader/wire_filter.h"

/* How often it is asked whether interfaces are still there. The socket's error tells of one that is
 * down, too, and of one that is down already no more. */
#define LOOK_NS 250000000

const char *const wire_directions[] = {"both", "out", "in", NULL};

static int no_interface(struct session *s, const char *name)
{
	_cleanup_(wire_free_namesp) struct if_nameindex *names = if_nameindex();
	char text[512], given[256];
	struct buf b = BUF_ON(text), g = BUF_ON(given);

	buf_escaped(&g, text_in(name, IF_NAMESIZE));
	for (struct if_nameindex *i = names; i && i->if_index; i++) {
		buf_str(&b, i == names ? "" : ", ");
		buf_escaped(&b, text_of(i->if_name));
	}
	return session_fail(s, -ENODEV,
			    "there is no interface '%.*s%s'; this network namespace has %.*s%s",
			    (int)g.len, g.p, strlen(name) > IF_NAMESIZE ? "..." : "", (int)b.len,
			    b.p, b.over ? " ..." : "");
}

/* Protocol 0 receives nothing: that begins with bind(). */
static int packet_socket(struct session *s)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return session_fail(s, -errno, "cannot open a packet socket: %s", strerror(errno));
	return fd;
}

int wire_find(struct session *s, const char *name, struct wire_interface *out)
{
	struct wire_interface i = {.name = "any"};
	struct ifreq request = {0};
	_cleanup_close_ int fd = -1;

	if (!name || !strcmp(name, "any")) {
		*out = i;
		return 0;
	}
	i.index = if_nametoindex(name);
	if (!i.index || strlen(name) >= sizeof(i.name))
		return no_interface(s, name);
	memcpy(i.name, name, strlen(name) + 1);
	memcpy(request.ifr_name, i.name, sizeof(request.ifr_name));
	fd = packet_socket(s);
	if (fd < 0)
		return fd;
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return session_fail(s, -errno, "cannot ask what '%s' is: %s", name,
				    strerror(errno));
	i.type = request.ifr_hwaddr.sa_family;
	i.loopback = i.type == ARPHRD_LOOPBACK;
	*out = i;
	return 0;
}

/* By way of a small one where the kernel has no room for it. 0 or -errno, said. */
static int attach(struct session *s, const struct bpf_object *obj, int fd, int program)
{
	if (!setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)))
		return 0;
	if (errno == ENOMEM) {
		program = wire_filter_none(s, obj, program);
		if (program < 0)
			return program;
		if (!setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)))
			return 0;
	}
	return session_fail(s, -errno, "cannot attach the socket filter: %s", strerror(errno));
}

/* The filter is in place before the socket is bound, so that no packet is queued. */
static int bind_to(struct session *s, const struct wire_interface *i, const struct bpf_object *obj,
		   int fd, int program, bool incoming)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = (int)i->index};
	int one = 1, r = attach(s, obj, fd, program);

	if (r)
		return r;
	if (incoming && setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		return session_fail(s, -errno, "cannot leave out what is sent: %s",
				    strerror(errno));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return session_fail(s, -errno, "cannot watch '%s': %s", i->name, strerror(errno));
	log_info("attached a socket filter to a packet socket on %s", i->name);
	return 0;
}

static int watch_one(struct session *s, const struct wire_interface *i, const struct wire_tap *t,
		     const struct wire_filter *filter, const struct bpf_object *obj, int program)
{
	/* The kernel side decides it, too; here it also saves the work. On loopback each packet
	 * goes out and comes in: one of the two is enough. */
	bool incoming =
		t->direction == DIRECTION_IN || (i->loopback && t->direction != DIRECTION_OUT);
	int r, fd;

	if (filter->expression)
		program = i->index ? wire_filter_load(s, i, filter, program)
				   : wire_filter_load_all(s, obj, filter, program);
	if (program < 0)
		return program;
	fd = packet_socket(s);
	if (fd < 0)
		return fd;
	r = session_own_fd(s, fd);
	if (r)
		return session_fail(s, r, "too many interfaces to watch");
	if (i->index && s->n_watched < ARRAY_SIZE(s->watched)) {
		struct watched *w = &s->watched[s->n_watched++];

		w->fd = fd;
		w->index = i->index;
		memcpy(w->name, i->name, sizeof(w->name));
	}
	return bind_to(s, i, obj, fd, program, incoming);
}

/* Every interface there is to watch, each once: how many, or -errno, said. */
static int find_all(struct session *s, const struct opt_list *names, struct wire_interface *found)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MAX(names->n, 1); i++) {
		int r = wire_find(s, names->n ? names->v[i] : NULL, &found[n]);
		bool again = false;

		if (r)
			return r;
		for (unsigned k = 0; k < n; k++)
			again |= found[k].index == found[n].index;
		n += !again;
	}
	for (unsigned i = 0; i < n; i++)
		if (!found[i].index) { /* every interface: the others are among them */
			found[0] = found[i];
			return 1;
		}
	return (int)n;
}

int wire_watch(struct session *s, const struct wire_tap *t, const struct bpf_object *obj,
	       const struct bpf_program *tap)
{
	int program = bpf_program__fd(tap);
	struct wire_interface found[OPT_LIST_MAX];
	_cleanup_free_ char *expression = NULL;
	struct wire_filter filter = {.dump = t->dump_filter};
	int n, r = 0;

	if (t->dump_filter && !t->n_words)
		return session_fail(s, -EINVAL, "--dump-filter wants a filter");
	if (t->n_words) {
		expression = wire_expression(t->words, t->n_words);
		if (!expression)
			return session_fail(s, -ENOMEM, "no memory");
		filter.expression = expression;
	}
	n = find_all(s, t->interfaces, found);
	if (n < 0)
		return n;
	for (int i = 0; !r && i < n; i++)
		r = watch_one(s, &found[i], t, &filter, obj, program);
	return r;
}

static bool is_gone(const struct watched *w)
{
	struct ifreq request = {.ifr_ifindex = (int)w->index};

	return ioctl(w->fd, SIOCGIFNAME, &request) < 0 && errno == ENODEV;
}

void wire_look(struct session *s, uint64_t now_ns)
{
	char text[4 * IF_NAMESIZE];

	if (now_ns < s->next_look_ns)
		return;
	s->next_look_ns = now_ns + LOOK_NS;
	for (unsigned i = 0; i < s->n_watched; i++) {
		struct buf name = BUF_ON(text);

		if (!is_gone(&s->watched[i]))
			continue;
		buf_escaped(&name, text_of(s->watched[i].name));
		session_fail_late(s, -ENODEV,
				  "'%.*s' is gone: it was removed, or went to another network "
				  "namespace; begin again when it is back",
				  (int)name.len, name.p);
		session_stop(s);
		return;
	}
}

bool wire_asks_for(const struct session *s, const struct wire_tap *t, uint16_t port)
{
	_cleanup_free_ char *expression = t->n_words ? wire_expression(t->words, t->n_words) : NULL;
	const struct filter *f = session_filter(s);

	for (unsigned i = 0; i < f->n_ports; i++)
		if (f->ports[i] == port)
			return true;
	return expression && wire_filter_names_port(expression, port);
}

int wire_refuse_owner(struct session *s, const char *where)
{
	const char *option = session_owner_option(s);

	if (!option)
		return 0;
	return session_fail(s, -EINVAL,
			    "%s cannot be known of a packet when it passes: choose rows by their "
			    "columns, as with --where '%s'",
			    option, where);
}
