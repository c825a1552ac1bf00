// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The blocks: a row for each tally in which something happened, sorted by any column.
 * Which columns there are depends on what a row is; the rest of them is hidden. */
#include "base/clock.h"
#include "tools/top/state.h"

struct top_row {
	struct row row;
	int64_t time;
	uint64_t pid, local_port, remote_port, role, port, connections;
	struct text comm, container;
	struct addr local, remote;
	struct top_counts sum;
	double rates[TOP_COUNTERS];
	double rate;
	uint64_t srtt_us;
};

enum {
	TIME,
	PID,
	COMM,
	CONTAINER,
	LOCAL,
	LOCAL_PORT,
	REMOTE,
	REMOTE_PORT,
	ROLE,
	PORT,
	CONNECTIONS,
	NAMES /* and behind them a sum and a rate for each enum top_counter */
};

#define SUMS    NAMES
#define RATES   (SUMS + TOP_COUNTERS)
#define RATE    (RATES + TOP_COUNTERS)
#define SRTT    (RATE + 1)
#define COLUMNS (RATE + 2)

static const char *const roles[] = {"requester", "responder", NULL};

#define R(field)   offsetof(struct top_row, field)
#define SUM(i)     (uint16_t)(R(sum) + (i) * sizeof(uint64_t))
#define EACH(i)    (uint16_t)(R(rates) + (i) * sizeof(double))
#define AT_RATE(i) [RATES + (i)]
#define AT_SUM(i)  [SUMS + (i)]

