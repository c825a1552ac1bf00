// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* count: packets and bytes on interfaces, counted in the kernel and printed at intervals.
 * Nothing is copied to user space but the sums, so it keeps up with any traffic. */
#include "base/clock.h"
#include "loader/interval.h"
#include "loader/wire.h"
#include "loader/wire_owner.h"
#include "tools/count/state.h"

#define NEEDS (NEED_ROOT | NEED_BTF | NEED_ATOMICS | NEED_NET_RAW)

/* What follows the interval is a filter. 0 or -EINVAL, said. */
static int parse_operands(struct count *c)
{
	unsigned n;
	char *const *words = session_operands(c->session, &n);
	struct interval interval;
	int r = interval_parse(c->session, 0, &interval);

	if (r)
		return r;
	c->words = words + interval.words;
	c->n_words = n - interval.words;
	c->wanted = interval.wanted;
	c->interval_s = interval.seconds;
	return 0;
}

/* ---- the kernel side ---- */

static int load(struct count *c)
{
	struct count_bpf *k = count_bpf__open();
	int r = 0;

	if (!k)
		return session_fail(c->session, -errno, "cannot open the BPF object: %s",
				    strerror(errno));
	c->kernel = k;
	k->rodata->filter = *session_filter(c->session);
	k->rodata->by = (uint32_t)c->conf->by;
	k->rodata->wire_direction = (uint32_t)c->conf->direction;
	(void)bpf_map__set_autocreate(k->maps.ring, false); /* sums come by maps */
	if (c->conf->by != BY_PROCESS)
		wire_owners_disable(k->obj);
	else
		r = wire_owners_prepare(c->session, k->obj, &k->rodata->network_namespace);
	if (r) {
		count_bpf__destroy(k);
		return r;
	}
	r = SESSION_LOAD(c->session, k, count_bpf);
	return r ? r : session_attach(c->session);
}

struct wire_tap count_tap(const struct count *c)
{
	return (struct wire_tap){
		.interfaces = &c->conf->interfaces,
		.direction = c->conf->direction,
		.words = c->words,
		.n_words = c->n_words,
		.dump_filter = c->conf->dump_filter,
	};
}

static int open_live(struct count *c)
{
	struct wire_tap tap = count_tap(c);
	int r = wire_refuse_owner(c->session, "pid==N");

	if (!r)
		r = sums_open(c);
	if (!r)
		r = load(c);
	if (!r && c->conf->by == BY_PROCESS)
		r = flows_open(c);
	return r ? r : wire_watch(c->session, &tap, c->kernel->obj, c->kernel->progs.count_filter);
}

/* ---- the run ---- */

static int count_open(struct session *s, void *conf)
{
	struct count *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	session_set_state(s, c);
	c->session = s;
	c->conf = conf;
	r = parse_operands(c);
	if (!r)
		r = lines_set_schema(c);
	if (r)
		return r;
	return c->conf->read ? file_open(c) : open_live(c);
}

int count_block(struct count *c, uint64_t now_ns)
{
	int r = lines_show(c, now_ns);

	if (!r && c->wanted && c->blocks >= c->wanted) {
		c->done = true;
		return -ECANCELED;
	}
	return r;
}

static int count_tick(struct session *s, uint64_t now_ns)
{
	struct count *c = session_state(s);

	return c->file ? file_tick(c) : count_block(c, now_ns);
}

static int count_finish(struct session *s)
{
	struct count *c = session_state(s);

	if (c->done || (c->file && file_has_nothing(c)))
		return 0;
	return lines_show(c, c->file ? file_time(c) : clock_mono_ns());
}

static void count_ledger(struct session *s, struct buf *out)
{
	struct count *c = session_state(s);
	struct count_sum all = c->no_room;
	struct line *l, *next;

	HASH_ITER(hh, c->lines, l, next)
	{
		all.packets += l->now.packets;
		all.bytes += l->now.bytes;
	}
	ledger_line(out, "packets", all.packets, "counted");
	ledger_line(out, "bytes", all.bytes, "of them");
	ledger_line(out, "no_room", c->no_room.packets,
		    "packets of these that are in no row: the table of rows was full");
	if (c->file)
		file_ledger(c, out);
}

static void count_close(struct session *s)
{
	struct count *c = session_state(s);

	if (!c)
		return;
	flows_free(c);
	lines_free(c);
	sums_close(c);
	file_close(c);
	free(c);
}

static const char *const by_words[] = {"protocol", "host",    "port", "connection",
				       "size",     "process", NULL};

static unsigned needs_for(const void *conf)
{
	return ((const struct count_conf *)conf)->read ? 0 : NEEDS;
}

