// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* --by: calls summed over what they have in common, with percentiles of how long they took.
 * The schema of its rows is the chosen columns and the sums, so every output can print them. */
#include "base/hash.h"
#include "call/group.h"
#include "tools/requests/requests.h"

#define GROUPS_MAX 16384
#define BY_MAX     8
#define BY_KEY_MAX 4096

enum sum {
	SUM_CALLS,
	SUM_RATE,
	SUM_ERRORS,
	SUM_P50,
	SUM_P90,
	SUM_P99,
	SUM_MAX,
	SUM_SENT,
	SUM_RECEIVED,
	SUMS
};

struct by_row {
	struct row row;
	struct text key[BY_MAX];
	uint64_t number[BY_MAX];
	uint64_t calls, errors, p50, p90, p99, max, sent, received;
	double rate;
};

static const struct column sum_columns[SUMS] = {
	[SUM_CALLS] = {"calls", "CALLS", COL_UINT, UNIT_NONE, offsetof(struct by_row, calls), 9,
		       COLUMN_SHOWN, .help = "calls in this group"},
	[SUM_RATE] = {"rate", "RATE", COL_REAL, UNIT_RATE, offsetof(struct by_row, rate), 9,
		      COLUMN_SHOWN, .help = "calls a second"},
	[SUM_ERRORS] = {"errors", "ERRORS", COL_UINT, UNIT_NONE, offsetof(struct by_row, errors), 7,
			COLUMN_SHOWN, .help = "status 500 or more, unanswered or reset"},
	[SUM_P50] = {"p50_us", "P50", COL_UINT, UNIT_US, offsetof(struct by_row, p50), 7,
		     COLUMN_SHOWN, .help = "median of total_us, within 1%"},
	[SUM_P90] = {"p90_us", "P90", COL_UINT, UNIT_US, offsetof(struct by_row, p90), 7,
		     COLUMN_SHOWN, .help = "90th percentile, within 1%"},
	[SUM_P99] = {"p99_us", "P99", COL_UINT, UNIT_US, offsetof(struct by_row, p99), 7,
		     COLUMN_SHOWN, .help = "99th percentile, within 1%"},
	[SUM_MAX] = {"max_us", "MAX", COL_UINT, UNIT_US, offsetof(struct by_row, max), 7,
		     COLUMN_SHOWN, .help = "the longest"},
	[SUM_SENT] = {"request_bytes", "SENT", COL_UINT, UNIT_BYTES, offsetof(struct by_row, sent),
		      8, COLUMN_SHOWN, .help = "TCP payload of the requests"},
	[SUM_RECEIVED] = {"response_bytes", "RECEIVED", COL_UINT, UNIT_BYTES,
			  offsetof(struct by_row, received), 8, COLUMN_SHOWN,
			  .help = "TCP payload of the responses"},
};

struct by {
	struct requests *r;
	struct groups *groups;
	uint8_t key[BY_MAX]; /* columns of call_schema */
	unsigned n_keys;
	struct column columns[BY_MAX + SUMS];
	struct schema schema;
};

static int add_key(struct by *b, const char *name)
{
	int c = schema_find(&call_schema, text_of(name));
	struct column *col = &b->columns[b->n_keys];
	const char *names[C_COLUMNS], *near;

	for (unsigned i = 0; i < C_COLUMNS; i++)
		names[i] = call_schema.columns[i].name;
	near = opt_nearest(name, names, C_COLUMNS);
	if (c < 0)
		return session_fail(b->r->session, -EINVAL,
				    "--by: there is no column '%s'%s%s%s; --help lists them", name,
				    near ? ", did you mean '" : "", near ? near : "",
				    near ? "'" : "");
	if (b->n_keys == BY_MAX)
		return session_fail(b->r->session, -EINVAL, "--by: at most %d columns", BY_MAX);
	*col = call_schema.columns[c];
	col->flags |= COLUMN_SHOWN;
	if (col->type == COL_UINT) {
		col->offset =
			(uint16_t)(offsetof(struct by_row, number) + b->n_keys * sizeof(uint64_t));
	} else {
		col->type = COL_TEXT;
		col->offset =
			(uint16_t)(offsetof(struct by_row, key) + b->n_keys * sizeof(struct text));
	}
	if (c == C_PATH)
		col->flags |= COLUMN_GROWS;
	b->key[b->n_keys++] = (uint8_t)c;
	b->r->wanted |= 1ull << c;
	return 0;
}

int by_new(struct requests *r, struct by **out)
{
	struct by *b = calloc(1, sizeof(*b));
	int e = 0;

	if (!b)
		return -ENOMEM;
	b->r = r;
	for (unsigned i = 0; !e && i < r->conf->by.n; i++)
		e = add_key(b, r->conf->by.v[i]);
	if (!e)
		e = groups_new(GROUPS_MAX, hash_seed(), &b->groups);
	memcpy(b->columns + b->n_keys, sum_columns, sizeof(sum_columns));
	b->schema = (struct schema){b->columns, b->n_keys + SUMS};
	if (!e)
		e = session_set_schema(r->session, &b->schema, 0, 0);
	if (e) {
		by_free(b);
		return e;
	}
	*out = b;
	return 0;
}

