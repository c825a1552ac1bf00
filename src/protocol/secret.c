// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Finds secrets by the names of header fields and query parameters, and by userinfo in URLs.
 * Where a rule can err, it hides: a value too many is a nuisance, one too few is a leak. */
#include "protocol/secret.h"

#define MASK TEXT("***")

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

/* ---- names ---- */

/* A name in lower case and terminated, so that words are easily looked for. */
struct name {
	char s[256];
	size_t len;
	bool over;
};

static void name_add(struct name *n, char c)
{
	if (n->len + 1 >= sizeof(n->s)) {
		n->over = true;
		return;
	}
	/* A NUL would hide what stands behind it. */
	n->s[n->len++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c ? c : ' ';
	n->s[n->len] = '\0';
}

static void name_clear(struct name *n)
{
	n->len = 0;
	n->s[0] = '\0';
	n->over = false;
}

static bool starts(const char *s, const char *word)
{
	return strncmp(s, word, strlen(word)) == 0;
}

/* Does one of the secret words start here? By first letter, since rows with a query come here. */
static bool word_at(const char *s)
{
	switch (*s) {
	case 'a':
		return starts(s, "auth") && (!starts(s + 4, "or") || s[6] == 'i');
	case 'c':
		return starts(s, "cookie") || starts(s, "credential");
	case 'j':
		return starts(s, "jwt");
	case 'k':
		return starts(s, "key") && !starts(s + 3, "word");
	case 'p':
		return starts(s, "password") || starts(s, "passwd") || starts(s, "passphrase") ||
		       starts(s, "pwd");
	case 's':
		return starts(s, "secret") || starts(s, "session") || starts(s, "signature") ||
		       (starts(s, "sig") && (s[3] < 'a' || s[3] > 'z'));
	case 't':
		return starts(s, "token");
	default:
		return false;
	}
}

static bool name_has_word(const char *s)
{
	for (; *s; s++) {
		if (word_at(s))
			return true;
	}
	return false;
}

static bool one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(s, list[i]) == 0)
			return true;
	}
	return false;
}

static bool name_secret(const struct name *n)
{
	static const char *const exact[] = {"code", "pass", "sid"};
	static const char *const innocent[] = {"www-authenticate", "proxy-authenticate",
					       "access-control-allow-credentials"};

	if (n->over || one_of(n->s, exact, ARRAY_SIZE(exact)))
		return true;
	return name_has_word(n->s) && !one_of(n->s, innocent, ARRAY_SIZE(innocent));
}

bool secret_name(struct text name)
{
	struct name n;

	name_clear(&n);
	for (uint32_t i = 0; i < name.len; i++)
		name_add(&n, name.p[i]);
	return name_secret(&n);
}

/* ---- URLs ---- */

/* A walk through text that copies it to out with parts replaced; out is untouched before the first
 * part is. */
struct walk {
	const char *p, *end;
	const char *copied; /* up to here text is in out; NULL: nothing was replaced yet */
	const char *start;
	struct buf *out;
};

