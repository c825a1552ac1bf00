// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Rows of latency: a block's percentiles, one row for each series, or single cases. One set of
 * columns for both; those that are not of the run are hidden. */
#include "base/buf.h"
#include "base/clock.h"
#include "tools/latency/state.h"

struct percentile_row {
	struct row row;
	struct text comm, container;
	struct addr local, remote, peer;
	int64_t time;
	uint64_t kind, pid, local_port, remote_port, size, port, count;
	double took, p50, p90, p99, p999, max;
};

enum {
	TIME,
	KIND,
	COMM,
	PID,
	LOCAL,
	LOCAL_PORT,
	REMOTE,
	REMOTE_PORT,
	SIZE,
	TOOK,
	CONTAINER,
	PEER,
	PORT,
	COUNT,
	P50,
	P90,
	P99,
	P999,
	MAX_US,
	COLUMNS
};

#define C(field)    offsetof(struct percentile_row, field)
#define BIT(column) (1ull << (column))

const char *const latency_kind_names[] = {"connect", "rtt",  "first-byte", "server",
					  "queue",   "send", "accept",     NULL};

static const struct column columns[COLUMNS] = {
	[TIME] = {"time", "TIME", COL_TIME, UNIT_NONE, C(time), 12, COLUMN_SHOWN | COLUMN_SPARE,
		  .help = "when the counters were read; of a single case: when it ended"},
	[KIND] = {"kind", "KIND", COL_ENUM, UNIT_NONE, C(kind), 10, COLUMN_SHOWN,
		  latency_kind_names, "what took so long"},
	[COMM] = {"comm", "COMM", COL_TEXT, UNIT_NONE, C(comm), 15, COLUMN_SHOWN,
		  .help = "of a case, and by process: the process that uses the socket; null: none "
			  "is known"},
	[PID] = {"pid", "PID", COL_UINT, UNIT_NONE, C(pid), 7, COLUMN_SHOWN,
		 .help = "its process id"},
	[LOCAL] = {"local", "LOCAL", COL_ADDR, UNIT_NONE, C(local), 15,
		   COLUMN_SHOWN | COLUMN_GROWS | COLUMN_SPARE,
		   .help = "of a case: the address of this end, as the socket has it"},
	[LOCAL_PORT] = {"local_port", "LPORT", COL_UINT, UNIT_NONE, C(local_port), 5, COLUMN_SHOWN,
			.help = "its port"},
	[REMOTE] = {"remote", "REMOTE", COL_ADDR, UNIT_NONE, C(remote), 15,
		    COLUMN_SHOWN | COLUMN_GROWS, .help = "of a case: the address of the other end"},
	[REMOTE_PORT] = {"remote_port", "RPORT", COL_UINT, UNIT_NONE, C(remote_port), 5,
			 COLUMN_SHOWN, .help = "its port"},
	[SIZE] = {"size", "SIZE", COL_UINT, UNIT_BYTES, C(size), 7, COLUMN_SHOWN,
		  .help = "of a case: bytes of the request, so far as they had come; of send what "
			  "the call sent; of rtt the payload of the segment; null: there are none"},
	[TOOK] = {"latency_us", "LATENCY", COL_REAL, UNIT_US, C(took), 8, COLUMN_SHOWN,
		  .help = "of a case: how long it took"},
	[CONTAINER] = {"container", "CONTAINER", COL_TEXT, UNIT_NONE, C(container), 16,
		       COLUMN_SHOWN,
		       .help = "by container: container or systemd unit of the "
			       "process; null: none, or none is known"},
	[PEER] = {"peer", "PEER", COL_ADDR, UNIT_NONE, C(peer), 15, COLUMN_SHOWN | COLUMN_GROWS,
		  .help = "by peer: the address of the other end"},
	[PORT] = {"port", "PORT", COL_UINT, UNIT_NONE, C(port), 5, COLUMN_SHOWN,
		  .help = "by port: that of the end that listens"},
	[COUNT] = {"count", "COUNT", COL_UINT, UNIT_NONE, C(count), 8, COLUMN_SHOWN,
		   .help = "cases since the block before"},
	[P50] = {"p50_us", "P50", COL_REAL, UNIT_US, C(p50), 8, COLUMN_SHOWN,
		 .help = "median, within 1%"},
	[P90] = {"p90_us", "P90", COL_REAL, UNIT_US, C(p90), 8, COLUMN_SHOWN,
		 .help = "90th percentile, within 1%"},
	[P99] = {"p99_us", "P99", COL_REAL, UNIT_US, C(p99), 8, COLUMN_SHOWN,
		 .help = "99th percentile, within 1%"},
	[P999] = {"p999_us", "P99.9", COL_REAL, UNIT_US, C(p999), 8, COLUMN_SHOWN | COLUMN_SPARE,
		  .help = "99.9th percentile, within 1%"},
	[MAX_US] = {"max_us", "MAX", COL_REAL, UNIT_US, C(max), 8, COLUMN_SHOWN,
		    .help = "the longest, within 1%"},
};

