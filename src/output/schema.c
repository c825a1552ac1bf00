// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Reads cells out of rows by their column's description, and shows them as plain text.
 * The only place that knows where in a row a value lies, so that no output has to. */
#include "output/schema.h"

#include <math.h>

#include "base/buf.h"

const char *column_word(const struct column *c, uint64_t i)
{
	if (!c->names)
		return NULL;
	for (uint64_t k = 0; c->names[k]; k++)
		if (k == i)
			return c->names[k];
	return NULL;
}

struct cell schema_cell(const struct schema *s, unsigned column, const struct row *row)
{
	const struct column *c = &s->columns[column];
	const void *at = (const char *)row + c->offset;
	struct cell v = {.known = row->known >> column & 1, .type = c->type};

	if (!v.known)
		return v;
	switch (c->type) {
	case COL_UINT:
	case COL_SET:
		v.u = *(const uint64_t *)at;
		break;
	case COL_ENUM:
		v.u = *(const uint64_t *)at;
		v.known = column_word(c, v.u) != NULL;
		break;
	case COL_REAL:
		v.real = *(const double *)at;
		v.known = isfinite(v.real);
		break;
	case COL_TEXT:
		v.text = *(const struct text *)at;
		break;
	case COL_ADDR:
		v.addr = at;
		break;
	case COL_TIME:
		v.time = *(const int64_t *)at;
		break;
	}
	return v;
}

int schema_find(const struct schema *s, struct text name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (text_eq(text_of(s->columns[i].name), name))
			return (int)i;
	return -ENOENT;
}

/* Decimals that are zero are left out: 2.5, 3, 0.125. */
static void plain_real(double v, struct buf *out)
{
	if (fabs(v) >= 1e15) { /* beyond this a double has no decimals, and 1000 of them overflow */
		buf_printf(out, "%.17g", v);
		return;
	}
	uint64_t thousandths = (uint64_t)(fabs(v) * 1000 + 0.5);
	if (v < 0 && thousandths)
		buf_char(out, '-');
	buf_u64(out, thousandths / 1000);
	unsigned rest = (unsigned)(thousandths % 1000);
	if (!rest)
		return;
	char digits[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
			  (char)('0' + rest % 10)};
	size_t n = sizeof(digits);
	while (digits[n - 1] == '0')
		n--;
	buf_bytes(out, digits, n);
}

static void plain_set(const struct column *c, uint64_t bits, struct buf *out)
{
	bool first = true;

	for (unsigned i = 0; bits && i < 64 && c->names[i]; i++, bits >>= 1) {
		if (!(bits & 1))
			continue;
		if (!first)
			buf_char(out, ',');
		buf_str(out, c->names[i]);
		first = false;
	}
}

void cell_plain(const struct column *c, struct cell v, struct buf *out)
{
	if (!v.known)
		return;
	switch (v.type) {
	case COL_UINT:
		buf_u64(out, v.u);
		break;
	case COL_REAL:
		plain_real(v.real, out);
		break;
	case COL_TEXT:
		buf_bytes(out, v.text.p, v.text.len);
		break;
	case COL_ADDR:
		buf_addr(out, v.addr);
		break;
	case COL_TIME:
		buf_time(out, v.time);
		break;
	case COL_SET:
		plain_set(c, v.u, out);
		break;
	case COL_ENUM:
		buf_str(out, column_word(c, v.u));
		break;
	}
}
