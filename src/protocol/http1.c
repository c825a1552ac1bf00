// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* HTTP/1.0 and 1.1 heads (RFC 9112, RFC 9110), of which the end is often missing.
 * Tolerant where servers are, since what a server answered is a call whatever the grammar says. */
#include "protocol/protocol.h"

#define METHOD_MAX    32
#define HTTP1_VERSION "HTTP/1."

/* RFC 9110 5.6.2 tchar. */
static bool is_tchar(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct text text_at(const uint8_t *p, size_t n)
{
	return (struct text){(const char *)p, (uint32_t)n};
}

/* Leading and trailing whitespace, and the line ends of folding, are not part of a value. */
static struct text trim(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (is_blank(*p) || *p == '\r' || *p == '\n'))
		p++;
	while (p < end && (is_blank(end[-1]) || end[-1] == '\r' || end[-1] == '\n'))
		end--;
	return text_at(p, (size_t)(end - p));
}

/* RFC 9112 2.2: empty lines before a message are skipped, as nginx and others do. */
static size_t skip_empty_lines(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == '\r' || p[i] == '\n'))
		i++;
	return i;
}

/* ---- fields ---- */

enum field { FIELD_HOST, FIELD_LENGTH, FIELD_ENCODING, FIELD_EXPECT, FIELD_OTHER };

/* What the fields say about the body, RFC 9112 6. */
struct framing {
	bool length_seen, length_bad;
	uint64_t length;
	bool encoded, chunked; /* Transfer-Encoding seen; its last coding is chunked */
};

/* The field whose line starts at p. *value is where its value starts, behind the colon. */
static enum field field_of(const uint8_t *p, const uint8_t *end, const uint8_t **value)
{
	static const struct text names[] = {
		[FIELD_HOST] = TEXT("host"),
		[FIELD_LENGTH] = TEXT("content-length"),
		[FIELD_ENCODING] = TEXT("transfer-encoding"),
		[FIELD_EXPECT] = TEXT("expect"),
	};
	enum field f = FIELD_OTHER;
	const uint8_t *colon;

	switch (*p | 0x20) {
	case 'h':
		f = FIELD_HOST;
		break;
	case 'c':
		f = FIELD_LENGTH;
		break;
	case 't':
		f = FIELD_ENCODING;
		break;
	case 'e':
		f = FIELD_EXPECT;
		break;
	default:
		return FIELD_OTHER;
	}
	if ((size_t)(end - p) <= names[f].len)
		return FIELD_OTHER;
	colon = p + names[f].len;
	while (colon < end && is_blank(*colon))
		colon++;
	if (colon == end || *colon != ':' || !text_eq_nocase(text_at(p, names[f].len), names[f]))
		return FIELD_OTHER;
	*value = colon + 1;
	return f;
}

/* Takes the next element off a comma-separated list (RFC 9110 5.6.1), empty ones too. */
static bool list_next(struct text *list, struct text *element)
{
	const uint8_t *p = (const uint8_t *)list->p;
	const uint8_t *end, *comma;

	if (!p)
		return false;
	end = p + list->len;
	comma = memchr(p, ',', list->len);
	*element = trim(p, comma ? comma : end);
	*list = comma ? text_at(comma + 1, (size_t)(end - comma - 1)) : (struct text){NULL, 0};
	return true;
}

/* RFC 9112 6.3: a list of equal values is one value; anything else in there is an error. */
static void content_length(struct framing *f, struct text value)
{
	struct text element;
	bool any = false;
	uint64_t length;

	while (list_next(&value, &element)) {
		if (element.len == 0)
			continue;
		any = true;
		if (text_to_u64(element, &length) < 0 || (f->length_seen && length != f->length)) {
			f->length_bad = true;
			return;
		}
		f->length = length;
		f->length_seen = true;
	}
	f->length_bad |= !any;
}

static void transfer_encoding(struct framing *f, struct text value)
{
	struct text element;

	f->encoded = true;
	while (list_next(&value, &element)) {
		if (element.len)
			f->chunked = text_eq_nocase(element, TEXT("chunked"));
	}
}

