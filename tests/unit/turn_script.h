// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* One end's segments in, its records out as text (record_text.h). For tests that say each segment.
 */
#pragma once

#include "record_text.h"
#include "turn_env.h"

enum { REQUESTER, RESPONDER };

static struct env_sock *s;
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
