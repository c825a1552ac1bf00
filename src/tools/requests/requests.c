// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* requests: one row a call, for every TCP connection of this host. The main job of tapline.
 * This file is its frame: options, opening, ticks, the end and the ledger. */
#include "tools/requests/requests.h"

#include "base/clock.h"
#include "base/hash.h"

/* The two ends' records come one after the other; an end waits so long for one that may not exist.
 */
#define HOLD_NS        300000000ull
#define PAIRED_HOLD_NS 3000000000ull
#define HELD           8192
#define REMEMBERED     65536 /* calls that were shown before their exchange was over */
#define SHOW_NS        1000000000ull

int requests_take(struct requests *r, const struct exchange *x)
{
	if (!told_take(r, x))
		(void)join_add(r->join, x, x->now_ns);
	return r->shown;
}

static int on_exchange(struct session *s, const struct record *rec)
{
	struct requests *r = session_state(s);
	const struct exchange *x = (const struct exchange *)rec;

	if (sizeof(*x) + x->request_head + x->response_head > rec->size)
		return 0;
	return requests_take(r, x);
}

static const struct record_handler records[] = {
	[RECORD_EXCHANGE] = {sizeof(struct exchange), on_exchange},
	[RECORD_PAYLOAD] = {sizeof(struct payload), followed_payload},
	[RECORD_SILENT] = {sizeof(struct silent), told_silent},
	[RECORD_FRAME] = {sizeof(struct frame_record), frames_record},
};

struct wire_tap requests_wire_tap(const struct requests *r)
{
	struct wire_tap tap = {.interfaces = &r->conf->interfaces,
			       .dump_filter = r->conf->dump_filter};

	tap.words = session_operands(r->session, &tap.n_words);
	return tap;
}

bool requests_ssh_shown(const struct requests *r)
{
	struct wire_tap tap = requests_wire_tap(r);

	return wire_asks_for(r->session, &tap, SSH_PORT);
}

bool requests_heads_shown(const struct requests *r)
{
	return r->wanted & (1ull << C_REQUEST_HEAD | 1ull << C_RESPONSE_HEAD);
}

static const struct tap *tap_of(const struct requests_conf *conf)
{
	if (conf->file)
		return &tap_file;
	return conf->interfaces.n ? &tap_wire : &tap_socket;
}

static unsigned requests_needs(const void *conf)
{
	return tap_of(conf)->needs;
}

/* What was asked for does not go together: -EINVAL, said; else 0. */
static int check_options(struct session *s, const struct requests_conf *asked)
{
	unsigned n_words;

	(void)session_operands(s, &n_words);
	if (asked->in_flight && asked->by.n)
		return session_fail(s, -EINVAL, "--in-flight and --by do not go together");
	if (asked->heads && (asked->in_flight || asked->by.n))
		return session_fail(s, -EINVAL,
				    "-H shows the heads of rows: not with --in-flight or --by");
	if (asked->path_depth && !asked->by.n)
		return session_fail(s, -EINVAL,
				    "--path-depth folds the groups of --by path: give that too");
	if (asked->in_flight && asked->file)
		return session_fail(s, -EINVAL,
				    "--in-flight shows what is waiting now, and in a file nothing "
				    "is");
	if ((n_words || asked->dump_filter) && tap_of(asked) == &tap_socket)
		return session_fail(s, -EINVAL,
				    "a filter expression is for packets: name an interface with -i "
				    "IF or a file with -r FILE; for sockets there are --port, "
				    "--net and --where");
	return 0;
}

/* What keeps calls between their records. 0 or -errno, said. */
static int open_tables(struct requests *r)
{
	struct join_conf join = {.entries = HELD,
				 .remembered = REMEMBERED,
				 .hold_ns = HOLD_NS,
				 .paired_hold_ns = PAIRED_HOLD_NS,
				 .seed = hash_seed(),
				 .done = calls_done,
				 .complete = calls_complete,
				 .arg = r};
	int e;

	if (filter_has_owner(session_filter(r->session))) /* the other end may be kept out */
		join.paired_hold_ns = HOLD_NS;
	e = join_new(&join, &r->join);
	if (!e)
		e = notes_new(&r->notes);
	if (!e)
		e = processes_new(&r->processes);
	if (!e)
		e = followed_new(r);
	if (!e)
		e = told_new(&r->told);
	return e ? session_fail(r->session, e, "no memory") : 0;
}

