// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* For the tests of join: records of ends, and what is handed on as text, one word a call:
 * "cookie.number+cookie.number", requester first, "-" for no end, "s" behind a snapshot. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "call/join.h"

#define HOLD 100
#define SEED 0x5eed

enum { REQ = ROLE_REQUESTER, RSP = ROLE_RESPONDER, UNK = ROLE_UNKNOWN };

static char out[4096];
static uint64_t whole_from; /* complete: every end that is there has so many response bytes */

static UNUSED void put(const char *before, const struct exchange *x)
{
	size_t n = strlen(out);

	if (!x)
		(void)snprintf(out + n, sizeof(out) - n, "%s-", before);
	else
		(void)snprintf(out + n, sizeof(out) - n, "%s%u.%u%s", before, (unsigned)x->cookie,
			       x->number, x->end == END_SWEEP ? "s" : "");
}

static UNUSED void on_done(void *arg, const struct exchange *req, const struct exchange *rsp)
{
	(void)arg;
	put(out[0] ? " " : "", req);
	put("+", rsp);
}

static UNUSED bool is_complete(void *arg, const struct exchange *req, const struct exchange *rsp)
{
	(void)arg;
	assert_true(req || rsp);
	return whole_from && (!req || req->response_bytes >= whole_from) &&
	       (!rsp || rsp->response_bytes >= whole_from);
}

static UNUSED struct join *new_join_holding(uint32_t entries, uint32_t remembered,
					    uint64_t paired_hold_ns)
{
	const struct join_conf conf = {.entries = entries,
				       .remembered = remembered,
				       .hold_ns = HOLD,
				       .paired_hold_ns = paired_hold_ns,
				       .seed = SEED,
				       .done = on_done,
				       .complete = is_complete};
	struct join *j = NULL;

	out[0] = '\0';
	whole_from = 0;
	assert_int_equal(join_new(&conf, &j), 0);
	return j;
}

static UNUSED struct join *new_join(uint32_t entries, uint32_t remembered)
{
	return new_join_holding(entries, remembered, HOLD);
}

/* What one end saw; key stands for both sequence numbers. */
static UNUSED struct exchange end_of(unsigned cookie, unsigned number, uint8_t role, uint32_t key)
{
	return (struct exchange){.r.size = sizeof(struct exchange),
				 .cookie = cookie,
				 .number = number,
				 .role = role,
				 .end = END_NEXT,
				 .join_seq = key,
				 .join_ack = key ? ~key : 0,
				 .first_seq = key,
				 .first_ack = key ? ~key : 0,
				 .request_bytes = 1,
				 .local_port = role == REQ ? 40000 : 80,
				 .remote_port = role == REQ ? 80 : 40000};
}

static UNUSED struct exchange snapshot_of(unsigned cookie, unsigned number, uint8_t role,
					  uint32_t key, uint64_t response_bytes)
{
	struct exchange x = end_of(cookie, number, role, key);

	x.end = END_SWEEP;
	x.response_bytes = response_bytes;
	return x;
}

static UNUSED void add(struct join *j, struct exchange x, uint64_t now)
{
	assert_int_equal(join_add(j, &x, now), 0);
}

/* Compares and clears what was handed on. */
static UNUSED void handed(const char *want)
{
	assert_string_equal(out, want);
	out[0] = '\0';
}

static UNUSED void check_account(const struct join *j)
{
	const struct join_counts c = join_counts(j);

	assert_int_equal(c.taken, 2 * c.joined + c.told + c.alone + c.replaced + c.swallowed +
					  c.forgotten + c.held);
}
