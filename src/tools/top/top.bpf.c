// SPDX-License-Identifier: GPL-2.0-only
/* top, kernel side: TCP counts anyway, so its counters are read when they are asked for.
 * Hooks say whose a socket is and count sends and receives; what closes tells its last counters. */
#include "abi/types.h"

/* What TCP does not count itself, and what the last look at the socket showed. */
enum { ROLE_UNKNOWN, ROLE_CONNECTED, ROLE_ACCEPTED };

struct top_socket {
	u64 sends, receives, calls;
	u64 looked_ns; /* in the last round; 0: never */
	u64 told;      /* a sum of counters that changes with any of them */
	u32 told_pid;
	u32 asked; /* the requester's bytes passed, and none of the responder's after them */
	u8 fresh, closed;
	u8 role; /* once it was looked at: the line of memory that has it has nothing else */
	u8 pad[5];
};

/* linux/socket.h */
#define MSG_PEEK     2
#define MSG_ERRQUEUE 0x2000

#define SOCKET_USER_MORE struct top_socket
#include "kernel/ends.bpf.h"
#include "kernel/socket_user.bpf.h"
#include "kernel/tcp_counters.bpf.h"

#include "tools/top/top.h"

/* The round's looks, n_looks of them. Not in the iterator's own output, as its buffer is small, and
 * each time that the iteration goes on it walks a list from the beginning. */
struct top_look looks[TOP_LOOKS];
u32 n_looks;
/* Before 5.19 tcp_recvmsg had an argument more. */
const volatile u32 receive_args;
/* Set by user space: also sockets of which nothing is new. */
u32 look_at_all;
/* How many open sockets without an owner the round met. */
u64 unowned;

ALWAYS_INLINE bool is_open(const struct sock *sk)
{
	u8 state = sk->__sk_common.skc_state;

	return state != BPF_TCP_CLOSE && state != BPF_TCP_LISTEN;
}

/* ---- counters ---- */

/* state: before it closed, if it does. */
ALWAYS_INLINE void look_counters(struct tcp_sock *t, u8 state, struct top_look *l)
{
	tcp_payload(t, state, l->closed, l->connected, &l->sent, &l->received);
	l->segments_out = t->segs_out;
	l->segments_in = t->segs_in;
	l->retransmits = t->total_retrans;
	l->srtt_us = tcp_srtt_us(t);
}

/* False: the filter does not want it. */
ALWAYS_INLINE bool look_ends(struct sock *sk, struct top_look *l)
{
	struct ends e;

	ends_of_sock(sk, &e);
	__builtin_memcpy(l->local, e.local, sizeof(l->local));
	__builtin_memcpy(l->remote, e.remote, sizeof(l->remote));
	l->local_port = e.local_port;
	l->remote_port = e.remote_port;
	return filter_ports(e.local_port, e.remote_port) && filter_addresses(e.local, e.remote);
}

ALWAYS_INLINE bool connected(const struct sock *sk, struct top_socket *s)
{
	if (s->role == ROLE_UNKNOWN)
		s->role = tcp_connected(sk) ? ROLE_CONNECTED : ROLE_ACCEPTED;
	return s->role == ROLE_CONNECTED;
}

/* All but the owner. False: nobody wants it, whoever uses it. */
ALWAYS_INLINE bool look_counts(struct sock *sk, struct top_socket *s, u8 state, bool closed,
			       struct top_look *l)
{
	struct tcp_sock *t = bpf_skc_to_tcp_sock(sk);

	__builtin_memset(l, 0, sizeof(*l));
	if (!t || !look_ends(sk, l))
		return false;
	l->cookie = bpf_get_socket_cookie(sk);
	l->now_ns = bpf_ktime_get_ns();
	l->connected = connected(sk, s);
	l->closed = closed;
	l->sends = s->sends;
	l->receives = s->receives;
	l->calls = s->calls;
	l->fresh = s->fresh;
	look_counters(t, state, l);
	return true;
}

/* *passes: the filter asks for its owner. False as above. */
ALWAYS_INLINE bool look_any(struct sock *sk, struct top_socket *s, u8 state, bool closed,
			    struct top_look *l, bool *passes)
{
	bool pass = false;

	if (!look_counts(sk, s, state, closed, l))
		return false;
	(void)socket_user_of(sk, &l->owner, &pass);
	*passes = !filters_owner() || pass;
	return true;
}