void by_free(struct by *b)
{
	if (!b)
		return;
	groups_free(b->groups);
	free(b);
}

/* Without its query, and of its segments only as many as asked for: ids further down fold. */
static void folded_path(struct text path, uint64_t depth, struct buf *key)
{
	const char *q = memchr(path.p, '?', path.len);
	uint32_t n = q ? (uint32_t)(q - path.p) : path.len;
	uint64_t segments = 0;

	for (uint32_t i = 0; depth && i < n; i++) {
		if (path.p[i] != '/' || segments++ < depth)
			continue;
		buf_bytes(key, path.p, i);
		buf_str(key, "/*");
		return;
	}
	buf_bytes(key, path.p, n);
}

/* The group's key: of each column '+' and its text, or '-' for null, ended by a NUL. */
void by_add(struct by *b, const struct call_row *row)
{
	char bytes[BY_KEY_MAX];
	struct buf key = BUF_ON(bytes);
	bool timed = row->row.known & 1ull << C_TOTAL_US;
	bool failed = row->row.known & 1ull << C_STATUS && row->status >= 500;
	struct group_call call = {
		.error = failed || row->quality & (QUALITY_UNANSWERED | QUALITY_RESET),
		.timed = timed,
		.total_us = timed ? row->total_us : 0,
		.request_bytes = row->row.known & 1ull << C_REQUEST_BYTES ? row->request_bytes : 0,
		.response_bytes =
			row->row.known & 1ull << C_RESPONSE_BYTES ? row->response_bytes : 0,
	};

	for (unsigned i = 0; i < b->n_keys; i++) {
		struct cell cell = schema_cell(&call_schema, b->key[i], &row->row);

		buf_char(&key, cell.known ? '+' : '-');
		if (cell.known && b->key[i] == C_PATH)
			folded_path(cell.text, b->r->conf->path_depth, &key);
		else if (cell.known)
			cell_plain(&call_schema.columns[b->key[i]], cell, &key);
		buf_char(&key, '\0');
	}
	(void)groups_add(b->groups, (struct text){key.p, (uint32_t)key.len}, &call);
}

static void key_cells(struct by *b, const struct group_sum *g, struct by_row *row)
{
	const char *p = g->key.p, *end = p + g->key.len;

	for (unsigned i = 0; i < b->n_keys; i++) {
		const char *stop = p < end ? memchr(p, '\0', (size_t)(end - p)) : NULL;
		struct text t = stop ? (struct text){p + 1, (uint32_t)(stop - p - 1)}
				     : (struct text){NULL, 0};
		bool known = stop && *p == '+';

		if (g->other) { /* keys that came when the table was full */
			t = TEXT("(other)");
			known = b->columns[i].type == COL_TEXT;
		}
		if (b->columns[i].type == COL_UINT)
			known = known && !text_to_u64(t, &row->number[i]);
		row->key[i] = t;
		if (known)
			row->row.known |= 1ull << i;
		p = stop ? stop + 1 : end;
	}
}

static int show_group(struct by *b, const struct group_sum *g, uint64_t elapsed_ns)
{
	static const double q[] = {0.5, 0.9, 0.99};
	uint64_t at[ARRAY_SIZE(q)];
	struct by_row row = {
		.calls = g->calls,
		.errors = g->errors,
		.rate = elapsed_ns ? (double)g->calls * 1e9 / (double)elapsed_ns : 0,
		.sent = g->request_bytes,
		.received = g->response_bytes,
		.max = g->total_us.max,
	};

	row.row.known = ((1ull << SUMS) - 1) << b->n_keys;
	if (!g->total_us.count)
		row.row.known &= ~(15ull << (b->n_keys + SUM_P50));
	histogram_quantiles(&g->total_us, q, ARRAY_SIZE(q), at);
	row.p50 = at[0];
	row.p90 = at[1];
	row.p99 = at[2];
	key_cells(b, g, &row);
	return session_group(b->r->session, &row.row);
}

int by_show(struct by *b, uint64_t elapsed_ns)
{
	const struct group_sum **top;
	unsigned lines = output_lines(session_output(b->r->session));
	uint64_t limit = session_common(b->r->session)->rows;
	size_t n = groups_count(b->groups) + 1;
	int e = 0;

	if (lines)
		n = MIN(n, lines);
	if (limit)
		n = MIN(n, limit);
	top = calloc(n, sizeof(*top));
	if (!top)
		return -ENOMEM;
	n = groups_top(b->groups, group_more_calls, top, n);
	for (size_t i = 0; !e && i < n; i++)
		e = show_group(b, top[i], elapsed_ns);
	free(top);
	return e;
}
