// SPDX-License-Identifier: GPL-2.0-only
/* hello, kernel side: a record when accept(2) or accept4(2) returns a connection.
 * The smallest complete tool: filter where it happens, reserve, fill, submit. */
#include "kernel/owner.bpf.h"

#include "tools/hello/hello.h"

/* The part of struct trace_event_raw_sys_exit that is read; it begins with 8 bytes of common
 * fields. */
struct sys_exit {
	u64 common;
	s64 id;
	s64 ret;
};

ALWAYS_INLINE int accepted(s64 fd)
{
	struct hello_accept *a;
	struct owner who;

	if (fd < 0)
		return 0;
	owner_of_current(&who);
	if (!filter_current(who.pid, who.comm))
		return 0;
	a = ring_reserve(sizeof(*a));
	if (!a)
		return 0;
	a->r.kind = 0;
	a->r.pad = 0;
	a->r.size = sizeof(*a);
	a->now_ns = bpf_ktime_get_ns();
	a->pid = who.pid;
	a->fd = fd;
	__builtin_memcpy(a->comm, who.comm, sizeof(a->comm));
	ring_submit(&a->r);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int hello_accept(struct sys_exit *ctx)
{
	return accepted(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int hello_accept4(struct sys_exit *ctx)
{
	return accepted(ctx->ret);
}