static const struct column columns[COLUMNS] = {
	[TIME] = {"time", "TIME", COL_TIME, UNIT_NONE, R(time), 12, 0,
		  .help = "when the counters were read"},
	[PID] = {"pid", "PID", COL_UINT, UNIT_NONE, R(pid), 8, COLUMN_SHOWN,
		 .help = "by connection and process: the process that used the socket last; null: "
			 "none is known"},
	[COMM] = {"comm", "COMM", COL_TEXT, UNIT_NONE, R(comm), 15, COLUMN_SHOWN,
		  .help = "its name"},
	[CONTAINER] = {"container", "CONTAINER", COL_TEXT, UNIT_NONE, R(container), 12,
		       COLUMN_SHOWN | COLUMN_SPARE,
		       .help = "its container or systemd service; null: none"},
	[LOCAL] = {"local", "LOCAL", COL_ADDR, UNIT_NONE, R(local), 15, COLUMN_SHOWN | COLUMN_GROWS,
		   .help = "by connection: the address of this end"},
	[LOCAL_PORT] = {"local_port", "PORT", COL_UINT, UNIT_NONE, R(local_port), 5, COLUMN_SHOWN,
			.help = "its port"},
	[REMOTE] = {"remote", "REMOTE", COL_ADDR, UNIT_NONE, R(remote), 15,
		    COLUMN_SHOWN | COLUMN_GROWS,
		    .help = "by connection and peer: the address of the other end"},
	[REMOTE_PORT] = {"remote_port", "PORT", COL_UINT, UNIT_NONE, R(remote_port), 5,
			 COLUMN_SHOWN, .help = "its port"},
	[ROLE] = {"role", "ROLE", COL_ENUM, UNIT_NONE, R(role), 9, 0, .names = roles,
		  .help = "by connection: whether this end connected (requester) or accepted "
			  "(responder)"},
	[PORT] = {"port", "PORT", COL_UINT, UNIT_NONE, R(port), 5, COLUMN_SHOWN,
		  .help = "by port: the responder's"},
	[CONNECTIONS] = {"connections", "CONNS", COL_UINT, UNIT_NONE, R(connections), 6,
			 COLUMN_SHOWN, .help = "ends of connections that are open now"},
	AT_SUM(COUNT_SENT) = {"sent", "SENT", COL_UINT, UNIT_BYTES, SUM(COUNT_SENT), 8, 0,
			      .help = "bytes of payload that the other end acknowledged, since the "
				      "start of tapline"},
	AT_SUM(COUNT_RECEIVED) = {"received", "RECEIVED", COL_UINT, UNIT_BYTES, SUM(COUNT_RECEIVED),
				  8, 0, .help = "bytes of payload that arrived, each once"},
	AT_SUM(COUNT_CALLS) = {"calls", "CALLS", COL_UINT, UNIT_NONE, SUM(COUNT_CALLS), 9, 0,
			       .help = "requests that were answered, told by who sends: a turn of "
				       "the requester's bytes with a turn of the responder's"},
	AT_SUM(COUNT_SEGMENTS_OUT) = {"segments_out", "SEGS OUT", COL_UINT, UNIT_NONE,
				      SUM(COUNT_SEGMENTS_OUT), 9, 0,
				      .help = "TCP segments sent, also those without payload"},
	AT_SUM(COUNT_SEGMENTS_IN) = {"segments_in", "SEGS IN", COL_UINT, UNIT_NONE,
				     SUM(COUNT_SEGMENTS_IN), 9, 0,
				     .help = "TCP segments that arrived"},
	AT_SUM(COUNT_RETRANSMITS) = {"retransmits", "RETRANS", COL_UINT, UNIT_NONE,
				     SUM(COUNT_RETRANSMITS), 7, COLUMN_SHOWN,
				     .help = "segments that were sent again"},
	AT_SUM(COUNT_SENDS) = {"sends", "SENDS", COL_UINT, UNIT_NONE, SUM(COUNT_SENDS), 9, 0,
			       .help = "system calls that send, as many as tcp_sendmsg gets"},
	AT_SUM(COUNT_RECEIVES) = {"receives", "RECEIVES", COL_UINT, UNIT_NONE, SUM(COUNT_RECEIVES),
				  9, 0,
				  .help = "system calls that receive, also those that got nothing"},
	AT_RATE(COUNT_SENT) = {"send_rate", "SEND/S", COL_REAL, UNIT_BYTES, EACH(COUNT_SENT), 8,
			       COLUMN_SHOWN, .help = "sent, in bytes a second"},
	AT_RATE(COUNT_RECEIVED) = {"receive_rate", "RECV/S", COL_REAL, UNIT_BYTES,
				   EACH(COUNT_RECEIVED), 8, COLUMN_SHOWN,
				   .help = "received, in bytes a second"},
	AT_RATE(COUNT_CALLS) = {"calls_rate", "CALLS/S", COL_REAL, UNIT_RATE, EACH(COUNT_CALLS), 9,
				COLUMN_SHOWN, .help = "calls a second"},
	AT_RATE(COUNT_SEGMENTS_OUT) = {"segments_out_rate", "SEG OUT/S", COL_REAL, UNIT_RATE,
				       EACH(COUNT_SEGMENTS_OUT), 9, COLUMN_SHOWN | COLUMN_SPARE,
				       .help = "segments_out a second"},
	AT_RATE(COUNT_SEGMENTS_IN) = {"segments_in_rate", "SEG IN/S", COL_REAL, UNIT_RATE,
				      EACH(COUNT_SEGMENTS_IN), 9, COLUMN_SHOWN | COLUMN_SPARE,
				      .help = "segments_in a second"},
	AT_RATE(COUNT_RETRANSMITS) = {"retransmit_rate", "RETR/S", COL_REAL, UNIT_RATE,
				      EACH(COUNT_RETRANSMITS), 7, 0,
				      .help = "retransmits a second"},
	AT_RATE(COUNT_SENDS) = {"sends_rate", "SENDS/S", COL_REAL, UNIT_RATE, EACH(COUNT_SENDS), 9,
				COLUMN_SHOWN | COLUMN_SPARE, .help = "sends a second"},
	AT_RATE(COUNT_RECEIVES) = {"receives_rate", "RECVS/S", COL_REAL, UNIT_RATE,
				   EACH(COUNT_RECEIVES), 9, COLUMN_SHOWN | COLUMN_SPARE,
				   .help = "receives a second"},
	[RATE] = {"rate", "BYTES/S", COL_REAL, UNIT_BYTES, R(rate), 8, 0,
		  .help = "send_rate and receive_rate together"},
	[SRTT] = {"srtt_us", "SRTT", COL_UINT, UNIT_US, R(srtt_us), 7, COLUMN_SHOWN,
		  .help = "smoothed round-trip time of TCP, in microseconds; the mean of the "
			  "connections of a row"},
};

const struct schema top_schema = {columns, COLUMNS};

