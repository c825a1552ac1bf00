// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* hello: process name and pid at each accept. The example of docs/ADDING-A-TOOL.md: a whole tool,
 * as small as one can be. */
#include "tools/hello/hello.h"

#include "hello.skel.h"
#include "loader/session.h"

struct hello_row {
	struct row row;
	int64_t time;
	struct text comm;
	uint64_t pid, fd;
};

static const struct column columns[] = {
	{"time", "TIME", COL_TIME, UNIT_NONE, offsetof(struct hello_row, time), 12, COLUMN_SHOWN,
	 .help = "when accept returned"},
	{"comm", "COMM", COL_TEXT, UNIT_NONE, offsetof(struct hello_row, comm), 16, COLUMN_SHOWN,
	 .help = "name of the process that accepted"},
	{"pid", "PID", COL_UINT, UNIT_NONE, offsetof(struct hello_row, pid), 8, COLUMN_SHOWN,
	 .help = "its process id"},
	{"fd", "FD", COL_UINT, UNIT_NONE, offsetof(struct hello_row, fd), 6, 0,
	 .help = "descriptor of the new connection in that process"},
};

static const struct schema schema = {columns, ARRAY_SIZE(columns)};

static int on_accept(struct session *s, const struct record *rec)
{
	const struct hello_accept *a = (const struct hello_accept *)rec;
	struct hello_row row = {
		.row.known = (1 << ARRAY_SIZE(columns)) - 1,
		.time = session_wall(s, a->now_ns),
		.comm = text_in(a->comm, sizeof(a->comm)),
		.pid = a->pid,
		.fd = (uint64_t)a->fd,
	};

	return session_row(s, &row.row);
}

static const struct record_handler records[] = {{sizeof(struct hello_accept), on_accept}};

static int hello_open(struct session *s, void *conf)
{
	struct hello_bpf *k = hello_bpf__open();
	int r;

	(void)conf;
	if (!k)
		return session_fail(s, -errno, "cannot open the BPF object: %s", strerror(errno));
	k->rodata->filter = *session_filter(s);
	r = SESSION_LOAD(s, k, hello_bpf);
	return r ? r : session_attach(s);
}

const struct tool tool_hello = {
	.manual =
		{
			.name = "hello",
			.brief = "print the process name and pid at each accept",
			.operands = "",
			.about = "The smallest complete tool, and the one that "
				 "docs/ADDING-A-TOOL.md walks "
				 "through: a line for each connection that a process accepts by "
				 "accept(2) or "
				 "accept4(2).",
			.schema = &schema,
			.examples =
				(const struct example[]){
					{"tapline hello", "every accept on this host"},
					{"tapline hello -p 1234 -n 10",
					 "the next ten accepts of process 1234"},
					{NULL, NULL},
				},
			.overhead = "Two tracepoint programs, which run when accept returns and at "
				    "no other "
				    "time.",
			.limits = "Accepts by io_uring are not system calls and are not seen; "
				  "--port and "
				  "--net do not apply, as the address is not looked at.",
		},
	.needs = NEED_ROOT | NEED_BTF | NEED_RINGBUF,
	.open = hello_open,
	.records = records,
	.n_records = ARRAY_SIZE(records),
};
