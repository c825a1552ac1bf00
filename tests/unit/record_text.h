// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Records as text: "#0 next 5+7 'hello' 'goodbye'" is exchange 0, ended by the next request, of 5
 * and 7 bytes. For tests that play segments to a tap, whichever it is. */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "abi/exchange.h"

static u32 first[2]; /* sequence numbers: of requests, of responses */
static char out[8192];
static struct exchange last;
static u8 last_heads[HEADS_MAX];

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
	memcpy(last_heads, bytes, x->request_head + x->response_head);
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
