// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Joining under any order of records: sockets that behave as the kernel's records do, each step
 * chosen by one byte. No call is handed on twice, none is lost, and no end stays in the pool. */
#include <assert.h>

#include "call/join.h"

#define SOCKETS 12
#define NUMBERS 4096 /* exchanges of a socket that are told apart */
#define HOLD    50

static struct {
	uint32_t number;
	bool begun;
	uint8_t handed[NUMBERS]; /* times that this exchange was handed on */
	uint8_t ended[NUMBERS];  /* 1: its final record was taken */
} sockets[SOCKETS];
static unsigned whole_every;

static void count(const struct exchange *x)
{
	uint8_t *times;

	if (!x)
		return;
	assert(x->cookie >= 1 && x->cookie <= SOCKETS && x->number < NUMBERS);
	times = &sockets[x->cookie - 1].handed[x->number];
	assert(*times == 0);
	++*times;
	for (uint32_t i = 0; i < (uint32_t)x->request_head + x->response_head; i++)
		assert(((const uint8_t *)(x + 1))[i] == (uint8_t)(x->cookie + x->number));
}

static void on_done(void *arg, const struct exchange *req, const struct exchange *rsp)
{
	(void)arg;
	assert(req || rsp);
	if (req && rsp) {
		assert(req->join_seq == rsp->join_seq && req->join_ack == rsp->join_ack);
		assert(req->cookie != rsp->cookie);
		assert(req->role != ROLE_RESPONDER && rsp->role != ROLE_REQUESTER);
	}
	count(req);
	count(rsp);
}

static void on_flight(void *arg, const struct exchange *req, const struct exchange *rsp)
{
	uint64_t *before = arg, first;

	assert(!req || req->end == END_SWEEP);
	assert(!rsp || rsp->end == END_SWEEP);
	first = req ? req->request_first_ns : rsp->request_first_ns;
	assert(first >= *before);
	*before = first;
}

static bool is_complete(void *arg, const struct exchange *req, const struct exchange *rsp)
{
	(void)arg;
	return whole_every && (!req || req->response_bytes % whole_every == 0) &&
	       (!rsp || rsp->response_bytes % whole_every == 0);
}

static void check(struct join *j)
{
	const struct join_counts c = join_counts(j);

	assert(c.taken == 2 * c.joined + c.alone + c.replaced + c.swallowed + c.forgotten + c.held);
}

/* Sockets 2k and 2k+1 are two ends of one connection, the last four of unknown role. */
static void record(struct join *j, unsigned i, uint32_t number, uint8_t end, uint64_t now)
{
	struct {
		struct exchange x;
		uint8_t heads[HEADS_MAX];
	} r;

	r.x = (struct exchange){.cookie = i + 1, .number = number, .end = end};
	r.x.role = i >= SOCKETS - 4 ? ROLE_UNKNOWN : i % 2 ? ROLE_RESPONDER : ROLE_REQUESTER;
	if (i / 2 != 1 || number % 4) { /* some have no key */
		r.x.join_seq = (i / 2 + 1) << 24 | number;
		r.x.join_ack = number * 3;
	}
	r.x.local_port = i % 2 ? 80 : 40000;
	r.x.remote_port = i % 2 ? 40000 : 80;
	r.x.request_first_ns = number * 7 + 1;
	r.x.response_bytes = now;
	r.x.now_ns = now;
	r.x.request_head = (uint16_t)(number % 200);
	r.x.response_head = (uint16_t)(now % 200);
	r.x.r.size = sizeof(r.x) + r.x.request_head + r.x.response_head;
	memset(r.heads, (int)(i + 1 + number), sizeof(r.heads));
	assert(join_add(j, &r.x, now) == 0);
	memset(&r, 0xee, sizeof(r));
	if (end != END_SWEEP)
		sockets[i].ended[number] = 1;
}

static uint64_t step(struct join *j, uint8_t op, uint64_t now)
{
	unsigned i = op % SOCKETS;
	uint32_t n = sockets[i].number;
	uint64_t oldest = 0;

	if (n == NUMBERS - 1)
		return now;
	switch (op / SOCKETS) {
	case 0 ... 6:
		record(j, i, n, END_NEXT, now);
		sockets[i].number++;
		break;
	case 7 ... 12:
		record(j, i, n, END_SWEEP, now);
		break;
	case 13: /* the sweep's copy comes just after the final record */
		record(j, i, n, END_CLOSE, now);
		record(j, i, n, END_SWEEP, now);
		sockets[i].number++;
		break;
	case 14: /* the final record was lost */
		sockets[i].number++;
		break;
	case 15: /* the next exchange's snapshot overtakes the final record */
		record(j, i, n + 1, END_SWEEP, now);
		record(j, i, n, END_FIN, now);
		sockets[i].number++;
		break;
	case 16 ... 17:
		join_expire(j, now);
		break;
	case 18:
		(void)join_in_flight(j, now - MIN(now, 100), 5, on_flight, &oldest);
		break;
	case 19:
		join_swept(j, now - op % 3);
		whole_every = op % 5;
		break;
	default:
		return now + op;
	}
	return now + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct join_conf conf = {.remembered = 1 << 13,
				 .hold_ns = HOLD,
				 .seed = 0x5eed,
				 .done = on_done,
				 .complete = is_complete};
	_cleanup_join_ struct join *j = NULL;
	uint64_t now = 1;

	if (size < 1)
		return 0;
	memset(sockets, 0, sizeof(sockets));
	whole_every = 0;
	conf.entries = 4 + data[0] % 32;
	if (join_new(&conf, &j))
		return 0;
	for (size_t k = 1; k < size; k++) {
		now = step(j, data[k], now);
		check(j);
		assert(join_counts(j).held <= conf.entries);
	}
	join_flush(j);
	check(j);
	assert(join_counts(j).held == 0);
	for (unsigned i = 0; i < SOCKETS; i++) {
		for (uint32_t n = 0; n < sockets[i].number; n++)
			assert(sockets[i].handed[n] >= sockets[i].ended[n]);
	}
	return 0;
}
