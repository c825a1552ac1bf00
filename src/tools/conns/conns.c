// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* conns: a row for each event of a TCP connection, with the process whose it is; or a list of what
 * is open now. */
#include "conns.skel.h"
#include "host/tracefs.h"
#include "loader/iterator.h"
#include "loader/ladder.h"
#include "loader/socket_user.h"
#include "loader/transport.h"
#include "tools/conns/state.h"

#define KIND(k) (1u << CONN_##k)
#define EVENTS  (KIND(OPEN) - 1)
/* Events of sockets that some process may have accepted, and of those that some may have used. */
#define ACCEPTED (KIND(ACCEPT) | USED)
#define USED     (KIND(CLOSE) | KIND(RETRANSMIT) | KIND(DROP))

/* ---- the kernel side: only the programs that these events need ---- */

static const struct {
	const char *program;
	uint32_t kinds;
} programs[] = {
	{"conns_state", EVENTS},
	{"conns_state_too", EVENTS},
	{"accept_destroy", ACCEPTED},
	{"accept_exit", ACCEPTED},
	{"accept4_exit", ACCEPTED},
	{"accept_uring", ACCEPTED},
	{"conns_retransmit", KIND(RETRANSMIT)},
	{"conns_synack", KIND(RETRANSMIT)},
	{"conns_drop", KIND(DROP)},
	{"conns_drop_before", KIND(DROP)},
	{"conns_seek", KIND(OPEN)},
	{"conns_show", KIND(OPEN)},
	{"owner_state_tp", EVENTS & ~KIND(ACCEPT)},
	{"owner_send_tp", USED},
	{"owner_send_fexit", USED},
	{"owner_read_tp", USED},
	{"owner_files", USED | KIND(OPEN)},
};

/* A kernel without io_uring has no such accepts. */
static const struct rung ladder_uring[] = {
	{"accept_uring", "tracepoint/io_uring/io_uring_complete", NULL},
	{NULL, NULL, NULL},
};

static int choose_drop(struct conns *c, struct conns_bpf *k)
{
	int r = drop_reasons_read(&c->drops);

	if (r || c->drops.arguments < 3)
		return session_fail(c->session, r ? r : -ENOTSUP,
				    "this kernel does not tell why it drops packets (5.17 does): "
				    "leave drop out of --event");
	k->rodata->reason_purge = drop_reason(&c->drops, "QUEUE_PURGE");
	k->rodata->reason_none = drop_reason(&c->drops, "NOT_SPECIFIED");
	bpf_program__set_autoload(
		c->drops.arguments > 3 ? k->progs.conns_drop_before : k->progs.conns_drop, false);
	return 0;
}

static int choose(struct conns *c, struct conns_bpf *k, uint32_t kinds)
{
	int r = 0;

	if (kinds & (USED))
		r = socket_users_prepare(c->session, k->obj);
	if (!r && kinds & KIND(DROP))
		r = choose_drop(c, k);
	(void)tracefs_ensure(); /* else the tracepoint is taken for missing */
	(void)session_choose(c->session, k->obj, ladder_uring);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (!(programs[i].kinds & kinds))
			bpf_program__set_autoload(
				bpf_object__find_program_by_name(k->obj, programs[i].program),
				false);
	return r;
}

/* What --open lists, it lists when privileges are gone. */
static int attach_open(struct conns *c, struct conns_bpf *k)
{
	int seek = iterator_attach(c->session, k->obj, "conns_seek", NULL);
	int r = seek < 0 ? seek : iterator_run(seek);

	if (r)
		return session_fail(c->session, r, "cannot read the sockets: %s", strerror(-r));
	c->show = iterator_attach(c->session, k->obj, "conns_show", k->maps.socket_users);
	session_set_tick(c->session, 1);
	session_ends_itself(c->session);
	return c->show < 0 ? c->show : 0;
}

static int load(struct conns *c, uint32_t kinds)
{
	struct session *s = c->session;
	struct conns_bpf *k = conns_bpf__open();
	int r;

	if (!k)
		return session_fail(s, -errno, "cannot open the BPF object: %s", strerror(errno));
	k->rodata->filter = *session_filter(s);
	k->rodata->kinds = kinds;
	k->rodata->by_perf = transport_prepare(k->maps.ring, c->conf->transport);
	r = choose(c, k, kinds);
	if (r) {
		conns_bpf__destroy(k);
		return r;
	}
	r = SESSION_LOAD(s, k, conns_bpf);
	if (!r)
		r = session_attach(s);
	if (!r && bpf_program__autoload(k->progs.owner_files))
		r = socket_users_seek(s, k->obj);
	if (!r && kinds & KIND(OPEN))
		r = attach_open(c, k);
	return r;
}