/* Columns as the options ask for them, and which of them cost something. 0 or -errno, said. */
static int choose_columns(struct requests *r)
{
	const struct requests_conf *conf = r->conf;
	struct session *s = r->session;
	bool people = output_for_people(session_output(s));
	int e = 0;

	if (conf->in_flight)
		e = session_set_schema(
			s, &call_schema, 1ull << C_AGE_US,
			people ? 1ull << C_STATUS | 1ull << C_TTFB_US | 1ull << C_TOTAL_US : 0);
	else if (conf->heads && !people)
		e = session_set_schema(s, &call_schema,
				       1ull << C_REQUEST_HEAD | 1ull << C_RESPONSE_HEAD, 0);
	if (e)
		return e;
	/* --by adds its own */
	r->wanted = conf->by.n ? session_where_columns(s) : session_columns(s);
	if (conf->heads)
		r->wanted |= 1ull << C_REQUEST_HEAD;
	if (conf->out.path) /* for comments */
		r->wanted |= OWNER_COLUMNS;
	return 0;
}

static int requests_open(struct session *s, void *conf)
{
	struct requests *r;
	int e = check_options(s, conf);

	if (e)
		return e;
	r = calloc(1, sizeof(*r));
	if (!r)
		return session_fail(s, -ENOMEM, "no memory");
	session_set_state(s, r);
	r->session = s;
	r->conf = conf;
	r->tap = tap_of(conf);
	r->now_ns = r->tap->read ? 0 : clock_mono_ns(); /* records come before the first tick */
	e = open_tables(r);
	if (!e)
		e = choose_columns(r);
	if (!e && r->conf->by.n)
		e = by_new(r, &r->by);
	if (!e)
		e = frames_new(r);
	return e ? e : r->tap->open(r);
}

static int requests_tick(struct session *s, uint64_t now_ns)
{
	struct requests *r = session_state(s);
	int e = 0;

	r->now_ns = now_ns;
	if (r->tap->read)
		e = r->tap->read(r);
	now_ns = r->now_ns;
	join_expire(r->join, now_ns);
	notes_expire(r, false);
	told_expire(r, now_ns);
	if (r->tap->read)
		return r->shown ? r->shown : e;
	if (r->conf->in_flight) {
		if (now_ns >= r->next_show_ns) {
			r->next_show_ns = now_ns + SHOW_NS;
			e = in_flight_show(r, now_ns);
		}
		return e ? e : r->shown;
	}
	e = sweep_tick(r, now_ns);
	if (!e && r->by && output_style(session_output(s))->terminal && now_ns >= r->next_show_ns) {
		r->next_show_ns = now_ns + SHOW_NS;
		output_new_block(session_output(s));
		e = by_show(r->by, now_ns - session_started(s));
	}
	return e ? e : r->shown;
}

/* What has not ended is shown as far as it is known, but not with -n, whose rows are complete. */
static int requests_finish(struct session *s)
{
	struct requests *r = session_state(s);
	int e;

	if (!r->tap->read)
		r->now_ns = clock_mono_ns();
	if (r->shown || r->conf->in_flight)
		return frames_finish(r);
	/* What did not change since its last snapshot was shown or is held, unless that was
	 * dropped. */
	e = r->tap->sweep(r, 0, join_counts(r->join).forgotten > 0);
	if (!e)
		e = session_drain(s);
	if (e)
		return e;
	follow_flush(r->follow);
	join_flush(r->join);
	notes_expire(r, true);
	alone_flush(r);
	e = frames_finish(r);
	if (e || !r->by)
		return e;
	if (output_style(session_output(s))->terminal)
		output_new_block(session_output(s));
	return by_show(r->by, r->now_ns - (r->tap->read ? r->begin_ns : session_started(s)));
}

