// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* top: who talks, and how fast, in a table that is made anew at each interval.
 * No program runs for a packet: TCP's own counters are read, socket by socket. */
#include "base/clock.h"
#include "loader/feature.h"
#include "loader/session.h"
#include "tools/top/state.h"

/* Before 6.3 the tracepoints of sends and receives are missing. */
static const struct rung ladder_send[] = {
	{"top_send_tp", "tp_btf/sock_send_length", NULL},
	{"top_send_fexit", "fexit/tcp_sendmsg", NULL},
	{NULL, NULL, NULL},
};
static const struct rung ladder_receive[] = {
	{"top_receive_tp", "tp_btf/sock_recv_length", NULL},
	{"top_receive_fexit", "fexit/tcp_recvmsg", NULL},
	{NULL, NULL, NULL},
};

/* These would take a socket over before what it did so far was told. */
static const char *const replaced[] = {"owner_send_tp", "owner_send_fexit", "owner_read_tp"};

static int load(struct top *t)
{
	struct top_bpf *k = top_bpf__open();
	int r, receives;

	if (!k)
		return session_fail(t->session, -errno, "cannot open the BPF object: %s",
				    strerror(errno));
	t->kernel = k;
	k->rodata->filter = *session_filter(t->session);
	for (size_t i = 0; i < ARRAY_SIZE(replaced); i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(k->obj, replaced[i]),
					  false);
	receives = session_choose(t->session, k->obj, ladder_receive);
	if (receives < 0 || session_choose(t->session, k->obj, ladder_send) < 0) {
		top_bpf__destroy(k);
		return session_fail(t->session, -ENOTSUP,
				    "this kernel has no hook that names the process of a socket: "
				    "run 'tapline doctor'");
	}
	if (receives > 0)
		k->rodata->receive_args = (uint32_t)feature_args("tcp_recvmsg");
	r = SESSION_LOAD(t->session, k, top_bpf);
	return r ? r : session_attach(t->session);
}

static int top_open(struct session *s, void *conf)
{
	struct top *t = calloc(1, sizeof(*t));
	unsigned n;
	char *const *words = session_operands(s, &n);
	int r;

	if (!t)
		return -ENOMEM;
	session_set_state(s, t);
	t->session = s;
	t->conf = conf;
	t->block = 1;
	t->by = (enum top_by)t->conf->by;
	r = interval_parse(s, 0, &t->interval);
	if (!r && n > t->interval.words)
		r = session_fail(s, -EINVAL, "'%s' is no number: give [INTERVAL [COUNT]]",
				 words[t->interval.words]);
	if (!r)
		r = rows_prepare(t);
	if (!r)
		r = processes_new(&t->processes);
	if (!r)
		r = load(t);
	return r ? r : sockets_open(t);
}

static int on_record(struct session *s, const struct record *rec)
{
	return sockets_told(session_state(s), &((const struct top_record *)rec)->look);
}

/* Where keys may have a block shown again, what was shown in it stays until the next. */
static int block(struct top *t)
{
	bool again = session_hears_keys(t->session);
	int r;

	if (again)
		tally_forget(t);
	r = sockets_round(t);

	t->block++;
	if (!r)
		r = rows_show(t);
	if (r)
		return session_fail(t->session, r, "cannot read the counters: %s", strerror(-r));
	if (!again)
		tally_forget(t);
	return 0;
}

static int top_tick(struct session *s, uint64_t now_ns)
{
	struct top *t = session_state(s);
	int r = t->paused ? 0 : block(t);

	(void)now_ns;
	if (!r && t->interval.wanted && t->block > t->interval.wanted) {
		t->done = true;
		return -ECANCELED;
	}
	return r;
}

static int top_finish(struct session *s)
{
	struct top *t = session_state(s);

	return t->done ? 0 : block(t);
}

static void top_ledger(struct session *s, struct buf *out)
{
	const struct top *t = session_state(s);

	ledger_line(out, "sockets", HASH_COUNT(t->sockets), "open at the last look");
	ledger_line(out, "no_room", t->no_room,
		    "looks at sockets that are in no row: there were too many rows");
}

static void top_close(struct session *s)
{
	struct top *t = session_state(s);

	if (!t)
		return;
	sockets_free(t);
	tally_free(t);
	processes_free(t->processes);
	free(t->rows);
	free(t);
}

static const struct record_handler records[] = {{sizeof(struct top_record), on_record}};

const char *const top_by_words[] = {"connection", "process", "container", "peer",
				    "port",       "host",    NULL};

static const struct opt opts[] = {
	{0, "by", NULL, OPT_CHOICE, 0, offsetof(struct top_conf, by), .choices = top_by_words,
	 .help = "what a row is"},
	{0, "sort", "COLUMN", OPT_TEXT, 0, offsetof(struct top_conf, sort),
	 .help = "the rows' order: numbers from the largest, names from the first (else rate)"},
	{0, "all", NULL, OPT_FLAG, 0, offsetof(struct top_conf, all),
	 .help = "also rows in which nothing happened since the block before"},
	{0},
};

