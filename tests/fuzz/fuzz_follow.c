// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Following under any segmentation, order and loss: batches of requests with numbers, answered in
 * order. With nothing missing every pair comes, in order; with losses no pair is a wrong one.
 * A third mode feeds the input itself as payload. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "call/follow.h"

enum { WHOLE, LOSSY, RAW };

/* First sequence numbers, close to where they wrap. */
#define FIRST(request) ((request) ? 0xffffff00u : 0xfffffc00u)

static struct {
	const uint8_t *p;
	size_t n;
} in;
static unsigned mode;
static unsigned asked, paired; /* messages sent; pairs handed on without a gap */
static uint32_t next_of[2];    /* sequence numbers: responses, requests */
static bool begun;             /* the first run is always there: it says where following began */
static uint64_t now_ns;
static struct follow *f;

static uint8_t take(void)
{
	if (!in.n)
		return 0;
	in.n--;
	return *in.p++;
}

/* The number after prefix at the start of the head; -1: it is cut. */
static long number_of(const struct follow_message *m, const char *mark)
{
	char text[16] = {0};
	const uint8_t *at = m->head ? memmem(m->head, m->head_len, mark, strlen(mark)) : NULL;

	if (!at || m->head_len - (size_t)(at - m->head) < strlen(mark) + 8)
		return -1;
	memcpy(text, at + strlen(mark), 8);
	return strtol(text, NULL, 10);
}

static void on_pair(void *arg, const struct follow_pair *p)
{
	const struct follow_message *both[] = {p->request, p->response};

	(void)arg;
	assert(p->request || p->response);
	for (int i = 0; i < 2; i++) {
		const struct follow_message *m = both[i];
		const struct text *t =
			m ? (const struct text[]){m->m.method, m->m.path, m->m.host} : NULL;

		for (int k = 0; m && k < 3; k++) {
			assert(!t[k].p ||
			       ((const uint8_t *)t[k].p >= m->head &&
				(const uint8_t *)t[k].p + t[k].len <= m->head + m->head_len));
		}
		assert(!m || m->head_len <= REQUEST_HEAD_MAX);
		assert(!m || m->last_ns >= m->first_ns || mode == RAW);
	}
	if (mode == RAW || !p->request || !p->response || p->gap) {
		assert(mode != WHOLE);
		return;
	}
	assert(number_of(p->request, " /") == number_of(p->response, "HTTP/1.1 200 ") ||
	       p->request->cut || p->response->cut);
	if (mode == WHOLE) {
		assert(number_of(p->request, " /") == (long)paired);
		assert(!p->request->cut && !p->response->cut);
	}
	paired++;
}

static void feed(int request, uint32_t seq, uint32_t ack, const uint8_t *bytes, uint32_t length,
		 uint32_t captured)
{
	struct {
		struct payload p;
		uint8_t bytes[PAYLOAD_MAX];
	} r = {.p = {.cookie = 1, .seq = seq, .ack = ack, .length = length}};

	captured = MIN(captured, MIN(length, PAYLOAD_MAX));
	r.p.now_ns = now_ns;
	r.p.request = (uint8_t)request;
	r.p.captured = (uint16_t)captured;
	r.p.r.size = (uint32_t)sizeof(r.p) + captured;
	memcpy(r.bytes, bytes, captured);
	assert(follow_feed(f, &r.p) == 0);
	memset(&r, 0xee, sizeof(r));
}

/* One direction's bytes in runs; the input says how long, what comes late, twice or not at all. */
static void send_runs(int request, const uint8_t *p, uint32_t n)
{
	uint32_t late = 0, late_at = 0, ack = next_of[!request];

	for (uint32_t at = 0; at < n;) {
		uint8_t how = take();
		uint32_t len = 1 + (uint32_t)take() * (how & 1 ? 4 : 1);
		uint32_t seq = next_of[request] + at, captured;

		captured = len = MIN(len, n - at);
		now_ns += 1000000;
		if (mode == LOSSY && how >= 250)
			captured = take();
		if (mode == LOSSY && how < 8 && begun) {
			/* lost */
		} else if (how % 16 == 9 && !late && next_of[request] != FIRST(request)) {
			late = len;
			late_at = at;
		} else {
			feed(request, seq, ack, p + at, len, captured);
			if (how % 32 == 5)
				feed(request, seq, ack, p + at, len, len);
			if (late && (mode == WHOLE || how % 2)) {
				feed(request, next_of[request] + late_at, ack, p + late_at, late,
				     late);
				late = 0;
			}
		}
		at += len;
		begun = true;
	}
	if (late)
		feed(request, next_of[request] + late_at, ack, p + late_at, late, late);
	next_of[request] += n;
}

