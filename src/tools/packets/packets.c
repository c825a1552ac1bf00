// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* packets: a line for each packet with payload on interfaces.
 * It sees what passes by, forwarded traffic too, where `requests` sees the sockets of this host. */
#include "base/hex.h"
#include "packets.skel.h"
#include "tools/packets/state.h"

/* linux/if_packet.h, PACKET_HOST and so on. */
static uint8_t frame_type_of(uint8_t kernel)
{
	static const uint8_t types[] = {FRAME_TYPE_HOST, FRAME_TYPE_BROADCAST, FRAME_TYPE_MULTICAST,
					FRAME_TYPE_OTHERHOST, FRAME_TYPE_OUTGOING};

	return kernel < ARRAY_SIZE(types) ? types[kernel] : FRAME_TYPE_UNKNOWN;
}

/* Whose the local end of a packet is. False: nobody's that is known. */
static bool find_owner(struct packets *k, const struct packet *p, bool outgoing, struct owner *out)
{
	struct wire_socket socket = {
		.local_port = outgoing ? p->source_port : p->destination_port,
		.remote_port = outgoing ? p->destination_port : p->source_port,
		.protocol = p->protocol,
	};

	if (!k->owners || !(p->flags & PACKET_PORTS))
		return false;
	memcpy(socket.local, outgoing ? p->source : p->destination, sizeof(socket.local));
	memcpy(socket.remote, outgoing ? p->destination : p->source, sizeof(socket.remote));
	return wire_owners_seek(k->owners, &socket, out);
}

static int on_packet(struct session *s, const struct record *rec)
{
	const struct packets_record *r = (const struct packets_record *)rec;
	struct packets *k = session_state(s);
	struct packets_seen seen = {
		.time = session_wall(s, r->now_ns),
		.interface = text_of(wire_names_of(k->names, r->ifindex, r->now_ns)->name),
		.type = frame_type_of(r->type),
		.packet = &r->packet,
		.payload = (const uint8_t *)(r + 1),
		.captured = MIN(r->captured, rec->size - (uint32_t)sizeof(*r)),
	};
	bool outgoing = seen.type == FRAME_TYPE_OUTGOING;
	struct owner owner;

	seen.direction = outgoing ? FRAME_DIRECTION_OUT : FRAME_DIRECTION_IN;
	if (find_owner(k, &r->packet, outgoing, &owner))
		seen.owner = &owner;
	return packets_show(k, &seen);
}

static const struct record_handler records[] = {{sizeof(struct packets_record), on_packet}};

/* ---- the run ---- */

static int set_up(struct packets *k, const struct wire_tap *tap)
{
	struct packets_bpf *b = k->kernel;

	b->rodata->filter = *session_filter(k->session);
	b->rodata->wire_direction = (uint32_t)k->conf->direction;
	b->rodata->show_all = k->conf->all;
	b->rodata->only_http = k->conf->http;
	b->rodata->snap = (uint32_t)k->conf->snap;
	b->rodata->ssh_shown = wire_asks_for(k->session, tap, SSH_PORT);
	if (packets_tell_owner(k->columns))
		return wire_owners_prepare(k->session, b->obj, &b->rodata->network_namespace);
	wire_owners_disable(b->obj);
	return 0;
}

static int load(struct packets *k, const struct wire_tap *tap)
{
	int r;

	k->kernel = packets_bpf__open();
	if (!k->kernel)
		return session_fail(k->session, -errno, "cannot open the BPF object: %s",
				    strerror(errno));
	r = set_up(k, tap);
	if (r) {
		packets_bpf__destroy(k->kernel);
		return r;
	}
	r = SESSION_LOAD(k->session, k->kernel, packets_bpf);
	if (!r)
		r = session_attach(k->session);
	if (!r && packets_tell_owner(k->columns))
		r = wire_owners_open(k->session, k->kernel->obj, &k->owners);
	return r;
}

static int open_hex(struct packets *k)
{
	if (!k->conf->hex)
		return 0;
	if (!output_for_people(session_output(k->session)))
		return session_fail(k->session, -EINVAL,
				    "-X prints lines below each row of the table: leave it out, as "
				    "JSON and CSV have the bytes in the column 'payload'");
	k->hex.cap = HEX_DUMP_SIZE(PACKETS_SNAP_MAX);
	k->hex.p = malloc(k->hex.cap);
	return k->hex.p ? 0 : session_fail(k->session, -ENOMEM, "no memory");
}

static int packets_open(struct session *s, void *conf)
{
	struct packets *k = calloc(1, sizeof(*k));
	struct wire_tap tap = {0};
	int r;

	if (!k)
		return -ENOMEM;
	session_set_state(s, k);
	k->session = s;
	k->conf = conf;
	k->columns = session_columns(s);
	tap.interfaces = &k->conf->interfaces;
	tap.direction = k->conf->direction;
	tap.words = session_operands(s, &tap.n_words);
	tap.dump_filter = k->conf->dump_filter;
	r = wire_refuse_owner(s, "pid==N");
	if (!r)
		r = open_hex(k);
	if (!r)
		r = wire_names_open(s, &k->names);
	if (!r)
		r = load(k, &tap);
	return r ? r : wire_watch(s, &tap, bpf_program__fd(k->kernel->progs.packets_filter));
}

