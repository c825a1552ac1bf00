// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the files of conns share: options, the run, and how a record becomes a row. */
#pragma once

#include "host/process.h"
#include "loader/session.h"
#include "tools/conns/conns.h"

struct conns_conf {
	struct opt_list events;
	bool open;
	uint64_t transport; /* enum transport_kind */
};

#define DROP_REASONS 512

/* Names of the kernel's drop reasons, which differ from kernel to kernel. */
struct drop_reasons {
	char *names[DROP_REASONS]; /* by number; NULL: it has none */
	unsigned arguments;        /* of the tracepoint kfree_skb */
};

struct conns {
	struct session *session;
	const struct conns_conf *conf;
	struct processes *processes;
	struct drop_reasons drops;
	int show; /* --open: the iterator */
};

/* Reads the kernel's BTF. 0 or -errno: there is none, or no drop reasons in it. */
int drop_reasons_read(struct drop_reasons *d);
/* The number of a name, or 0: this kernel has no such reason. */
uint32_t drop_reason(const struct drop_reasons *d, const char *name);
void drop_reasons_free(struct drop_reasons *d);

extern const struct schema conns_schema;
extern const char *const conn_kind_names[]; /* by enum conn_kind, NULL-terminated */

/* A record's row: prints it. 0 or what session_row says. counted: NULL, or e with its counters. */
int conns_row(struct conns *c, const struct conn_event *e, const struct conn_counted *counted);