const struct schema latency_schema = {columns, COLUMNS};

#define SUMS                                                                                       \
	(BIT(TIME) | BIT(KIND) | BIT(COUNT) | BIT(P50) | BIT(P90) | BIT(P99) | BIT(P999) |         \
	 BIT(MAX_US))
#define CASE                                                                                       \
	(BIT(TIME) | BIT(KIND) | BIT(COMM) | BIT(PID) | BIT(LOCAL) | BIT(LOCAL_PORT) |             \
	 BIT(REMOTE) | BIT(REMOTE_PORT) | BIT(SIZE) | BIT(TOOK))

static const uint64_t columns_by[] = {
	[LATENCY_BY_HOST] = SUMS,
	[LATENCY_BY_PROCESS] = SUMS | BIT(COMM) | BIT(PID),
	[LATENCY_BY_PEER] = SUMS | BIT(PEER),
	[LATENCY_BY_PORT] = SUMS | BIT(PORT),
	[LATENCY_BY_CONTAINER] = SUMS | BIT(CONTAINER),
};

int latency_prepare(struct latency *l)
{
	bool people = output_for_people(session_output(l->session));
	uint64_t shown = l->cases ? CASE : columns_by[l->conf->by];

	if (!l->cases && people)
		shown &= ~BIT(TIME);
	return session_set_schema(l->session, &latency_schema, 0, ~shown);
}

#define SET(to, column, field, value)                                                              \
	do {                                                                                       \
		(to)->field = (value);                                                             \
		(to)->row.known |= BIT(column);                                                    \
	} while (0)

static double us(uint64_t ns)
{
	return (double)ns / 1000;
}

static void set_owner(struct percentile_row *row, const struct owner *o)
{
	if (!o->pid)
		return;
	SET(row, PID, pid, o->pid);
	SET(row, COMM, comm, text_in(o->comm, sizeof(o->comm)));
}

int latency_row(struct latency *l, const struct latency_case *c)
{
	struct percentile_row row = {.row.known = BIT(TIME) | BIT(KIND) | BIT(LOCAL) | BIT(REMOTE)};

	row.time = session_wall(l->session, c->now_ns);
	row.kind = c->kind;
	memcpy(&row.local, c->local, sizeof(row.local));
	memcpy(&row.remote, c->remote, sizeof(row.remote));
	SET(&row, LOCAL_PORT, local_port, c->local_port);
	SET(&row, REMOTE_PORT, remote_port, c->remote_port);
	if (c->size)
		SET(&row, SIZE, size, c->size);
	SET(&row, TOOK, took, us(c->took_ns));
	set_owner(&row, &c->owner);
	return session_row(l->session, &row.row);
}

/* ---- bars ---- */

#define BAR_MAX 36
/* Up to 1 us, and then powers of two of it below 2^48 ns. */
#define STEPS 40

static void put_time(struct buf *b, uint64_t us)
{
	if (us < 1000)
		buf_printf(b, "%uus", (unsigned)us);
	else if (us < 1000000)
		buf_printf(b, "%.3gms", (double)us / 1000);
	else
		buf_printf(b, "%.4gs", (double)us / 1000000);
}

static void put_bar(struct buf *b, unsigned step, uint64_t n, uint64_t most)
{
	char range[40];
	struct buf r = BUF_ON(range);

	put_time(&r, step ? 1ull << (step - 1) : 0);
	buf_str(&r, " to ");
	put_time(&r, 1ull << step);
	buf_printf(b, "\t%20.*s %10llu |", (int)r.len, r.p, (unsigned long long)n);
	buf_fill(b, '#', (size_t)((n * BAR_MAX + most - 1) / most));
	buf_char(b, '\n');
}

