// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The socket tap under any traffic. Even inputs drive two TCP ends over a bad network: no byte may
 * be counted twice or left out. Odd ones are segments and events that make no sense: nothing may
 * break. */
#include "../unit/turn_sim.h"

static struct {
	const uint8_t *p;
	size_t n;
} in;
static struct sim sim;

static struct {
	u64 cookie, bytes[2]; /* of final records: requests, responses */
	s64 ended;            /* the last exchange that did */
} account[ENV_SOCKETS];

static uint8_t take(void)
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
	v = take();
	if (n > 256)
		v = v << 16 | (u32)take() << 8 | take();
	return v % n;
}

static void check_heads(const struct exchange *x)
{
	const u8 *b = (const u8 *)(x + 1);
	u32 n = x->request_head;

	assert((u64)n <= x->request_bytes && x->response_head <= x->response_bytes);
	if (x->flags & EX_GAP)
		return;
	for (u32 i = 0; i < n; i++)
		assert(b[i] == env_byte(true, x->join_seq + i) || x->flags & EX_STREAM);
}

static bool valid; /* what is played is TCP */

static void on_exchange(const struct exchange *x)
{
	int i = x->cookie == account[0].cookie ? 0 : 1;

	assert(x->cookie == account[i].cookie && x->end <= END_SWEEP && x->role <= ROLE_RESPONDER);
	assert(x->request_head <= REQUEST_HEAD_MAX && x->response_head <= RESPONSE_HEAD_MAX);
	assert(x->request_head + x->response_head <= HEADS_MAX);
	assert(x->r.size >= sizeof(*x) + x->request_head + x->response_head);
	assert((s64)x->number > account[i].ended);
	if (valid)
		check_heads(x);
	if (x->end == END_SWEEP)
		return;
	account[i].ended = x->number;
	account[i].bytes[0] += x->request_bytes;
	account[i].bytes[1] += x->response_bytes;
}

static void on_record(const struct record *r)
{
	const struct payload *p = (const struct payload *)r;
	const u8 *b = (const u8 *)(p + 1);

	if (r->kind == RECORD_EXCHANGE) {
		on_exchange((const struct exchange *)r);
		return;
	}
	if (r->kind == RECORD_SILENT)
		return;
	assert(r->kind == RECORD_PAYLOAD && r->size >= sizeof(*p) + p->captured);
	assert(p->captured <= PAYLOAD_MAX && p->captured <= p->length);
	for (u32 i = 0; valid && i < p->captured; i++)
		assert(b[i] == env_byte(p->request, p->seq + i));
}

/* ---- TCP ---- */

/* What this end's tap was shown is in its final records or in the exchange that is going on. */
static void check_sums(void)
{
	for (int end = 0; end < 2; end++) {
		const struct conn *c = &env.sock[end].conn;
		u64 bytes[2] = {account[end].bytes[0], account[end].bytes[1]};

		if (c->phase != PHASE_IDLE)
			bytes[0] += c->request_bytes;
		if (c->phase >= PHASE_RESPONSE)
			bytes[1] += c->response_bytes;
		assert(bytes[0] == (end ? sim.d[0].seen : sim.d[0].sent));
		assert(bytes[1] == (end ? sim.d[1].sent : sim.d[1].seen));
	}
}

static void act(void)
{
	uint8_t op = take();
	unsigned d = op & 1;

	switch (op >> 1 & 7) {
	case 0 ... 1:
		if (!sim.d[d].fin)
			sim.d[d].written += 1 + take();
		break;
	case 2:
		if (!sim.d[d].fin && sim.d[d].written < 200000)
			sim.d[d].written += (u64)take() << 7;
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
		env_sweep(&env.sock[d]);
		break;
	case 6:
		env.pid = op >> 4;
		env_use(&env.sock[d], op >> 4 & 1);
		break;
	default:
		sim.d[d].fin = op >> 4 == 15;
		break;
	}
}