static uint32_t add_body(uint8_t *out, uint8_t kind)
{
	uint32_t n = kind * 5 % 700;

	if (kind % 3 == 0)
		return (uint32_t)sprintf((char *)out, "\r\n");
	if (kind % 3 == 1) {
		n = (uint32_t)sprintf((char *)out, "Content-Length: %u\r\n\r\n%0*d", n, (int)n, 0);
		return n - (kind * 5 % 700 == 0); /* %0*d writes one digit at least */
	}
	return (uint32_t)sprintf(
		(char *)out,
		"Transfer-Encoding: chunked\r\n\r\n%x\r\n%0*d\r\n1;e\r\nx\r\n0\r\n\r\n", n + 1,
		(int)n + 1, 0);
}

/* Some requests in one go, then all their responses. */
static void batch(void)
{
	static uint8_t req[32768], rsp[32768];
	uint32_t n = 0, m = 0, count = 1 + take() % 16;

	for (uint32_t i = 0; i < count; i++, asked++) {
		n += (uint32_t)sprintf((char *)req + n, "GET /%08u HTTP/1.1\r\nHost: h\r\n", asked);
		n += add_body(req + n, take());
		if (take() % 8 == 1)
			m += (uint32_t)sprintf((char *)rsp + m, "HTTP/1.1 100 Continue\r\n\r\n");
		m += (uint32_t)sprintf((char *)rsp + m, "HTTP/1.1 200 %08u\r\n", asked);
		uint8_t kind = take();

		m += add_body(rsp + m, (uint8_t)(kind % 3 ? kind : 1)); /* else it ends at close */
	}
	send_runs(1, req, n);
	send_runs(0, rsp, m);
}

/* Any bytes on any of three connections. */
static void raw(void)
{
	while (in.n) {
		struct {
			struct payload p;
			uint8_t bytes[PAYLOAD_MAX];
		} r = {0};
		uint8_t how = take();

		now_ns += how == 255 ? 2000000000 : 1000;
		r.p.cookie = how % 3;
		r.p.request = how / 3 % 2;
		r.p.now_ns = now_ns;
		r.p.seq = how < 200 ? next_of[r.p.request] : (uint32_t)take() << 24 | take();
		r.p.ack = next_of[!r.p.request];
		r.p.captured = (uint16_t)(take() * 4);
		r.p.captured = (uint16_t)MIN(in.n, r.p.captured);
		r.p.length = r.p.captured + (how % 16 == 3 ? take() * 100U : 0);
		r.p.r.size = (uint32_t)sizeof(r.p) + r.p.captured;
		r.p.captured = (uint16_t)MIN(in.n, r.p.captured);
		memcpy(r.bytes, in.p, r.p.captured);
		in.p += r.p.captured;
		in.n -= r.p.captured;
		if (how < 200)
			next_of[r.p.request] += r.p.length;
		(void)follow_feed(f, &r.p);
		if (how == 77)
			follow_close(f, r.p.cookie);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct follow_conf conf = {.connections = 2, .messages = 32, .runs = 16, .pair = on_pair};

	in.p = data;
	in.n = size;
	mode = take() % 3;
	asked = paired = 0;
	begun = false;
	next_of[0] = FIRST(0);
	next_of[1] = FIRST(1);
	now_ns = 1;
	if (follow_new(&conf, &f))
		return 0;
	if (mode == RAW)
		raw();
	while (mode != RAW && in.n && asked < 200)
		batch();
	follow_close(f, 1);
	assert(mode != WHOLE || (paired == asked && !follow_counts(f).gaps));
	follow_flush(f);
	follow_free(f);
	return 0;
}