static void requests_ledger(struct session *s, struct buf *out)
{
	struct requests *r = session_state(s);
	struct join_counts j = join_counts(r->join);

	ledger_line(out, "calls", r->calls, "seen");
	r->tap->ledger(r, out);
	frames_ledger(r, out);
	if (j.evicted)
		ledger_line(out, "evicted", j.evicted,
			    "ends that were shown before the other one came");
	if (r->upgraded_bytes)
		ledger_line(out, "upgraded_bytes", r->upgraded_bytes,
			    "payload after an upgrade (WebSocket), counted and not parsed");
	if (r->goodbyes)
		ledger_line(out, "tls_goodbyes", r->goodbyes,
			    "closing alerts of TLS, which are no calls");
	if (r->absorbed)
		ledger_line(out, "absorbed", r->absorbed,
			    "exchanges of one end that the row of their stream has");
	if (followed_lost(r))
		ledger_line(out, "lost_pipelined", followed_lost(r),
			    "pipelined messages that there was no room for");
	if (session_counter(s, COUNT_FOLLOW_BYTES))
		ledger_line(out, "unfollowed_bytes", session_counter(s, COUNT_FOLLOW_BYTES),
			    "payload of pipelined connections past their budget");
}

static void requests_close(struct session *s)
{
	struct requests *r = session_state(s);

	if (!r)
		return;
	if (r->tap->close)
		r->tap->close(r);
	frames_free(r);
	by_free(r->by);
	join_free(r->join);
	notes_free(r->notes);
	alone_free(r);
	told_free(r->told);
	processes_free(r->processes);
	followed_free(r);
	free(r);
}

static const struct opt opts[] = {
	{0, "in-flight", NULL, OPT_FLAG, 0, offsetof(struct requests_conf, in_flight),
	 .help = "what is waiting now, the longest first, every second"},
	{0, "by", "FIELD[,FIELD]", OPT_LIST, OPT_COMMA, offsetof(struct requests_conf, by),
	 .help = "sum up by these columns: calls, rate, errors, percentiles, bytes; every second "
		 "on a "
		 "terminal, else at the end"},
	{0, "path-depth", "N", OPT_UINT, 0, offsetof(struct requests_conf, path_depth), .min = 1,
	 .max = 100, .help = "with --by path: keep N segments of a path and fold the rest"},
	{'H', "heads", NULL, OPT_FLAG, 0, offsetof(struct requests_conf, heads),
	 .help = "show the heads too, as far as they were captured"},
	{0, "show-secrets", NULL, OPT_FLAG, 0, offsetof(struct requests_conf, show_secrets),
	 .help = "do not mask Authorization, cookies, and query values named like a secret"},
	{'i', "interface", "IF", OPT_LIST, 0, offsetof(struct requests_conf, interfaces),
	 .help = "what passes this interface, instead of this host's sockets; may be repeated; "
		 "any: "
		 "every one"},
	{'r', "read", "FILE", OPT_TEXT, 0, offsetof(struct requests_conf, file),
	 .help = "what is in a capture file (pcap or pcapng; - is standard input), without root"},
	CAPTURE_OUT_OPTS(offsetof(struct requests_conf, out)),
	{0, "dump-filter", NULL, OPT_FLAG, 0, offsetof(struct requests_conf, dump_filter),
	 .help = "print the programs that the filter becomes, and end"},
	{0},
};

