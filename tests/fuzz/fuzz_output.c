// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Hostile cells through every format: JSON must stay JSON, CSV must keep its cells, and nothing may
 * reach a terminal that steers it. The checks share no code with what they check. */
#include <assert.h>
#include <fcntl.h>

#include "../unit/output_capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- UTF-8 (RFC 3629 4) and what must not be shown ---- */

/* The length of the character at p, 0 when it is none. */
static unsigned utf8(const uint8_t *p, const uint8_t *end)
{
	size_t n = (size_t)(end - p);
#define TAIL(i, lo, hi) (n > (i) && p[i] >= (lo) && p[i] <= (hi))
	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		return TAIL(1, 0x80, 0xbf) ? 2 : 0;
	if (p[0] >= 0xe0 && p[0] <= 0xef) {
		uint8_t lo = p[0] == 0xe0 ? 0xa0 : 0x80, hi = p[0] == 0xed ? 0x9f : 0xbf;
		return TAIL(1, lo, hi) && TAIL(2, 0x80, 0xbf) ? 3 : 0;
	}
	if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		uint8_t lo = p[0] == 0xf0 ? 0x90 : 0x80, hi = p[0] == 0xf4 ? 0x8f : 0xbf;
		return TAIL(1, lo, hi) && TAIL(2, 0x80, 0xbf) && TAIL(3, 0x80, 0xbf) ? 4 : 0;
	}
	return 0;
}

/* C0, DEL and C1 (in UTF-8 C2 80 to C2 9F), and the bidirectional overrides E2 80 AA to AE. */
static bool steers(const uint8_t *p, unsigned len)
{
	if (len == 1)
		return p[0] < 0x20 || p[0] == 0x7f;
	if (len == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	return len == 3 && p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae;
}

/* ---- JSON (RFC 8259), as much as a row may hold: an object of scalars and arrays of strings ----
 */

struct json {
	const uint8_t *p, *end;
};

static bool take(struct json *j, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0)
		return false;
	j->p += n;
	return true;
}

static void string(struct json *j)
{
	assert(take(j, "\""));
	while (!take(j, "\"")) {
		unsigned len = utf8(j->p, j->end);
		assert(len && !steers(j->p, len));
		if (*j->p != '\\') {
			j->p += len;
			continue;
		}
		assert(j->end - j->p >= 2 && strchr("\"\\/bfnrtu", j->p[1]) && j->p[1]);
		bool unicode = j->p[1] == 'u';
		j->p += 2;
		for (unsigned i = 0; unicode && i < 4; i++, j->p++)
			assert(j->p < j->end && *j->p && strchr("0123456789abcdefABCDEF", *j->p));
	}
}

static void digits(struct json *j)
{
	assert(j->p < j->end && *j->p >= '0' && *j->p <= '9');
	while (j->p < j->end && *j->p >= '0' && *j->p <= '9')
		j->p++;
}

static void number(struct json *j)
{
	(void)take(j, "-");
	if (!take(j, "0"))
		digits(j);
	if (take(j, "."))
		digits(j);
	if (take(j, "e") || take(j, "E")) {
		if (!take(j, "+"))
			(void)take(j, "-");
		digits(j);
	}
}

static void value(struct json *j)
{
	assert(j->p < j->end);
	if (*j->p == '"') {
		string(j);
	} else if (take(j, "[")) {
		if (take(j, "]"))
			return;
		do
			string(j);
		while (take(j, ","));
		assert(take(j, "]"));
	} else if (!take(j, "null")) {
		number(j);
	}
}

static void check_json(const uint8_t *p, size_t n)
{
	struct json j = {p, p + n};
	unsigned keys = 0;

	assert(take(&j, "{"));
	do {
		string(&j);
		assert(take(&j, ":"));
		value(&j);
		keys++;
	} while (take(&j, ","));
	assert(take(&j, "}") && take(&j, "\n") && j.p == j.end && keys == F_ALL);
}

/* ---- CSV (RFC 4180 2) ---- */

static void check_csv(const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n - 2;
	unsigned cells = 0;

	assert(n >= 2 && end[0] == '\r' && end[1] == '\n');
	for (const uint8_t *q = p; q < end;) {
		unsigned len = utf8(q, end);
		assert(len && !steers(q, len));
		q += len;
	}
	for (;; p++) {
		const uint8_t *first = p;
		cells++;
		if (p < end && *p == '"') {
			first = ++p;
			while (p[0] != '"' || p[1] == '"') {
				p += p[0] == '"' ? 2 : 1;
				assert(p < end);
			}
			p++;
		} else {
			for (; p < end && *p != ','; p++)
				assert(*p != '"');
		}
		/* A real number may be negative; text may not look like a formula. */
		assert(first == p || cells - 1 == F_RATE || !strchr("=+-@", *first));
		if (p == end)
			break;
		assert(*p == ',');
	}
	assert(cells == F_ALL);
}

