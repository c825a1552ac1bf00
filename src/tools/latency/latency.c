// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* latency: where the time of TCP goes, as histograms that are kept in the kernel, or as the single
 * cases that took long. */
#include "host/tracefs.h"
#include "loader/ladder.h"
#include "loader/socket_user.h"
#include "tools/latency/state.h"

#define KIND(k) (1u << LATENCY_##k)
#define ALL     (KIND(KINDS) - 1)
#define TURNS   (KIND(FIRST_BYTE) | KIND(SERVER) | KIND(QUEUE))
#define SENDS   (KIND(RTT) | KIND(SEND))
#define OWNED   (ALL & ~KIND(ACCEPT)) /* of which hooks tell the owner before they end */

/* ---- the kernel side: only the programs that these kinds need ---- */

static const struct {
	const char *program;
	uint32_t kinds;
	bool for_owners;
} programs[] = {
	{"latency_egress", TURNS | SENDS, false},
	{"latency_ingress", TURNS | SENDS, false},
	{"latency_read", KIND(SERVER) | KIND(QUEUE), false},
	{"latency_send_begins", KIND(SEND), false},
	{"latency_send_tp", KIND(SEND), false},
	{"latency_send_fexit", KIND(SEND), false},
	{"latency_state", ALL, false},
	{"accept_exit", KIND(ACCEPT), false},
	{"accept4_exit", KIND(ACCEPT), false},
	{"accept_uring", KIND(ACCEPT), false},
	{"accept_destroy", KIND(ACCEPT), false},
	{"owner_state_tp", OWNED, true},
	{"owner_send_tp", OWNED, true},
	{"owner_send_fexit", OWNED, true},
	{"owner_read_tp", OWNED, true},
	{"owner_files", OWNED, true},
};

/* A kernel without io_uring has no such accepts. */
static const struct rung ladder_uring[] = {
	{"accept_uring", "tracepoint/io_uring/io_uring_complete", NULL},
	{NULL, NULL, NULL},
};

static const struct rung ladder_begin[] = {
	{"latency_send_begins", "fentry/tcp_sendmsg", NULL},
	{NULL, NULL, NULL},
};

static const struct rung ladder_return[] = {
	{"latency_send_tp", "tp_btf/sock_send_length", NULL},
	{"latency_send_fexit", "fexit/tcp_sendmsg", NULL},
	{NULL, NULL, NULL},
};

static int choose(struct latency *l, struct latency_bpf *k)
{
	bool owners = k->rodata->owners_wanted;
	int r = owners && l->kinds & OWNED ? socket_users_prepare(l->session, k->obj) : 0;

	if (r)
		return r;
	(void)tracefs_ensure(); /* else the tracepoint is taken for missing */
	(void)session_choose(l->session, k->obj, ladder_uring);
	(void)session_choose(l->session, k->obj, ladder_begin);
	if (session_choose(l->session, k->obj, ladder_return) < 0 && l->kinds & KIND(SEND))
		return session_fail(l->session, -ENOTSUP,
				    "this kernel has no hook on sends: leave the kind send out");
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (!(programs[i].kinds & l->kinds) || (programs[i].for_owners && !owners))
			bpf_program__set_autoload(
				bpf_object__find_program_by_name(k->obj, programs[i].program),
				false);
	return 0;
}

static int load(struct latency *l)
{
	struct session *s = l->session;
	struct latency_bpf *k = latency_bpf__open();
	int r;

	if (!k)
		return session_fail(s, -errno, "cannot open the BPF object: %s", strerror(errno));
	l->kernel = k;
	k->rodata->filter = *session_filter(s);
	k->rodata->kinds = l->kinds;
	k->rodata->by = (uint32_t)l->conf->by;
	k->rodata->cases_wanted = l->cases;
	k->rodata->slower_ns = l->slower_ns;
	k->rodata->owners_wanted = l->cases || session_owner_option(s) ||
				   l->conf->by == LATENCY_BY_PROCESS ||
				   l->conf->by == LATENCY_BY_CONTAINER;
	r = choose(l, k);
	if (r) {
		latency_bpf__destroy(k);
		return r;
	}
	r = SESSION_LOAD(s, k, latency_bpf);
	if (!r)
		r = session_attach(s);
	if (!r && bpf_program__autoload(k->progs.owner_files))
		r = socket_users_seek(s, k->obj);
	return r;
}

/* ---- the command line ---- */

