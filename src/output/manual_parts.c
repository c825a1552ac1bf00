// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What help, man pages and completion share.
 * One reading of a manual, so that the three forms cannot disagree. */
#include "output/manual_parts.h"

void manual_sets(const struct manual *m, const struct opt *common, struct opt_set sets[static 2])
{
	sets[0] = (struct opt_set){.rows = m ? m->opts : NULL, .title = "Options"};
	sets[1] = (struct opt_set){.rows = common, .title = "Common options"};
}

bool manual_has_options(const struct opt_set *sets, unsigned set)
{
	for (const struct opt *row = sets[set].rows; row && row->name; row++)
		if (opt_visible(sets, set, row))
			return true;
	return false;
}

/* One that is empty stands for what is not known, which is no name. */
static void put_names(const char *const *names, struct buf *out)
{
	const char *between = "";

	for (unsigned i = 0; names && names[i]; i++) {
		if (!*names[i])
			continue;
		buf_str(out, between);
		buf_str(out, names[i]);
		between = ", ";
	}
}

void manual_field_type(const struct column *c, struct buf *out)
{
	static const char *const of_unit[] = {
		[UNIT_NONE] = "number",
		[UNIT_US] = "microseconds",
		[UNIT_BYTES] = "bytes",
		[UNIT_RATE] = "number a second",
	};

	switch (c->type) {
	case COL_UINT:
	case COL_REAL:
		buf_str(out, c->unit < ARRAY_SIZE(of_unit) ? of_unit[c->unit] : "number");
		break;
	case COL_TEXT:
		buf_str(out, "text");
		break;
	case COL_ADDR:
		buf_str(out, "address");
		break;
	case COL_TIME:
		buf_str(out, "time");
		break;
	case COL_SET:
		buf_str(out, "list of ");
		put_names(c->names, out);
		break;
	case COL_ENUM:
		buf_str(out, "one of ");
		put_names(c->names, out);
		break;
	}
}

bool manual_paragraph(struct text *left, struct text *paragraph)
{
	const char *end;

	while (left->len > 0 && *left->p == '\n') {
		left->p++;
		left->len--;
	}
	if (left->len == 0)
		return false;
	end = memmem(left->p, left->len, "\n\n", 2);
	*paragraph = *left;
	if (end)
		paragraph->len = (uint32_t)(end - left->p);
	left->p += paragraph->len;
	left->len -= paragraph->len;
	return true;
}
