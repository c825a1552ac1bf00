// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* --help of a subcommand, and of tapline itself.
 * For a terminal: short, aligned, wrapped. */
#include "output/manual_parts.h"

static void put_paragraphs(const char *s, unsigned width, struct buf *out)
{
	struct text left = text_of(s);
	struct text paragraph;

	while (manual_paragraph(&left, &paragraph)) {
		buf_char(out, '\n');
		buf_wrapped(out, paragraph, 0, 0, width);
		buf_char(out, '\n');
	}
}

/* "  name    what it is", the second part from column on. */
static void put_entry(const char *name, struct text says, unsigned column, unsigned width,
		      struct buf *out)
{
	size_t taken = strlen(name) + 2;

	buf_str(out, "  ");
	buf_str(out, name);
	buf_fill(out, ' ', column > taken ? column - taken : 1);
	buf_wrapped(out, says, column, column, width);
	buf_char(out, '\n');
}

static void put_fields(const struct schema *s, unsigned width, struct buf *out)
{
	unsigned widest = 0;
	char line[1024];

	buf_str(out, "\nFields:\n");
	for (unsigned i = 0; i < s->n; i++)
		widest = MAX(widest, (unsigned)strlen(s->columns[i].name));
	for (unsigned i = 0; i < s->n; i++) {
		struct buf b = BUF_ON(line);

		buf_str(&b, s->columns[i].help);
		buf_str(&b, " (");
		manual_field_type(&s->columns[i], &b);
		buf_char(&b, ')');
		put_entry(s->columns[i].name, buf_text(&b), widest + 4, width, out);
	}
}

static void put_aliases(const char *const *aliases, struct buf *out)
{
	for (unsigned i = 0; aliases && aliases[i]; i++) {
		buf_str(out, i ? ", " : " (also: ");
		buf_str(out, aliases[i]);
	}
	if (aliases && aliases[0])
		buf_char(out, ')');
}

void manual_help(const struct manual *m, const struct opt *common, unsigned width, struct buf *out)
{
	struct opt_set sets[MANUAL_SETS];
	bool operands = m->operands && *m->operands;

	manual_sets(m, common, sets);
	buf_printf(out, "Usage: tapline %s [OPTION]...%s%s\n\n", m->name, operands ? " " : "",
		   operands ? m->operands : "");
	buf_wrapped(out, text_of(m->brief), 0, 0, width);
	put_aliases(m->aliases, out);
	buf_char(out, '\n');
	put_paragraphs(m->about, width, out);
	if (manual_has_options(sets, 0))
		buf_char(out, '\n');
	opt_help(sets, ARRAY_SIZE(sets), width, out);
	if (m->schema)
		put_fields(m->schema, width, out);
	if (m->examples && m->examples->command)
		buf_str(out, "\nExamples:\n");
	for (const struct example *e = m->examples; e && e->command; e++) {
		buf_printf(out, "  %s\n      ", e->command);
		buf_wrapped(out, text_of(e->says), 6, 6, width);
		buf_char(out, '\n');
	}
}

void manual_help_index(const struct manual *const *all, unsigned n, unsigned width, struct buf *out)
{
	unsigned widest = 0;
	char line[512];

	buf_str(out, "Usage: tapline [COMMAND] [OPTION]...\n");
	put_paragraphs(MANUAL_INTRO, width, out);
	buf_str(out, "\nCommands:\n");
	for (unsigned i = 0; i < n; i++)
		widest = MAX(widest, (unsigned)strlen(all[i]->name));
	for (unsigned i = 0; i < n; i++) {
		struct buf b = BUF_ON(line);

		buf_str(&b, all[i]->brief);
		put_aliases(all[i]->aliases, &b);
		put_entry(all[i]->name, buf_text(&b), widest + 4, width, out);
	}
	buf_char(out, '\n');
	if (n > 0)
		buf_printf(out, "Without a command, tapline runs %s. ", all[0]->name);
	buf_str(out, "'tapline COMMAND --help' tells more.\n");
}