/* ---- the run ---- */

/* 0 or -EINVAL, said. */
static int parse_events(struct conns *c, uint32_t *kinds)
{
	const struct opt_list *list = &c->conf->events;

	if (c->conf->open && list->n)
		return session_fail(c->session, -EINVAL,
				    "--open lists what is there and no event: leave --event out");
	*kinds = c->conf->open ? KIND(OPEN) : list->n ? 0 : EVENTS;
	for (unsigned i = 0; i < list->n; i++) {
		unsigned kind = 0;

		while (kind < CONN_OPEN && strcmp(list->v[i], conn_kind_names[kind]) != 0)
			kind++;
		if (kind == CONN_OPEN)
			return session_fail(
				c->session, -EINVAL,
				"--event: there is no event '%s', give some of connect, accept, "
				"close, retransmit, drop, listen",
				list->v[i]);
		*kinds |= 1u << kind;
	}
	return 0;
}

static int conns_open(struct session *s, void *conf)
{
	struct conns *c = calloc(1, sizeof(*c));
	uint32_t kinds = 0;
	int r;

	if (!c)
		return -ENOMEM;
	session_set_state(s, c);
	c->session = s;
	c->conf = conf;
	r = parse_events(c, &kinds);
	if (!r)
		r = processes_new(&c->processes);
	return r ? r : load(c, kinds);
}

static int on_event(struct session *s, const struct record *rec)
{
	return conns_row(session_state(s), (const struct conn_event *)rec, NULL);
}

static int on_counted(struct session *s, const struct record *rec)
{
	const struct conn_counted *c = (const struct conn_counted *)rec;

	return conns_row(session_state(s), &c->e, c);
}

static const struct record_handler records[] = {
	[RECORD_EVENT] = {sizeof(struct conn_event), on_event},
	[RECORD_COUNTED] = {sizeof(struct conn_counted), on_counted},
};

/* Once, for --open. */
static int conns_tick(struct session *s, uint64_t now_ns)
{
	struct conns *c = session_state(s);
	int r;

	(void)now_ns;
	if (!c->conf->open)
		return 0;
	r = iterator_drain(s, c->show);
	return r ? r : -ECANCELED;
}

static void conns_close(struct session *s)
{
	struct conns *c = session_state(s);

	if (!c)
		return;
	drop_reasons_free(&c->drops);
	processes_free(c->processes);
	free(c);
}

static unsigned conns_needs(const void *conf)
{
	const struct conns_conf *c = conf;

	return NEED_ROOT | NEED_BTF | NEED_STORAGE | transport_need(c->transport);
}

static const struct conns_conf conf_default = {.transport = TRANSPORT_AUTO};
static const char *const transports[] = {"ring", "perf", NULL}; /* enum transport_kind */

static const struct opt opts[] = {
	{0, "event", "A,B", OPT_LIST, OPT_COMMA, offsetof(struct conns_conf, events),
	 .help = "only these events: connect, accept, close, retransmit, drop, listen"},
	{0, "open", NULL, OPT_FLAG, 0, offsetof(struct conns_conf, open),
	 .help = "list the sockets that are open now, with their counters, and end"},
	{0, "transport", NULL, OPT_CHOICE, 0, offsetof(struct conns_conf, transport),
	 .choices = transports,
	 .help = "how records come from the kernel: by a ring buffer or by a perf event array; "
		 "without this, perf where the kernel has no ring buffer"},
	{0},
};

static const char *const aliases[] = {"tcplife",    "tcpconnect", "tcpaccept", "tcpstates",
				      "tcpretrans", "tcpdrop",    NULL};