/* The kinds that words name, up to the first number. 0 or -EINVAL, said. */
static int parse_kinds(struct latency *l, unsigned *used)
{
	unsigned n, at = 0;
	char *const *words = session_operands(l->session, &n);
	uint64_t number;

	for (; at < n && text_to_u64(text_of(words[at]), &number); at++) {
		unsigned kind = 0;

		while (kind < LATENCY_KINDS && strcmp(words[at], latency_kind_names[kind]) != 0)
			kind++;
		if (kind == LATENCY_KINDS)
			return session_fail(l->session, -EINVAL,
					    "there is no kind '%s', give some of connect, rtt, "
					    "first-byte, server, queue, send, accept",
					    words[at]);
		l->kinds |= 1u << kind;
	}
	*used = at;
	if (!at)
		l->kinds = ALL;
	return 0;
}

static int parse_operands(struct latency *l)
{
	unsigned n, used = 0;
	char *const *words = session_operands(l->session, &n);
	int r = parse_kinds(l, &used);

	if (!r)
		r = interval_parse(l->session, used, &l->interval);
	if (!r && n > used + l->interval.words)
		r = session_fail(l->session, -EINVAL,
				 "'%s' is too much: give [KIND ...] [INTERVAL [COUNT]]",
				 words[used + l->interval.words]);
	return r;
}

static int parse_slower(struct latency *l)
{
	uint64_t slower_us;

	l->cases = l->conf->slower;
	if (!l->cases)
		return 0;
	if (text_to_u64(text_of(l->conf->slower), &slower_us) || slower_us > UINT64_MAX / 1000)
		return session_fail(l->session, -EINVAL,
				    "--slower-than '%s' is no number of microseconds",
				    l->conf->slower);
	if (l->conf->by || l->conf->bars || l->interval.words)
		return session_fail(l->session, -EINVAL,
				    "--slower-than prints single cases: leave out --by, --bars and "
				    "the interval");
	l->slower_ns = slower_us * 1000;
	return 0;
}

static int latency_open(struct session *s, void *conf)
{
	struct latency *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	session_set_state(s, l);
	l->session = s;
	l->conf = conf;
	r = parse_operands(l);
	if (!r)
		r = parse_slower(l);
	/* Drawn where there is room for it. */
	l->bars = l->conf->bars || (!(l->kinds & (l->kinds - 1)) && !l->conf->by);
	if (!r)
		r = latency_prepare(l);
	if (!r)
		r = processes_new(&l->processes);
	if (!r)
		r = series_open(l);
	return r ? r : load(l);
}

/* ---- the run ---- */

static int on_case(struct session *s, const struct record *rec)
{
	const struct latency_case *c = (const struct latency_case *)rec;

	return c->kind < LATENCY_KINDS ? latency_row(session_state(s), c) : 0;
}

static const struct record_handler records[] = {{sizeof(struct latency_case), on_case}};

/* unless_empty: leave out a block in which nothing ended. */
static int block(struct latency *l, bool unless_empty)
{
	int r = series_read(l);

	if (r)
		return session_fail(l->session, r, "cannot read the counters: %s", strerror(-r));
	if (unless_empty && !l->series)
		return 0;
	r = latency_show(l);
	series_end_block(l);
	l->blocks++;
	return r;
}

static int latency_tick(struct session *s, uint64_t now_ns)
{
	struct latency *l = session_state(s);
	int r;

	(void)now_ns;
	if (l->cases)
		return 0;
	r = block(l, false);
	if (!r && l->interval.wanted && l->blocks >= l->interval.wanted) {
		l->done = true;
		return -ECANCELED;
	}
	return r;
}

static int latency_finish(struct session *s)
{
	struct latency *l = session_state(s);

	return l->done || l->cases ? 0 : block(l, l->blocks > 0);
}

static void latency_ledger(struct session *s, struct buf *out)
{
	const struct latency *l = session_state(s);

	if (l->kinds & KIND(SEND))
		ledger_line(out, "unmeasured", l->kernel->bss->calls_unmeasured,
			    "sends that were not timed: 32 of their socket were under way");
}

static void latency_close(struct session *s)
{
	struct latency *l = session_state(s);

	if (!l)
		return;
	series_free(l);
	processes_free(l->processes);
	free(l);
}

static const char *const by_words[] = {"host", "process", "peer", "port", "container", NULL};

static const struct opt opts[] = {
	{0, "by", NULL, OPT_CHOICE, 0, offsetof(struct latency_conf, by), .choices = by_words,
	 .help = "what a row is: the whole host, or what the cases have in common"},
	{0, "slower-than", "US", OPT_TEXT, 0, offsetof(struct latency_conf, slower),
	 .help = "print the single cases that took so many microseconds or more, a line each, "
		 "instead of percentiles; 0: every one"},
	{0, "bars", NULL, OPT_FLAG, 0, offsetof(struct latency_conf, bars),
	 .help = "draw the histogram below each row; it is drawn anyway for one kind of the whole "
		 "host"},
	{0},
};