/* A line for each power of two between the shortest and the longest. */
static void put_bars(const struct histogram *h, struct buf *b)
{
	uint64_t count[STEPS] = {0}, most = 0;
	unsigned first = STEPS, last = 0;

	for (uint32_t i = 0; i < h->cells; i++) {
		uint64_t middle = 0, n = histogram_cell(h, i, &middle);
		unsigned step = middle < 1000 ? 0 : 64 - (unsigned)__builtin_clzll(middle / 1000);

		if (!n)
			continue;
		count[step] += n;
		most = MAX(most, count[step]);
		first = MIN(first, step);
		last = MAX(last, step);
	}
	for (unsigned i = first; i <= last; i++)
		put_bar(b, i, count[i], most);
}

/* ---- blocks ---- */

static void row_of_series(const struct latency *l, const struct series *s, uint64_t now_ns,
			  struct percentile_row *row)
{
	static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
	uint64_t at[ARRAY_SIZE(quantiles)];

	*row = (struct percentile_row){
		.row.known = BIT(TIME) | BIT(KIND) | BIT(COUNT),
		.time = session_wall(l->session, now_ns),
		.kind = s->key.kind,
		.count = s->h.count,
	};
	set_owner(row, &s->owner);
	memcpy(&row->peer, s->key.by, sizeof(row->peer));
	row->port = s->key.by[0];
	row->container = text_in(s->key.name, sizeof(s->key.name));
	row->row.known |= BIT(PEER) | BIT(PORT) | (row->container.len ? BIT(CONTAINER) : 0);
	row->row.known &= columns_by[l->conf->by];
	if (!s->h.count)
		return;
	histogram_quantiles(&s->h, quantiles, ARRAY_SIZE(quantiles), at);
	SET(row, P50, p50, us(at[0]));
	SET(row, P90, p90, us(at[1]));
	SET(row, P99, p99, us(at[2]));
	SET(row, P999, p999, us(at[3]));
	SET(row, MAX_US, max, us(s->h.max));
}

static int by_kind(const void *a, const void *b)
{
	const struct series *x = *(struct series *const *)a, *y = *(struct series *const *)b;

	if (x->key.kind != y->key.kind)
		return x->key.kind > y->key.kind ? 1 : -1;
	if (x->h.count != y->h.count)
		return x->h.count < y->h.count ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* Of the whole host each kind has a row, also without a case. */
static int add_empty(struct latency *l)
{
	for (uint32_t kind = 0; kind < LATENCY_KINDS; kind++) {
		struct latency_cell cell = {.kind = (uint16_t)kind};

		if (l->kinds & 1u << kind && l->conf->by == LATENCY_BY_HOST && !series_of(l, &cell))
			return -ENOMEM;
	}
	return 0;
}

static size_t lines_of(struct text t)
{
	size_t n = 0;

	for (uint32_t i = 0; i < t.len; i++)
		n += t.p[i] == '\n';
	return n;
}

static int say_left(struct latency *l, size_t rows)
{
	char text[64];
	struct buf b = BUF_ON(text);
	int r;

	buf_printf(&b, "and %zu rows for which the screen has no room\n", rows);
	r = output_text(session_output(l->session), buf_text(&b));
	return r == -ENOBUFS ? 0 : r;
}

/* A row with its bars fits on the terminal as a whole, unless it is the first. */
static int show(struct latency *l, struct series **sorted, size_t n, uint64_t now_ns)
{
	size_t most = session_block_rows(l->session), shown = 0, used = 0;
	size_t room = output_lines(session_output(l->session)), left = 0;
	char lines[8192];
	struct percentile_row row;
	int r = 0;

	for (size_t i = 0; !r && i < n && (!most || shown < most); i++) {
		struct buf bars = BUF_ON(lines);

		row_of_series(l, sorted[i], now_ns, &row);
		if (!session_where(l->session, &row.row))
			continue;
		if (l->bars && sorted[i]->h.count) {
			put_bars(&sorted[i]->h, &bars);
			row.row.below = buf_text(&bars);
		}
		used += 1 + lines_of(row.row.below);
		if (room && shown && used >= room)
			left++;
		else
			r = session_group(l->session, &row.row);
		shown += !left;
	}
	return r || !left ? r : say_left(l, left);
}

int latency_show(struct latency *l)
{
	struct series **sorted, *s, *next;
	size_t n = 0;
	int r = add_empty(l);

	if (r)
		return r;
	output_new_block(session_output(l->session));
	sorted = (struct series **)calloc(HASH_COUNT(l->series) + 1, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	HASH_ITER(hh, l->series, s, next)
	sorted[n++] = s;
	qsort(sorted, n, sizeof(*sorted), by_kind);
	r = show(l, sorted, n, clock_mono_ns());
	free(sorted);
	return r;
}
