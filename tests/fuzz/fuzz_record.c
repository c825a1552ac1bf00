// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Hostile records of the ring through all that `requests` does with them: joining, decoding, what
 * is remembered of a connection, rows and groups in every output. Each record is exactly as big as
 * it says. */
#include "requests_env.h"

static struct {
	const uint8_t *p;
	size_t n;
} in;

static const struct text starts[] = {
	TEXT("GET /a?token=secret HTTP/1.1\r\nHost: h\r\nCookie: c=1\r\n\r\n"),
	TEXT("GET /b HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
	TEXT("POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"),
	TEXT("PUT /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
	TEXT("CONNECT h:1 HTTP/1.1\r\n\r\n"),
	TEXT("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"),
	TEXT("\x1b[2J\x00\xff garbage\nPassword: x"),
	TEXT(""),
};
static const struct text answers[] = {
	TEXT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
	TEXT("HTTP/1.1 100 Continue\r\n\r\n"),
	TEXT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n"),
	TEXT("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n"),
	TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
	TEXT("HTTP/1.0 500 No\r\n\r\n"),
	TEXT("\x16\x03\x03\x00\x02"),
	TEXT(""),
};

static uint8_t take(void)
{
	if (!in.n)
		return 0;
	in.n--;
	return *in.p++;
}

static uint32_t take4(void)
{
	uint32_t v = take();

	v = v << 8 | take();
	v = v << 8 | take();
	return v << 8 | take();
}

/* Some of t, or bytes of the input. */
static uint32_t head(uint8_t *to, uint32_t room, const struct text *texts)
{
	uint8_t how = take();
	struct text t = texts[how & 7];
	uint32_t n = t.len, cut = how & 24 ? take() : 0;

	if (how & 8) {
		n = (uint32_t)MIN(cut, in.n);
		t.p = (const char *)in.p;
		in.p += n;
		in.n -= n;
	} else if (how & 16) {
		n = MIN(n, cut);
	}
	n = MIN(n, room);
	memcpy(to, t.p, n);
	return n;
}

static void times(struct exchange *x, uint64_t now)
{
	uint8_t how = take();

	x->now_ns = now;
	x->request_first_ns = how & 1 ? now - 1000 : 0;
	x->request_last_ns = how & 2 ? now - 900 : 0;
	x->response_first_ns = how & 4 ? now - 800 : 0;
	x->response_last_ns = how & 8 ? now - 700 : 0;
	x->read_ns = how & 16 ? now - 850 : 0;
	if (how & 32)
		x->response_first_ns = (uint64_t)take4() << 32 | take4();
	x->connect_us = how & 64 ? take4() : 0;
	x->srtt_us = how & 64 ? take4() : 0;
}

static void names(struct exchange *x)
{
	uint8_t how = take();

	x->local_port = how & 1 ? 80 : 40000;
	x->remote_port = how & 1 ? 40000 : 80;
	x->local[10] = x->local[11] = x->remote[10] = x->remote[11] = how & 2 ? 0xff : how;
	x->loopback = how >> 2 & 1;
	x->owner.pid = how & 8 ? how : 0;
	memset(x->owner.comm, how, how & 16 ? COMM_LEN : 3); /* without an end, too */
	x->first_seq = how & 32 ? 1 : 0;
	x->first_ack = how & 64 ? 7 : 0;
}

/* What on_exchange() of requests.c does. */
static void taken(struct requests *r, const struct exchange *x)
{
	if (!told_take(r, x))
		(void)join_add(r->join, x, r->now_ns);
}

static void exchange(struct requests *r)
{
	struct {
		struct exchange x;
		uint8_t heads[HEADS_MAX];
	} b = {0};
	uint8_t who = take(), what = take(), lie = take();
	struct exchange *x = &b.x, *copy;

	x->cookie = 1 + (who & 3);
	x->role = who >> 2 & 3;
	x->end = who >> 4 & 3;
	x->number = what & 7;
	x->join_seq = what >> 3 & 1 ? 100 + (what & 7) : 0;
	x->join_ack = 1;
	x->flags = what & 16 ? (uint16_t)take() << 1 | (what >> 5 & 1) : 0;
	names(x);
	times(x, r->now_ns);
	x->request_head = (uint16_t)head(b.heads, REQUEST_HEAD_MAX, starts);
	x->response_head =
		(uint16_t)head(b.heads + x->request_head,
			       MIN(HEADS_MAX - x->request_head, RESPONSE_HEAD_MAX), answers);
	x->request_bytes = x->request_head;
	x->response_bytes = x->response_head;
	if (what & 64) {
		x->request_bytes += take();
		x->response_bytes += take();
		for (int i = 0; i < TAIL_LEN; i++)
			x->tail[i] = (uint8_t) "\r\n0\r\n\r\n\0"[i];
	}
	x->r.size = (uint32_t)sizeof(*x) + x->request_head + x->response_head;
	if (lie > 250)
		x->response_bytes = (uint64_t)take4() << 30;
	if (lie < 8) { /* bytes that do not make sense together */
		x->request_head = (uint16_t)take4();
		x->response_head = (uint16_t)take4();
		x->role = take();
		x->end = take();
	}
	copy = malloc(x->r.size);
	memcpy(copy, x, x->r.size);
	taken(r, copy);
	free(copy);
}

static void payload(struct requests *r)
{
	struct {
		struct payload p;
		uint8_t bytes[PAYLOAD_MAX];
	} b = {0};
	uint8_t who = take();
	static uint32_t next[2];
	struct payload *copy;
	uint32_t n;

	b.p.cookie = 1 + (who & 3);
	b.p.request = who >> 2 & 1;
	b.p.number = who >> 3 & 7;
	n = head(b.bytes, PAYLOAD_MAX, b.p.request ? starts : answers);
	b.p.captured = (uint16_t)n;
	b.p.length = n;
	b.p.seq = next[b.p.request];
	b.p.ack = next[!b.p.request];
	b.p.now_ns = r->now_ns;
	next[b.p.request] += n;
	b.p.r.kind = RECORD_PAYLOAD;
	b.p.r.size = (uint32_t)sizeof(b.p) + n;
	if (who > 240) {
		b.p.captured = (uint16_t)take4();
		b.p.length = take4();
		b.p.seq = take4();
		b.p.request = take();
	}
	copy = malloc(b.p.r.size);
	memcpy(copy, &b, b.p.r.size);
	(void)followed_payload(r->session, &copy->r);
	free(copy);
}

static void silent(struct requests *r)
{
	struct silent x = {.r = {.kind = RECORD_SILENT, .size = sizeof(x)}};
	uint8_t what = take();

	x.cookie = 1 + (what & 3);
	x.closed = what >> 2 & 1;
	x.now_ns = r->now_ns;
	x.owner.pid = what;
	(void)told_silent(r->session, &x.r);
}

static void frame(struct requests *r, uint8_t op)
{
	struct {
		struct frame_record f;
		uint8_t bytes[FRAME_KEPT_MAX];
	} x = {.f = {.now_ns = r->now_ns, .length = FRAME_KEPT_MAX}};
	uint8_t who = take();
	struct frame_record *copy;

	x.f.cookie = 1 + (who & 3);
	x.f.number = who >> 2 & 3;
	x.f.captured = op & 16 ? FRAME_KEPT_MAX : who;
	x.f.interface = who >> 4 & 3;
	x.f.ethernet = who >> 6 & 1;
	x.f.type = who >> 5;
	x.f.r.size = (uint32_t)sizeof(x.f) + x.f.captured;
	if (op & 32)
		x.f.captured = take4();
	copy = malloc(x.f.r.size);
	memcpy(copy, &x, x.f.r.size);
	(void)frames_record(r->session, &copy->r);
	free(copy);
}

static void waiting(void *arg, const struct exchange *requester, const struct exchange *responder)
{
	struct requests *r = arg;
	struct call_row row;
	struct call c;

	call_of(&c, requester, responder);
	row_of_call(r, &c, &row);
	(void)session_row(r->session, &row.row);
}

static void play(struct requests *r)
{
	while (in.n) {
		uint8_t op = take();

		r->now_ns += 1000;
		switch (op & 7) {
		case 0 ... 3:
			exchange(r);
			break;
		case 4 ... 5:
			payload(r);
			break;
		case 6:
			r->now_ns += (uint64_t)op << 24;
			join_expire(r->join, r->now_ns);
			notes_expire(r, false);
			told_expire(r, r->now_ns);
			break;
		default:
			if (op & 64)
				frame(r, op);
			else if (op & 8)
				silent(r);
			else if (!r->by)
				(void)join_in_flight(r->join, 0, 10, waiting, r);
			break;
		}
	}
}

static void unheard(struct requests *r, const struct exchange *x, uint32_t mark)
{
	(void)r;
	(void)x;
	(void)mark;
}

static void owned(struct requests *r, const struct exchange *x, bool client, struct owner *out)
{
	(void)r;
	*out = x->owner;
	out->pid += client;
}

/* Records of sockets, which have their owners, and of an interface, which have none. */
static const struct tap taps[] = {{.mark = unheard}, {.mark = unheard, .owner = owned}};

static void requests_begin(struct requests *r, struct requests_conf *conf, uint8_t how)
{
	static const char *by[] = {"path", "status", "server_comm"};
	struct join_conf join = {.entries = 16,
				 .remembered = 32,
				 .hold_ns = 100000000,
				 .seed = 0x5eed,
				 .done = calls_done,
				 .complete = calls_complete,
				 .arg = r};

	conf->show_secrets = how & 1;
	conf->heads = how & 2;
	conf->path_depth = how >> 3 & 3;
	*r = (struct requests){.session = &env_session,
			       .conf = conf,
			       .tap = &taps[how >> 5 & 1],
			       .now_ns = 1u << 30};
	env_session = (struct session){.requests = r};
	/* A container is asked of /proc, which is another fuzzer's. */
	r->wanted = ~(1ull << C_CLIENT_CONTAINER | 1ull << C_SERVER_CONTAINER);
	assert(!join_new(&join, &r->join) && !notes_new(&r->notes) && !followed_new(r));
	assert(!told_new(&r->told));
	conf->out.path = how & 64 ? "file" : NULL;
	assert(!frames_new(r));
	assert(!session_set_schema(&env_session, &call_schema, 0, 0));
	if (how & 4) {
		for (int i = 0; i < 3; i++)
			conf->by.v[conf->by.n++] = by[i];
		assert(!by_new(r, &r->by));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct requests r;
	struct requests_conf conf = {0};

	in.p = data;
	in.n = size;
	requests_begin(&r, &conf, take());
	play(&r);
	follow_flush(r.follow);
	join_flush(r.join);
	notes_expire(&r, true);
	alone_flush(&r);
	assert(!frames_finish(&r));
	frames_free(&r);
	assert(join_counts(r.join).held == 0);
	if (r.by)
		(void)by_show(r.by, 1000000000);
	by_free(r.by);
	join_free(r.join);
	notes_free(r.notes);
	alone_free(&r);
	told_free(r.told);
	followed_free(&r);
	env_close_outputs();
	return 0;
}