static void play_tcp(void)
{
	static const char requests[] = "GET /index HTTP/1.1\r\nHost: h\r\n\r\n";
	static const char responses[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	u32 request = pick(4) ? pick(1u << 24) << 8 : 0u - pick(1000);

	sim_start(&sim, pick, request, pick(4) ? pick(1u << 24) << 8 : 0u - pick(1000));
	if (pick(2)) {
		env.text[1].p = requests;
		env.text[1].n = sizeof(requests) - 1;
		env.text[1].first = sim.d[0].first;
		env.text[0].p = responses;
		env.text[0].n = sizeof(responses) - 1;
		env.text[0].first = sim.d[1].first;
	}
	sim.mss = 1 + pick(1u << 12);
	sim.loss = pick(64);
	sim.doubled = pick(64);
	sim.reorder = pick(256);
	while (in.n) {
		act();
		check_sums();
	}
	sim.d[0].fin = sim.d[1].fin = true;
	sim_settle(&sim, 0);
	sim_settle(&sim, 1);
	check_sums();
	for (int i = 0; i < 2; i++) {
		env_state(&env.sock[i], BPF_TCP_CLOSE);
		assert(account[i].bytes[0] == sim.d[0].written);
		assert(account[i].bytes[1] == sim.d[1].written);
	}
}

/* ---- anything ---- */

static void any_segment(struct env_sock *s, uint8_t op)
{
	static const u32 lengths[] = {0, 1, 5, 40, 300, 1448, 65000, 400000};
	static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", "POST ",
					    "HTTP/1.1 101 \r\n\r\n", "\x16\x03\x01"};
	struct env_segment seg = {.egress = op & 1, .flags = take()};
	uint8_t how = take();
	bool request = (s->conn.role == ROLE_REQUESTER) == seg.egress;

	seg.request = request;
	seg.len = lengths[how & 7];
	seg.seq = s->conn.next[!request];
	seg.ack = s->conn.next[request];
	if (how & 8)
		seg.seq += (u32)(int8_t)take() * (how & 16 ? 100 : 1);
	if (how & 32)
		seg.ack += (u32)(int8_t)take() * (how & 16 ? 100 : 1);
	if ((how & 0xc0) == 0xc0)
		seg.seq = (u32)take() << 24 | (u32)take() << 16 | take();
	env.text[request].p = texts[take() & 3];
	env.text[request].n = (u32)strlen(env.text[request].p);
	env.text[request].first = seg.seq;
	env.now += (u64)take() << (op & 2 ? 24 : 4);
	env_play(s, &seg);
}

static void any_event(struct env_sock *s, uint8_t op)
{
	switch (op >> 3 & 7) {
	case 0:
		env_state(s, take() % (BPF_TCP_NEW_SYN_RECV + 1));
		break;
	case 1:
		env_numbers(s, (u32)take() << 24, (u32)take() << 24);
		break;
	case 2:
		marks_used = 1 << ROLE_REQUESTER | 1 << ROLE_RESPONDER;
		env.mark[0].key = s->cookie;
		env.mark[0].value = take() & 3;
		break;
	case 3:
		env.pid = take();
		env_use(s, op & 1);
		break;
	case 4:
		s->bpf.state = take() % (BPF_TCP_NEW_SYN_RECV + 1);
		break;
	case 5:
		sweep_all = op & 1;
		env_sweep(s);
		break;
	default:
		break;
	}
}

static void play_anything(void)
{
	env_open(0, take() & 1);
	env_open(1, take() & 1);
	while (in.n) {
		uint8_t op = take();
		struct env_sock *s = &env.sock[op >> 2 & 1];

		if (op & 0x80)
			any_event(s, op);
		else
			any_segment(s, op);
	}
	sweep_all = false;
	env_state(&env.sock[0], BPF_TCP_CLOSE);
	env_state(&env.sock[1], BPF_TCP_CLOSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in.p = data;
	in.n = size;
	env_reset(on_record);
	memset(account, 0, sizeof(account));
	account[0].ended = account[1].ended = -1;
	account[0].cookie = 1;
	account[1].cookie = 2;
	valid = take() % 2 == 0;
	if (!valid) {
		play_anything();
		return 0;
	}
	play_tcp();
	return 0;
}
