// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Parses and applies --where expressions.
 * What is wrong is said with the place in the expression, since people type these by hand. */
#include "output/where.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/opt.h"

struct parser {
	const char *expr;
	const char *at;
	char *why; /* WHY_MAX */
};

enum { WHY_MAX = 256 };

/* Says what is wrong at p->at. */
static int PRINTF_LIKE(2, 3) wrong(struct parser *p, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(p->why, WHY_MAX, format, ap);
	va_end(ap);
	return -EINVAL;
}

static void skip_spaces(struct parser *p)
{
	while (*p->at == ' ')
		p->at++;
}

/* "there is no field 'stauts', did you mean status?": what names hold of the kind of thing asked.
 */
static int no_such(struct parser *p, const char *kind, struct text word, const char *const *names,
		   unsigned n)
{
	char shown_bytes[192], plain[64];
	struct buf shown = BUF_ON(shown_bytes), copy = BUF_ON(plain);

	buf_escaped(&shown, (struct text){word.p, text_fit(word, 40)});
	buf_char(&shown, '\0');
	if (shown.over) /* characters of no width: as many as one likes */
		shown_bytes[0] = '\0';
	buf_bytes(&copy, word.p, word.len);
	buf_char(&copy, '\0');
	const char *nearest = copy.over ? NULL : opt_nearest(plain, names, n);
	if (nearest)
		return wrong(p, "there is no %s '%s', did you mean %s?", kind, shown_bytes,
			     nearest);
	return wrong(p, "there is no %s '%s'", kind, shown_bytes);
}

static int parse_field(struct parser *p, struct where *w)
{
	skip_spaces(p);
	struct text name = {p->at, (uint32_t)strcspn(p->at, " =!<>~")};
	if (name.len == 0)
		return wrong(p, "a field is missing, give one like status>=500");
	int found = schema_find(w->schema, name);
	if (found < 0) {
		const char *names[64];
		for (unsigned i = 0; i < w->schema->n; i++)
			names[i] = w->schema->columns[i].name;
		return no_such(p, "field", name, names, w->schema->n);
	}
	if (w->schema->columns[found].type == COL_TIME)
		return wrong(p, "a time cannot be compared");
	w->column = (unsigned)found;
	p->at += name.len;
	return 0;
}

static int parse_op(struct parser *p, struct where *w)
{
	/* Longer ones first: "<" is the start of "<=". */
	static const struct {
		const char *word;
		enum where_op op;
	} ops[] = {
		{"==", WHERE_EQ}, {"!=", WHERE_NE},     {"<=", WHERE_LE},
		{">=", WHERE_GE}, {"!~", WHERE_UNLIKE}, {"=", WHERE_EQ},
		{"<", WHERE_LT},  {">", WHERE_GT},      {"~", WHERE_LIKE},
	};

	skip_spaces(p);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		size_t n = strlen(ops[i].word);
		if (strncmp(p->at, ops[i].word, n) != 0)
			continue;
		enum column_type type = w->schema->columns[w->column].type;
		bool orders = ops[i].op >= WHERE_LT && ops[i].op <= WHERE_GE;
		if (orders && type != COL_UINT && type != COL_REAL)
			return wrong(p, "only numbers have an order, use == != ~ or !~");
		w->op = ops[i].op;
		p->at += n;
		skip_spaces(p);
		return 0;
	}
	return wrong(p, "an operator is missing, use one of == != < <= > >= ~ !~");
}

