// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Rows as an aligned table for people: values with units, cut to the terminal, coloured on one.
 * Everything in it may come from the network, so every cell is escaped before it is placed. */
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "output/output.h"

#define BOLD   "\033[1m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"
#define CUT    "\xe2\x80\xa6" /* U+2026 */

enum {
	GAP = 1,        /* columns of the terminal between two columns */
	LEAST_TEXT = 8, /* a column that grows is not made narrower than this */
};

struct place {
	unsigned width, start; /* in columns of the terminal */
	uint8_t field;
	bool number, status;
};

struct table {
	unsigned n;
	struct place place[64];
	int64_t second; /* of which clock is the text */
	char clock[16];
};

/* One line as it is being filled. */
struct line {
	struct buf *b;
	size_t at;    /* columns filled */
	size_t limit; /* of the terminal, or SIZE_MAX */
	bool color;
};

static unsigned total_width(const struct table *t)
{
	unsigned sum = (t->n - 1) * GAP;

	for (unsigned i = 0; i < t->n; i++)
		sum += t->place[i].width;
	return sum;
}

/* percent of what the column asks for, and never less than still says something. */
static unsigned least_width(const struct column *c, unsigned percent)
{
	unsigned title = (unsigned)text_columns(text_of(c->title));

	return MAX(title, MAX(c->width * percent / 100, (unsigned)LEAST_TEXT));
}

/* One column of a kind narrower: the widest that can still give. Whether there was one. */
static bool shrink(struct table *t, const struct schema *s, unsigned kind, unsigned percent)
{
	struct place *widest = NULL;

	for (unsigned i = 0; i < t->n; i++) {
		struct place *p = &t->place[i];
		if (s->columns[p->field].flags & kind &&
		    p->width > least_width(&s->columns[p->field], percent) &&
		    (!widest || p->width > widest->width))
			widest = p;
	}
	if (widest)
		widest->width--;
	return widest != NULL;
}

static void grow(struct table *t, const struct schema *s, unsigned left)
{
	unsigned growing = 0;

	for (unsigned i = 0; i < t->n; i++)
		growing += (s->columns[t->place[i].field].flags & COLUMN_GROWS) != 0;
	for (unsigned i = 0; i < t->n; i++) {
		if (!(s->columns[t->place[i].field].flags & COLUMN_GROWS))
			continue;
		unsigned share = left / growing--;
		t->place[i].width += share;
		left -= share;
	}
}

/* Leaves out the rightmost column of a kind. Whether there was one. */
static bool spare(struct table *t, const struct schema *s, unsigned kind)
{
	for (unsigned i = t->n; i-- > 0;) {
		if (!(s->columns[t->place[i].field].flags & kind))
			continue;
		memmove(&t->place[i], &t->place[i + 1], (t->n - i - 1) * sizeof(t->place[0]));
		t->n--;
		return true;
	}
	return false;
}

/* Narrower text is better than a column less, up to a point. Columns that cannot be spared are
 * dropped, from the right, only when nothing else helps. */
static void fit(struct table *t, const struct schema *s, unsigned width)
{
	while (total_width(t) > width) {
		if (shrink(t, s, COLUMN_SHRINKS, 67) || shrink(t, s, COLUMN_GROWS, 67) ||
		    spare(t, s, COLUMN_SPARE_FIRST) || spare(t, s, COLUMN_SPARE) ||
		    shrink(t, s, COLUMN_GROWS, 45) || shrink(t, s, COLUMN_SHRINKS, 50) ||
		    shrink(t, s, COLUMN_SHRINKS | COLUMN_GROWS, 0))
			continue;
		if (t->n == 1) {
			t->place[0].width = width;
			return;
		}
		t->n--;
	}
	grow(t, s, width - total_width(t));
}

static int prepare(struct output *o, void **state)
{
	const struct schema *s = output_schema(o);
	const struct output_style *style = output_style(o);
	const uint8_t *fields;
	unsigned n = output_fields(o, &fields);
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	tzset(); /* localtime_r reads the time zone's file only here, while it may */
	t->second = INT64_MIN;
	t->n = n;
	for (unsigned i = 0; i < n; i++) {
		const struct column *c = &s->columns[fields[i]];
		t->place[i] = (struct place){
			.field = fields[i],
			.width = MAX((unsigned)text_columns(text_of(c->title)), (unsigned)c->width),
			.number = c->type == COL_UINT || c->type == COL_REAL,
			.status = strcmp(c->name, "status") == 0,
		};
	}
	if (style->terminal && style->width)
		fit(t, s, style->width);
	for (unsigned i = 1; i < t->n; i++)
		t->place[i].start = t->place[i - 1].start + t->place[i - 1].width + GAP;
	*state = t;
	return 0;
}

/*
 * A cell wider than its column pushes the next ones aside until padding makes up for it. On a
 * terminal text is cut to its column, and a number, worth nothing when cut, only at the edge.
 */
static void put(struct line *l, const struct place *p, struct text t, const char *color)
{
	size_t from = MAX(l->at + (p->start ? GAP : 0), (size_t)p->start);
	size_t end = p->start + p->width;
	size_t room = SIZE_MAX;
	bool cut = false;

	if (t.len == 0 || from >= l->limit)
		return;
	if (l->limit != SIZE_MAX)
		room = p->number || end <= from ? l->limit - from : MIN(end, l->limit) - from;
	if (text_fit(t, room) < t.len) {
		cut = true;
		t.len = text_fit(t, room - 1);
	}
	size_t width = text_columns(t) + cut;
	if (p->number && from + width < end)
		from = end - width;
	buf_fill(l->b, ' ', from - l->at);
	if (color)
		buf_str(l->b, color);
	buf_escaped(l->b, t);
	if (cut)
		buf_str(l->b, CUT);
	if (color)
		buf_str(l->b, PLAIN);
	l->at = from + width;
}

