// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* One JSON object (RFC 8259) a line, for programs: every chosen field, unknown is null.
 * Keys are rendered once, so that a row is copies and numbers. */
#include "output/output.h"

struct json {
	struct {
		uint16_t at, len;
	} key[64];
	char keys[]; /* {"time": ,"client": ... */
};

static int prepare(struct output *o, void **state)
{
	const struct schema *s = output_schema(o);
	const uint8_t *fields;
	unsigned n = output_fields(o, &fields);
	size_t size = 0;

	for (unsigned i = 0; i < n; i++) /* a byte escaped takes 6; comma or brace, quotes, colon */
		size += strlen(s->columns[fields[i]].name) * 6 + 4;
	if (size > UINT16_MAX)
		return -E2BIG;
	struct json *j = calloc(1, sizeof(*j) + size);
	if (!j)
		return -ENOMEM;
	struct buf b = {j->keys, 0, size, false};
	for (unsigned i = 0; i < n; i++) {
		size_t at = b.len;
		buf_str(&b, i ? ",\"" : "{\"");
		buf_json(&b, text_of(s->columns[fields[i]].name));
		buf_str(&b, "\":");
		j->key[i].at = (uint16_t)at;
		j->key[i].len = (uint16_t)(b.len - at);
	}
	*state = j;
	return 0;
}

static void put_set(const struct column *c, uint64_t bits, struct buf *b)
{
	bool first = true;

	buf_char(b, '[');
	for (unsigned i = 0; bits && i < 64 && c->names[i]; i++, bits >>= 1) {
		if (!(bits & 1))
			continue;
		buf_str(b, first ? "\"" : ",\"");
		buf_json(b, text_of(c->names[i]));
		buf_char(b, '"');
		first = false;
	}
	buf_char(b, ']');
}

static void put_value(const struct column *c, struct cell v, struct buf *b)
{
	if (!v.known) {
		buf_bytes(b, "null", 4);
		return;
	}
	switch (v.type) {
	case COL_UINT:
		buf_u64(b, v.u);
		return;
	case COL_REAL:
		cell_plain(c, v, b);
		return;
	case COL_SET:
		put_set(c, v.u, b);
		return;
	case COL_TEXT:
		buf_char(b, '"');
		buf_json(b, v.text);
		break;
	case COL_ENUM:
		buf_char(b, '"');
		buf_json(b, text_of(column_word(c, v.u)));
		break;
	case COL_ADDR:
	case COL_TIME:
		buf_char(b, '"');
		cell_plain(c, v, b);
		break;
	}
	buf_char(b, '"');
}

static void put_row(struct output *o, const struct row *row, struct buf *b)
{
	const struct json *j = output_state(o);
	const struct schema *s = output_schema(o);
	const uint8_t *fields;
	unsigned n = output_fields(o, &fields);

	for (unsigned i = 0; i < n; i++) {
		buf_bytes(b, j->keys + j->key[i].at, j->key[i].len);
		put_value(&s->columns[fields[i]], schema_cell(s, fields[i], row), b);
	}
	buf_bytes(b, "}\n", 2);
}

const struct output_kind output_json = {.name = "json", .prepare = prepare, .row = put_row};
