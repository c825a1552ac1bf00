// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* packets: a line for each TCP segment with payload on one interface.
 * It sees what passes by, forwarded traffic too, where `requests` sees the sockets of this host. */
#include "tools/packets/packets.h"

#include "loader/wire.h"
#include "packets.skel.h"

struct packets_conf {
	const char *interface;
	bool dump_filter;
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

/* ---- the run ---- */

static int watch(struct session *s, const struct packets_conf *conf, int program)
{
	struct opt_list interfaces = {.v = {conf->interface}, .n = 1};
	struct wire_tap tap = {.interfaces = &interfaces, .dump_filter = conf->dump_filter};

	tap.words = session_operands(s, &tap.n_words);
	return wire_watch(s, &tap, program);
}

static int load(struct session *s, const struct packets_conf *conf, unsigned header)
{
	const struct filter *f = session_filter(s);
	struct packets_bpf *k = packets_bpf__open();
	int r;

	if (!k)
		return session_fail(s, -errno, "cannot open the BPF object: %s", strerror(errno));
	k->rodata->filter = *f;
	k->rodata->link_header = header;
	for (unsigned n = 0; n < f->n_ports; n++)
		k->rodata->ssh_shown |= f->ports[n] == 22;
	r = SESSION_LOAD(s, k, packets_bpf);
	return r ? r : watch(s, conf, bpf_program__fd(k->progs.packets_filter));
}

static int packets_open(struct session *s, void *conf_ptr)
{
	const struct packets_conf *conf = conf_ptr;
	struct wire_interface i;
	int header, r;

	if (!conf->interface)
		return session_fail(s, -EINVAL, "name the interface to watch: -i NAME");
	r = wire_refuse_owner(s);
	if (!r)
		r = wire_find(s, conf->interface, &i);
	if (r)
		return r;
	header = wire_link_header(s, &i);
	return header < 0 ? header : load(s, conf, (unsigned)header);
}

static const struct opt opts[] = {
	{'i', "interface", "NAME", OPT_TEXT, 0, offsetof(struct packets_conf, interface),
	 .help = "the interface to watch (must be given)"},
	{0, "dump-filter", NULL, OPT_FLAG, 0, offsetof(struct packets_conf, dump_filter),
	 .help = "print the programs that the filter becomes, and end"},
	{0},
};

const struct tool tool_packets = {
	.manual =
		{
			.name = "packets",
			.brief = "show each TCP payload that passes an interface",
			.operands = "[FILTER ...]",
			.about = "A line for each TCP segment with payload, sent or received, on "
				 "one interface of this network namespace: source:port > "
				 "destination:port, length, and the start of the payload. Where "
				 "the interface joins segments, or leaves it to the card to cut "
				 "them, they are shown joined.\n\n"
				 "On loopback each packet goes out and comes in; it is shown once, "
				 "as it comes in.\n\n"
				 "SSH (port 22) is left out, so that a remote terminal does not "
				 "feed itself; --port 22 shows it.\n\n"
				 "FILTER is an expression of pcap-filter(7), as for tcpdump. It is "
				 "decided in the kernel, before a byte is copied.",
			.opts = opts,
			.schema = &schema,
			.examples =
				(const struct example[]){
					{"tapline packets -i eth0", "every TCP payload on eth0"},
					{"tapline packets -i lo --port 8080 --json",
					 "one port on loopback, as JSON"},
					{"tapline packets -i eth0 'tcp port 80 and host 10.0.0.1'",
					 "what a pcap filter matches"},
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