const struct tool tool_conns = {
	.manual =
		{
			.name = "conns",
			.aliases = aliases,
			.brief = "print an event of a TCP connection a line, with its process",
			.operands = "",
			.about = "Prints a line for each event of a TCP connection of this host, "
				 "in every network namespace, IPv4 and IPv6 alike:\n\n"
				 "connect: it was made, or failed, with the time since its SYN "
				 "and the errno; also where connect(2) did not wait. accept: a "
				 "process took it from the listen queue, by accept(2), accept4(2) "
				 "or io_uring, with the time it waited there. close: its socket "
				 "is done, with how long it lived, payload each way, segments, "
				 "retransmissions, round-trip times, which end closed first and "
				 "which one reset it. retransmit: segments were sent again, those "
				 "of a handshake too. drop: the kernel threw a packet of a socket "
				 "away, with its own reason. listen: a socket begins to "
				 "listen.\n\n"
				 "The process is the one that uses the socket, whatever runs when "
				 "the event happens: it connected, listens, accepted, sent or "
				 "read last. Of sockets that are older than the run it is found "
				 "among the open files. A connection between two processes of "
				 "this host has two sockets, so two lines for its close.\n\n"
				 "Which events there are, and the common filter, is decided in "
				 "the kernel; only the hooks that the chosen events need are "
				 "attached.\n\n"
				 "With --open the sockets that are open now are listed instead, "
				 "in every network namespace, with their owners and counters.\n\n"
				 "Records come from the kernel by a ring buffer of 1 MiB, or with "
				 "--transport perf by a perf event array, with 256 KiB for each "
				 "CPU. Rows are in order of time, and what found no room is "
				 "counted and told at the end, by both.",
			.opts = opts,
			.schema = &conns_schema,
			.examples =
				(const struct example[]){
					{"tapline conns", "every event of every connection"},
					{"tapline conns --event accept", "who accepts"},
					{"tapline conns --event connect --where 'error ~ .'",
					 "connects that fail, and why"},
					{"tapline conns --event close --port 443 -o json",
					 "how long connections lived and what they carried"},
					{"tapline conns --event retransmit,drop",
					 "what was sent again, and what the kernel threw away"},
					{"tapline conns --open --comm nginx",
					 "what nginx has open now"},
					{NULL, NULL},
				},
			.overhead = "Nothing runs for a packet that is not dropped. Measured by "
				    "the kernel (kernel.bpf_stats_enabled), two cores that were "
				    "busy with other work too: with all events about 14 us for a "
				    "connection with one request, both its ends on this host and "
				    "its records included; of that 1.6 us for its accept. A send "
				    "costs 0.2 us, a read up to 0.9 us, the first one of a socket "
				    "most; connect, accept and listen alone need neither hook. "
				    "Accept is told when the system call returns, and the kernel "
				    "then takes a slower way into every system call of the host. "
				    "By a perf event array a record costs 0.1 to 0.7 us more. "
				    "--open lists 20,000 connections of this host, both ends, in "
				    "0.5 to 0.8 s, with 22 MB of memory.",
			.limits = "A connect that fails before a SYN is sent, as there is no "
				  "route, is no event: no socket changes its state. One whose "
				  "process learned of an error by SO_ERROR before the kernel gave "
				  "up, and then closed the socket, shows as ECANCELED. Accepts "
				  "into io_uring's direct descriptors have no descriptor to find "
				  "the socket by: their accept is not seen, and their close has "
				  "its process.\n\n"
				  "A connection that nobody has accepted yet is nobody's: what is "
				  "dropped of it has no process. What was in a queue when its "
				  "socket closed is no drop, nor is a packet to a socket in "
				  "TIME_WAIT. A packet that comes to no socket at all has no "
				  "line. On the way in, before 6.11, a drop shows only where the "
				  "packet had found its socket already; before 5.17 there are no "
				  "reasons, and no drop events.\n\n"
				  "After this end has closed, the kernel takes a RST and bytes "
				  "that nobody reads for the same: reset_by is null then, and "
				  "error ECONNRESET. --open cannot see, in other network "
				  "namespaces than its own, sockets that no process holds: those "
				  "that wait for accept, and those closed here but not there. "
				  "Processes outside the PID namespace of the run are not found "
				  "for sockets older than it. MPTCP's sockets are not TCP's.\n\n"
				  "By a perf event array, a CPU that is turned on during the run "
				  "has no buffer: its records count as lost. Rows of two CPUs may "
				  "change places if they are written while the buffers are looked "
				  "at, or within microseconds.",
		},
	.needs_for = conns_needs,
	.conf_size = sizeof(struct conns_conf),
	.conf_default = &conf_default,
	.open = conns_open,
	.records = records,
	.n_records = ARRAY_SIZE(records),
	.tick = conns_tick,
	.tick_ms = 1000,
	.close = conns_close,
};
