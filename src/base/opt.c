// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Parsing a command line against tables of rows.
 * Own parsing: getopt_long accepts abbreviations, and its messages do not say what is allowed. */
#include "base/opt.h"

struct parser {
	const struct opt_set *sets;
	unsigned n;
	int argc;
	char **argv;
	int at; /* the argument being read */
	struct buf *err;
};

/* A row as the user named it, and where it writes. */
struct found {
	const struct opt *row;
	void *conf;
	struct text shown; /* "--port" or "-p" */
};

static bool find(const struct parser *p, char letter, struct text name, struct found *out)
{
	for (unsigned s = 0; s < p->n; s++)
		for (const struct opt *row = p->sets[s].rows; row && row->name; row++) {
			if (letter ? row->letter != letter : !text_eq(name, text_of(row->name)))
				continue;
			out->row = row;
			out->conf = p->sets[s].conf;
			return true;
		}
	return false;
}

/* "--port: 'x' is not a number": the sentence up to and with value. */
static void blame(struct buf *err, const struct found *f, const char *value)
{
	buf_escaped(err, f->shown);
	buf_str(err, ": ");
	if (value) {
		buf_char(err, '\'');
		buf_escaped(err, text_of(value));
		buf_str(err, "' ");
	}
}

static void put_allowed_range(struct buf *err, const struct opt *row)
{
	buf_str(err, ", give ");
	buf_u64(err, row->min);
	if (row->max) {
		buf_str(err, " to ");
		buf_u64(err, row->max);
	} else {
		buf_str(err, " or more");
	}
}

