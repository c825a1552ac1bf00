// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The contract of a subcommand. To add one:
 *   1. src/tools/NAME/NAME.c with a `const struct tool tool_NAME`,
 *      NAME.bpf.c if it has a program of its own, NAME.h for what the two share;
 *   2. one line TOOL(NAME) in src/tools.list;
 *   3. src/tools/NAME/test.py, its end-to-end test.
 * Help, man page, completion and the README's table come from `manual`; docs/ADDING-A-TOOL.md walks
 * through `hello`. The session owns the loop, signals, ring and outputs: a tool declares and
 * handles.
 */
#pragma once

#include "abi/record.h"
#include "output/manual.h"

struct session;

/* What a tool cannot run without; checked before open, and said in one sentence. */
enum need {
	NEED_ROOT = 1 << 0,    /* the capabilities that loading takes */
	NEED_BTF = 1 << 1,     /* /sys/kernel/btf/vmlinux */
	NEED_RINGBUF = 1 << 2, /* BPF_MAP_TYPE_RINGBUF, 5.8 */
	NEED_CGROUP2 = 1 << 3, /* cgroup v2; mounted privately where it is not mounted */
	NEED_STORAGE = 1 << 4, /* socket storage reachable from tracing programs, 5.11 */
	NEED_NET_RAW = 1 << 5, /* AF_PACKET sockets */
	NEED_PERF = 1 << 6,    /* perf event arrays, instead of a ring buffer */
	/* Atomic instructions that return what was there, 5.12; and what came with them: functions
	 * that are verified once may take pointers. */
	NEED_ATOMICS = 1 << 7,
};

/* One kind of record: its least size, and what to do with it. */
struct record_handler {
	uint32_t min_size;
	/* 0, or -errno that ends the run. rec is valid only during the call. */
	int (*handle)(struct session *s, const struct record *rec);
};

struct tool {
	struct manual manual;
	unsigned needs;
	/* Instead of needs, where they depend on the options: conf is filled in. A run from a file
	 * has none. May be NULL. */
	unsigned (*needs_for)(const void *conf);
	size_t conf_size;         /* of the struct that manual.opts write into, zeroed first */
	const void *conf_default; /* copied into it, or NULL */
	bool no_common_filter;    /* --pid, --port and so on make no sense here (doctor) */

	/* Opens skeletons, sets read-only data, loads and attaches by way of the session. 0 or
	 * -errno with the sentence said by session_fail; -ECANCELED, if what was asked for has been
	 * printed. A tool without a kernel side does its whole job. */
	int (*open)(struct session *s, void *conf);
	const struct record_handler *records; /* by record kind */
	unsigned n_records;

	/* Called each tick_ms (session_set_tick changes it) after the ring was drained. */
	int (*tick)(struct session *s, uint64_t now_ns);
	unsigned tick_ms;
	/* What was typed since the last call (loader/key.h), n of it, where the rows are a table on
	 * the terminal that this process has. Returns as tick does. NULL: it takes no keys. */
	int (*keys)(struct session *s, const uint16_t *keys, unsigned n);
	/* Once, at the end, after the last drain: what is still to be shown. */
	int (*finish)(struct session *s);
	/* Lines of its own in the ledger. */
	void (*ledger)(struct session *s, struct buf *out);
	void (*close)(struct session *s);
};

/* The register: NULL-terminated, in the order of src/tools.list. */
extern const struct tool *const tools[];
