// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* One end's segments in, its records out as text: "#0 next 5+7 'hello' 'goodbye'" is exchange 0,
 * ended by the next request, of 5 and 7 bytes. For tests that say each segment. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "turn_env.h"

enum { REQUESTER, RESPONDER };

static struct env_sock *s;
static u32 first[2]; /* sequence numbers: of requests, of responses */
static char out[8192];
static struct exchange last;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
	size_t n = strlen(out);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(out + n, sizeof(out) - n, format, args);
	va_end(args);
}

static void put_head(const char *head, u32 n)
{
	if (n > 20)
		put(" '%.8s..%u'", head, n);
	else
		put(" '%.*s'", (int)n, head);
}

static void on_record(const struct record *r)
{
	static const char *const ends[] = {"next", "fin", "close", "sweep"};
	static const char *const flags[] = {"midway", "gap",   "reset",  "stream", "overlap",
					    "follow", "local", "reqfin", "rspfin"};
	const struct exchange *x = (const struct exchange *)r;
	const struct payload *p = (const struct payload *)r;
	const char *bytes = (const char *)(x + 1);

	if (out[0])
		put("; ");
	if (r->kind == RECORD_SILENT) {
		const struct silent *q = (const struct silent *)r;

		put("%s, of %u", q->closed ? "closed" : "silent", q->owner.pid);
		return;
	}
	if (r->kind == RECORD_PAYLOAD) {
		put("#%u %s@%u", p->number, p->request ? "req" : "rsp",
		    p->seq - first[p->request ? 0 : 1]);
		put_head((const char *)(p + 1), p->captured);
		return;
	}
	last = *x;
	put("#%u %s %llu+%llu", x->number, ends[x->end], (unsigned long long)x->request_bytes,
	    (unsigned long long)x->response_bytes);
	put_head(bytes, x->request_head);
	put_head(bytes + x->request_head, x->response_head);
	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (x->flags >> i & 1)
			put(" %s", flags[i]);
	if (x->retransmits)
		put(" retr=%u", x->retransmits);
}

/* What came since the last look. */
#define records(expected)                                                                          \
	do {                                                                                       \
		assert_string_equal(out, expected);                                                \
		out[0] = '\0';                                                                     \
	} while (0)

static void begin_on(int end, u32 request, u32 response, bool loopback)
{
	out[0] = '\0';
	memset(&last, 0, sizeof(last));
	env_reset(on_record);
	first[0] = request;
	first[1] = response;
	s = env_open(0, end == REQUESTER);
	if (loopback) {
		s->bpf.src_ip4 = s->k.sock.__sk_common.skc_rcv_saddr = bpf_htonl(0x7f000001);
		s->bpf.dst_ip4 = s->k.sock.__sk_common.skc_daddr = bpf_htonl(0x7f000001);
	}
	env_establish(s, end == REQUESTER, first[end == RESPONDER], first[end == REQUESTER]);
}

static void begin_at(int end, u32 request, u32 response)
{
	begin_on(end, request, response, false);
}

static void begin(int end)
{
	begin_at(end, 1000, 70000);
}

/* A segment from `at` on, when the sender had seen `acked` bytes of the other direction. */
static void play(bool request, u32 at, u32 acked, const char *text, u32 len, u8 flags)
{
	bool egress = request == (s->bpf.src_port == 40000);
	struct env_segment seg = {.egress = egress,
				  .request = request,
				  .seq = first[!request] + at,
				  .ack = first[request] + acked,
				  .len = len,
				  .flags = (u8)(TCP_ACK | flags),
				  .payload = text};

	env.now += 1000;
	if (egress)
		env_numbers(s, seg.seq, seg.ack);
	env_play(s, &seg);
}

static void req(u32 at, u32 acked, const char *text)
{
	play(true, at, acked, text, (u32)strlen(text), TCP_PSH);
}

static void rsp(u32 at, u32 acked, const char *text)
{
	play(false, at, acked, text, (u32)strlen(text), TCP_PSH);
}

static void finish(void)
{
	env_close(s);
}

#define both_ends(end) for (int end = REQUESTER; end <= RESPONDER; end++)
