// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* packets: a line for each packet with payload on interfaces, or in a capture file.
 * It sees what passes by, forwarded traffic too, where `requests` sees the sockets of this host. */
#include "base/hex.h"
#include "tools/packets/state.h"

#define NEEDS (NEED_ROOT | NEED_BTF | NEED_RINGBUF | NEED_ATOMICS | NEED_NET_RAW)

static const struct record_handler records[] = {
	{sizeof(struct packets_record), packets_live_record}};

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
	if (!k->hex.p)
		return session_fail(k->session, -ENOMEM, "no memory");
	return packets_hide_payload(k->session);
}

struct wire_tap packets_tap(const struct packets *k)
{
	struct wire_tap tap = {
		.interfaces = &k->conf->interfaces,
		.direction = k->conf->direction,
		.dump_filter = k->conf->dump_filter,
	};

	tap.words = session_operands(k->session, &tap.n_words);
	return tap;
}

/* Without -s: enough for a look in a row, all of it in a capture file. */
static void set_snap(struct packets *k)
{
	bool given = k->conf->snap != PACKETS_SNAP_DEFAULT;

	k->shown = given ? (uint32_t)k->conf->snap : PACKETS_SNAP;
	k->snap = given               ? (uint32_t)k->conf->snap
		  : k->conf->out.path ? PACKETS_SNAP_MAX
				      : PACKETS_SNAP;
}

static int packets_open(struct session *s, void *conf)
{
	struct packets *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	session_set_state(s, k);
	k->session = s;
	k->conf = conf;
	set_snap(k);
	r = open_hex(k);
	k->columns = session_columns(s);
	if (!r && k->conf->file)
		r = packets_file_open(k);
	if (!r)
		r = packets_write_open(k);
	return r || k->conf->file ? r : packets_live_open(k);
}

/* Packets of interfaces come by the ring. */
static int packets_tick(struct session *s, uint64_t now_ns)
{
	struct packets *k = session_state(s);

	(void)now_ns;
	return k->file ? packets_file_tick(k) : 0;
}

static int packets_finish(struct session *s)
{
	return packets_write_finish(session_state(s));
}

static void packets_ledger(struct session *s, struct buf *out)
{
	const struct packets *k = session_state(s);

	if (k->file)
		packets_file_ledger(k, out);
	else
		packets_live_ledger(k, out);
}

static void packets_close(struct session *s)
{
	struct packets *k = session_state(s);

	if (!k)
		return;
	packets_live_close(k);
	packets_file_close(k);
	packets_write_close(k);
	free(k->hex.p);
	free(k);
}

static unsigned needs_for(const void *conf)
{
	return ((const struct packets_conf *)conf)->file ? 0 : NEEDS;
}

static const struct opt opts[] = {
	{'i', "interface", "IF", OPT_LIST, 0, offsetof(struct packets_conf, interfaces),
	 .help = "only this interface; may be repeated; any, as without -i: all, also those to "
		 "come"},
	{0, "all", NULL, OPT_FLAG, 0, offsetof(struct packets_conf, all),
	 .help = "every packet: also those without payload, fragments, and what is not TCP or UDP"},
	{0, "http", NULL, OPT_FLAG, 0, offsetof(struct packets_conf, http),
	 .help = "only payload that begins with an HTTP method or HTTP/"},
	{'s', "snap", "BYTES", OPT_UINT, 0, offsetof(struct packets_conf, snap),
	 .max = PACKETS_SNAP_MAX,
	 .help = "copy so many bytes of each payload (else 128), or with -w of each packet (else "
		 "all)"},
	{'X', "hex", NULL, OPT_FLAG, 0, offsetof(struct packets_conf, hex),
	 .help = "below each row, instead of the column 'payload', the bytes that were copied, in "
		 "hexadecimal and as characters"},
	{0, "direction", NULL, OPT_CHOICE, 0, offsetof(struct packets_conf, direction),
	 .choices = wire_directions, .help = "only what goes out, or only what comes in"},
	{'r', "read", "FILE", OPT_TEXT, 0, offsetof(struct packets_conf, file),
	 .help = "show the packets of a capture file (pcap or pcapng; -: standard input)"},
	CAPTURE_OUT_OPTS(offsetof(struct packets_conf, out)),
	{0, "dump-filter", NULL, OPT_FLAG, 0, offsetof(struct packets_conf, dump_filter),
	 .help = "print the programs that the filter becomes, and end"},
	{0},
};

