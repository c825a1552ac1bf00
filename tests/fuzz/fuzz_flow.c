// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The file tap, and so the engine for flows, under any traffic. Even inputs drive a TCP connection
 * over a bad network past it: no byte that passes may be counted twice or left out. Odd ones are
 * segments that make no sense, of a few connections and in tunnels: nothing may break. */
#include "../unit/flow_sim.h"

#define COOKIES 4096

static struct {
	const uint8_t *p;
	size_t n;
} in;
static struct sim sim;

static u64 bytes[2];       /* of final records: requests, responses */
static s64 ended[COOKIES]; /* the last exchange of each flow that did */
static bool valid;         /* what is played is TCP, past a tap that was there before it */

static uint8_t more(void)
{
	if (!in.n)
		return 0;
	in.n--;
	return *in.p++;
}

/* Past the end of the input everything goes well. */
static u32 pick(u32 n)
{
	u32 v;

	if (!in.n)
		return n - 1;
	v = more();
	if (n > 256)
		v = v << 16 | (u32)more() << 8 | more();
	return v % n;
}

static void check_heads(const struct exchange *x)
{
	const u8 *b = (const u8 *)(x + 1);
	u32 at = sim.d[0].first + (u32)bytes[0];

	assert((u64)x->request_head <= x->request_bytes);
	assert((u64)x->response_head <= x->response_bytes);
	assert(x->local_port == 80 && x->remote_port == 40000);
	if (x->flags & (EX_GAP | EX_STREAM))
		return;
	for (u32 i = 0; i < x->request_head; i++)
		assert(b[i] == env_byte(true, at + i));
}

static void on_exchange(const struct exchange *x)
{
	s64 *end = &ended[x->cookie % COOKIES];

	assert(x->cookie && x->end <= END_SWEEP && x->role == ROLE_RESPONDER);
	assert(x->request_head <= REQUEST_HEAD_MAX && x->response_head <= RESPONSE_HEAD_MAX);
	assert(x->request_head + x->response_head <= HEADS_MAX);
	assert((s64)x->number > *end);
	if (valid)
		check_heads(x);
	if (x->end == END_SWEEP)
		return;
	*end = x->number;
	bytes[0] += x->request_bytes;
	bytes[1] += x->response_bytes;
}

static void on_record(const struct record *r)
{
	const struct payload *p = (const struct payload *)r;
	const u8 *b = (const u8 *)(p + 1);

	if (r->kind == RECORD_EXCHANGE) {
		on_exchange((const struct exchange *)r);
		return;
	}
	assert(r->kind == RECORD_PAYLOAD && r->size >= sizeof(*p) + p->captured);
	assert(p->captured <= PAYLOAD_MAX && p->captured <= p->length);
	for (u32 i = 0; valid && i < p->captured; i++)
		assert(b[i] == env_byte(p->request, p->seq + i));
}

/* ---- TCP ---- */

/* What passed is in final records or in the exchange that is going on. */
static void check_sums(void)
{
	const struct connection *c = env.requests.file->keys;
	u64 sums[2] = {bytes[0], bytes[1]};

	if (c && c->has_flow) {
		const struct conn *going = &c->flow.conn;

		if (going->phase != PHASE_IDLE)
			sums[0] += going->request_bytes;
		if (going->phase >= PHASE_RESPONSE)
			sums[1] += going->response_bytes;
	}
	assert(sums[0] == sim_seen[0] && sums[1] == sim_seen[1]);
	assert(env.requests.file->flows <= 1);
}

static void act(void)
{
	uint8_t op = more();
	unsigned d = op & 1;

	switch (op >> 1 & 7) {
	case 0 ... 1:
		if (!sim.d[d].fin)
			sim.d[d].written += 1 + more();
		break;
	case 2:
		if (!sim.d[d].fin && sim.d[d].written < 40000)
			sim.d[d].written += (u64)more() << 7;
		break;
	case 3:
		for (int i = op >> 4; i >= 0; i--)
			sim_step(&sim);
		break;
	case 4:
		sim_settle(&sim, d);
		break;
	case 5:
		env.now += (u64)(op >> 4) << 28;
		break;
	case 6:
		env_finish(); /* a snapshot */
		break;
	default:
		sim.d[d].fin |= op >> 4 == 15;
		break;
	}
}