static const struct opt opts[] = {
	{'i', "interface", "IF", OPT_LIST, 0, offsetof(struct count_conf, interfaces),
	 .help = "only this interface; may be repeated; any, as without -i: all, also those to "
		 "come"},
	{0, "by", NULL, OPT_CHOICE, 0, offsetof(struct count_conf, by), .choices = by_words,
	 .help = "what a row is"},
	{0, "direction", NULL, OPT_CHOICE, 0, offsetof(struct count_conf, direction),
	 .choices = wire_directions, .help = "only what goes out, or only what comes in"},
	{'r', "read", "FILE", OPT_TEXT, 0, offsetof(struct count_conf, read),
	 .help = "count the packets of a capture file (pcap or pcapng; -: standard input)"},
	{0, "dump-filter", NULL, OPT_FLAG, 0, offsetof(struct count_conf, dump_filter),
	 .help = "print the programs that the filter becomes, and end"},
	{0},
};

const struct tool tool_count = {
	.manual =
		{
			.name = "count",
			.brief = "count packets and bytes on interfaces",
			.operands = "[INTERVAL [COUNT]] [FILTER ...]",
			.about = "Counts every packet on the interfaces of this network "
				 "namespace, in the kernel, and prints the running totals after "
				 "each interval (in seconds; 1 if none is given) and at the end. "
				 "It ends after COUNT intervals, or when it is told to.\n\n"
				 "It sees what passes an interface: traffic that is forwarded, of "
				 "containers and of no socket at all, too. A forwarded packet "
				 "passes two interfaces and is counted on each.\n\n"
				 "On loopback a packet socket sees each packet twice, once as it "
				 "goes out and once as it comes in, because the interface is both "
				 "ends. It is counted once, as it comes in; with --direction out, "
				 "as it goes out. So by process it counts for the receiver, and "
				 "with --direction out for the sender.\n\n"
				 "By protocol, IPv4 and IPv6 are counted together, and TCP, UDP, "
				 "ICMP and ICMPv6 have a row even if there are none. A fragment "
				 "has a protocol and no ports.\n\n"
				 "FILTER is an expression of pcap-filter(7), as for tcpdump. It "
				 "is decided in the kernel, before the packet is counted.\n\n"
				 "With -r a capture file is counted instead, without privileges: "
				 "its totals, or with an INTERVAL a block after each, by the "
				 "times of the packets; one in which none came has no block. "
				 "Every packet counts as it is in the file, so loopback counts "
				 "twice where both ways were captured.",
			.opts = opts,
			.schema = &count_schema,
			.examples =
				(const struct example[]){
					{"tapline count", "packets by protocol, every second"},
					{"tapline count -i eth0 --by host 10",
					 "who is at the other end, every ten seconds"},
					{"tapline count -i lo --by protocol 1 5",
					 "five seconds of loopback"},
					{"tapline count -i lo 10 'udp port 53 or icmp'",
					 "only what a pcap filter matches"},
					{"tapline count -r capture.pcapng --by connection",
					 "who talked to whom in a capture file"},
					{"tapline count --by process --direction out -o json",
					 "which processes send, as JSON"},
					{NULL, NULL},
				},
			.overhead =
				"One program runs for each packet, and nothing is copied. "
				"Measured by the kernel (kernel.bpf_stats_enabled) with UDP on a "
				"veth pair, two cores, over a filter that does nothing: about 25 "
				"ns a packet by protocol, 150 ns by connection or process; on "
				"kernels before 6.2, 30 ns more. By process also hooks on sends "
				"and reads of sockets (40 ns each with TCP, 150 ns with UDP), and "
				"at an interval in which an owner was missing a look at all open "
				"files.",
			.limits =
				"By process, only packets with ports (TCP, UDP, UDP-Lite, SCTP, "
				"DCCP) are looked up, and fragments are not; the rest is null, as "
				"is what is forwarded. A connection counts for the process that "
				"was found for it first. A UDP socket that was open for less than "
				"an interval and neither sent nor received is not found, nor, on "
				"kernels before 6.3, one that did.\n\n"
				"65,536 rows are kept in the kernel; what came when they were "
				"taken is in no row, and no_room in the ledger counts it. At most "
				"two VLAN tags and eight IPv6 extension headers are walked; a tag "
				"too many shows as VLAN or QinQ, a header too many by its own "
				"name. What is inside a tunnel is not looked at.\n\n"
				"A capture file does not say whose packets are, so --by process "
				"is refused there. Where it does not say which way they went "
				"either, by host shows where they came from. Bytes are those of "
				"the file, whose link header may be another than the "
				"interface's.\n\n"
				"Where the interface joins segments, or leaves it to the card to "
				"cut them, a joined one is one packet. What an XDP program drops "
				"or redirects, and what a program sends past the queues "
				"(PACKET_QDISC_BYPASS), does not come here.",
		},
	.needs = NEEDS,
	.needs_for = needs_for,
	.conf_size = sizeof(struct count_conf),
	.open = count_open,
	.tick = count_tick,
	.tick_ms = 1000,
	.finish = count_finish,
	.ledger = count_ledger,
	.close = count_close,
};