static const struct packets_conf conf_default = {.snap = PACKETS_SNAP_DEFAULT};

const struct tool tool_packets = {
	.manual =
		{
			.name = "packets",
			.brief = "show the packets that pass interfaces, and whose they are",
			.operands = "[FILTER ...]",
			.about = "A line for each packet with TCP or UDP payload, sent or "
				 "received, on the interfaces of this network namespace: "
				 "source:port > destination:port, the process that has the socket, "
				 "TCP's flags, length, and the start of the payload. --all adds "
				 "every other packet. Where the interface joins segments, or "
				 "leaves it to the card to cut them, they are shown joined.\n\n"
				 "It sees what passes an interface: traffic that is forwarded, of "
				 "containers and of no socket at all, too. A forwarded packet "
				 "passes two interfaces and is shown on each. On loopback each "
				 "packet goes out and comes in; it is shown once, as it comes in, "
				 "with the receiver's process (with --direction out, as it goes "
				 "out, with the sender's).\n\n"
				 "Ports and payload are never read from an IP fragment: with --all "
				 "it is a row without them, else it is counted.\n\n"
				 "SSH (port 22) is left out, so that a remote terminal does not "
				 "feed itself; --port 22, or a filter that names the port, shows "
				 "it.\n\n"
				 "FILTER is an expression of pcap-filter(7), as for tcpdump. It is "
				 "decided in the kernel, before a byte is copied.\n\n"
				 "With -w the packets are written to a capture file instead, "
				 "whole, with their process as a comment; with -r they are read "
				 "from one, without privileges. Both take the options that choose "
				 "packets, --where among them.\n\n"
				 "Bytes are shown and written as they are: unlike in requests, "
				 "passwords, cookies and tokens are not masked. Look before you "
				 "pass rows or a file on.",
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
					{"tapline packets --all -w all.pcapng -C 100 -W 10",
					 "everything, for Wireshark, in ten files of 100 MB"},
					{"tapline packets -r all.pcapng.3 -X tcp port 80",
					 "what is in one of them"},
					{NULL, NULL},
				},
			.overhead =
				"One program runs for each packet. Measured by the kernel "
				"(kernel.bpf_stats_enabled) with UDP on loopback, two cores, over "
				"a filter that does nothing: about 400 ns for a packet that is "
				"shown, 100 ns for one that --port leaves out, 110 ns for one "
				"that a FILTER does. Unless --fields leaves out pid, comm and "
				"owner, also hooks on sends and reads of sockets (40 ns each with "
				"TCP, 150 ns with UDP), and a look at all open files where an "
				"owner is missing, for at most 1/64 of the time. Up to 128 bytes "
				"of each payload shown are copied, or as -s says; with -w all of "
				"each packet, through a ring of 8 MiB.",
			.limits =
				"A packet does not tell its process: it is looked up by addresses "
				"and ports when the row is made, up to 10 ms later. So --pid, "
				"--comm and --container are refused, and --where 'pid==N' chooses "
				"rows. Until the process that accepted a connection has read or "
				"sent, it counts for the one that listens.\n\n"
				"A capture file does not say whose packets are, nor need it say "
				"which way they went and by which interface: then these are null. "
				"A packet of loopback that was captured both ways is there twice. "
				"Of links that are neither Ethernet nor bare IP, -w writes the IP "
				"packets.\n\n"
				"What is inside a tunnel is not looked at, nor what is behind "
				"more than two VLAN tags or eight IPv6 extension headers. What an "
				"XDP program drops or redirects, and what a program sends past "
				"the queues (PACKET_QDISC_BYPASS), does not come here.",
		},
	.needs = NEEDS,
	.needs_for = needs_for,
	.conf_size = sizeof(struct packets_conf),
	.conf_default = &conf_default,
	.open = packets_open,
	.records = records,
	.n_records = ARRAY_SIZE(records),
	.tick = packets_tick,
	.tick_ms = 1000,
	.finish = packets_finish,
	.ledger = packets_ledger,
	.close = packets_close,
};