static void take_field(enum field field, struct text value, struct message *m, struct framing *f)
{
	switch (field) {
	case FIELD_HOST:
		if (!m->host.p)
			m->host = value;
		break;
	case FIELD_LENGTH:
		content_length(f, value);
		break;
	case FIELD_ENCODING:
		transfer_encoding(f, value);
		break;
	case FIELD_EXPECT:
		m->expect_continue = text_eq_nocase(value, TEXT("100-continue"));
		break;
	case FIELD_OTHER:
		break;
	}
}

/* The field lines from p[at] on. Only whole fields count: half a host name is a wrong one. Lines
 * end in LF with or without CR; a line that starts with a blank goes on the one before (obs-fold).
 */
static void parse_fields(const uint8_t *p, size_t n, size_t at, struct message *m,
			 struct framing *f)
{
	const uint8_t *end = p + n, *line = p + at, *value = NULL, *lf;

	m->head_seen = (uint32_t)n;
	for (; line < end; line = lf + 1) {
		enum field field;

		lf = memchr(line, '\n', (size_t)(end - line));
		if (!lf)
			return;
		if (lf == line || (lf == line + 1 && *line == '\r')) {
			m->head_whole = true;
			m->head_length = m->head_seen = (uint32_t)(lf + 1 - p);
			return;
		}
		field = field_of(line, lf, &value);
		if (field == FIELD_OTHER)
			continue;
		while (lf + 1 < end && is_blank(lf[1])) {
			lf = memchr(lf + 1, '\n', (size_t)(end - lf - 1));
			if (!lf)
				return;
		}
		take_field(field, trim(value, lf), m, f);
	}
}

/* RFC 9112 6.3, the rules that requests and responses share; none: what no field at all means.
 * A Transfer-Encoding overrules a Content-Length, also one that comes before it. */
static void frame(struct message *m, const struct framing *f, enum body encoded, enum body none)
{
	if (f->encoded) {
		m->body = f->chunked ? BODY_CHUNKED : m->head_whole ? encoded : BODY_UNKNOWN;
	} else if (f->length_bad) {
		m->body = BODY_UNKNOWN;
	} else if (f->length_seen) {
		m->body = BODY_LENGTH;
		m->body_length = f->length;
	} else {
		m->body = m->head_whole ? none : BODY_UNKNOWN;
	}
}

/* ---- requests ---- */

/* Length of a method at p with its space behind it; 0: the bytes end in it; -EBADMSG. */
static int method_length(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && i <= METHOD_MAX && is_tchar(p[i]))
		i++;
	if (i > METHOD_MAX)
		return -EBADMSG;
	if (i == n)
		return 0;
	return i && p[i] == ' ' ? (int)i : -EBADMSG;
}

/* The end of the target in [p, end), the rest of a request line that is whole: behind it come
 * spaces and HTTP/1.DIGIT. NULL: they do not (HTTP/0.9, HTTP/2, other protocols). */
static const uint8_t *target_end_whole(const uint8_t *p, const uint8_t *end)
{
	const size_t version = strlen(HTTP1_VERSION) + 1;

	while (end > p && (is_blank(end[-1]) || end[-1] == '\r'))
		end--;
	if ((size_t)(end - p) < version + 2 || !is_digit(end[-1]))
		return NULL;
	end -= version;
	if (memcmp(end, HTTP1_VERSION, version - 1) != 0 || end[-1] != ' ')
		return NULL;
	while (end > p && end[-1] == ' ')
		end--;
	return end > p ? end : NULL;
}

/* The same of a line that is cut off: the target has ended if the bytes end in a version or, behind
 * a space, in the start of one. *cut tells whether the target goes on. */
static const uint8_t *target_end_cut(const uint8_t *p, const uint8_t *end, bool *cut)
{
	const uint8_t *stop = target_end_whole(p, end);
	const uint8_t *space = memrchr(p, ' ', (size_t)(end - p));
	size_t n = space ? (size_t)(end - space - 1) : 0;

	*cut = false;
	if (stop)
		return stop;
	if (space && n <= strlen(HTTP1_VERSION) && memcmp(space + 1, HTTP1_VERSION, n) == 0) {
		while (space > p && space[-1] == ' ')
			space--;
		return space;
	}
	*cut = true;
	return end;
}

