// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Man pages: man(7) source of each subcommand and of tapline itself.
 * Only macros that both groff and mandoc have. */
#include <ctype.h>

#include "output/manual_parts.h"

/* A date is required by man(7); that of the build would make builds differ. */
#define MANUAL_DATE "2026-11-20"

enum { SOURCE_WIDTH = 76 };

/* One character so that roff shows it as it is, a hyphen included (groff(7), Escape sequences). */
static unsigned put_character(struct buf *out, const char *p, size_t n)
{
	static const char *const special[128] = {
		['\\'] = "\\e",  ['-'] = "\\-",   ['"'] = "\\(dq", ['\''] = "\\(aq",
		['`'] = "\\(ga", ['^'] = "\\(ha", ['~'] = "\\(ti",
	};
	uint32_t c;
	unsigned len = utf8_decode(p, n, &c);

	if (len == 0) {
		buf_char(out, '?');
		return 1;
	}
	if (c >= 128)
		buf_printf(out, "\\[u%04X]", c);
	else if (special[c])
		buf_str(out, special[c]);
	else
		buf_char(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
	return len;
}

static void put_roff(struct buf *out, struct text t)
{
	for (uint32_t i = 0; i < t.len;)
		i += put_character(out, t.p + i, t.len - i);
}

/* Running text, one paragraph, in source lines of bounded length that no word can turn into a
 * request: a point or an apostrophe at the start of a line would be one. */
static void put_words(struct buf *out, struct text t)
{
	size_t line = out->len;
	uint32_t i = 0;

	for (;;) {
		uint32_t start;

		while (i < t.len && isspace((unsigned char)t.p[i]))
			i++;
		if (i == t.len)
			break;
		start = i;
		while (i < t.len && !isspace((unsigned char)t.p[i]))
			i++;
		if (out->len > line && out->len - line + (i - start) > SOURCE_WIDTH) {
			if (strchr(".?!)]", out->p[out->len - 1]))
				buf_str(out, "\\&"); /* else roff adds space, as after a sentence */
			buf_char(out, '\n');
			line = out->len;
		}
		if (out->len > line)
			buf_char(out, ' ');
		else if (t.p[start] == '.')
			buf_str(out, "\\&");
		put_roff(out, (struct text){t.p + start, i - start});
	}
	buf_char(out, '\n');
}

static void put_section(struct buf *out, const char *title, const char *s)
{
	struct text left = text_of(s);
	struct text paragraph;
	bool first = true;

	if (!s || !*s)
		return;
	buf_printf(out, ".SH %s\n", title);
	while (manual_paragraph(&left, &paragraph)) {
		if (!first)
			buf_str(out, ".PP\n");
		put_words(out, paragraph);
		first = false;
	}
}

static void put_bold(struct buf *out, const char *s)
{
	buf_str(out, "\\fB");
	put_roff(out, text_of(s));
	buf_str(out, "\\fR");
}

static void put_header(struct buf *out, const char *name)
{
	buf_str(out, ".TH TAPLINE");
	if (name)
		buf_str(out, "\\-");
	for (const char *c = name; c && *c; c++) {
		const char upper = (char)toupper((unsigned char)*c);

		put_roff(out, (struct text){&upper, 1});
	}
	buf_str(out, " 8 " MANUAL_DATE " \"tapline " VERSION "\" \"System Administration\"\n");
}

static void put_option(const struct opt_set *sets, unsigned set, const struct opt *row,
		       struct buf *out)
{
	char letter = opt_letter(sets, set, row);
	char arg[256];
	struct buf b = BUF_ON(arg);

	buf_str(out, ".TP\n");
	if (letter)
		buf_printf(out, "\\fB\\-%c\\fR, ", letter);
	buf_str(out, "\\fB\\-\\-");
	put_roff(out, text_of(row->name));
	buf_str(out, "\\fR");
	opt_arg(row, &b);
	if (b.len) {
		buf_str(out, " \\fI");
		put_roff(out, buf_text(&b));
		buf_str(out, "\\fR");
	}
	buf_char(out, '\n');
	put_words(out, text_of(row->help));
}

static void put_options(const struct opt_set *sets, struct buf *out)
{
	bool headed = false;

	for (unsigned s = 0; s < MANUAL_SETS; s++) {
		if (!manual_has_options(sets, s))
			continue;
		if (!headed)
			buf_str(out, ".SH OPTIONS\n");
		headed = true;
		buf_printf(out, ".SS %s\n", sets[s].title);
		for (const struct opt *row = sets[s].rows; row->name; row++)
			if (opt_visible(sets, s, row))
				put_option(sets, s, row, out);
	}
}

static void put_examples(const struct example *e, struct buf *out)
{
	if (!e || !e->command)
		return;
	buf_str(out, ".SH EXAMPLES\n");
	for (; e->command; e++) {
		buf_str(out, ".TP\n");
		put_bold(out, e->command);
		buf_char(out, '\n');
		put_words(out, text_of(e->says));
	}
}

static void put_fields(const struct schema *s, struct buf *out)
{
	char text[1024];

	if (!s)
		return;
	buf_str(out, ".SH FIELDS\n");
	put_words(out, TEXT("The columns of the table, the keys of JSON and the words of --fields. "
			    "What is not known is null in JSON and empty elsewhere."));
	for (unsigned i = 0; i < s->n; i++) {
		struct buf b = BUF_ON(text);

		buf_str(out, ".TP\n");
		put_bold(out, s->columns[i].name);
		buf_str(&b, s->columns[i].help);
		buf_str(&b, " (");
		manual_field_type(&s->columns[i], &b);
		buf_char(&b, ')');
		buf_char(out, '\n');
		put_words(out, buf_text(&b));
	}
}

static void put_exit_status(struct buf *out)
{
	buf_str(out,
		".SH EXIT STATUS\n"
		".TP\n0\nThe run ended as asked: by an interrupt, a termination signal, its "
		"duration "
		"or its number\nof rows, or because the reader of its output went away.\n"
		".TP\n1\nIt could not start or go on; one sentence on standard error says why.\n"
		".TP\n2\nThe command line is wrong.\n");
}

void manual_man(const struct manual *m, const struct opt *common, struct buf *out)
{
	struct opt_set sets[MANUAL_SETS];

	manual_sets(m, common, sets);
	put_header(out, m->name);
	buf_str(out, ".SH NAME\ntapline\\-");
	put_roff(out, text_of(m->name));
	buf_str(out, " \\- ");
	put_roff(out, text_of(m->brief));
	buf_str(out, "\n.SH SYNOPSIS\n\\fBtapline ");
	put_roff(out, text_of(m->name));
	buf_str(out, "\\fR [\\fIOPTION\\fR]...");
	if (m->operands && *m->operands)
		buf_char(out, ' ');
	put_words(out, text_of(m->operands));
	put_section(out, "DESCRIPTION", m->about && *m->about ? m->about : m->brief);
	for (unsigned i = 0; m->aliases && m->aliases[i]; i++) {
		buf_str(out, i ? ", " : ".PP\nThe same under another name: ");
		put_bold(out, m->aliases[i]);
		if (!m->aliases[i + 1])
			buf_str(out, ".\n");
	}
	put_options(sets, out);
	put_examples(m->examples, out);
	put_fields(m->schema, out);
	put_section(out, "OVERHEAD", m->overhead);
	put_section(out, "LIMITS", m->limits);
	put_exit_status(out);
	buf_str(out, ".SH SEE ALSO\n.BR tapline (8)\n");
}

static void put_commands(const struct manual *const *all, unsigned n, struct buf *out)
{
	buf_str(out, ".SH COMMANDS\n");
	for (unsigned i = 0; i < n; i++) {
		buf_str(out, ".TP\n");
		put_bold(out, all[i]->name);
		for (unsigned a = 0; all[i]->aliases && all[i]->aliases[a]; a++) {
			buf_str(out, ", ");
			put_bold(out, all[i]->aliases[a]);
		}
		buf_char(out, '\n');
		put_words(out, text_of(all[i]->brief));
	}
}

void manual_man_index(const struct manual *const *all, unsigned n, const struct opt *common,
		      struct buf *out)
{
	struct opt_set sets[MANUAL_SETS];

	manual_sets(NULL, common, sets);
	put_header(out, NULL);
	buf_str(out, ".SH NAME\ntapline \\- show every TCP request on this host\n"
		     ".SH SYNOPSIS\n\\fBtapline\\fR [\\fICOMMAND\\fR] [\\fIOPTION\\fR]...\n");
	put_section(out, "DESCRIPTION", MANUAL_INTRO);
	if (n > 0) {
		buf_str(out, ".PP\nWithout a command it runs ");
		put_bold(out, all[0]->name);
		buf_str(out, ".\n");
		put_commands(all, n, out);
	}
	put_options(sets, out);
	put_exit_status(out);
	buf_str(out, ".SH SEE ALSO\n");
	for (unsigned i = 0; i < n; i++) {
		buf_str(out, ".BR tapline\\-");
		put_roff(out, text_of(all[i]->name));
		buf_str(out, i + 1 < n ? " (8),\n" : " (8)\n");
	}
}