ALWAYS_INLINE bool look(struct sock *sk, struct top_socket *s, u8 state, bool closed,
			struct top_look *l)
{
	bool passes = false;

	return look_any(sk, s, state, closed, l, &passes) && passes;
}

ALWAYS_INLINE void tell(const struct top_look *l)
{
	struct top_record *r = ring_reserve(sizeof(*r));

	if (!r)
		return;
	r->r.kind = 0;
	r->r.pad = 0;
	r->r.size = sizeof(*r);
	r->look = *l;
	ring_submit(&r->r);
}

/* ---- hooks ---- */

/* What the socket did so far was another's. If the filter asks for only one of the two, the socket
 * ends or begins to be looked at here. */
ALWAYS_INLINE void hand_over(struct sock *sk, struct socket_user *u)
{
	bool passed = false, known, passes;
	struct top_look l;

	known = look_any(sk, &u->more, sk->__sk_common.skc_state, false, &l, &passed);
	socket_user_runs(u);
	u->more.told_pid = 0; /* user space has to hear who it is, even if it comes back */
	if (!known || u->more.closed || !l.owner.pid)
		return;
	passes = !filters_owner() || u->pass;
	l.others = !passed;
	l.closed = !passes;
	if (passed || passes)
		tell(&l);
}

/* Of a socket that closed: whoever takes the counts tells them. */
ALWAYS_INLINE void take_counts(struct top_socket *s, struct top_look *l)
{
	l->sends = __sync_lock_test_and_set(&s->sends, 0);
	l->receives = __sync_lock_test_and_set(&s->receives, 0);
	l->calls = __sync_lock_test_and_set(&s->calls, 0);
}

/* Reads of what had arrived before it closed. */
ALWAYS_INLINE void tell_late(struct sock *sk, struct top_socket *s)
{
	struct top_look l;

	if (!look(sk, s, BPF_TCP_CLOSE, true, &l))
		return;
	take_counts(s, &l);
	if (!(l.sends | l.receives | l.calls))
		return;
	l.fresh = 1;
	l.sent = l.received = 0;
	l.segments_out = l.segments_in = l.retransmits = 0;
	tell(&l);
}

/* A call is over with the first bytes that answer: sent by an end that was accepted, received by
 * one that connected. */
ALWAYS_INLINE void passed(const struct sock *sk, struct top_socket *s, bool sends)
{
	if (sends == connected(sk, s))
		s->asked = 1;
	else if (s->asked && __sync_lock_test_and_set(&s->asked, 0))
		__sync_fetch_and_add(&s->calls, 1);
}

/* bytes: that were sent or read for good; 0 or less: none. */
ALWAYS_INLINE int used(struct sock *sk, bool sends, int bytes)
{
	struct socket_user *u;
	struct top_socket *s;

	if (!socket_is_tcp(sk) || sk->__sk_common.skc_state == BPF_TCP_LISTEN)
		return 0;
	u = socket_user_new(sk);
	if (!u)
		return 0;
	s = &u->more;
	if (!owner_runs(&u->who))
		hand_over(sk, u);
	__sync_fetch_and_add(sends ? &s->sends : &s->receives, 1);
	if (bytes > 0)
		passed(sk, s, sends);
	if (s->closed)
		tell_late(sk, s);
	return 0;
}