#define BIT(column) (1ull << (column))
#define OWNER       (BIT(PID) | BIT(COMM) | BIT(CONTAINER))
#define ENDS        (BIT(LOCAL) | BIT(LOCAL_PORT) | BIT(REMOTE) | BIT(REMOTE_PORT) | BIT(ROLE))
#define COUNTED     (BIT(TIME) | (BIT(COLUMNS) - BIT(SUMS)))

static const uint64_t columns_by[] = {
	[BY_CONNECTION] = COUNTED | OWNER | ENDS,
	[BY_PROCESS] = COUNTED | OWNER | BIT(CONNECTIONS),
	[BY_CONTAINER] = COUNTED | BIT(CONTAINER) | BIT(CONNECTIONS),
	[BY_PEER] = COUNTED | BIT(REMOTE) | BIT(CONNECTIONS),
	[BY_PORT] = COUNTED | BIT(PORT) | BIT(CONNECTIONS),
	[BY_HOST] = COUNTED | BIT(CONNECTIONS),
};

static int parse_sort(struct top *t)
{
	const char *word = t->conf->sort ? t->conf->sort : "rate", *names[COLUMNS], *near;
	int c = schema_find(&top_schema, text_of(word));

	for (unsigned i = 0; i < COLUMNS; i++)
		names[i] = columns[i].name;
	near = opt_nearest(word, names, COLUMNS);
	if (c < 0)
		return session_fail(t->session, -EINVAL,
				    "--sort: there is no column '%s'%s%s%s; --help lists them",
				    word, near ? ", did you mean '" : "", near ? near : "",
				    near ? "'" : "");
	t->sort = (unsigned)c;
	return 0;
}

int rows_prepare(struct top *t)
{
	int r = parse_sort(t);

	top_seed = hash_seed();
	return r ? r : session_set_schema(t->session, &top_schema, 0, ~columns_by[t->by]);
}

int rows_regroup(struct top *t)
{
	if (!(columns_by[t->by] & BIT(t->sort)))
		t->sort = RATE;
	return session_hide(t->session, ~columns_by[t->by]);
}

/* The rate, which is what rows are sorted by unless it is said otherwise, is among them even where
 * the table does not show it. */
void rows_sort_by_next(struct top *t, int step)
{
	const uint8_t *fields;
	unsigned n = output_fields(session_output(t->session), &fields), count = 0, at = 0;
	uint8_t order[COLUMNS];
	uint64_t had = BIT(TIME) | BIT(RATE);

	for (unsigned i = 0; i < n; i++) {
		if (!(had & BIT(fields[i])))
			order[count++] = fields[i];
		had |= BIT(fields[i]);
	}
	order[count++] = RATE;
	while (at < count - 1 && order[at] != t->sort)
		at++;
	t->sort = order[(at + count + (unsigned)step) % count];
}

/* ---- a row ---- */

static void names_of_tally(struct top *t, const struct tally *l, struct top_row *row)
{
	const struct top_look *k = &l->last;

	row->pid = k->owner.pid;
	row->comm = text_in(k->owner.comm, sizeof(k->owner.comm));
	row->container = text_in(l->container, sizeof(l->container));
	memcpy(&row->local, k->local, sizeof(row->local));
	memcpy(&row->remote, k->remote, sizeof(row->remote));
	row->local_port = k->local_port;
	row->remote_port = k->remote_port;
	row->role = !k->connected;
	row->port = l->key.number[0];
	row->row.known = COUNTED | ENDS | BIT(CONNECTIONS) | BIT(PORT);
	if (k->owner.pid)
		row->row.known |= BIT(PID) | BIT(COMM);
	if (row->container.len)
		row->row.known |= BIT(CONTAINER);
	row->row.known &= columns_by[t->by];
}

static double rate_of(const struct top *t, const struct tally_news *news, unsigned counter)
{
	double elapsed_s = (double)t->elapsed_ns / 1e9;

	return news ? news->rate[counter] + (double)news->part.n[counter] / elapsed_s : 0;
}