const struct tool tool_latency = {
	.manual =
		{
			.name = "latency",
			.brief = "show where the time of TCP goes, as percentiles and histograms",
			.operands = "[KIND ...] [INTERVAL [COUNT]]",
			.about = "Measures, at every TCP socket of this host, in every network "
				 "namespace, how long things take, and prints percentiles after "
				 "each interval (in seconds; 1 if none is given) and at the end. "
				 "A block has what ended since the one before. KIND is one or "
				 "more of these, without one all of them:\n\n"
				 "connect: from the SYN to the connection, at the end that asks; "
				 "connections that fail are left out. rtt: from a segment to its "
				 "acknowledgement, one segment at a time for each socket, and "
				 "none that was sent again. first-byte: from the last byte of a "
				 "request to the first byte of its response, at the end that "
				 "asks. server: from the read of a request's last bytes to the "
				 "first byte of its response, at the end that answers. queue: "
				 "there, from the "
				 "first byte of the request to the first read. send: from the "
				 "call that sends (tcp_sendmsg) to the acknowledgement of the "
				 "last of its bytes. accept: from the end of the handshake to the "
				 "return of accept.\n\n"
				 "The histograms are kept in the kernel, with 64 buckets to each "
				 "power of two, so a percentile is within 1% of the exact one. "
				 "Nothing is reset there: what ends while a block is read is in "
				 "the next one.\n\n"
				 "A request is a turn of bytes of the end that connected, and its "
				 "response the turn that answers it, whatever the protocol. A "
				 "connection between two processes of this host has two ends: "
				 "both send, so rtt and send have cases of both.",
			.opts = opts,
			.schema = &latency_schema,
			.examples =
				(const struct example[]){
					{"tapline latency", "all kinds, each second"},
					{"tapline latency first-byte 10",
					 "how long servers take to answer, with bars"},
					{"tapline latency server --by process 5",
					 "which of this host's servers is slow"},
					{"tapline latency rtt --by peer 5 --where 'p99_us > 20000'",
					 "which peers are far away"},
					{"tapline latency connect accept -o json 60",
					 "for a log, each minute"},
					{"tapline latency queue --slower-than 10000",
					 "each request that waited 10 ms to be read"},
					{NULL, NULL},
				},
			.overhead = "Measured by the kernel (kernel.bpf_stats_enabled) for a "
				    "keep-alive HTTP request between two processes of this host, "
				    "both its ends included: all kinds 4.3 us, by process about 6 "
				    "us; alone, rtt 1.5 us, first-byte 1.3 us, server and queue "
				    "2.2 us, send 2.6 us. connect and accept run nothing for a "
				    "packet. "
				    "Only what the chosen kinds need is attached. User space reads "
				    "sums once an interval: 7 MB of memory, and no CPU time to "
				    "speak of, whatever the traffic.",
			.limits = "Requests and responses are turns of bytes: pipelined requests "
				  "are one, and a 100 Continue is a first byte. Turns that cross "
				  "are left out.\n\n"
				  "rtt is what the other end makes of it: it may delay its "
				  "acknowledgement, 40 ms on Linux, to send it with an answer. A "
				  "segment is what this host hands to the interface, 64 KiB at "
				  "most.\n\n"
				  "Where the kernel refuses fentry, the call that sends is seen "
				  "when its first byte leaves or, if it has to wait behind earlier "
				  "ones, when the call returns: what a call waited for room in the "
				  "send buffer is left out then. 32 calls of a socket are timed at "
				  "once; more are counted as unmeasured. Of threads that send on "
				  "one socket at the same time, calls are not told apart. A FIN "
				  "alone is no "
				  "case of rtt.\n\n"
				  "Accepts of connections that were made before the run, and those "
				  "into io_uring's direct descriptors, are not seen. There is room "
				  "for 65,536 buckets of all histograms together, and for the "
				  "names of 16,384 groups; what finds none is counted. MPTCP's "
				  "sockets are not TCP's.",
		},
	.needs = NEED_ROOT | NEED_BTF | NEED_RINGBUF | NEED_STORAGE | NEED_ATOMICS | NEED_CGROUP2,
	.conf_size = sizeof(struct latency_conf),
	.open = latency_open,
	.records = records,
	.n_records = ARRAY_SIZE(records),
	.tick = latency_tick,
	.tick_ms = 1000,
	.finish = latency_finish,
	.ledger = latency_ledger,
	.close = latency_close,
};
