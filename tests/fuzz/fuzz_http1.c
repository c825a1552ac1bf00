// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Any bytes as an HTTP/1 request and response, whole and cut: what a prefix shows, the whole shows.
 * A head is cut wherever the capture ends, so a cut may hide things but never make them up. */
#include <assert.h>

#include "protocol/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct text t, const uint8_t *p, size_t n)
{
	if (!t.p)
		assert(t.len == 0);
	else
		assert((const uint8_t *)t.p >= p && t.len <= n &&
		       (const uint8_t *)t.p + t.len <= p + n);
}

static int parse(bool request, const struct message *asked, const uint8_t *p, size_t n,
		 struct message *m)
{
	int err =
		request ? protocol_http1.request(p, n, m) : protocol_http1.response(p, n, asked, m);

	assert(err == 0 || err == -EBADMSG);
	if (err)
		return err;
	inside(m->method, p, n);
	inside(m->path, p, n);
	inside(m->host, p, n);
	assert(m->head_seen <= n);
	assert(m->head_whole ? m->head_length == m->head_seen : m->head_length == 0);
	assert(m->head_whole || m->head_seen == n);
	assert(!m->path_cut || !m->head_whole);
	assert(!m->status || (m->status >= 100 && m->status <= 999));
	assert(m->body == BODY_LENGTH || m->body_length == 0);
	return 0;
}

static void same(struct text cut, struct text whole)
{
	assert(!cut.p || (cut.p == whole.p && cut.len == whole.len));
}

/* Spaces in a target are kept, so one that is cut behind " HTT" seems to have ended, which is only
 * so where the third word is a version, as far as it goes, and the last. */
static bool plain_line(const uint8_t *p, size_t n)
{
	static const uint8_t version[] = "HTTP/1.";
	size_t i = 0;

	for (unsigned words = 1; words < 3; words++) {
		while (i < n && p[i] != ' ' && p[i] != '\n')
			i++;
		while (i < n && p[i] == ' ')
			i++;
	}
	for (size_t v = 0; v < sizeof(version) - 1; v++, i++) {
		if (i == n || p[i] == '\n')
			return true;
		if (p[i] != version[v])
			return false;
	}
	if (i < n && p[i] != '\n' && (p[i] < '0' || p[i] > '9'))
		return false;
	for (i++; i < n && p[i] != '\n'; i++) {
		if (!strchr(" \t\r", p[i]) || !p[i])
			return false;
	}
	return true;
}

static void prefix(const struct message *cut, const struct message *whole, bool plain)
{
	same(cut->method, whole->method);
	if (plain) {
		assert(cut->path.len <= whole->path.len);
		if (!cut->path_cut)
			same(cut->path, whole->path);
		/* A fold behind the cut can go on with a host that seemed to have ended, or be cut
		 * itself. */
		assert(!whole->host.p || cut->host.len <= whole->host.len);
	}
	assert(!cut->status || cut->status == whole->status);
	if (cut->head_whole)
		assert(whole->head_length == cut->head_length && whole->body == cut->body &&
		       whole->body_length == cut->body_length && whole->host.p == cut->host.p);
}

static void cuts(bool request, const struct message *asked, const uint8_t *p, size_t n,
		 const struct message *whole)
{
	size_t step = n / 64 + 1, skip = 0;
	bool plain;

	while (skip < n && (p[skip] == '\r' || p[skip] == '\n'))
		skip++;
	plain = plain_line(p + skip, n - skip);
	for (size_t cut = 0; cut < n; cut += step) {
		struct message m;

		assert(parse(request, asked, p, cut, &m) == 0);
		prefix(&m, whole, plain);
	}
	if (whole->head_whole) {
		struct message m;

		assert(parse(request, asked, p, whole->head_length, &m) == 0);
		assert(m.head_whole && m.body == whole->body);
	}
}

/* However the runs are cut, the body ends at the same byte. */
static void body(const struct message *m, const uint8_t *p, size_t n)
{
	struct http1_body b;
	size_t end = SIZE_MAX;
	int whole;

	http1_body_start(&b, m);
	whole = http1_body_feed(&b, p, n, n, &end);
	assert(whole < 0 ? end == SIZE_MAX : whole ? end <= n : end == n);
	for (size_t step = 1; step < 8; step += 3) {
		size_t at = 0, used;
		int got = n ? 0 : whole;

		http1_body_start(&b, m);
		while (at < n && got == 0) {
			size_t run = MIN(step, n - at);

			got = http1_body_feed(&b, p + at, run, run, &used);
			if (got >= 0)
				at += used;
		}
		assert(got == whole && (whole < 0 || at == end));
	}
	/* Bytes that were not captured are counted or missed, never read. */
	http1_body_start(&b, m);
	(void)http1_body_feed(&b, p, n / 2, n, &end);
}

static void way(bool request, const struct message *asked, const uint8_t *p, size_t n)
{
	struct message m;
	size_t at = protocol_http1.resync(p, n, request);

	assert(at <= n);
	assert(!request || at == n || protocol_http1.detect(p + at, n - at));
	if (parse(request, asked, p, n, &m))
		return;
	cuts(request, asked, p, n, &m);
	if (m.head_whole)
		body(&m, p + m.head_length, n - m.head_length);
	if (!request) {
		unsigned tail = (unsigned)MIN(n, 8);

		(void)http1_response_complete(&m, n, p + n - tail, tail);
		(void)http1_response_complete(&m, n, p + n - MIN(tail, 4), MIN(tail, 4));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct message head = {.method = {"HEAD", 4}},
				    connect = {.method = {"CONNECT", 7}};
	struct message m;

	if (size && protocol_http1.detect(data, size))
		assert(protocol_http1.request(data, size, &m) == 0 && m.method.p);
	way(true, NULL, data, size);
	way(false, NULL, data, size);
	way(false, &head, data, size);
	way(false, &connect, data, size);
	return 0;
}