static struct line line_on(struct output *o, struct buf *b)
{
	const struct output_style *style = output_style(o);
	bool fits = style->terminal && style->width;

	return (struct line){b, 0, fits ? style->width : SIZE_MAX, style->color};
}

static void header(struct output *o, struct buf *b)
{
	const struct table *t = output_state(o);
	const struct schema *s = output_schema(o);
	struct line l = line_on(o, b);

	if (l.color)
		buf_str(b, BOLD);
	for (unsigned i = 0; i < t->n; i++)
		put(&l, &t->place[i], text_of(s->columns[t->place[i].field].title), NULL);
	if (l.color)
		buf_str(b, PLAIN);
	buf_char(b, '\n');
}

/* scaled is the number times 10^digits: 34 with 1 is 3.4, 125 with 2 is 1.25. */
static void put_fraction(struct buf *b, uint64_t scaled, unsigned digits)
{
	unsigned base = digits == 2 ? 100 : 10;

	buf_u64(b, scaled / base);
	buf_char(b, '.');
	if (digits == 2)
		buf_char(b, (char)('0' + scaled % 100 / 10));
	buf_char(b, (char)('0' + scaled % 10));
}

static void put_us(struct buf *b, uint64_t us)
{
	uint64_t tenths_ms = us / 100 + (us % 100 >= 50);

	if (us < 1000) {
		buf_u64(b, us);
		buf_str(b, "us");
	} else if (tenths_ms < 10000) {
		put_fraction(b, tenths_ms, 1);
		buf_str(b, "ms");
	} else {
		put_fraction(b, us / 10000 + (us % 10000 >= 5000), 2);
		buf_char(b, 's');
	}
}

static void put_size(struct buf *b, uint64_t n)
{
	static const char units[] = "KMGTPE";
	unsigned unit = 0;

	if (n < 1024) {
		buf_u64(b, n);
		return;
	}
	double v = (double)n / 1024;
	while (v >= 1023.95 && unit + 1 < sizeof(units) - 1) {
		v /= 1024;
		unit++;
	}
	put_fraction(b, (uint64_t)(v * 10 + 0.5), 1);
	buf_char(b, units[unit]);
}

/* Local time of day. The second's text is kept: rows come by the thousand in one second. */
static void put_clock(struct table *t, struct buf *b, int64_t ns)
{
	int64_t second = ns / 1000000000 - (ns % 1000000000 < 0);
	unsigned ms = (unsigned)((ns % 1000000000 + 1000000000) % 1000000000 / 1000000);

	if (second != t->second) {
		time_t when = second;
		struct tm tm;
		if (!localtime_r(&when, &tm) || !strftime(t->clock, sizeof(t->clock), "%T", &tm))
			return;
		t->second = second;
	}
	buf_str(b, t->clock);
	const char rest[4] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
			      (char)('0' + ms % 10)};
	buf_bytes(b, rest, sizeof(rest));
}

/* A number of microseconds or bytes as the nearest whole one; false: there is none. */
static bool whole(struct cell v, uint64_t *out)
{
	if (v.type == COL_UINT)
		*out = v.u;
	else if (v.type == COL_REAL && v.real >= 0 && v.real < 1e18)
		*out = (uint64_t)(v.real + 0.5);
	else
		return false;
	return true;
}

/* What is shown of a cell, not escaped; in scratch unless it is text. */
static struct text shown(struct table *t, const struct column *c, struct cell v,
			 struct buf *scratch)
{
	uint64_t n;

	if (!v.known)
		return TEXT("-");
	if (v.type == COL_TEXT)
		return v.text;
	if (v.type == COL_TIME)
		put_clock(t, scratch, v.time);
	else if (c->unit == UNIT_US && whole(v, &n))
		put_us(scratch, n);
	else if (c->unit == UNIT_BYTES && whole(v, &n))
		put_size(scratch, n);
	else if (v.type == COL_REAL)
		buf_printf(scratch, "%.1f", v.real);
	else
		cell_plain(c, v, scratch);
	return buf_text(scratch);
}

static bool is_empty(struct cell v)
{
	switch (v.type) {
	case COL_TEXT:
		return v.text.len == 0;
	case COL_UINT:
	case COL_SET:
		return v.u == 0;
	case COL_REAL:
		return v.real == 0;
	default:
		return false;
	}
}

static const char *color_of(const struct place *p, const struct column *c, struct cell v)
{
	if (!v.known)
		return NULL;
	if (p->status && v.type == COL_UINT)
		return v.u >= 500 ? RED : v.u >= 400 ? YELLOW : NULL;
	return c->flags & COLUMN_ERROR && !is_empty(v) ? RED : NULL;
}

static void put_row(struct output *o, const struct row *row, struct buf *b)
{
	struct table *t = output_state(o);
	const struct schema *s = output_schema(o);
	struct line l = line_on(o, b);

	for (unsigned i = 0; i < t->n; i++) {
		const struct place *p = &t->place[i];
		const struct column *c = &s->columns[p->field];
		struct cell v = schema_cell(s, p->field, row);
		char scratch_bytes[2048]; /* the longest is a set of all its names */
		struct buf scratch = BUF_ON(scratch_bytes);
		struct text text = shown(t, c, v, &scratch);
		put(&l, p, text, l.color ? color_of(p, c, v) : NULL);
	}
	buf_char(b, '\n');
	buf_bytes(b, row->below.p, row->below.len);
}

const struct output_kind output_table = {
	.name = "table", .people = true, .prepare = prepare, .header = header, .row = put_row};