/* Splits an absolute-form target at [p, end) into host and path (RFC 9112 3.2.2); false: it is
 * none. An absent path is "/", for which the second slash of the scheme's two stands. */
static bool absolute_form(const uint8_t *p, const uint8_t *end, struct message *m)
{
	const uint8_t *host = p, *slash, *at;

	while (host < end && is_tchar(*host))
		host++;
	if (host == p || end - host < 3 || memcmp(host, "://", 3) != 0)
		return false;
	host += 3;
	for (slash = host; slash < end && *slash != '/' && *slash != '?' && *slash != '#'; slash++)
		;
	if (slash == end && m->path_cut)
		return true;
	m->path = slash < end ? text_at(slash, (size_t)(end - slash)) : text_at(host - 1, 1);
	at = memrchr(host, '@', (size_t)(slash - host));
	host = at ? at + 1 : host;
	m->host = text_at(host, (size_t)(slash - host));
	return true;
}

static void take_target(const uint8_t *p, const uint8_t *end, struct message *m)
{
	if (p == end)
		return;
	if (*p != '/' && *p != '*' && !text_eq(m->method, TEXT("CONNECT"))) {
		/* Cut early, a scheme and a path look alike. */
		if (absolute_form(p, end, m) || m->path_cut)
			return;
	}
	m->path = text_at(p, (size_t)(end - p));
	if (text_eq(m->method, TEXT("CONNECT")) && !m->path_cut)
		m->host = m->path;
}

/* The request line at p[at]. The offset behind it, n if it is cut off, or -EBADMSG. */
static int64_t request_line(const uint8_t *p, size_t n, size_t at, struct message *m)
{
	const uint8_t *end = p + n, *target, *stop, *lf;
	int method = method_length(p + at, n - at);

	if (method <= 0)
		return method < 0 ? method : (int64_t)n;
	m->method = text_at(p + at, (size_t)method);
	target = p + at + method;
	while (target < end && *target == ' ')
		target++;
	lf = memchr(target, '\n', (size_t)(end - target));
	stop = lf ? target_end_whole(target, lf) : target_end_cut(target, end, &m->path_cut);
	if (!stop)
		return -EBADMSG;
	take_target(target, stop, m);
	return lf ? lf + 1 - p : (int64_t)n;
}

static int http1_request(const uint8_t *p, size_t n, struct message *out)
{
	struct message m = {0};
	struct framing f = {0};
	int64_t at = request_line(p, n, skip_empty_lines(p, n), &m);

	if (at < 0)
		return (int)at;
	parse_fields(p, n, (size_t)at, &m, &f);
	/* 6.3: a request that is encoded, but not chunked at last, has no end that can be told. */
	frame(&m, &f, BODY_UNKNOWN, BODY_NONE);
	*out = m;
	return 0;
}

/* Does [p, p + n) start like a target? PRI * is HTTP/2's preface (RFC 9113 3.4). */
static bool target_starts(struct text method, const uint8_t *p, size_t n)
{
	if (*p == '/')
		return true;
	if (*p == '*')
		return (n == 1 || p[1] == ' ') && !text_eq(method, TEXT("PRI"));
	if (text_eq(method, TEXT("CONNECT")))
		return is_digit(*p) || *p == '[' || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z');
	return n >= 4 && text_eq_nocase(text_at(p, 4), TEXT("http"));
}