static void packets_ledger(struct session *s, struct buf *out)
{
	ledger_line(out, "fragments", session_counter(s, COUNT_FRAGMENTS),
		    "IP fragments left out: they have no ports (--all shows them)");
}

static void packets_close(struct session *s)
{
	struct packets *k = session_state(s);

	if (!k)
		return;
	wire_owners_free(k->owners);
	wire_names_free(k->names);
	free(k->hex.p);
	free(k);
}

static const struct opt opts[] = {
	{'i', "interface", "IF", OPT_LIST, 0, offsetof(struct packets_conf, interfaces),
	 .help = "only this interface; may be repeated (else all, also those to come)"},
	{0, "all", NULL, OPT_FLAG, 0, offsetof(struct packets_conf, all),
	 .help = "every packet: also those without payload, fragments, and what is not TCP or UDP"},
	{0, "http", NULL, OPT_FLAG, 0, offsetof(struct packets_conf, http),
	 .help = "only payload that begins with an HTTP method or HTTP/"},
	{'s', "snap", "BYTES", OPT_UINT, 0, offsetof(struct packets_conf, snap),
	 .max = PACKETS_SNAP_MAX, .help = "copy so many bytes of each payload (else 128)"},
	{'X', "hex", NULL, OPT_FLAG, 0, offsetof(struct packets_conf, hex),
	 .help = "below each row, the bytes that were copied, in hexadecimal and as characters"},
	{0, "direction", NULL, OPT_CHOICE, 0, offsetof(struct packets_conf, direction),
	 .choices = wire_directions, .help = "only what goes out, or only what comes in"},
	{0, "dump-filter", NULL, OPT_FLAG, 0, offsetof(struct packets_conf, dump_filter),
	 .help = "print the programs that the filter becomes, and end"},
	{0},
};

static const struct packets_conf conf_default = {.snap = PACKETS_SNAP};

const struct tool tool_packets = {
	.manual =
		{
			.name = "packets",
			.brief = "show the packets that pass interfaces, and whose they are",
			.operands = "[FILTER ...]",
			.about =
				"A line for each packet with TCP or UDP payload, sent or received, "
				"on the interfaces of this network namespace: source:port > "
				"destination:port, the process that has the socket, TCP's flags, "
				"length, and the start of the payload. --all adds every other "
				"packet. Where the interface joins segments, or leaves it to the "
				"card to cut them, they are shown joined.\n\n"
				"It sees what passes an interface: traffic that is forwarded, of "
				"containers and of no socket at all, too. A forwarded packet "
				"passes "
				"two interfaces and is shown on each. On loopback each packet goes "
				"out and comes in; it is shown once, as it comes in, with the "
				"receiver's process (with --direction out, as it goes out, with "
				"the sender's).\n\n"
				"Ports and payload are never read from an IP fragment: with --all "
				"it is a row without them, else it is counted.\n\n"
				"SSH (port 22) is left out, so that a remote terminal does not "
				"feed itself; --port 22, or a filter that names the port, shows "
				"it.\n\n"
				"FILTER is an expression of pcap-filter(7), as for tcpdump. It is "
				"decided in the kernel, before a byte is copied.",
			.opts = opts,
			.schema = &packets_schema,
			.examples =
				(const struct example[]){
					{"tapline packets", "every TCP and UDP payload"},
					{"tapline packets -i eth0 --http -s 512",
					 "heads of HTTP messages on eth0"},
					{"tapline packets -i lo --port 8080 --json",
					 "one port on loopback, as JSON"},
					{"tapline packets --all 'icmp or arp'",
					 "what a pcap filter matches, with or without payload"},
					{"tapline packets -X -s 1500 -i eth0 udp port 53",
					 "whole DNS messages, in hexadecimal"},
					{"tapline packets --net 10.0.0.0/8 --where 'comm==curl'",
					 "a network's packets, of one program"},
					{NULL, NULL},
				},
			.overhead =
				"One program runs for each packet. Measured by the kernel "
				"(kernel.bpf_stats_enabled) with UDP on loopback, two cores, over "
				"a filter that does nothing: about 430 ns for a packet that is "
				"shown, 190 ns for one that --port leaves out, 100 ns for one that "
				"a FILTER does. Unless --fields leaves out pid, comm and owner, "
				"also hooks on sends and reads of sockets (150 ns each), and a "
				"look at all open files where an owner is missing, for at most "
				"1/64 of the time. Up to 128 bytes of each payload shown are "
				"copied, or as -s says.",
			.limits =
				"A packet does not tell its process: it is looked up by addresses "
				"and ports when the row is made, up to 10 ms later. So --pid, "
				"--comm and --container are refused, and --where 'pid==N' chooses "
				"rows. Until the process that accepted a connection has read or "
				"sent, it counts for the one that listens.\n\n"
				"Payload is shown as it is: passwords and tokens in it are not "
				"masked. What is inside a tunnel is not looked at, nor what is "
				"behind more than two VLAN tags or eight IPv6 extension headers. "
				"What an XDP program drops or redirects, and what a program sends "
				"past the queues (PACKET_QDISC_BYPASS), does not come here.",
		},
	.needs = NEED_ROOT | NEED_BTF | NEED_RINGBUF | NEED_NET_RAW,
	.conf_size = sizeof(struct packets_conf),
	.conf_default = &conf_default,
	.open = packets_open,
	.records = records,
	.n_records = ARRAY_SIZE(records),
	.ledger = packets_ledger,
	.close = packets_close,
};