static void row_of_tally(struct top *t, const struct tally *l, const struct tally_news *news,
			 struct top_row *row)
{
	memset(row, 0, sizeof(*row));
	names_of_tally(t, l, row);
	row->time = session_wall(t->session, t->looked_ns);
	row->connections = l->connections;
	row->sum = l->sum;
	for (unsigned i = 0; i < TOP_COUNTERS; i++)
		row->rates[i] = rate_of(t, news, i);
	row->rate = row->rates[COUNT_SENT] + row->rates[COUNT_RECEIVED];
	if (l->measured)
		row->srtt_us = l->srtt_us / l->measured;
	else
		row->row.known &= ~BIT(SRTT);
}

/* ---- order ---- */

static int compare_known(struct cell a, struct cell b)
{
	uint32_t n;
	int r;

	switch (a.type) {
	case COL_UINT:
		return a.u < b.u ? 1 : a.u > b.u ? -1 : 0;
	case COL_REAL:
		return a.real < b.real ? 1 : a.real > b.real ? -1 : 0;
	case COL_TEXT:
		n = MIN(a.text.len, b.text.len);
		r = n ? memcmp(a.text.p, b.text.p, n) : 0;
		return r ? r : (int)a.text.len - (int)b.text.len;
	case COL_ADDR:
		return memcmp(a.addr, b.addr, sizeof(*a.addr));
	default:
		return 0;
	}
}

/* Numbers from the largest, names from the first, or the other way round; what is not known is
 * last. */
static int compare(const void *x, const void *y, void *arg)
{
	const struct top *t = arg;
	const struct top_row *a = x, *b = y;
	struct cell ca = schema_cell(&top_schema, t->sort, &a->row);
	struct cell cb = schema_cell(&top_schema, t->sort, &b->row);
	int r = ca.known && cb.known ? compare_known(ca, cb) : (int)cb.known - (int)ca.known;

	if (t->reversed && ca.known && cb.known)
		r = -r;
	if (r || a->rate == b->rate)
		return r;
	return a->rate < b->rate ? 1 : -1;
}

/* ---- a block ---- */

static int make_room(struct top *t, size_t n)
{
	struct top_row *rows;

	if (n <= t->room)
		return 0;
	rows = reallocarray(t->rows, n, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	t->rows = rows;
	t->room = n;
	return 0;
}

/* Does it surely come behind the last of the best? Of thousands most do, and what it takes to tell
 * is less than a row. */
static bool is_behind(const struct top *t, const struct tally_news *news,
		      const struct top_row *last)
{
	double rate, least;

	if (t->sort < RATES || t->sort > RATE)
		return false;
	if (t->sort == RATE) {
		rate = rate_of(t, news, COUNT_SENT) + rate_of(t, news, COUNT_RECEIVED);
		least = last->rate;
	} else {
		rate = rate_of(t, news, t->sort - RATES);
		least = last->rates[t->sort - RATES];
	}
	return t->reversed ? rate > least : rate < least;
}

/* The first rows in order, at most so many of them where most is not 0. Twice as many are kept
 * before they are sorted, and from then on only what comes before the last of the best. */
static size_t choose_rows(struct top *t, size_t most)
{
	const struct top_row *last = NULL;
	struct tally *l, *next;
	size_t n = 0;

	HASH_ITER(hh, t->tallies, l, next)
	{
		const struct tally_news *news = tally_shows(t, l);

		if ((!t->conf->all && !news) || (last && is_behind(t, news, last)))
			continue;
		row_of_tally(t, l, news, &t->rows[n]);
		if ((last && compare(&t->rows[n], last, t) >= 0) ||
		    !session_where(t->session, &t->rows[n].row))
			continue;
		if (++n < 2 * most || !most)
			continue;
		qsort_r(t->rows, n, sizeof(*t->rows), compare, t);
		n = most;
		last = &t->rows[n - 1];
	}
	if (n)
		qsort_r(t->rows, n, sizeof(*t->rows), compare, t);
	return most ? MIN(n, most) : n;
}

int rows_show(struct top *t)
{
	size_t most, n = HASH_COUNT(t->tallies);
	int r;

	output_new_block(session_output(t->session));
	keys_title(t);
	most = session_block_rows(t->session);
	r = make_room(t, most ? MIN(n, 2 * most) : n);
	if (r)
		return r;
	n = choose_rows(t, most);
	for (size_t i = 0; !r && i < n; i++)
		r = session_group(t->session, &t->rows[i].row);
	return r;
}
