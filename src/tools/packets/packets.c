// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* packets: a line for each TCP segment with payload on one interface.
 * It sees what passes by, forwarded traffic too, where `requests` sees the sockets of this host. */
#include "tools/packets/packets.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "loader/session.h"
#include "packets.skel.h"

struct packets_conf {
	const char *interface;
};

struct packets_row {
	struct row row;
	int64_t time;
	struct addr source, destination;
	uint64_t source_port, destination_port, length;
	struct text ends, payload;
};

enum { TIME, ENDS, SRC, SRC_PORT, DST, DST_PORT, LENGTH, PAYLOAD };

/* For people the two ends are one word, as they are read together; programs get them apart. */
static const struct column columns[] = {
	[TIME] = {"time", "TIME", COL_TIME, UNIT_NONE, offsetof(struct packets_row, time), 12, 0,
		  .help = "when the packet passed"},
	[ENDS] = {"ends", "SOURCE > DESTINATION", COL_TEXT, UNIT_NONE,
		  offsetof(struct packets_row, ends), 44, COLUMN_SHOWN | COLUMN_EXTRA,
		  .help = "source and destination, each address:port, in one text"},
	[SRC] = {"src", "SRC", COL_ADDR, UNIT_NONE, offsetof(struct packets_row, source), 15, 0,
		 .help = "address of the sender, as the packet says"},
	[SRC_PORT] = {"src_port", "SPORT", COL_UINT, UNIT_NONE,
		      offsetof(struct packets_row, source_port), 5, 0, .help = "its port"},
	[DST] = {"dst", "DST", COL_ADDR, UNIT_NONE, offsetof(struct packets_row, destination), 15,
		 0, .help = "address of the receiver"},
	[DST_PORT] = {"dst_port", "DPORT", COL_UINT, UNIT_NONE,
		      offsetof(struct packets_row, destination_port), 5, 0, .help = "its port"},
	[LENGTH] = {"length", "LENGTH", COL_UINT, UNIT_NONE, offsetof(struct packets_row, length),
		    6, COLUMN_SHOWN, .help = "bytes of TCP payload in the packet"},
	[PAYLOAD] = {"payload", "PAYLOAD", COL_TEXT, UNIT_NONE,
		     offsetof(struct packets_row, payload), 24, COLUMN_SHOWN | COLUMN_GROWS,
		     .help = "its first 64 bytes; null where they could not be read"},
};

static const struct schema schema = {columns, ARRAY_SIZE(columns)};

/* ---- rows ---- */

/* 192.0.2.1:80 and [2001:db8::1]:80, RFC 3986 3.2.2. */
static void put_end(struct buf *b, const struct addr *a, uint64_t port)
{
	bool v4 = addr_is_v4(a);

	if (!v4)
		buf_char(b, '[');
	buf_addr(b, a);
	buf_str(b, v4 ? ":" : "]:");
	buf_u64(b, port);
}

static int on_segment(struct session *s, const struct record *rec)
{
	const struct packets_segment *p = (const struct packets_segment *)rec;
	struct packets_row row = {
		.row.known = (1 << ARRAY_SIZE(columns)) - 1,
		.time = session_wall(s, p->now_ns),
		.source_port = p->source_port,
		.destination_port = p->destination_port,
		.length = p->length,
		.payload = {(const char *)p->start, MIN(p->captured, PACKETS_START_MAX)},
	};
	char text[2 * ADDR_TEXT_MAX + sizeof("[]:65535 > []:65535")];
	struct buf ends = BUF_ON(text);

	if (!p->captured)
		row.row.known &= ~(1ull << PAYLOAD);
	memcpy(row.source.b, p->source, sizeof(row.source.b));
	memcpy(row.destination.b, p->destination, sizeof(row.destination.b));
	if (session_columns(s) & 1ull << ENDS) {
		put_end(&ends, &row.source, row.source_port);
		buf_str(&ends, " > ");
		put_end(&ends, &row.destination, row.destination_port);
	}
	row.ends = buf_text(&ends);
	return session_row(s, &row.row);
}

static const struct record_handler records[] = {{sizeof(struct packets_segment), on_segment}};

/* ---- the interface ---- */

struct interface {
	const char *name;
	unsigned index;
	unsigned header; /* bytes in front of the IP header */
	bool loopback;
};

static void free_names(struct if_nameindex **names)
{
	if (*names)
		if_freenameindex(*names);
}

static int no_interface(struct session *s, const char *name)
{
	_cleanup_(free_names) struct if_nameindex *names = if_nameindex();
	char text[512];
	struct buf b = BUF_ON(text);

	for (struct if_nameindex *i = names; i && i->if_index; i++) {
		buf_str(&b, i == names ? "" : ", ");
		buf_escaped(&b, text_of(i->if_name));
	}
	return session_fail(s, -ENODEV,
			    "there is no interface '%s'; this network namespace has %.*s%s", name,
			    (int)b.len, b.p, b.over ? " ..." : "");
}

/* Where the IP header begins depends on the link: ARPHRD_* of include/uapi/linux/if_arp.h. */
static int link_header(unsigned type)
{
	switch (type) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return ETH_HLEN;
	case ARPHRD_NONE: /* tun, WireGuard */
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
		return 0;
	default:
		return -EPROTONOSUPPORT;
	}
}

