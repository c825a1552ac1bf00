// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What a subcommand says of itself, and the help, man page and completion made from it.
 * One description, three forms: they cannot drift apart. */
#pragma once

#include "base/opt.h"
#include "output/schema.h"

struct example {
	const char *command; /* "tapline requests --port 80" */
	const char *says;    /* what it shows, one sentence */
};

struct manual {
	const char *name;            /* "requests" */
	const char *const *aliases;  /* peers' names for the same job, NULL-terminated, or NULL */
	const char *brief;           /* one line, no full stop */
	const char *operands;        /* "[FILTER]" or "" */
	const char *about;           /* a paragraph or more, blank lines between paragraphs */
	const struct opt *opts;      /* its own rows, or NULL */
	const struct schema *schema; /* FIELDS, or NULL */
	const struct example *examples; /* ended by {NULL, NULL} */
	const char *overhead;           /* OVERHEAD: measured, says where */
	const char *limits;             /* LIMITS: what it cannot see */
};

/* The three forms. common: the rows that every subcommand takes, or NULL; rows of opts win a
 * letter. all[0] is the subcommand that plain "tapline" runs. Nothing fails but out becoming full.
 */

/* --help, wrapped at width (0: not wrapped). */
void manual_help(const struct manual *m, const struct opt *common, unsigned width, struct buf *out);
void manual_help_index(const struct manual *const *all, unsigned n, unsigned width,
		       struct buf *out);

/* man(7) source of tapline-NAME(8), and of tapline(8) itself: the commands and common options. */
void manual_man(const struct manual *m, const struct opt *common, struct buf *out);
void manual_man_index(const struct manual *const *all, unsigned n, const struct opt *common,
		      struct buf *out);

/* A bash completion script: subcommands, aliases, options and choices. The values of an OPT_COMMA
 * list named "fields", or whose arg begins with FIELD, are completed with the schema's names. */
void manual_completion(const struct manual *const *all, unsigned n, const struct opt *common,
		       struct buf *out);