static void play_tcp(void)
{
	static const char requests[] = "GET /index HTTP/1.1\r\nHost: h\r\n\r\n";
	static const char responses[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	u32 request = pick(4) ? pick(1u << 24) << 8 : 0u - pick(1000);
	const struct connection *c;

	sim_start(&sim, pick, request, pick(4) ? pick(1u << 24) << 8 : 0u - pick(1000), true);
	if (pick(2))
		env.text[1] = (struct known_text){requests, sizeof(requests) - 1, sim.d[0].first};
	if (env.text[1].n)
		env.text[0] = (struct known_text){responses, sizeof(responses) - 1, sim.d[1].first};
	sim.mss = 1 + pick(1u << 12);
	sim.loss = pick(64);
	sim.doubled = pick(64);
	sim.reorder = pick(256);
	while (in.n) {
		act();
		check_sums();
	}
	sim.d[0].fin = sim.d[1].fin = true;
	while (!sim.d[0].fin_received || !sim.d[1].fin_received)
		sim_step(&sim);
	check_sums();
	assert(sim_seen[0] == sim.d[0].written && sim_seen[1] == sim.d[1].written);
	/* A FIN that came before any payload was of no flow. */
	c = env.requests.file->keys;
	assert(!c || !c->has_flow || c->flow.fins != 3);
	env_finish();
}

/* ---- anything ---- */

static u32 more4(void)
{
	u32 v = more();

	v = v << 8 | more();
	v = v << 8 | more();
	return v << 8 | more();
}

static void any_packet(uint8_t op)
{
	static const u32 lengths[] = {0, 1, 5, 40, 300, 500, 1448, 9000};
	static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", "POST ",
					    "HTTP/1.1 101 \r\n\r\n", "\x16\x03\x01"};
	static u32 next[2]; /* so that what comes belongs to what was, mostly */
	uint8_t how = more();
	struct env_packet p = {
		.request = op & 1,
		.v6 = op & 2,
		.flags = more(),
		.client_port = (op & 0x0c) ? 0 : 80,
		.key = (op & 0x30) ? 0 : more(),
		.fragment = (how & 0x38) ? 0 : (u16)more4(),
		.len = lengths[how & 7],
	};

	p.seq = next[!p.request];
	p.ack = next[p.request];
	if (how & 0x40)
		p.seq += (u32)(int8_t)more() * (how & 0x80 ? 1000000 : 1);
	if (how & 0x80)
		p.ack += (u32)(int8_t)more();
	if (op == 0x7f)
		p.seq = more4();
	if (op & 0x40)
		p.cut = more() * (how & 0x10 ? 1 : 50);
	env.text[p.request].p = texts[more() & 3];
	env.text[p.request].n = (u32)strlen(env.text[p.request].p);
	env.text[p.request].first = p.seq;
	next[!p.request] = p.seq + p.len;
	env.now += (u64)more() << (op & 8 ? 24 : 4);
	env_send(&p);
}

/* Bytes of the input as they are. */
static void any_bytes(void)
{
	u32 n = more();
	uint8_t *copy;

	n = n < in.n ? n : (u32)in.n;
	copy = malloc(n + 1);
	assert(copy);
	memcpy(copy, in.p, n);
	in.p += n;
	in.n -= n;
	env_frame(copy, n, n + (more() & 1 ? 1000 : 0), more() & 1 ? LINK_IPV6 : LINK_IPV4);
	free(copy);
}

static void play_anything(void)
{
	while (in.n) {
		uint8_t op = more();
		struct exchange x = {.cookie = op & 3};

		if (!(op & 0x80))
			any_packet(op);
		else if (op & 0x40)
			any_bytes();
		else if (op & 0x20)
			tap_file.mark(&env.requests, &x, op & 4 ? MARK_FOLLOW : MARK_STREAM);
		else
			env_finish();
	}
	env_finish();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in.p = data;
	in.n = size;
	env_reset(on_record);
	memset(bytes, 0, sizeof(bytes));
	for (int i = 0; i < COOKIES; i++)
		ended[i] = -1;
	valid = more() % 2 == 0;
	if (valid)
		play_tcp();
	else
		play_anything();
	tap_file.close(&env.requests);
	return 0;
}
