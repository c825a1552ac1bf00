// SPDX-License-Identifier: GPL-2.0-only
/* Accepts. No hook has the new socket where kprobes and fexit are refused, so it is found by its
 * descriptor, in the process that runs when a system call or an operation of io_uring ends. */
#pragma once

#include "kernel/ends.bpf.h"
#include "kernel/owner.bpf.h"

/* What was accepted, or waits for it. By the socket's address, as the hook at accept cannot reach
 * its storage; forgotten when the socket is destroyed. */
struct accepted {
	u64 established_ns;
	struct owner who; /* pid 0: it waits */
	u32 pass;         /* 1: the filter asks for this process, or for none in particular */
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, u64);
	__type(value, struct accepted);
} accepts SEC(".maps");

/* The tool's: the process that runs now accepted sk, which may only be read as bytes. waited_ns: in
 * the listen queue; 0: not known, as it was there before the run. ctx: the program's. */
ALWAYS_INLINE void accept_done(void *ctx, const struct sock *sk, const struct ends *ends,
			       const struct owner *who, bool pass, u64 waited_ns);

/* A connection was established at an end that listens. One that has a struct socket was accepted
 * before (Fast Open). */
ALWAYS_INLINE void accept_waits(struct sock *sk, u64 now)
{
	struct accepted a = {.established_ns = now};
	u64 key = (u64)sk;

	if (BPF_CORE_READ(sk, sk_socket))
		return;
	if (bpf_map_update_elem(&accepts, &key, &a, BPF_ANY))
		count(COUNT_LOST_STATE, 1);
}

/* The socket of a descriptor of the process that runs now, or NULL. Read as bytes: it may be used
 * by no helper. */
ALWAYS_INLINE struct sock *socket_of_fd(s64 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = NULL;
	struct socket *socket;
	struct sock *sk;

	if (fd < 0 || fd >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), files + fd))
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	/* Both point at each other: else the file is none of a socket. */
	return sk && BPF_CORE_READ(sk, sk_socket) == socket ? sk : NULL;
}

ALWAYS_INLINE bool ends_of_bytes(const struct sock *sk, struct ends *e)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return false;
	if (family == 2) {
		addr_v4(e->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		addr_v4(e->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else if (family == 10) {
		BPF_CORE_READ_INTO(&e->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&e->remote, sk, __sk_common.skc_v6_daddr);
	} else {
		return false;
	}
	e->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	/* One that was reset while it waited has given its port back; inet_sport stays. */
	if (!e->local_port)
		e->local_port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	e->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	e->pad = 0;
	return true;
}

ALWAYS_INLINE int accepted_here(void *ctx, struct sock *sk, struct accepted *a)
{
	u64 waited_ns = a ? bpf_ktime_get_ns() - a->established_ns : 0;
	struct owner who;
	struct ends ends;
	bool pass;

	if (!ends_of_bytes(sk, &ends))
		return 0;
	owner_of_current(&who);
	pass = filter_current(who.pid, who.comm);
	if (a) {
		a->who = who;
		a->pass = pass;
	}
	accept_done(ctx, sk, &ends, &who, pass, waited_ns);
	return 0;
}

/* The part of struct trace_event_raw_sys_exit that is read; it begins with 8 bytes of common
 * fields. */
struct sys_exit {
	u64 common;
	s64 id;
	s64 ret;
};

ALWAYS_INLINE int accept_returned(void *ctx, s64 fd)
{
	struct sock *sk = socket_of_fd(fd);
	u64 key = (u64)sk;

	return sk ? accepted_here(ctx, sk, bpf_map_lookup_elem(&accepts, &key)) : 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int accept_exit(struct sys_exit *ctx)
{
	return accept_returned(ctx, ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int accept4_exit(struct sys_exit *ctx)
{
	return accept_returned(ctx, ctx->ret);
}

struct trace_event_raw_io_uring_complete {
	s32 res;
} __attribute__((preserve_access_index));

/* Of every operation: it was an accept if its result is the descriptor of a socket that waits. */
SEC("tracepoint/io_uring/io_uring_complete")
int accept_uring(struct trace_event_raw_io_uring_complete *ctx)
{
	struct sock *sk = socket_of_fd(ctx->res);
	u64 key = (u64)sk;
	struct accepted *a = sk ? bpf_map_lookup_elem(&accepts, &key) : NULL;

	return a && !a->who.pid ? accepted_here(ctx, sk, a) : 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(accept_destroy, struct sock *sk)
{
	u64 key = (u64)sk;

	bpf_map_delete_elem(&accepts, &key);
	return 0;
}
