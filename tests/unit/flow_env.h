// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The file tap of `requests`, and so the engine for flows, without a file and a session: packets
 * that are made here go in, records come out. For tests and fuzzers. */
#pragma once

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "known_bytes.h"
#include "loader/capture_in.h"
#include "tools/requests/requests.h"

static struct {
	struct requests requests;
	struct filter filter;
	u64 now;
	/* Takes each record; it may be gone afterwards. */
	void (*record)(const struct record *r);
	struct known_text text[2]; /* of responses, of requests */
} env;

#include "tools/requests/tap_file.c"

/* ---- what is around the tap ---- */

int requests_take(struct requests *r, const struct exchange *x)
{
	(void)r;
	assert(x->r.kind == RECORD_EXCHANGE);
	assert(x->r.size >= sizeof(*x) + x->request_head + x->response_head);
	env.record(&x->r);
	return 0;
}

int followed_payload(struct session *s, const struct record *rec)
{
	(void)s;
	assert(rec->kind == RECORD_PAYLOAD);
	env.record(rec);
	return 0;
}

const struct filter *session_filter(const struct session *s)
{
	(void)s;
	return &env.filter;
}

int session_fail(struct session *s, int error, const char *format, ...)
{
	(void)s;
	(void)format;
	return error;
}

bool requests_ssh_shown(const struct requests *r)
{
	(void)r;
	return false;
}

struct wire_tap requests_wire_tap(const struct requests *r)
{
	(void)r;
	return (struct wire_tap){0};
}

void frames_keep(struct requests *r, uint64_t cookie, uint32_t number, const struct frame *f,
		 uint32_t index)
{
	(void)r;
	(void)cookie;
	(void)number;
	(void)f;
	(void)index;
}

int capture_in_open(struct session *s, const char *path, const struct wire_tap *t,
		    struct capture_in **out)
{
	(void)s;
	(void)path;
	(void)t;
	(void)out;
	return -ENOENT;
}

int capture_in_next(struct capture_in *c, struct frame *f, struct link *l)
{
	(void)c;
	(void)f;
	(void)l;
	return 0;
}

void capture_in_free(struct capture_in *c)
{
	(void)c;
}

void capture_in_ledger(const struct capture_in *c, struct buf *b)
{
	(void)c;
	(void)b;
}

void ledger_line(struct buf *b, const char *name, uint64_t value, const char *what)
{
	(void)b;
	(void)name;
	(void)value;
	(void)what;
}

/* ---- what tests call ---- */

static inline void env_reset(void (*record)(const struct record *r))
{
	if (env.requests.file)
		tap_file.close(&env.requests);
	memset(&env, 0, sizeof(env));
	env.requests.file = calloc(1, sizeof(*env.requests.file));
	assert(env.requests.file);
	env.record = record;
	env.now = 1000000;
}

/* The end of the file. */
static inline void env_finish(void)
{
	env.requests.now_ns = env.now;
	(void)tap_file.sweep(&env.requests, 0, true);
}

/* The payload where none is given. */
static inline u8 env_byte(bool request, u32 seq)
{
	return known_byte(&env.text[request], request, seq);
}

/* 10.0.0.1:40000 -> 10.0.0.2:80, or fd00::1 -> fd00::2, unless told otherwise. */
struct env_packet {
	bool request, v6;
	u8 flags;
	u8 client, server;            /* last bytes of their addresses; 0: 1 and 2 */
	u16 client_port, server_port; /* 0: 40000 and 80 */
	u16 fragment;                 /* of an IPv4 header, as it stands there */
	u32 seq, ack, len;
	u32 cut;             /* bytes at the end that were not captured */
	u32 key;             /* of GRE around it; 0: none */
	const void *payload; /* NULL: env_byte() of each byte's sequence number */
};

#define ENV_PACKET_MAX (65536 + 128)

static inline u8 *env_put(u8 *at, u32 value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (u8)(value >> (8 * (bytes - 1 - i)));
	return at + bytes;
}

/* RFC 791 3.1, RFC 8200 3; addresses are those of the two ends. */
static inline u8 *env_ip(u8 *at, const struct env_packet *p, u8 protocol, u32 length, bool v6)
{
	u8 ends[2] = {p->client ? p->client : 1, p->server ? p->server : 2};

	if (v6) {
		memset(at, 0, 40);
		at[0] = 0x60;
		env_put(at + 4, length, 2);
		at[6] = protocol;
		at[8] = at[24] = 0xfd;
		at[23] = ends[!p->request];
		at[39] = ends[p->request];
		return at + 40;
	}
	memset(at, 0, 20);
	at[0] = 0x45;
	env_put(at + 2, 20 + length <= 65535 ? 20 + length : 0, 2);
	env_put(at + 6, p->fragment, 2);
	at[9] = protocol;
	at[12] = at[16] = 10;
	at[15] = ends[!p->request];
	at[19] = ends[p->request];
	return at + 20;
}

/* RFC 9293 3.1. */
static inline u8 *env_tcp(u8 *at, const struct env_packet *p)
{
	u16 ports[2] = {p->client_port ? p->client_port : 40000,
			p->server_port ? p->server_port : 80};

	memset(at, 0, 20);
	env_put(at, ports[!p->request], 2);
	env_put(at + 2, ports[p->request], 2);
	env_put(at + 4, p->seq, 4);
	env_put(at + 8, p->ack, 4);
	at[12] = 5 << 4;
	at[13] = p->flags;
	at += 20;
	for (u32 i = 0; i < p->len; i++)
		at[i] = p->payload ? ((const u8 *)p->payload)[i] : env_byte(p->request, p->seq + i);
	return at + p->len;
}

static inline void env_frame(const u8 *bytes, u32 captured, u32 length, u16 ethertype)
{
	struct frame f = {.time_ns = (int64_t)env.now,
			  .captured = captured,
			  .length = length,
			  .bytes = bytes};
	struct link l = {.ethertype = ethertype};

	(void)take(&env.requests, &f, &l);
}

/* Past the tap. Bytes are in a place of their own, so that a read behind them is seen. */
static inline void env_send(const struct env_packet *p)
{
	static u8 room[ENV_PACKET_MAX];
	u32 inner = (p->v6 ? 40 : 20) + 20 + p->len, length, captured;
	u8 *at = room, *copy;

	if (p->key) { /* RFC 2890 2 */
		at = env_ip(at, p, 47, 8 + inner, false);
		at = env_put(at, 0x2000, 2);
		at = env_put(at, p->v6 ? LINK_IPV6 : LINK_IPV4, 2);
		at = env_put(at, p->key, 4);
	}
	at = env_tcp(env_ip(at, p, 6, 20 + p->len, p->v6), p);
	length = (u32)(at - room);
	captured = p->cut < length ? length - p->cut : 0;
	copy = malloc(captured ? captured : 1);
	assert(copy);
	memcpy(copy, room, captured);
	env_frame(copy, captured, length, p->v6 && !p->key ? LINK_IPV6 : LINK_IPV4);
	free(copy);
}