/* What a number's suffix multiplies it by; 0 when the column does not have it. */
static uint64_t multiplier(const struct column *c, const char *suffix)
{
	static const struct {
		const char *word;
		enum unit unit;
		uint64_t by;
	} suffixes[] = {
		{"us", UNIT_US, 1},         {"ms", UNIT_US, 1000},      {"s", UNIT_US, 1000000},
		{"k", UNIT_BYTES, 1 << 10}, {"K", UNIT_BYTES, 1 << 10}, {"M", UNIT_BYTES, 1 << 20},
		{"G", UNIT_BYTES, 1 << 30},
	};

	if (*suffix == '\0')
		return 1;
	for (unsigned i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (c->unit == suffixes[i].unit && strcmp(suffix, suffixes[i].word) == 0)
			return suffixes[i].by;
	return 0;
}

/* digits[.digits][suffix]; whole numbers are exact over all of uint64_t. */
static int parse_number(struct parser *p, const struct column *c, struct where *w)
{
	static const char digits[] = "0123456789";
	struct text whole = {p->at, (uint32_t)strspn(p->at, digits)};
	const char *end = p->at + whole.len;
	double fraction = 0;
	uint64_t u, by;

	if (whole.len == 0)
		return wrong(p, "a number is missing");
	if (*end == '.') {
		double place = 0.1;
		for (end++; *end && strchr(digits, *end); end++, place /= 10)
			fraction += (*end - '0') * place;
	}
	const char *start = p->at;
	p->at = end;
	by = multiplier(c, end);
	if (!by && c->unit == UNIT_US)
		return wrong(p, "a time ends in us, ms or s");
	if (!by && c->unit == UNIT_BYTES)
		return wrong(p, "a size ends in k, M or G");
	if (!by)
		return wrong(p, "this is not part of a number");
	p->at = start;
	if (text_to_u64(whole, &u) || __builtin_mul_overflow(u, by, &u))
		return wrong(p, "the number is too large");
	fraction *= (double)by;
	if (c->type == COL_REAL) {
		w->real = (double)u + fraction;
		return 0;
	}
	uint64_t rest = (uint64_t)(fraction + 0.5);
	if (fraction - (double)rest > 1e-6 || (double)rest - fraction > 1e-6)
		return wrong(p, "the field holds whole numbers");
	if (__builtin_add_overflow(u, rest, &w->u))
		return wrong(p, "the number is too large");
	return 0;
}

static int parse_word(struct parser *p, const struct column *c, struct where *w)
{
	unsigned n = 0;

	if (c->type == COL_SET && *p->at == '\0') {
		w->empty = true;
		return 0;
	}
	for (; c->names[n]; n++) {
		if (strcmp(c->names[n], p->at) == 0) {
			w->u = n;
			return 0;
		}
	}
	return no_such(p, c->name, text_of(p->at), c->names, n);
}

static int parse_regex(struct parser *p, struct where *w)
{
	int r = regcomp(&w->regex, p->at, REG_EXTENDED | REG_NOSUB);
	if (r == 0)
		return 0;
	if (r == REG_ESPACE)
		return -ENOMEM;
	char said[128];
	(void)regerror(r, &w->regex, said, sizeof(said));
	return wrong(p, "the regular expression is wrong: %s", said);
}

static int parse_value(struct parser *p, struct where *w)
{
	const struct column *c = &w->schema->columns[w->column];

	if (w->op == WHERE_LIKE || w->op == WHERE_UNLIKE)
		return parse_regex(p, w);
	if (strcmp(p->at, "null") == 0) {
		w->null = true;
		return w->op == WHERE_EQ || w->op == WHERE_NE
			       ? 0
			       : wrong(p, "null has no order, use == or !=");
	}
	switch (c->type) {
	case COL_UINT:
	case COL_REAL:
		return parse_number(p, c, w);
	case COL_SET:
	case COL_ENUM:
		return parse_word(p, c, w);
	case COL_ADDR: {
		const char *fault;
		if (addr_parse_net(p->at, &w->net.addr, &w->net.prefix, &fault) == 0)
			return 0;
		return wrong(p, "the value %s", fault);
	}
	default:
		w->text = text_of(p->at);
		return 0;
	}
}

int where_parse(struct where *out, const struct schema *s, const char *expr, size_t *at,
		const char **why)
{
	static char said[WHY_MAX]; /* options are read by one thread, one at a time */
	struct parser p = {expr, expr, said};
	struct where w = {.schema = s};

	int r = parse_field(&p, &w);
	if (r == 0)
		r = parse_op(&p, &w);
	if (r == 0)
		r = parse_value(&p, &w);
	if (r == 0) {
		*out = w;
	} else if (r == -EINVAL) {
		*at = (size_t)(p.at - expr);
		*why = said;
	}
	return r;
}

void where_free(struct where *w)
{
	if (w->schema && (w->op == WHERE_LIKE || w->op == WHERE_UNLIKE))
		regfree(&w->regex);
	w->schema = NULL;
}

static bool in_net(const struct addr *a, const struct addr *net, unsigned prefix)
{
	unsigned bytes = prefix / 8, bits = prefix % 8;

	if (memcmp(a->b, net->b, bytes) != 0)
		return false;
	return !bits || ((a->b[bytes] ^ net->b[bytes]) & (0xff00 >> bits) & 0xff) == 0;
}

/* Text from the network is not terminated and may hold NUL: re_search, of the same library as
 * regcomp, takes a length. It takes the expression as not const, though it changes nothing that is
 * seen. */
static bool is_like(const struct where *w, const struct column *c, struct cell v)
{
	char plain_bytes[2048];
	struct buf plain = BUF_ON(plain_bytes);
	struct text t = v.text;

	if (v.type != COL_TEXT) {
		cell_plain(c, v, &plain);
		t = buf_text(&plain);
	}
	int len = (int)MIN(t.len, (uint32_t)INT_MAX);
	return re_search((regex_t *)&w->regex, t.len ? t.p : "", len, 0, len, NULL) >= 0;
}

/* Whether the cell equals the value, or holds it. */
static bool is_value(const struct where *w, struct cell v)
{
	switch (v.type) {
	case COL_TEXT:
		return text_eq(v.text, w->text);
	case COL_ADDR:
		return in_net(v.addr, &w->net.addr, w->net.prefix);
	case COL_SET:
		return w->empty ? v.u == 0 : v.u >> w->u & 1;
	case COL_ENUM:
		return v.u == w->u;
	default:
		return false;
	}
}

static bool is_ordered(enum where_op op, bool less, bool equal)
{
	switch (op) {
	case WHERE_EQ:
		return equal;
	case WHERE_NE:
		return !equal;
	case WHERE_LT:
		return less;
	case WHERE_LE:
		return less || equal;
	case WHERE_GT:
		return !less && !equal;
	default:
		return !less;
	}
}

bool where_match(const struct where *w, const struct row *row)
{
	const struct column *c = &w->schema->columns[w->column];
	struct cell v = schema_cell(w->schema, w->column, row);

	if (w->null)
		return v.known == (w->op == WHERE_NE);
	if (!v.known)
		return false;
	if (w->op == WHERE_LIKE || w->op == WHERE_UNLIKE)
		return is_like(w, c, v) == (w->op == WHERE_LIKE);
	if (v.type == COL_UINT)
		return is_ordered(w->op, v.u < w->u, v.u == w->u);
	if (v.type == COL_REAL)
		return is_ordered(w->op, v.real < w->real, v.real == w->real);
	return is_value(w, v) == (w->op == WHERE_EQ);
}
