// SPDX-License-Identifier: GPL-2.0-only
/* Whose the sockets behind the packets of an interface are. A packet does not tell: so hooks on
 * what sockets do, and a look at open files, fill a table that user space asks
 * (loader/wire_owner.h). */
#pragma once

#include "kernel/ends.bpf.h"
#include "kernel/owner.bpf.h"

#include "abi/wire.h"

/* Set before loading: its inode. Sockets of other namespaces are not this interface's. */
const volatile u32 network_namespace;

/*
 * What a closed socket leaves here stays: whoever asks, asks after the packet, up to a second
 * later, when the process of a short connection has long gone. It hardly misleads, because whoever
 * takes the names over says so: connect() and listen() write over what is here, as does the first
 * send or read of another process, and a connection that is accepted is nobody's but the listener's
 * until then. Only a SYN may be taken for that of the connection before. Else the least recently
 * used go.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct wire_socket);
	__type(value, struct owner);
} owners SEC(".maps");

u32 owner_changes[WIRE_CHANGES];

/* With a TCP socket, who uses it. While it connects its port is not known, and owners lack it. */
struct wire_user {
	struct owner who;
	u64 put; /* into owners: when, in jiffies; 0: not yet */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct wire_user);
} users SEC(".maps");

/* After so many jiffies, at most some seconds, a socket that is used is put into owners again, so
 * that it is not what goes first. */
#define PUT_AGAIN 256

/* The namespace of a socket, in the kernel's own words. */
struct net___namespace {
	struct {
		u32 inum;
	} ns;
} __attribute__((preserve_access_index));

struct sock_common___namespace {
	struct {
		struct net___namespace *net;
	} skc_net;
} __attribute__((preserve_access_index));

ALWAYS_INLINE bool wire_is_any(const u64 *address)
{
	return !address[0] && (!address[1] || address[1] == bpf_cpu_to_be64(0xffff00000000));
}

/* A socket of IPv4 or IPv6 in the interface's network namespace. It is asked of each send and read
 * on the host, so there is no call in it. */
ALWAYS_INLINE bool wire_is_here(struct sock *sk)
{
	struct sock_common___namespace *common = (void *)sk;
	u16 family = sk->__sk_common.skc_family;

	return (family == 2 /* AF_INET */ || family == 10 /* AF_INET6 */) &&
	       common->skc_net.net->ns.inum == network_namespace;
}

/* False: it has no port yet. */
ALWAYS_INLINE bool wire_socket_of(struct sock *sk, struct wire_socket *key)
{
	struct ends e;

	ends_of_sock(sk, &e);
	if (!e.local_port)
		return false;
	__builtin_memset(key, 0, sizeof(*key));
	if (!wire_is_any(e.local))
		__builtin_memcpy(key->local, e.local, sizeof(key->local));
	if (!wire_is_any(e.remote))
		__builtin_memcpy(key->remote, e.remote, sizeof(key->remote));
	key->local_port = e.local_port;
	key->remote_port = e.remote_port;
	key->protocol = sk->sk_protocol;
	return true;
}

/* Counted after it is there: who has counted less asks again. */
ALWAYS_INLINE void owner_put(const struct wire_socket *key, const struct owner *who, u64 flags)
{
	if (!bpf_map_update_elem(&owners, key, who, flags))
		__sync_fetch_and_add(&owner_changes[WIRE_CHANGE(key)], 1);
}

ALWAYS_INLINE void owner_forget(const struct wire_socket *key)
{
	if (!bpf_map_delete_elem(&owners, key))
		__sync_fetch_and_add(&owner_changes[WIRE_CHANGE(key)], 1);
}

ALWAYS_INLINE void owner_is_current(const struct wire_socket *key, struct owner *who)
{
	owner_of_current(who);
	owner_put(key, who, BPF_ANY);
}

/* Its user is seldom another than before, and to look is cheaper than to write. */
ALWAYS_INLINE int owned_by_current(struct sock *sk)
{
	struct owner *known, who = {};
	struct wire_socket key;

	if (!wire_socket_of(sk, &key))
		return 0;
	known = bpf_map_lookup_elem(&owners, &key);
	if (!known || !owner_runs(known))
		owner_is_current(&key, &who);
	return 0;
}

/* A TCP socket keeps its names while it is connected, so what is known is kept with it. The clock
 * is no call: the verifier makes a load of it. */
ALWAYS_INLINE int used_by_current(struct sock *sk, bool reads)
{
	struct wire_user *user = bpf_sk_storage_get(&users, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	u64 now = bpf_jiffies64();
	struct wire_socket key;
	struct owner who = {};

	if (user && user->put && now - user->put < PUT_AGAIN && (!reads || owner_runs(&user->who)))
		return 0;
	if (!wire_socket_of(sk, &key))
		return 0;
	owner_is_current(&key, &who);
	if (user) {
		user->who = who;
		user->put = now;
	}
	return 0;
}

/* After the packets left; for every protocol. Of TCP, reads tell when its user changes. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(owner_send, struct sock *sk)
{
	if (!wire_is_here(sk))
		return 0;
	return sk->sk_protocol == IPPROTO_TCP ? used_by_current(sk, false) : owned_by_current(sk);
}

/* Where TCP is read tcp_rcv_space_adjust tells, which also fires for splice. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(owner_receive, struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_TCP || !wire_is_here(sk) ? 0 : owned_by_current(sk);
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(owner_read, struct sock *sk)
{
	return wire_is_here(sk) ? used_by_current(sk, true) : 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(owner_state, struct sock *sk, int old, int new)
{
	struct wire_socket key;
	struct wire_user *user;
	struct owner who = {};

	if (sk->sk_protocol != IPPROTO_TCP || !wire_is_here(sk))
		return 0;
	if (new == BPF_TCP_LISTEN) {
		if (wire_socket_of(sk, &key))
			owner_is_current(&key, &who); /* listen() runs in the process that asks */
		return 0;
	}
	if (new == BPF_TCP_SYN_SENT) {
		user = bpf_sk_storage_get(&users, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (user) {
			owner_of_current(&user->who); /* so does connect() */
			user->put = 0;
		}
		return 0;
	}
	user = bpf_sk_storage_get(&users, sk, 0, 0);
	if (!user && old == BPF_TCP_SYN_RECV && wire_socket_of(sk, &key))
		owner_forget(
			&key); /* one that is accepted: of a connection that had the same names */
	if (user && user->who.pid && !user->put && wire_socket_of(sk, &key)) {
		owner_put(&key, &user->who, BPF_ANY);
		user->put = bpf_jiffies64();
	}
	return 0;
}

/* Sockets that are open, of every process: those older than the tool, and those that only
 * receive. */
SEC("iter/task_file")
int owner_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct wire_socket key;
	struct owner who = {};
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !wire_is_here(sk) || !wire_socket_of(sk, &key))
		return 0;
	owner_of_task(task, &who);
	owner_put(&key, &who, BPF_NOEXIST);
	return 0;
}
