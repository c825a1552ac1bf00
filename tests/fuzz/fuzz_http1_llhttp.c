// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Our HTTP/1 heads and bodies against llhttp, the parser of Node.js: what it accepts, we must
 * read alike. Ours also reads cut and odd heads, so nothing is asked where llhttp refuses. */
#include <assert.h>
#include <stdio.h>

#include "llhttp.h"
#include "protocol/http1.h"

#define TEXT_MAX 4096

struct value {
	char p[TEXT_MAX];
	size_t n;
	bool over, seen, folded;
};

/* What llhttp saw of one message. */
struct seen {
	struct value url, name, value, host;
	bool headers, whole, odd_coding;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void append(struct value *v, const char *p, size_t n)
{
	if (n > sizeof(v->p) - v->n) {
		v->over = true;
		return;
	}
	memcpy(v->p + v->n, p, n);
	v->n += n;
	v->folded = v->seen;
	v->seen = true;
}

static int on_url(llhttp_t *l, const char *p, size_t n)
{
	append(&((struct seen *)l->data)->url, p, n);
	return 0;
}

static int on_name(llhttp_t *l, const char *p, size_t n)
{
	append(&((struct seen *)l->data)->name, p, n);
	return 0;
}

static int on_value(llhttp_t *l, const char *p, size_t n)
{
	append(&((struct seen *)l->data)->value, p, n);
	return 0;
}

/* Codings that are not a list of tokens on one line: an empty element, which RFC 9110 5.6.1 skips
 * and llhttp does not, and a tab or other byte at which llhttp gives the list up. */
static bool odd_coding(const struct value *v)
{
	bool word = false, ended = false;

	for (size_t i = 0; i < v->n; i++) {
		char c = v->p[i];

		if (c == ',') {
			if (!word)
				return true;
			word = ended = false;
		} else if (c == ' ') {
			ended = word;
		} else if (ended || !(strchr("-_", c) || (c >= '0' && c <= '9') ||
				      ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))) {
			return true;
		} else {
			word = true;
		}
	}
	return !word || v->folded;
}

static int on_field(llhttp_t *l)
{
	struct seen *s = l->data;
	struct text name = {s->name.p, (uint32_t)s->name.n};

	/* llhttp's loose mode takes spaces for part of a name. */
	while (name.len && name.p[name.len - 1] == ' ')
		name.len--;
	if (!s->headers && text_eq_nocase(name, TEXT("host")) && !s->host.seen) {
		s->host = s->value;
		s->host.seen = true;
	}
	if (text_eq_nocase(name, TEXT("transfer-encoding")))
		s->odd_coding |= odd_coding(&s->value);
	s->name = s->value = (struct value){.n = 0};
	return 0;
}

static int on_head(llhttp_t *l)
{
	((struct seen *)l->data)->headers = true;
	return HPE_PAUSED;
}

static int on_whole(llhttp_t *l)
{
	((struct seen *)l->data)->whole = true;
	return HPE_PAUSED;
}

/* Line ends of folding and blanks around the value aside. */
static bool same_value(struct text ours, const struct value *theirs)
{
	size_t i = 0, start = 0, end = theirs->n;

	while (start < end && strchr(" \t", theirs->p[start]) && theirs->p[start])
		start++;
	while (end > start && strchr(" \t", theirs->p[end - 1]) && theirs->p[end - 1])
		end--;
	for (; start < end; start++, i++) {
		while (i < ours.len && (ours.p[i] == '\r' || ours.p[i] == '\n'))
			i++;
		if (i == ours.len || ours.p[i] != theirs->p[start])
			return false;
	}
	return i == ours.len;
}

static bool is_url(struct text t, const char *p, size_t n)
{
	return t.p && t.len == n && memcmp(t.p, p, n) == 0;
}

static void same_target(const struct message *m, const struct seen *s)
{
	const char *url = s->url.p, *end = url + s->url.n, *host, *path;
	bool connect = text_eq(m->method, TEXT("CONNECT"));

	if (connect || *url == '/' || *url == '*') {
		assert(is_url(m->path, url, s->url.n));
		if (connect)
			assert(is_url(m->host, url, s->url.n));
		else if (s->host.seen)
			assert(m->host.p && same_value(m->host, &s->host));
		else
			assert(!m->host.p);
		return;
	}
	host = memmem(url, s->url.n, "://", 3);
	assert(host);
	host += 3;
	for (path = host; path < end && !strchr("/?#", *path); path++)
		;
	for (const char *c = host; c < path; c++) {
		if (*c == '@')
			host = c + 1;
	}
	assert(is_url(m->host, host, (size_t)(path - host)));
	assert(path < end ? is_url(m->path, path, (size_t)(end - path)) : is_url(m->path, "/", 1));
}