/* Replaces [from, to), which is not before what was copied. */
static void hide(struct walk *w, const char *from, const char *to)
{
	const char *copied = w->copied ? w->copied : w->start;

	buf_bytes(w->out, copied, (size_t)(from - copied));
	buf_bytes(w->out, MASK.p, MASK.len);
	w->copied = to;
	w->p = to;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at the walk, percent-decoded (RFC 3986 2.1), and the walk moved behind it. */
static char next_byte(struct walk *w)
{
	const char *p = w->p;

	if (*p == '%' && w->end - p >= 3 && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
		w->p += 3;
		return (char)(hex(p[1]) << 4 | hex(p[2]));
	}
	w->p++;
	return *p;
}

/* An authority starts at the walk (RFC 3986 3.2): hides its userinfo. cut: text was cut off at
 * its end, so a host there may be the start of userinfo. */
static void hide_userinfo(struct walk *w, bool cut)
{
	const char *end = w->p, *at;

	while (end < w->end && *end != '/' && *end != '?' && *end != '#')
		end++;
	at = memrchr(w->p, '@', (size_t)(end - w->p));
	if (!at && cut && end == w->end)
		at = end;
	if (at && at > w->p)
		hide(w, w->p, at);
}

/* Behind a secret name and its "=". Only a plain & ends the value: an encoded one may be part of
 * it. */
static void hide_value(struct walk *w)
{
	const char *end = memchr(w->p, '&', (size_t)(w->end - w->p));

	end = end ? end : w->end;
	if (end > w->p)
		hide(w, w->p, end);
}

/* Copies text with its secrets hidden; false: it has none, and out is untouched. */
static bool mask_urls(struct text text, bool target, bool cut, struct buf *out)
{
	struct walk w = {text.p, text.p + text.len, NULL, text.p, out};
	struct name name;
	bool in_name = false;

	name_clear(&name);
	if (target && text.len && text.p[0] != '/')
		hide_userinfo(&w, false);
	while (w.p < w.end) {
		const char *at = w.p;
		char c = next_byte(&w);

		if (c == '?' || c == '&' || c == ';' || c == '#') {
			in_name = true;
			name_clear(&name);
		} else if (in_name && c == '=') {
			in_name = false;
			if (name_secret(&name))
				hide_value(&w);
		} else if (c == ':' && w.end - at >= 3 && memcmp(at, "://", 3) == 0) {
			w.p = at + 3;
			hide_userinfo(&w, cut);
		} else if (in_name && !is_space(c)) {
			name_add(&name, c);
		}
	}
	if (!w.copied)
		return false;
	buf_bytes(out, w.copied, (size_t)(w.end - w.copied));
	return true;
}

bool secret_mask_path(struct text path, struct buf *out)
{
	/* A value needs a "=" or its encoding, userinfo an "@": most paths have neither. */
	if (path.len == 0 || (!memchr(path.p, '=', path.len) && !memchr(path.p, '%', path.len) &&
			      !memchr(path.p, '@', path.len)))
		return false;
	return mask_urls(path, true, false, out);
}

/* ---- heads ---- */

static struct text between(const char *p, const char *end)
{
	return (struct text){p, (uint32_t)(end - p)};
}

static void put(struct text text, bool target, bool cut, struct buf *out)
{
	if (!mask_urls(text, target, cut, out))
		buf_bytes(out, text.p, text.len);
}

/* Only digits and a dot behind the name: all else could hold a secret. */
static bool is_version(const char *p, const char *end)
{
	if (end - p < 5 || memcmp(p, "HTTP/", 5) != 0)
		return false;
	for (p += 5; p < end; p++) {
		if (*p != '.' && (*p < '0' || *p > '9'))
			return false;
	}
	return true;
}

/* A request line or status line. The target goes from the first space to the version. */
static void put_first_line(const char *p, const char *end, bool cut, struct buf *out)
{
	const char *target = memchr(p, ' ', (size_t)(end - p)), *stop = end, *word;

	if (!target) {
		put(between(p, end), false, cut, out);
		return;
	}
	while (target < end && *target == ' ')
		target++;
	while (stop > target && is_space(stop[-1]))
		stop--;
	word = memrchr(target, ' ', (size_t)(stop - target));
	if (word && is_version(word + 1, stop))
		stop = word;
	buf_bytes(out, p, (size_t)(target - p));
	put(between(target, stop), true, cut && stop == end, out);
	buf_bytes(out, stop, (size_t)(end - stop));
}

/* A field line with its continuation lines. A colon further down still ends the name. */
static void put_field(const char *p, const char *end, bool cut, struct buf *out)
{
	const char *colon = memchr(p, ':', (size_t)(end - p)), *name = p, *name_end, *value, *stop;

	if (!colon) {
		put(between(p, end), false, cut, out);
		return;
	}
	for (name_end = colon; name_end > name && is_space(name_end[-1]);)
		name_end--;
	while (name < name_end && is_space(*name))
		name++;
	for (value = colon + 1; value < end && is_space(*value);)
		value++;
	for (stop = end; stop > value && is_space(stop[-1]);)
		stop--;
	buf_bytes(out, p, (size_t)(value - p));
	if (stop > value && secret_name(between(name, name_end)))
		buf_bytes(out, MASK.p, MASK.len);
	else
		put(between(value, stop), false, cut && stop == end, out);
	buf_bytes(out, stop, (size_t)(end - stop));
}

/* Behind the line at p: behind its LF, or end. */
static const char *line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf ? lf + 1 : end;
}

static bool is_empty_line(const char *p, const char *end)
{
	return (end - p == 1 && *p == '\n') || (end - p == 2 && p[0] == '\r' && p[1] == '\n');
}

void secret_mask_head(struct text head, struct buf *out)
{
	const char *p = head.p, *end = p + head.len, *next;
	bool first = true;

	for (; p < end; p = next) {
		bool cut;

		next = line_end(p, end);
		if (is_empty_line(p, next)) {
			buf_bytes(out, p, (size_t)(next - p));
			if (!first)
				return;
			continue;
		}
		while (!first && next < end && next[-1] == '\n' && is_blank(*next))
			next = line_end(next, end);
		cut = next == end && next[-1] != '\n';
		if (first)
			put_first_line(p, next, cut, out);
		else
			put_field(p, next, cut, out);
		first = false;
	}
}
