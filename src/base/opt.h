// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Options as rows of a table that write into a config struct by offset.
 * Parsing, --help, man pages and completion all read the same rows, so they cannot disagree. */
#pragma once

#include "base/buf.h"

enum opt_type {
	OPT_FLAG,   /* bool: set to true */
	OPT_UINT,   /* uint64_t, checked against min and max */
	OPT_TEXT,   /* const char *: points into argv */
	OPT_LIST,   /* struct opt_list: appended, repeatable, and split at commas where OPT_COMMA */
	OPT_CALL,   /* parse() decides */
	OPT_CHOICE, /* uint64_t: index of the word in choices[] */
};

enum { OPT_COMMA = 1 << 0, OPT_HIDDEN = 1 << 1 };

#define OPT_LIST_MAX 32

struct opt_list {
	const char *v[OPT_LIST_MAX];
	unsigned n;
};

struct opt {
	char letter;      /* 0: none */
	const char *name; /* long name, without dashes; NULL ends a table */
	const char *arg;  /* name of the argument in help, NULL for flags */
	enum opt_type type;
	unsigned flags;
	size_t offset;
	uint64_t min, max;          /* OPT_UINT; max 0 is no limit */
	const char *const *choices; /* OPT_CHOICE, NULL-terminated */
	/* OPT_CALL: 0, or -errno with *why set to a fragment that follows the value ("is not an
	 * address, give ..."). offset is not applied; arg is NULL when the row takes none. */
	int (*parse)(void *conf, const char *arg, const char **why);
	const char *help; /* one sentence, no full stop, states the unit */
};

/* A table and the struct that its rows write into. */
struct opt_set {
	const struct opt *rows;
	void *conf;
	const char *title; /* heading of these rows in help, or NULL */
};

/*
 * Parses argv[1..] against all sets (a row of an earlier set wins a letter or a name). Options may
 * follow operands; "--" ends them. Operands are moved to the front: argv[1..*operands]. Long names
 * are never abbreviated: a script must not break when an option is added.
 * Returns 0, or -EINVAL with one sentence in err ("--port: 'x' is not a number, give 1 to 65535");
 * conf then holds what was parsed before. An unknown option names the nearest one.
 */
int opt_parse(int argc, char **argv, const struct opt_set *sets, unsigned n, int *operands,
	      struct buf *err);

/* "  -d, --duration SECONDS   stop after so long", aligned over all sets, wrapped at width (0:
 * not). A hidden row, and a name or letter that an earlier set has, is not shown. */
void opt_help(const struct opt_set *sets, unsigned n, unsigned width, struct buf *out);

/* For those who list rows: whether row of sets[set] can be reached by its name, and its letter (0:
 * none, or an earlier set has it). */
bool opt_visible(const struct opt_set *sets, unsigned set, const struct opt *row);
char opt_letter(const struct opt_set *sets, unsigned set, const struct opt *row);
bool opt_takes_value(const struct opt *row);
/* The name of row's argument: arg, or the choices as "a|b|c"; nothing for flags. */
void opt_arg(const struct opt *row, struct buf *out);

/* The nearest of names (edit distance at most 2, or one that word begins), or NULL: for "did you
 * mean". */
const char *opt_nearest(const char *word, const char *const *names, unsigned n);