/* ---- table ---- */

static void check_table(const uint8_t *p, size_t n, bool color)
{
	static const char *const colors[] = {"\033[0m", "\033[31m", "\033[33m"};
	const uint8_t *end = p + n - 1;

	assert(n >= 1 && *end == '\n');
	while (p < end) {
		size_t skip = 0;
		for (unsigned i = 0; color && i < ARRAY_SIZE(colors); i++)
			if ((size_t)(end - p) >= strlen(colors[i]) &&
			    memcmp(p, colors[i], strlen(colors[i])) == 0)
				skip = strlen(colors[i]);
		unsigned len = utf8(p, end);
		assert(skip || (len && !steers(p, len)));
		p += skip ? skip : len;
	}
}

/* Columns that an uncoloured line takes, when it is ASCII but for the mark of a cut. */
static size_t ascii_columns(const uint8_t *p, size_t n)
{
	size_t columns = 0;

	for (size_t i = 0; i + 1 < n; i++, columns++) {
		if (n - i >= 3 && memcmp(p + i, "\xe2\x80\xa6", 3) == 0)
			i += 2;
		else if (p[i] >= 0x80)
			return 0;
	}
	return columns;
}

/* ---- rows ---- */

enum { LINE_MAX_BYTES = 1 << 16, WIDE = 60 };

/* Made once, and kept: making one costs more than everything that is tried here. */
static struct output *output_of(const struct output_kind *kind, struct output_style style)
{
	uint8_t fields[F_ALL];
	struct output *o;
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (uint8_t i = 0; i < F_ALL; i++)
		fields[i] = i;
	if (fd < 0 || output_new(&o, kind, &sample_schema, fields, F_ALL, fd, style))
		abort();
	return o;
}

static size_t render(const struct output_kind *kind, struct output *o, const struct sample *s,
		     char *out)
{
	struct buf b = {out, 0, LINE_MAX_BYTES, false};

	kind->row(o, &s->row, &b);
	assert(!b.over);
	return b.len;
}

/* The numbers first, then half of what is left for each text. */
static struct sample sample_from(const uint8_t *data, size_t size)
{
	struct sample s = {0};
	struct {
		uint64_t known, status, us, kind, quality;
		int64_t time;
		double rate;
		struct addr client;
	} in = {0};
	size_t n = MIN(size, sizeof(in));

	memcpy(&in, data, n);
	uint32_t rest = (uint32_t)(size - n);
	s.row.known = in.known;
	s.time = in.time;
	s.client = in.client;
	s.status = s.bytes = in.status;
	s.us = in.us;
	s.kind = in.kind;
	s.quality = in.quality;
	s.rate = in.rate;
	s.comm = (struct text){(const char *)data + n, rest / 2};
	s.path = (struct text){(const char *)data + n + rest / 2, rest - rest / 2};
	return s;
}

enum { JSON, CSV, TABLE, TERMINAL, COLOR, TRIES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		const char *kind;
		struct output_style style;
	} tries[TRIES] = {
		[JSON] = {"json", {0}},
		[CSV] = {"csv", {0}},
		[TABLE] = {"table", {0}},
		[TERMINAL] = {"table", {.terminal = true, .width = WIDE}},
		[COLOR] = {"table", {.terminal = true, .color = true, .width = WIDE}},
	};
	static struct output *outputs[TRIES];
	static char out[LINE_MAX_BYTES];

	if (size > 4096)
		return 0;
	struct sample s = sample_from(data, size);
	for (unsigned i = 0; i < TRIES; i++) {
		const struct output_kind *kind = kind_named(tries[i].kind);
		if (!outputs[i])
			outputs[i] = output_of(kind, tries[i].style);
		size_t n = render(kind, outputs[i], &s, out);
		if (i == JSON)
			check_json((const uint8_t *)out, n);
		else if (i == CSV)
			check_csv((const uint8_t *)out, n);
		else
			check_table((const uint8_t *)out, n, i == COLOR);
		assert(i != TERMINAL || ascii_columns((const uint8_t *)out, n) <= WIDE);
	}
	return 0;
}