/* What is only peeked at is read again, and what comes from the queue of errors was sent. */
ALWAYS_INLINE int received(struct sock *sk, int bytes, int flags)
{
	return used(sk, false, flags & (MSG_PEEK | MSG_ERRQUEUE) ? 0 : bytes);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(top_send_tp, struct sock *sk, int bytes)
{
	return used(sk, true, bytes);
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(top_send_fexit, struct sock *sk, void *msg, u64 size, int bytes)
{
	return used(sk, true, bytes);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(top_receive_tp, struct sock *sk, int bytes, int flags)
{
	return received(sk, bytes, flags);
}

SEC("fexit/tcp_recvmsg")
int top_receive_fexit(u64 *args)
{
	struct sock *sk = (void *)args[0];

	/* What it returned is behind its arguments: 6 before 5.19, 5, and 4 from 7.2 at the latest.
	 */
	if (receive_args == 6)
		return received(sk, args[6], args[4]);
	if (receive_args == 4)
		return received(sk, args[4], args[3]);
	return received(sk, args[5], args[3]);
}

/* A socket may connect again after it closed. One that is accepted gets a place, though it is
 * nobody's yet, so that looks meet it. */
ALWAYS_INLINE void begins(struct sock *sk, bool connects)
{
	struct socket_user *u = socket_user_new(sk);
	struct top_socket *s;

	if (!u)
		return;
	s = &u->more;
	s->fresh = 1;
	s->role = connects ? ROLE_CONNECTED : ROLE_ACCEPTED;
	if (!connects)
		return;
	s->sends = 0;
	s->receives = 0;
	s->calls = 0;
	s->asked = 0;
	s->closed = 0;
	s->looked_ns = 0;
	s->told = 0;
	s->told_pid = 0;
	if (!owner_runs(&u->who)) /* connect() runs in the process that asks */
		socket_user_runs(u);
}

/* Marked closed before it is told: the next look leaves it out, and who uses it tells that. */
ALWAYS_INLINE void ends(struct sock *sk, u8 state)
{
	struct socket_user *u = socket_user_new(sk);
	struct top_socket *s;
	struct top_look l;

	if (!u || u->more.closed)
		return;
	s = &u->more;
	s->closed = 1;
	if (state == BPF_TCP_SYN_RECV) /* of Fast Open */
		s->fresh = 1;
	if (!look(sk, s, state, true, &l))
		return;
	take_counts(s, &l);
	tell(&l);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(top_state, struct sock *sk, int old, int new)
{
	if (!socket_is_tcp(sk))
		return 0;
	if (new == BPF_TCP_SYN_SENT)
		begins(sk, true);
	else if (old == BPF_TCP_SYN_RECV && new != BPF_TCP_CLOSE)
		begins(sk, false);
	else if (new == BPF_TCP_CLOSE && old != BPF_TCP_LISTEN)
		ends(sk, old);
	return 0;
}

/* ---- looks ---- */

/* Is anything new? If not, there is nothing to copy; that it was looked at is kept all the same. */
ALWAYS_INLINE bool is_news(struct sock *sk, struct top_socket *s, u32 pid)
{
	struct tcp_sock *t = bpf_skc_to_tcp_sock(sk);
	u64 now;

	if (!t)
		return false;
	now = (u64)t->segs_in + t->segs_out + s->sends + s->receives;
	if (now == s->told && pid == s->told_pid && s->looked_ns && !look_at_all) {
		s->looked_ns = bpf_ktime_get_ns();
		return false;
	}
	s->told = now;
	s->told_pid = pid;
	return true;
}

/* Nobody else used it since the last look: what is said of its owner would be the same, and to read
 * it as a whole would cost finding it once more. */
ALWAYS_INLINE bool look_again(struct sock *sk, const struct socket_user *u, struct top_socket *s,
			      u32 pid, struct top_look *l)
{
	if (!look_counts(sk, s, sk->__sk_common.skc_state, false, l))
		return false;
	l->owner.pid = pid;
	l->known = 1;
	return !filters_owner() || u->pass;
}

SEC("iter/bpf_sk_storage_map")
int top_looks(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct socket_user *u = ctx->value;
	struct sock *sk = ctx->sk;
	u32 at = n_looks, pid;
	struct top_socket *s;
	struct top_look *l;
	bool known, wanted;

	if (!sk || !u || !is_open(sk) || at >= TOP_LOOKS)
		return 0;
	s = &u->more;
	if (s->closed)
		return 0;
	pid = u->who.pid;
	if (!pid)
		unowned++;
	known = pid && pid == s->told_pid && s->looked_ns && !look_at_all;
	if (!is_news(sk, s, pid))
		return 0;
	/* The bound again, at its use: verifiers before 6.2 lose it on the way. */
	barrier_var(at);
	l = &looks[at & (TOP_LOOKS - 1)];
	wanted = known ? look_again(sk, u, s, pid, l)
		       : look(sk, s, sk->__sk_common.skc_state, false, l);
	if (!wanted) {
		s->looked_ns = 0;
		return 0;
	}
	l->before_ns = s->looked_ns;
	s->looked_ns = l->now_ns;
	n_looks = at + 1;
	if (at + 1 == TOP_LOOKS) /* a byte, so that the read returns and user space takes them */
		bpf_seq_write(ctx->meta->seq, &at, 1);
	return 0;
}
