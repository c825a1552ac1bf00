// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A connection's segments past the file tap, its records out as text (record_text.h). For tests
 * that say each segment. */
#pragma once

#include "flow_env.h"
#include "record_text.h"

static struct env_packet base; /* what all packets of a test have in common */

static void begin(void)
{
	env_reset(on_record);
	out[0] = '\0';
	memset(&last, 0, sizeof(last));
	memset(&base, 0, sizeof(base));
	first[0] = 1000;
	first[1] = 70000;
}

/* A segment from `at` on, when the sender had seen `acked` bytes of the other direction. */
static void play(bool request, u32 at, u32 acked, const char *text, u8 flags)
{
	struct env_packet p = base;

	p.request = request;
	p.flags = flags;
	p.seq = first[!request] + at;
	p.ack = flags & FLOW_ACK ? first[request] + acked : 0;
	p.len = (u32)strlen(text);
	p.payload = text;
	env.now += 1000;
	env_send(&p);
}

static void req(u32 at, u32 acked, const char *text)
{
	play(true, at, acked, text, FLOW_ACK | FLOW_PSH);
}

static void rsp(u32 at, u32 acked, const char *text)
{
	play(false, at, acked, text, FLOW_ACK | FLOW_PSH);
}

static void fin(bool request, u32 at, u32 acked)
{
	play(request, at, acked, "", FLOW_ACK | FLOW_FIN);
}

static void handshake(void)
{
	play(true, (u32)-1, 0, "", FLOW_SYN);
	play(false, (u32)-1, 0, "", FLOW_SYN | FLOW_ACK);
	play(true, 0, 0, "", FLOW_ACK);
}
