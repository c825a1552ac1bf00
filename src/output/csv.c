// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* CSV (RFC 4180) for spreadsheets: a header line, unknown is empty.
 * Text comes from the network: it is escaped as in the table, and can never become a formula. */
#include "output/output.h"

static bool has(struct text t, char c)
{
	return t.len && memchr(t.p, c, t.len);
}

/* A spreadsheet takes text that starts like this for a formula; a leading ' makes it text again. */
static bool is_formula(struct text t)
{
	return t.len && memchr("=+-@", t.p[0], 4);
}

/* Escaping makes neither quotes nor commas, so what needs quotes shows before it. */
static void put_text(struct text t, struct buf *b)
{
	bool quoted = has(t, '"') || has(t, ',');

	if (quoted)
		buf_char(b, '"');
	if (is_formula(t))
		buf_char(b, '\'');
	while (has(t, '"')) {
		uint32_t n = (uint32_t)((const char *)memchr(t.p, '"', t.len) - t.p);
		buf_escaped(b, (struct text){t.p, n});
		buf_str(b, "\"\"");
		t = (struct text){t.p + n + 1, t.len - n - 1};
	}
	buf_escaped(b, t);
	if (quoted)
		buf_char(b, '"');
}

static void header(struct output *o, struct buf *b)
{
	const struct schema *s = output_schema(o);
	const uint8_t *fields;
	unsigned n = output_fields(o, &fields);

	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_char(b, ',');
		put_text(text_of(s->columns[fields[i]].name), b);
	}
	buf_str(b, "\r\n");
}

static void put_row(struct output *o, const struct row *row, struct buf *b)
{
	const struct schema *s = output_schema(o);
	const uint8_t *fields;
	unsigned n = output_fields(o, &fields);

	for (unsigned i = 0; i < n; i++) {
		const struct column *c = &s->columns[fields[i]];
		struct cell v = schema_cell(s, fields[i], row);

		if (i)
			buf_char(b, ',');
		if (v.known && v.type == COL_TEXT) {
			put_text(v.text, b);
		} else if (v.known && v.type == COL_SET && (v.u & (v.u - 1))) {
			buf_char(b, '"'); /* more than one name: joined by commas */
			cell_plain(c, v, b);
			buf_char(b, '"');
		} else {
			cell_plain(c, v, b);
		}
	}
	buf_str(b, "\r\n");
}

const struct output_kind output_csv = {.name = "csv", .header = header, .row = put_row};
