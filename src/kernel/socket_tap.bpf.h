// SPDX-License-Identifier: GPL-2.0-only
/* The socket tap's records and owners, and the heads of each end beside its `conn`, in a storage of
 * their own. */
#pragma once

#include "kernel/socket_conn.bpf.h"

#include "kernel/emit.bpf.h"
#include "kernel/owner.bpf.h"

_Static_assert(sizeof(struct heads) <= 440,
	       "heads and the kernel's 72 bytes fill a 512-byte object");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct heads);
} heads SEC(".maps");

/* Connections that no process has used yet: while there are any, sends are looked at too. Else
 * reads are enough, and each send costs no more than this test. */
u64 unowned;

ALWAYS_INLINE void conn_unowned(struct conn *c)
{
	if (c->user & USER_NONE || c->owner.pid)
		return;
	c->user |= USER_NONE;
	__sync_fetch_and_add(&unowned, 1);
}

ALWAYS_INLINE void conn_owned(struct conn *c)
{
	if (!(c->user & USER_NONE))
		return;
	c->user &= ~USER_NONE;
	__sync_fetch_and_sub(&unowned, 1);
}

/* What a record says of the socket itself. */
struct about {
	struct ends ends;
	u64 cookie, now;
	u32 srtt_us;
	u32 pad;
};

/* Is the other end surely here, and asked for too? Then it keeps the heads for both. Only loopback
 * addresses say so: one's own other addresses may be rewritten to those of another host. */
ALWAYS_INLINE bool ends_loopback(const struct ends *e)
{
	const u32 *l = (const u32 *)e->local, *r = (const u32 *)e->remote;

	if (filters_owner() || filter.by_net || l[0] || l[1] || r[0] || r[1])
		return false;
	if (l[2] == MAPPED && r[2] == MAPPED) /* 127.0.0.0/8 */
		return (bpf_ntohl(l[3]) >> 24) == 127 && (bpf_ntohl(r[3]) >> 24) == 127;
	return !l[2] && !r[2] && l[3] == bpf_htonl(1) && r[3] == bpf_htonl(1); /* ::1 */
}

/* Does anybody want this record? If not, that is counted, unless it is only a snapshot. */
ALWAYS_INLINE bool tap_wanted(const struct conn *c, u8 end)
{
	if (!filters_owner() || c->user & USER_PASS)
		return true;
	if (end != END_SWEEP)
		count(COUNT_FILTERED, 1);
	return false;
}

/* Puts the record of an exchange in the ring; false: there was no room. h may be NULL. */
ALWAYS_INLINE bool tap_record(const struct ended *e, const struct heads *h, const struct owner *o,
			      const struct about *a)
{
	struct exchange *x = exchange_reserve(e, h);

	if (!x)
		return false;
	x->cookie = a->cookie;
	x->now_ns = a->now;
	x->srtt_us = a->srtt_us;
	x->owner = *o;
	__builtin_memcpy(x->local, a->ends.local, 16);
	__builtin_memcpy(x->remote, a->ends.remote, 16);
	x->local_port = a->ends.local_port;
	x->remote_port = a->ends.remote_port;
	x->loopback = ends_loopback(&a->ends);
	ring_submit(&x->r);
	return true;
}

/* Of a requester on loopback that is silent, or is to be. False: no room for the record. */
static __noinline bool silent_tell(const struct conn *c, u64 cookie, bool closed)
{
	struct silent *s = ring_reserve(sizeof(*s));

	if (!s)
		return false;
	__builtin_memset(s, 0, sizeof(*s));
	s->r.kind = RECORD_SILENT;
	s->r.size = sizeof(*s);
	s->cookie = cookie;
	s->now_ns = bpf_ktime_get_ns();
	s->closed = closed;
	s->owner = c->owner;
	ring_submit(&s->r);
	return true;
}

/* The process that runs now uses this socket: it is the owner from here on. */
ALWAYS_INLINE void tap_owner(struct sock *sk, struct conn *c)
{
	struct owner o;
	bool pass;

	if (c->owner.pid == (u32)(bpf_get_current_pid_tgid() >> 32))
		return;
	owner_of_current(&o);
	pass = filter_current(o.pid, o.comm);
	bpf_spin_lock(&c->lock);
	c->owner = o;
	if (pass)
		c->user |= USER_PASS;
	else
		c->user &= ~USER_PASS;
	bpf_spin_unlock(&c->lock);
	conn_owned(c);
	if (c->user & USER_SILENT)
		silent_tell(c, bpf_get_socket_cookie(sk), false);
}