static enum body body_of(const llhttp_t *l, const char *asked)
{
	bool none = l->status_code / 100 == 1 || l->status_code == 204 || l->status_code == 304;

	if (l->type == HTTP_RESPONSE && l->status_code == 101)
		return BODY_UPGRADE;
	if (l->type == HTTP_RESPONSE && (none || strcmp(asked, "HEAD") == 0))
		return BODY_NONE;
	if (l->flags & F_CHUNKED)
		return BODY_CHUNKED;
	if (l->flags & F_TRANSFER_ENCODING)
		return l->type == HTTP_REQUEST ? BODY_UNKNOWN : BODY_TO_CLOSE;
	if (l->flags & F_CONTENT_LENGTH)
		return BODY_LENGTH;
	return l->type == HTTP_REQUEST ? BODY_NONE : BODY_TO_CLOSE;
}

/* What is not HTTP/1 as we read it: HTTP/0.9, RTSP and others, a status of not three digits, and a
 * CR that no LF follows, which llhttp's loose mode takes for a line end. */
static bool out_of_scope(const llhttp_t *l, const struct seen *s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\r' && i + 1 < n && p[i + 1] != '\n')
			return true;
	}
	if (l->http_major != 1 || s->url.over || s->value.over || s->host.over)
		return true;
	if (l->type == HTTP_REQUEST)
		return l->method >= HTTP_SOURCE || s->url.n == 0;
	for (; n && (*p == '\r' || *p == '\n'); n--)
		p++;
	return n < 13 || p[9] == '0' || strspn((const char *)p + 9, "0123456789") != 3;
}

/* The rest of the message through both: they must find the same end. Built with
 * -DLLHTTP_STRICT_MODE=1 only, since in loose mode llhttp takes any two bytes for a line end. */
static void same_end(llhttp_t *l, const struct message *m, const char *p, size_t n)
{
	struct http1_body b;
	size_t used = 0;
	int done;

	if (!LLHTTP_STRICT_MODE || l->upgrade ||
	    (m->body != BODY_CHUNKED && m->body != BODY_LENGTH))
		return;
	http1_body_start(&b, m);
	done = http1_body_feed(&b, (const uint8_t *)p, n, n, &used);
	llhttp_resume(l);
	if (llhttp_execute(l, p, n) == HPE_PAUSED && ((const struct seen *)l->data)->whole) {
		assert(done == 1);
		assert(llhttp_get_error_pos(l) == p + used);
	}
}

static void compare(llhttp_t *l, const char *asked, const uint8_t *p, size_t n)
{
	const struct seen *s = l->data;
	const char *head_end = llhttp_get_error_pos(l);
	struct message m, question = {.method = text_of(asked)};
	int err;

	if (l->type == HTTP_REQUEST)
		err = protocol_http1.request(p, n, &m);
	else
		err = protocol_http1.response(p, n, &question, &m);
	assert(err == 0 && m.head_whole);
	assert(head_end == (const char *)p + m.head_length);
	if (l->type == HTTP_REQUEST) {
		assert(text_eq(m.method, text_of(llhttp_method_name(l->method))));
		same_target(&m, s);
	} else {
		assert(m.status == l->status_code);
	}
	if (s->odd_coding)
		return;
	assert(m.body == body_of(l, asked));
	assert(m.body_length == (m.body == BODY_LENGTH ? l->content_length : 0));
	same_end(l, &m, head_end, n - m.head_length);
}

/* The first byte: request or response, and whether a HEAD asked for it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen s;
	llhttp_settings_t settings;
	llhttp_t l;
	_cleanup_free_ char *p = NULL;

	if (size < 2 || size > TEXT_MAX)
		return 0;
	p = strndup((const char *)data + 1, size - 1);
	if (!p)
		return 0;
	llhttp_settings_init(&settings);
	settings.on_url = on_url;
	settings.on_header_field = on_name;
	settings.on_header_value = on_value;
	settings.on_header_value_complete = on_field;
	settings.on_headers_complete = on_head;
	settings.on_message_complete = on_whole;
	llhttp_init(&l, data[0] & 1 ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
	memset(&s, 0, sizeof(s));
	l.data = &s;
	llhttp_execute(&l, p, strlen(p));
	if (s.headers && !out_of_scope(&l, &s, (const uint8_t *)p, strlen(p)))
		compare(&l, data[0] & 2 ? "HEAD" : "GET", (const uint8_t *)p, strlen(p));
	return 0;
}