/* Methods are upper case in practice, and other protocols' words often are not. */
static bool is_method_char(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static bool http1_detect(const uint8_t *p, size_t n)
{
	struct message m = {0};
	size_t at = skip_empty_lines(p, n), i = at;

	while (i < n && i - at <= METHOD_MAX && is_method_char(p[i]))
		i++;
	if (i == at || i == n || p[i] != ' ')
		return false;
	m.method = text_at(p + at, i - at);
	while (i < n && p[i] == ' ')
		i++;
	return i < n && target_starts(m.method, p + i, n - i) && request_line(p, n, at, &m) >= 0;
}

/* ---- responses ---- */

/* The status line at p[at]: the offset behind it, n if it is cut off, or -EBADMSG. */
static int64_t status_line(const uint8_t *p, size_t n, size_t at, struct message *m)
{
	static const char shape[] = HTTP1_VERSION "# ###"; /* #: a digit */
	const size_t length = sizeof(shape) - 1;
	const uint8_t *s = p + at, *lf;

	for (size_t i = 0; i < length; i++) {
		if (at + i == n)
			return (int64_t)n;
		if (shape[i] == '#' ? !is_digit(s[i]) : s[i] != (uint8_t)shape[i])
			return -EBADMSG;
	}
	if (s[length - 3] == '0')
		return -EBADMSG;
	if (at + length == n)
		return (int64_t)n;
	if (!is_blank(s[length]) && s[length] != '\r' && s[length] != '\n')
		return -EBADMSG;
	m->status =
		(s[length - 3] - '0') * 100U + (s[length - 2] - '0') * 10U + s[length - 1] - '0';
	lf = memchr(s + length, '\n', n - at - length);
	return lf ? lf + 1 - p : (int64_t)n;
}

/* RFC 9112 6.3 rules 1 and 2: what the status and the request decide, whatever the fields say. */
static bool frame_by_status(struct message *m, const struct message *asked)
{
	bool connect = asked && text_eq(asked->method, TEXT("CONNECT"));

	if (m->status == 101 || (connect && m->status / 100 == 2))
		m->body = BODY_UPGRADE;
	else if (m->status / 100 == 1 || m->status == 204 || m->status == 304 ||
		 (asked && text_eq(asked->method, TEXT("HEAD"))))
		m->body = BODY_NONE;
	else
		return false;
	return true;
}

static int http1_response(const uint8_t *p, size_t n, const struct message *asked,
			  struct message *out)
{
	struct message m = {0};
	struct framing f = {0};
	int64_t at = status_line(p, n, skip_empty_lines(p, n), &m);

	if (at < 0)
		return (int)at;
	parse_fields(p, n, (size_t)at, &m, &f);
	m.host = (struct text){NULL, 0};
	m.expect_continue = false;
	m.interim = m.status / 100 == 1 && m.status != 101;
	if (m.status && !frame_by_status(&m, asked))
		frame(&m, &f, BODY_TO_CLOSE, BODY_TO_CLOSE);
	*out = m;
	return 0;
}

/* ---- after a gap ---- */

/* Messages follow bodies without a line end between, so every H may start one. */
static size_t resync_response(const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n;

	for (const uint8_t *h = p; h < end; h++) {
		struct message m;

		h = memchr(h, 'H', (size_t)(end - h));
		if (!h)
			return n;
		if (status_line(h, (size_t)(end - h), 0, &m) >= 0)
			return (size_t)(h - p);
	}
	return n;
}

/* Where the method begins that ends before the space at s, not before line: the whole word at the
 * start of a line, else, right behind a body, the longest well-known method. NULL: none. */
static const uint8_t *method_before(const uint8_t *line, const uint8_t *s)
{
	static const char *const known[] = {"OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE",
					    "POST",    "HEAD",    "GET",    "PUT"};
	const uint8_t *word = s;

	while (word > line && s - word < METHOD_MAX && is_method_char(word[-1]))
		word--;
	if (word == line && word < s)
		return word;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		size_t n = strlen(known[i]);

		if ((size_t)(s - word) >= n && memcmp(s - n, known[i], n) == 0)
			return s - n;
	}
	return NULL;
}

/* The first method with a target behind it, in a line that ends in a version or is cut off. */
static size_t resync_request(const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n, *next;

	for (const uint8_t *line = p; line < end; line = next) {
		const uint8_t *lf = memchr(line, '\n', (size_t)(end - line));
		const uint8_t *stop = lf ? target_end_whole(line, lf) : end;

		next = lf ? lf + 1 : end;
		for (const uint8_t *s = line; stop && s < stop; s++) {
			const uint8_t *method;

			s = memchr(s, ' ', (size_t)(stop - s));
			if (!s)
				break;
			method = method_before(line, s);
			if (method && http1_detect(method, (size_t)(next - method)))
				return (size_t)(method - p);
		}
	}
	return n;
}

static size_t http1_resync(const uint8_t *p, size_t n, bool request)
{
	return request ? resync_request(p, n) : resync_response(p, n);
}

const struct protocol protocol_http1 = {
	.name = "http",
	.detect = http1_detect,
	.request = http1_request,
	.response = http1_response,
	.resync = http1_resync,
};
