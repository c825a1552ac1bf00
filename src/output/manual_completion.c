// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Bash completion of subcommands, options, choices and field names, as one function.
 * Made from the same tables as the parser, so that it offers what is accepted. */
#include "output/manual_parts.h"

/* Bash splits "--output=json" at '=', which is undone first; values of lists are completed after
 * the last comma. */
static const char script_start[] =
	"# Bash completion of tapline, made by 'tapline --completion'.\n"
	"_tapline()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\tlocal command=${COMP_WORDS[1]}\n"
	"\tlocal commands options= values= choices= fields= list=\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ $cur == = ]]; then\n"
	"\t\tcur=\n"
	"\telif [[ $prev == = ]]; then\n"
	"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\tfi\n";

static const char script_end[] =
	"\tif [[ -n $list ]]; then\n"
	"\t\tlocal before=\n"
	"\t\t[[ $cur == *,* ]] && before=${cur%,*},\n"
	"\t\tCOMPREPLY=($(compgen -P \"$before\" -W \"$fields\" -- \"${cur##*,}\"))\n"
	"\t\tcompopt -o nospace 2>/dev/null\n"
	"\telif [[ -n $choices ]]; then\n"
	"\t\tCOMPREPLY=($(compgen -W \"$choices\" -- \"$cur\"))\n"
	"\telif [[ \" $values \" == *\" $prev \"* ]]; then\n"
	"\t\treturn\n"
	"\telif [[ $cur == -* ]]; then\n"
	"\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
	"\telif ((COMP_CWORD == 1)); then\n"
	"\t\tCOMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))\n"
	"\tfi\n"
	"}\n"
	"complete -o default -F _tapline tapline\n";

/* "-o" and "--output", each after between, but not before the first. */
static void put_names(const struct opt_set *sets, unsigned set, const struct opt *row,
		      const char *between, bool *first, struct buf *out)
{
	char letter = opt_letter(sets, set, row);

	if (!*first)
		buf_str(out, between);
	*first = false;
	if (letter)
		buf_printf(out, "-%c%s", letter, between);
	buf_str(out, "--");
	buf_str(out, row->name);
}

static bool takes_fields(const struct opt *row)
{
	return row->type == OPT_LIST && (row->flags & OPT_COMMA) &&
	       (strcmp(row->name, "fields") == 0 ||
		(row->arg && strncmp(row->arg, "FIELD", 5) == 0));
}

static void put_options(const struct opt_set *sets, bool only_values, struct buf *out)
{
	bool first = true;

	for (unsigned s = 0; s < MANUAL_SETS; s++)
		for (const struct opt *row = sets[s].rows; row && row->name; row++)
			if (opt_visible(sets, s, row) && (!only_values || opt_takes_value(row)))
				put_names(sets, s, row, " ", &first, out);
}

/* The patterns of those options whose values are known: a choice, or names of fields. */
static void put_value_cases(const struct opt_set *sets, struct buf *out)
{
	for (unsigned s = 0; s < MANUAL_SETS; s++)
		for (const struct opt *row = sets[s].rows; row && row->name; row++) {
			bool first = true;

			if (!opt_visible(sets, s, row) ||
			    (row->type != OPT_CHOICE && !takes_fields(row)))
				continue;
			buf_str(out, "\t\t");
			put_names(sets, s, row, "|", &first, out);
			buf_str(out, row->type == OPT_CHOICE ? ") choices='" : ") list=1");
			for (unsigned i = 0; row->type == OPT_CHOICE && row->choices[i]; i++) {
				if (i)
					buf_char(out, ' ');
				buf_str(out, row->choices[i]);
			}
			buf_str(out, row->type == OPT_CHOICE ? "' ;;\n" : " ;;\n");
		}
}

static void put_command(const struct manual *m, bool is_default, const struct opt *common,
			struct buf *out)
{
	struct opt_set sets[MANUAL_SETS];

	manual_sets(m, common, sets);
	buf_str(out, "\t");
	buf_str(out, m->name);
	for (unsigned i = 0; m->aliases && m->aliases[i]; i++) {
		buf_char(out, '|');
		buf_str(out, m->aliases[i]);
	}
	if (is_default)
		buf_str(out, "|-*|''");
	buf_str(out, ")\n\t\toptions='");
	put_options(sets, false, out);
	buf_str(out, "'\n\t\tvalues='");
	put_options(sets, true, out);
	buf_str(out, "'\n\t\tfields='");
	for (unsigned i = 0; m->schema && i < m->schema->n; i++) {
		if (i)
			buf_char(out, ' ');
		buf_str(out, m->schema->columns[i].name);
	}
	buf_str(out, "'\n\t\tcase $prev in\n");
	put_value_cases(sets, out);
	buf_str(out, "\t\tesac\n\t\t;;\n");
}

void manual_completion(const struct manual *const *all, unsigned n, const struct opt *common,
		       struct buf *out)
{
	buf_str(out, script_start);
	buf_str(out, "\tcommands='");
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_char(out, ' ');
		buf_str(out, all[i]->name);
		for (unsigned a = 0; all[i]->aliases && all[i]->aliases[a]; a++)
			buf_printf(out, " %s", all[i]->aliases[a]);
	}
	buf_str(out, "'\n\tcase $command in\n");
	for (unsigned i = 0; i < n; i++)
		put_command(all[i], i == 0, common, out);
	buf_str(out, "\tesac\n");
	buf_str(out, script_end);
}