static const char *const aliases[] = {"tcptop", NULL};

const struct tool tool_top = {
	.manual =
		{
			.name = "top",
			.aliases = aliases,
			.brief = "show who talks by TCP, how fast, and how well",
			.operands = "[INTERVAL [COUNT]]",
			.about =
				"A table of TCP connections, processes, containers, peers, ports "
				"or of the whole host, made anew after each interval (in "
				"seconds; 1 if none is given) and at the end. It ends after "
				"COUNT intervals, or when it is told to. On a terminal each "
				"table replaces the one before.\n\n"
				"Bytes are payload as TCP counts it: sent is what the other end "
				"acknowledged, not what was asked to be sent, and received is "
				"what arrived, each byte once. Sums run from the start of "
				"tapline; a rate is over the time between two looks at the same "
				"socket. Connections that were opened or closed between two "
				"looks are counted to the last byte.\n\n"
				"It sees the sockets of every network namespace, IPv4 and IPv6 "
				"alike. A connection between two processes of this host has two "
				"ends, and each is counted for its own process; by port and by "
				"host both are in the row.\n\n"
				"Where the table is on a terminal, in its foreground, keys change "
				"it: b and B what a row is (the next of --by, and the one before), "
				"s and S or the arrows right and left the column that rows are "
				"sorted by, r the order, from the largest or from the smallest; "
				"space pauses and goes on, h or ? shows the keys, q quits. Another "
				"order shows the same block again. Another --by begins a new "
				"block, "
				"and sums are from then on those of the connections that were "
				"open: "
				"each counts, from the start of tapline, for whoever used it last.",
			.opts = opts,
			.schema = &top_schema,
			.examples =
				(const struct example[]){
					{"tapline top", "connections, the busiest first"},
					{"tapline top --by process --sort sends_rate 5",
					 "who calls send most often, every five seconds"},
					{"tapline top --by peer --port 443 10 1",
					 "who is at the other end, in the next ten seconds"},
					{"tapline top --by port --all",
					 "each service with its open connections, also idle ones"},
					{"tapline top --by container -o json",
					 "running sums and rates as JSON"},
					{NULL, NULL},
				},
			.overhead =
				"Nothing runs for a packet. Hooks on sends and reads of TCP "
				"sockets take 140 to 160 ns each, measured by the kernel "
				"(kernel.bpf_stats_enabled) with wrk on nginx, its timing "
				"included; "
				"a connection that closes puts a record of 176 bytes in the ring. "
				"The rest grows with open sockets: a block takes 12 ms of a CPU "
				"for "
				"20,000 that are idle, and 18 to 19 ms if each was used since the "
				"block before, 50 rows shown (two cores that others used too, "
				"median "
				"of 15 blocks, docs/PERFORMANCE.md); another --by by a key takes a "
				"look at all of them. Printing 20,000 rows takes 40 ms more.",
			.limits =
				"calls are told by who sends and who reads, as no packet is looked "
				"at: an end that connected counts one when it reads the first "
				"bytes after it sent some, an end that was accepted when it sends "
				"the first bytes after it read some. So requests that are "
				"pipelined are one call, the handshake of TLS is one or two, and "
				"both ends may count differently where they do not wait for each "
				"other. What is sent by sendfile or splice is seen (from Linux 6.5 "
				"on); an end that reads by splice counts no calls, and one that "
				"speaks first, as a mail server does, counts none for that. A call "
				"that had begun before tapline is not counted at the end that "
				"waits. tapline requests has single calls.\n\n"
				"TCP's counters are those of a socket. Segments of a handshake "
				"before the responder has a socket, and what a socket does in "
				"TIME-WAIT, are in no row. srtt_us is of the last look in which "
				"something was new.\n\n"
				"On a socket that several processes use in turn, sends and "
				"receives are each one's own, while bytes and segments are of who "
				"had used it last when TCP counted them. Receives are calls of "
				"recv and its kind; what is spliced from a socket counts as bytes "
				"only. A process that used a socket older than tapline is found "
				"by open files; of several, it is one of them until one uses it. "
				"On kernels before 6.3, calls are counted by fexit programs.\n\n"
				"At most 131,072 rows are kept, and no_room in the ledger counts "
				"what found none. By process, peer and the like, sums of what has "
				"no open connection any longer are forgotten when there are more "
				"than 16,384 rows. Owners are not known for subflows of MPTCP and "
				"for sockets of the kernel's own.",
		},
	.needs = NEED_ROOT | NEED_BTF | NEED_RINGBUF | NEED_STORAGE | NEED_ATOMICS,
	.conf_size = sizeof(struct top_conf),
	.open = top_open,
	.records = records,
	.n_records = ARRAY_SIZE(records),
	.tick = top_tick,
	.keys = top_keys,
	.tick_ms = 1000,
	.finish = top_finish,
	.ledger = top_ledger,
	.close = top_close,
};
