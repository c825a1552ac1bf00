// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* For the tests of follow: a connection's two directions as TCP numbers them, and what is handed on
 * as text, one word a pair: "/path:status", "-" for no message, "?" for a message whose path or
 * status is not known, "~" behind one that was cut, "!" for a gap. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "call/follow.h"

#define MS INT64_C(1000000)

enum { RSP, REQ };

static char out[65536];
static struct follow_message last[2]; /* the pair handed on last, texts aside */
static bool last_expected;

static UNUSED void on_pair(void *arg, const struct follow_pair *p)
{
	const struct follow_message *q = p->request, *r = p->response;
	size_t n = strlen(out);

	(void)arg;
	assert_true(q || r);
	n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.*s%s:", out[0] ? " " : "",
			      q && q->m.path.p ? (int)q->m.path.len : 1,
			      !q            ? "-"
			      : q->m.path.p ? q->m.path.p
					    : "?",
			      q && q->cut ? "~" : "");
	if (r && r->m.status)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%u", r->m.status);
	else
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", r ? "?" : "-");
	(void)snprintf(out + n, sizeof(out) - n, "%s%s", r && r->cut ? "~" : "", p->gap ? "!" : "");
	last[REQ] = q ? *q : (struct follow_message){0};
	last[RSP] = r ? *r : (struct follow_message){0};
	last_expected = q && q->m.expect_continue;
}

static UNUSED struct follow *new_follow(uint32_t connections, uint32_t messages, uint32_t runs)
{
	const struct follow_conf conf = {
		.connections = connections, .messages = messages, .runs = runs, .pair = on_pair};
	struct follow *f = NULL;

	out[0] = '\0';
	assert_int_equal(follow_new(&conf, &f), 0);
	return f;
}

/* One connection's two directions as TCP numbers them; starts close to where numbers wrap. */
static struct wire {
	uint64_t cookie;
	uint32_t next[2]; /* by direction: the next sequence number */
	uint64_t now_ns;
} wire;

static UNUSED void new_wire(uint64_t cookie)
{
	wire = (struct wire){.cookie = cookie, .next = {0xffffff00, 0xfffffff0}, .now_ns = 1000};
}

static UNUSED void feed(struct follow *f, int request, uint32_t seq, const void *bytes,
			uint32_t length, uint32_t captured)
{
	struct {
		struct payload p;
		uint8_t bytes[PAYLOAD_MAX];
	} r = {0};

	r.p.cookie = wire.cookie;
	r.p.now_ns = wire.now_ns;
	r.p.seq = seq;
	r.p.ack = wire.next[!request];
	r.p.length = length;
	r.p.captured = (uint16_t)captured;
	r.p.request = (uint8_t)request;
	r.p.r.size = (uint32_t)sizeof(r.p) + captured;
	if (captured)
		memcpy(r.bytes, bytes, captured);
	assert_int_equal(follow_feed(f, &r.p), 0);
}

/* The next bytes of a direction, of which only so many are captured. */
static UNUSED void send_cut(struct follow *f, int request, const char *s, uint32_t length,
			    uint32_t captured)
{
	feed(f, request, wire.next[request], s, length, captured);
	wire.next[request] += length;
}

static UNUSED void send_text(struct follow *f, int request, const char *s)
{
	send_cut(f, request, s, (uint32_t)strlen(s), (uint32_t)strlen(s));
}

/* What the other side had seen when it sent this: all but the last bytes. */
static UNUSED void send_early(struct follow *f, int request, const char *s, uint32_t unseen)
{
	wire.next[!request] -= unseen;
	send_text(f, request, s);
	wire.next[!request] += unseen;
}

/* Bytes that are on the wire and whose record was lost. */
static UNUSED void lose_record(int request, uint32_t length)
{
	wire.next[request] += length;
}

static UNUSED void handed(const char *want)
{
	assert_string_equal(out, want);
	out[0] = '\0';
}

#define GET(path)     "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK(body, len) "HTTP/1.1 200 OK\r\nContent-Length: " len "\r\n\r\n" body