const struct tool tool_requests = {
	.manual =
		{
			.name = "requests",
			.aliases = (const char *const[]){"httpry", "httpsnoop", NULL},
			.brief = "show every TCP request on this host, a row a call",
			.operands = "[FILTER ...]",
			.about = "One row for each TCP request: when, which process asked which, "
				 "what, with which status, how long to the first byte and in all, "
				 "how many bytes. HTTP/1 is read; TLS is named with its server; "
				 "every other protocol gets a row for each exchange, with the "
				 "printable start of the request.\n\n"
				 "The bytes are seen in the kernel, at the sockets, in every "
				 "network namespace and container. Nothing is instrumented, "
				 "restarted or proxied. A call between two processes of this host "
				 "is one row that names both.\n\n"
				 "With -i the rows are of what passes an interface instead, of no "
				 "local socket too: forwarded, bridged, of containers, inside VLAN "
				 "tags, GRE, IP-in-IP and VXLAN. An end is named where a socket of "
				 "this network namespace has it. What passes several of the "
				 "interfaces unchanged is one call. FILTER is an expression of "
				 "pcap-filter(7), as for tcpdump, about the outermost packet; it "
				 "is decided in the kernel.\n\n"
				 "With -r the rows are those of a capture file, and no privileges "
				 "are needed. With -w the packets of the calls that pass --where "
				 "go into a file for Wireshark (pcapng): those with payload, FIN "
				 "or RST, each up to 512 bytes (with -r whole), with the processes "
				 "of the call as a comment; then no rows are printed unless -o or "
				 "--fields ask for them.\n\n"
				 "SSH (port 22) is left out, so that a remote terminal does not "
				 "feed itself; --port 22, or a FILTER that names it, shows it.",
			.opts = opts,
			.schema = &call_schema,
			.examples =
				(const struct example[]){
					{"tapline", "every call on this host"},
					{"tapline requests --port 8080 --where 'status>=500'",
					 "what fails on port 8080"},
					{"tapline requests --comm curl -o json -n 1",
					 "the next call of curl, as JSON"},
					{"tapline requests --by path,status -d 10",
					 "ten seconds, summed up"},
					{"tapline requests --in-flight",
					 "what is waiting now, and for how long"},
					{"tapline requests --where 'total_us>200ms' -H",
					 "slow calls, with their heads"},
					{"tapline requests -i eth0 'tcp port 80 and net "
					 "10.0.0.0/8'",
					 "what passes an interface and matches a pcap filter"},
					{"tapline requests --where 'status>=500' -w errors.pcapng",
					 "the packets of failed calls, for Wireshark"},
					{"tapline requests -r errors.pcapng --by path",
					 "the calls in a capture file, summed up"},
					{NULL, NULL},
				},
			.overhead =
				"Two cgroup_skb programs run for each segment of each socket, two "
				"socket hooks for each send and receive, and one record is copied "
				"for each exchange and end, not for each segment. With -i one "
				"program runs for each packet of the interface, and the socket "
				"hooks look at sockets of its network namespace only. With -w "
				"each packet with payload is copied, too. docs/PERFORMANCE.md has "
				"the measured numbers.",
			.limits =
				"Not seen: what sockmap redirects past TCP, the owners of MPTCP "
				"subflows, the plaintext of TLS, memory-mapped receives, UDP (and "
				"so HTTP/3), and, without -i, traffic that is only forwarded.\n\n"
				"Of a request's head 304 bytes are kept (head_cut marks a longer "
				"one), of a response's 128 to 192: where its length stands "
				"further on, its row comes only when the connection goes on or "
				"ends. HTTP/2 is shown as protocol tcp. Secrets are masked in "
				"HTTP heads and paths; other protocols show how a request starts, "
				"as it is, and -w writes packets as they are. Two ends that both "
				"send all the time are one row, a stream; where they pause for "
				"each other, each turn is a row. A process keeps the name it had "
				"when it first used the socket. What was asked before tapline "
				"started is shown from its next bytes on, and marked midway where "
				"something is missing. --where cannot compare times.\n\n"
				"With -i and -r: who asks is known from the SYN; of an older "
				"connection by what HTTP it speaks, else the lower port is taken "
				"for the server's. server_queue_us, server_us, retransmits and "
				"srtt_us are null, and connect_us is the time from SYN to SYN-ACK "
				"there. IP fragments are not followed, nor tunnels inside of "
				"tunnels; the ledger counts fragments. 16,384 connections are "
				"followed at a time with -i, 65,536 with -r; then the least "
				"recently used are forgotten, and counted. -p, --comm and "
				"--container cannot be decided there: --where can.\n\n"
				"With -w packets wait in 32 MiB until their call is shown; what "
				"has to go before is counted.",
		},
	.needs = NEED_ROOT | NEED_BTF | NEED_RINGBUF | NEED_CGROUP2 | NEED_STORAGE,
	.needs_for = requests_needs,
	.conf_size = sizeof(struct requests_conf),
	.open = requests_open,
	.records = records,
	.n_records = ARRAY_SIZE(records),
	.tick = requests_tick,
	.tick_ms = 10,
	.finish = requests_finish,
	.ledger = requests_ledger,
	.close = requests_close,
};