static int find_interface(struct session *s, int fd, struct interface *i)
{
	struct ifreq request = {0};
	int header;

	i->index = if_nametoindex(i->name);
	if (!i->index)
		return no_interface(s, i->name);
	memcpy(request.ifr_name, i->name, MIN(strlen(i->name), sizeof(request.ifr_name) - 1));
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return session_fail(s, -errno, "cannot ask what '%s' is: %s", i->name,
				    strerror(errno));
	header = link_header(request.ifr_hwaddr.sa_family);
	if (header < 0)
		return session_fail(s, header,
				    "'%s' carries neither Ethernet nor bare IP (link type %u): "
				    "name another interface",
				    i->name, request.ifr_hwaddr.sa_family);
	i->header = (unsigned)header;
	i->loopback = request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	return 0;
}

/* From here on the filter sees what passes. It is in place before the socket is bound, so that no
 * packet is queued. */
static int watch(struct session *s, const struct interface *i, int fd, int program)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = (int)i->index};
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)))
		return session_fail(s, -errno, "cannot attach the socket filter: %s",
				    strerror(errno));
	/* On loopback each packet goes out and comes in: one of the two is enough. */
	if (i->loopback && setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		return session_fail(s, -errno, "cannot leave out what is sent: %s",
				    strerror(errno));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return session_fail(s, -errno, "cannot watch '%s': %s", i->name, strerror(errno));
	log_info("attached packets_filter to a packet socket on %s", i->name);
	return 0;
}

/* ---- the run ---- */

static int check_options(struct session *s, const struct packets_conf *conf)
{
	const struct filter *f = session_filter(s);

	if (!conf->interface)
		return session_fail(s, -EINVAL, "name the interface to watch: -i NAME");
	if (f->pid || f->by_comm || f->by_cgroup)
		return session_fail(s, -EINVAL,
				    "%s cannot be known of a packet on an interface; "
				    "'tapline requests' knows it",
				    f->pid       ? "--pid"
				    : f->by_comm ? "--comm"
						 : "--container");
	return 0;
}

static int load(struct session *s, const struct interface *i, int fd)
{
	const struct filter *f = session_filter(s);
	struct packets_bpf *k = packets_bpf__open();
	int r;

	if (!k)
		return session_fail(s, -errno, "cannot open the BPF object: %s", strerror(errno));
	k->rodata->filter = *f;
	k->rodata->link_header = i->header;
	for (unsigned n = 0; n < f->n_ports; n++)
		k->rodata->ssh_shown |= f->ports[n] == 22;
	r = SESSION_LOAD(s, k, packets_bpf);
	return r ? r : watch(s, i, fd, bpf_program__fd(k->progs.packets_filter));
}

static int packets_open(struct session *s, void *conf_ptr)
{
	const struct packets_conf *conf = conf_ptr;
	struct interface i = {.name = conf->interface};
	int fd, r = check_options(s, conf);

	if (r)
		return r;
	/* Protocol 0 receives nothing: that begins with bind(). */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return session_fail(s, -errno, "cannot open a packet socket: %s", strerror(errno));
	r = session_own_fd(s, fd);
	if (!r)
		r = find_interface(s, fd, &i);
	return r ? r : load(s, &i, fd);
}

static const struct opt opts[] = {
	{'i', "interface", "NAME", OPT_TEXT, 0, offsetof(struct packets_conf, interface),
	 .help = "the interface to watch (must be given)"},
	{0},
};

const struct tool tool_packets = {
	.manual =
		{
			.name = "packets",
			.brief = "show each TCP payload that passes an interface",
			.operands = "",
			.about = "A line for each TCP segment with payload, sent or received, on "
				 "one interface of this network namespace: source:port > "
				 "destination:port, length, and the start of the payload. Where "
				 "the interface joins segments, or leaves it to the card to cut "
				 "them, they are shown joined.\n\n"
				 "On loopback each packet goes out and comes in; it is shown once, "
				 "as it comes in.\n\n"
				 "SSH (port 22) is left out, so that a remote terminal does not "
				 "feed itself; --port 22 shows it.",
			.opts = opts,
			.schema = &schema,
			.examples =
				(const struct example[]){
					{"tapline packets -i eth0", "every TCP payload on eth0"},
					{"tapline packets -i lo --port 8080 --json",
					 "one port on loopback, as JSON"},
					{"tapline packets -i eth0 --net 10.0.0.0/8 --fields "
					 "time,ends,length",
					 "a network's segments, with their times"},
					{NULL, NULL},
				},
			.overhead = "One program runs for each packet of the interface. Measured "
				    "by the kernel (kernel.bpf_stats_enabled) on loopback with "
				    "nginx and wrk, two cores: about 300 ns for a segment that is "
				    "shown, 140 ns for one that --port leaves out. Up to 64 bytes "
				    "of each segment shown are copied.",
			.limits =
				"A packet does not tell its process: --pid, --comm and --container "
				"are refused. Payload is shown as it is: passwords and tokens in "
				"it are not masked. IP fragments are not shown, nor TCP inside a "
				"tunnel, nor behind more than two VLAN tags or six IPv6 extension "
				"headers. What an XDP program drops or redirects does not come "
				"here. When the interface is taken away, no more lines come.",
		},
	.needs = NEED_ROOT | NEED_RINGBUF | NEED_NET_RAW,
	.conf_size = sizeof(struct packets_conf),
	.open = packets_open,
	.records = records,
	.n_records = ARRAY_SIZE(records),
};
