// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Showing the rows of option tables, and finding the name that was meant.
 * Apart from the parser: this is for people, that is for programs. */
#include "base/opt.h"

/* Labels longer than this have their help on the next line. */
enum { LABEL_MAX = 30, WORD_MAX = 64 };

bool opt_visible(const struct opt_set *sets, unsigned set, const struct opt *row)
{
	if (row->flags & OPT_HIDDEN)
		return false;
	for (unsigned s = 0; s < set; s++)
		for (const struct opt *o = sets[s].rows; o && o->name; o++)
			if (strcmp(o->name, row->name) == 0)
				return false;
	return true;
}

char opt_letter(const struct opt_set *sets, unsigned set, const struct opt *row)
{
	for (unsigned s = 0; s < set; s++)
		for (const struct opt *o = sets[s].rows; o && o->name; o++)
			if (o->letter == row->letter)
				return 0;
	return row->letter;
}

bool opt_takes_value(const struct opt *row)
{
	return row->type == OPT_CALL ? row->arg != NULL : row->type != OPT_FLAG;
}

void opt_arg(const struct opt *row, struct buf *out)
{
	if (row->arg) {
		buf_str(out, row->arg);
		return;
	}
	for (unsigned i = 0; row->type == OPT_CHOICE && row->choices[i]; i++) {
		if (i)
			buf_char(out, '|');
		buf_str(out, row->choices[i]);
	}
}

/* "  -d, --duration SECONDS" */
static void put_label(const struct opt_set *sets, unsigned set, const struct opt *row,
		      struct buf *out)
{
	char letter = opt_letter(sets, set, row);
	size_t before;

	if (letter)
		buf_printf(out, "  -%c, --%s ", letter, row->name);
	else
		buf_printf(out, "      --%s ", row->name);
	before = out->len;
	opt_arg(row, out);
	if (out->len == before && !out->over)
		out->len--; /* the space before an argument that is not there */
}

static unsigned label_width(const struct opt_set *sets, unsigned n)
{
	char label[256];
	size_t widest = 0;

	for (unsigned s = 0; s < n; s++)
		for (const struct opt *row = sets[s].rows; row && row->name; row++) {
			struct buf b = BUF_ON(label);

			if (!opt_visible(sets, s, row))
				continue;
			put_label(sets, s, row, &b);
			if (!b.over && b.len <= LABEL_MAX)
				widest = MAX(widest, b.len);
		}
	return (unsigned)widest;
}

static void put_row(const struct opt_set *sets, unsigned set, const struct opt *row,
		    unsigned column, unsigned width, struct buf *out)
{
	size_t start = out->len;
	size_t label;

	put_label(sets, set, row, out);
	label = out->len - start;
	if (label + 2 > column) {
		buf_char(out, '\n');
		label = 0;
	}
	buf_fill(out, ' ', column - label);
	buf_wrapped(out, text_of(row->help), column, column, width);
	buf_char(out, '\n');
}

void opt_help(const struct opt_set *sets, unsigned n, unsigned width, struct buf *out)
{
	unsigned column = label_width(sets, n) + 2;

	for (unsigned s = 0; s < n; s++) {
		bool titled = !sets[s].title;

		for (const struct opt *row = sets[s].rows; row && row->name; row++) {
			if (!opt_visible(sets, s, row))
				continue;
			if (!titled)
				buf_printf(out, "%s%s:\n", s ? "\n" : "", sets[s].title);
			titled = true;
			put_row(sets, s, row, column, width, out);
		}
	}
}

/* Levenshtein's distance by one rolling row; both words are shorter than WORD_MAX. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j];
			unsigned changed = diagonal + (a[i] != b[j - 1]);

			row[j] = MIN(changed, MIN(above, row[j - 1]) + 1);
			diagonal = above;
		}
	}
	return row[n];
}

const char *opt_nearest(const char *word, const char *const *names, unsigned n)
{
	size_t len = strlen(word);
	const char *best = NULL;
	unsigned least = 3;

	if (len == 0 || len >= WORD_MAX)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		unsigned d;

		if (strlen(names[i]) >= WORD_MAX)
			continue;
		if (strncmp(word, names[i], len) == 0)
			return names[i];
		d = edit_distance(word, names[i]);
		if (d < least && d < len) { /* d == len shares nothing with the word */
			least = d;
			best = names[i];
		}
	}
	return best;
}
