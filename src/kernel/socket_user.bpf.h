// SPDX-License-Identifier: GPL-2.0-only
/* Who uses each TCP socket, in the storage of the socket, in every network namespace: from hooks on
 * what processes do, and for sockets older than the tool from open files (loader/socket_user.h). */
#pragma once

#include "kernel/owner.bpf.h"

/* The latest process that connected, listened, sent or read. A tool that keeps more of each socket
 * defines SOCKET_USER_MORE, the type of it: a storage of its own would cost each hook another
 * lookup. */
struct socket_user {
	struct owner who; /* pid 0: nobody yet */
	struct bpf_spin_lock lock;
	u32 pass; /* 1: the filter asks for this process, or for none in particular */
#ifdef SOCKET_USER_MORE
	SOCKET_USER_MORE more;
#endif
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_user);
} socket_users SEC(".maps");

ALWAYS_INLINE bool socket_is_tcp(const struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family;

	return sk->sk_protocol == IPPROTO_TCP &&
	       (family == 2 /* AF_INET */ || family == 10 /* AF_INET6 */);
}

ALWAYS_INLINE void socket_user_set(struct socket_user *u, const struct owner *who, bool pass)
{
	bpf_spin_lock(&u->lock);
	u->who = *who;
	u->pass = pass;
	bpf_spin_unlock(&u->lock);
}

/* Its place, made where there is none. NULL: no memory, which has been counted. */
ALWAYS_INLINE struct socket_user *socket_user_new(struct sock *sk)
{
	struct socket_user *u =
		bpf_sk_storage_get(&socket_users, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!u)
		count(COUNT_LOST_STATE, 1);
	return u;
}

/* The process that runs now uses it. */
ALWAYS_INLINE void socket_user_runs(struct socket_user *u)
{
	struct owner who;

	owner_of_current(&who);
	socket_user_set(u, &who, filter_current(who.pid, who.comm));
}

/* The process that runs now uses this socket. NULL: no memory, which has been counted. */
ALWAYS_INLINE struct socket_user *socket_used(struct sock *sk)
{
	struct socket_user *u = socket_user_new(sk);

	if (u && !owner_runs(&u->who) && !kernel_thread_runs())
		socket_user_runs(u);
	return u;
}

/* Copies who uses it, as a whole; false: nobody is known. Wherever the socket may be looked at. */
ALWAYS_INLINE bool socket_user_of(struct sock *sk, struct owner *who, bool *pass)
{
	struct socket_user *u = bpf_sk_storage_get(&socket_users, sk, 0, 0);

	if (!u)
		return false;
	bpf_spin_lock(&u->lock);
	*who = u->who;
	*pass = u->pass;
	bpf_spin_unlock(&u->lock);
	return who->pid != 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(owner_send_tp, struct sock *sk)
{
	if (socket_is_tcp(sk))
		socket_used(sk);
	return 0;
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(owner_send_fexit, struct sock *sk)
{
	socket_used(sk);
	return 0;
}

/* Fires for each read, by whatever call, splice included. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(owner_read_tp, struct sock *sk)
{
	socket_used(sk);
	return 0;
}

/* connect() and listen() run in the process that asks, and so does what sends FIN: who closes a
 * socket that nobody used before was its user. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(owner_state_tp, struct sock *sk, int old, int new)
{
	struct socket_user *u;

	if (!socket_is_tcp(sk))
		return 0;
	if (new == BPF_TCP_SYN_SENT || new == BPF_TCP_LISTEN) {
		socket_used(sk);
	} else if (new == BPF_TCP_FIN_WAIT1 || new == BPF_TCP_LAST_ACK) {
		u = bpf_sk_storage_get(&socket_users, sk, 0, 0);
		if (!u || !u->who.pid)
			socket_used(sk);
	}
	return 0;
}

/* filter_current() for a process that an iterator came by. Cgroups are at most 32 deep here, which
 * is more than any container manager nests. */
static __noinline bool socket_task_passes(struct task_struct *task, const struct owner *who)
{
	struct cgroup *c = BPF_CORE_READ(task, cgroups, dfl_cgrp);

	if ((filter.pid && filter.pid != who->pid) || !filter_comm(who->comm))
		return false;
	if (!filter.by_cgroup)
		return true;
	for (int depth = 0; depth < 32 && c; depth++) {
		if (BPF_CORE_READ(c, kn, id) == filter.cgroup_id)
			return true;
		c = (void *)BPF_CORE_READ(c, self.parent); /* self is the first field of a cgroup */
	}
	return false;
}

/* Of several processes with one socket, the first that the filter asks for. */
SEC("iter/task_file")
int owner_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket_user *u;
	struct socket *socket;
	struct owner who = {};
	struct sock *sk;
	bool pass;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	sk = socket ? socket->sk : NULL;
	if (!sk || !socket_is_tcp(sk))
		return 0;
	u = bpf_sk_storage_get(&socket_users, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!u)
		count(COUNT_NO_USER, 1);
	if (!u || u->pass)
		return 0;
	owner_of_task(task, &who);
	pass = socket_task_passes(task, &who);
	if (pass || !u->who.pid)
		socket_user_set(u, &who, pass);
	return 0;
}