static int set_uint(const struct found *f, const char *arg, uint64_t *out, struct buf *err)
{
	const struct opt *row = f->row;
	uint64_t v = 0;
	int r = text_to_u64(text_of(arg), &v);

	if (!r && (v < row->min || (row->max && v > row->max)))
		r = -ERANGE;
	if (r) {
		blame(err, f, arg);
		buf_str(err, r == -ERANGE ? "is out of range" : "is not a number");
		put_allowed_range(err, row);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

static int set_choice(const struct found *f, const char *arg, uint64_t *out, struct buf *err)
{
	const char *const *choices = f->row->choices;

	for (unsigned i = 0; choices[i]; i++)
		if (strcmp(choices[i], arg) == 0) {
			*out = i;
			return 0;
		}
	blame(err, f, arg);
	buf_str(err, "is not known, give ");
	for (unsigned i = 0; choices[i]; i++) {
		if (i)
			buf_str(err, choices[i + 1] ? ", " : " or ");
		buf_str(err, choices[i]);
	}
	return -EINVAL;
}

/* Splits arg in place, at commas where the row says so; nothing is changed on failure. */
static int append_list(const struct found *f, char *arg, struct opt_list *out, struct buf *err)
{
	bool split = f->row->flags & OPT_COMMA;
	unsigned items = 1;
	char *item;

	for (const char *c = arg; split && *c; c++)
		items += *c == ',';
	if (items > OPT_LIST_MAX - out->n) {
		blame(err, f, arg);
		buf_printf(err, "makes the list too long, give at most %d values", OPT_LIST_MAX);
		return -EINVAL;
	}
	if (!*arg || (split && (*arg == ',' || arg[strlen(arg) - 1] == ',' || strstr(arg, ",,")))) {
		blame(err, f, arg);
		buf_str(err, split ? "has an empty item, give values joined by commas"
				   : "is empty, give a value");
		return -EINVAL;
	}
	if (!split) {
		out->v[out->n++] = arg;
		return 0;
	}
	while ((item = strsep(&arg, ",")))
		out->v[out->n++] = item;
	return 0;
}

static int apply(const struct found *f, char *arg, struct buf *err)
{
	void *out = f->conf ? (char *)f->conf + f->row->offset : NULL; /* OPT_CALL may have none */
	const char *why = "is not valid";

	switch (f->row->type) {
	case OPT_FLAG:
		*(bool *)out = true;
		return 0;
	case OPT_UINT:
		return set_uint(f, arg, out, err);
	case OPT_TEXT:
		*(const char **)out = arg;
		return 0;
	case OPT_LIST:
		return append_list(f, arg, out, err);
	case OPT_CHOICE:
		return set_choice(f, arg, out, err);
	case OPT_CALL:
		if (f->row->parse(f->conf, arg, &why) == 0)
			return 0;
		blame(err, f, arg);
		buf_str(err, why);
		return -EINVAL;
	}
	return -EINVAL;
}

/* arg is what was joined to the option ("-d5", "--duration=5"), or NULL: the next argument then. */
static int apply_with_argument(struct parser *p, const struct found *f, char *arg)
{
	if (!arg) {
		if (p->at + 1 >= p->argc) {
			blame(p->err, f, NULL);
			buf_str(p->err, "has no value, give ");
			opt_arg(f->row, p->err);
			return -EINVAL;
		}
		arg = p->argv[++p->at];
	}
	return apply(f, arg, p->err);
}

static int unknown(struct parser *p, struct text shown, struct text name)
{
	const char *names[256];
	char word[64];
	const char *nearest = NULL;
	unsigned count = 0;

	for (unsigned s = 0; s < p->n; s++)
		for (const struct opt *row = p->sets[s].rows; row && row->name; row++)
			if (count < ARRAY_SIZE(names) && !(row->flags & OPT_HIDDEN))
				names[count++] = row->name;
	if (name.len > 0 && name.len < sizeof(word)) {
		memcpy(word, name.p, name.len);
		word[name.len] = '\0';
		nearest = opt_nearest(word, names, count);
	}
	buf_escaped(p->err, shown);
	buf_str(p->err, ": there is no such option");
	if (nearest) {
		buf_str(p->err, ", did you mean --");
		buf_str(p->err, nearest);
		buf_char(p->err, '?');
	} else {
		buf_str(p->err, ", --help lists them");
	}
	return -EINVAL;
}

static int parse_long(struct parser *p, char *argument)
{
	char *equals = strchr(argument, '=');
	struct found f;

	f.shown = text_of(argument);
	if (equals)
		f.shown.len = (uint32_t)(equals - argument);
	const struct text name = {argument + 2, f.shown.len - 2};

	if (!find(p, 0, name, &f))
		return unknown(p, f.shown, name);
	if (opt_takes_value(f.row))
		return apply_with_argument(p, &f, equals ? equals + 1 : NULL);
	if (equals) {
		blame(p->err, &f, equals + 1);
		buf_str(p->err, "is not allowed, the option takes no value");
		return -EINVAL;
	}
	return apply(&f, NULL, p->err);
}

/* "-jv" is two flags; the first that takes a value takes the rest of the argument. */
static int parse_letters(struct parser *p, char *argument)
{
	for (char *c = argument + 1; *c; c++) {
		char shown[2] = {'-', *c};
		struct found f = {.shown = {shown, 2}};
		int r;

		if (!find(p, *c, f.shown, &f))
			return unknown(p, f.shown, (struct text){NULL, 0});
		if (opt_takes_value(f.row))
			return apply_with_argument(p, &f, c[1] ? c + 1 : NULL);
		r = apply(&f, NULL, p->err);
		if (r)
			return r;
	}
	return 0;
}

/* Moves argv[from] down to argv[to], keeping the order of those between. */
static void move_down(char **argv, int from, int to)
{
	char *moved = argv[from];

	memmove(argv + to + 1, argv + to, (size_t)(from - to) * sizeof(*argv));
	argv[to] = moved;
}

int opt_parse(int argc, char **argv, const struct opt_set *sets, unsigned n, int *operands,
	      struct buf *err)
{
	struct parser p = {sets, n, argc, argv, 1, err};
	bool ended = false;
	int count = 0;

	for (; p.at < argc; p.at++) {
		char *argument = argv[p.at];
		int r;

		if (ended || argument[0] != '-' || !argument[1]) {
			move_down(argv, p.at, ++count);
			continue;
		}
		if (strcmp(argument, "--") == 0) {
			ended = true;
			continue;
		}
		r = argument[1] == '-' ? parse_long(&p, argument) : parse_letters(&p, argument);
		if (r)
			return r;
	}
	*operands = count;
	return 0;
}
