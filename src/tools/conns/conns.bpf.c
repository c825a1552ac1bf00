// SPDX-License-Identifier: GPL-2.0-only
/* conns, kernel side: a record for each event of a TCP connection. State changes tell connections
 * made and ended, system calls and io_uring who accepted, tracepoints what was sent again or lost.
 */
#include <asm-generic/errno.h>

#include "tools/conns/event.bpf.h"

/* ---- connections that are made ---- */

/* A failure without an error: connect() failed at once, for want of a port, or was given up. */
ALWAYS_INLINE void tell_connect(void *ctx, struct sock *sk, struct conn_times *t, bool failed)
{
	struct conn_event e;

	if (event_of(sk, CONN_CONNECT, &e)) {
		e.took_ns = e.now_ns - t->connect_ns;
		e.role = CONN_REQUESTER;
		e.state = BPF_TCP_SYN_SENT;
		if (failed)
			e.error = BPF_CORE_READ(sk, sk_err);
		if (failed && !e.error)
			e.error = e.local_port ? ECANCELED : EADDRNOTAVAIL;
		record_send(ctx, &e.r, sizeof(e));
	}
	t->connect_ns = 0;
}

ALWAYS_INLINE void state_connecting(struct sock *sk, struct conn_times *t)
{
	socket_used(sk);
	t->connect_ns = bpf_ktime_get_ns();
	t->established_ns = 0;
}

ALWAYS_INLINE void state_established(void *ctx, struct sock *sk, struct conn_times *t)
{
	t->established_ns = bpf_ktime_get_ns();
	t->role = t->connect_ns ? CONN_REQUESTER : CONN_RESPONDER;
	if (t->connect_ns)
		tell_connect(ctx, sk, t, false);
	else if (kinds & ~(1u << CONN_CONNECT | 1u << CONN_LISTEN))
		accept_waits(sk, t->established_ns);
}

ALWAYS_INLINE void state_listen(void *ctx, struct sock *sk)
{
	struct conn_event e;

	socket_used(sk);
	if (!event_of(sk, CONN_LISTEN, &e))
		return;
	e.number = BPF_CORE_READ(sk, sk_max_ack_backlog);
	e.role = CONN_RESPONDER;
	record_send(ctx, &e.r, sizeof(e));
}

/* ---- connections that end ---- */

/*
 * Who ended it, from the state in which it ended and the error. tcp_reset() sets ECONNRESET, or
 * EPIPE behind a FIN, just before; without an error it is this end that resets: it closes with
 * bytes unread, or with a linger time of 0. After this end's close ECONNRESET may also mean that
 * bytes came which nobody can read, so that this end resets: then it is not known.
 */
ALWAYS_INLINE void tell_end(struct conn_event *e, int old)
{
	bool local = old == BPF_TCP_FIN_WAIT1 || old == BPF_TCP_FIN_WAIT2 || old == BPF_TCP_CLOSING;
	bool remote = old == BPF_TCP_CLOSE_WAIT || old == BPF_TCP_LAST_ACK;
	bool by_error = e->error == ECONNRESET || e->error == EPIPE;

	if (by_error && !local)
		e->reset_by = SIDE_REMOTE;
	else if ((old == BPF_TCP_ESTABLISHED || old == BPF_TCP_CLOSE_WAIT) &&
		 (!e->error || e->error == ECONNABORTED))
		e->reset_by = SIDE_LOCAL;
	e->closed_by = local ? SIDE_LOCAL : remote ? SIDE_REMOTE : e->reset_by;
}

ALWAYS_INLINE void state_closed(void *ctx, struct sock *sk, struct conn_times *t, int old)
{
	struct conn_counted c;

	if (old == BPF_TCP_SYN_SENT || old == BPF_TCP_SYN_RECV) {
		if (t->connect_ns)
			tell_connect(ctx, sk, t, true);
		return;
	}
	if (old == BPF_TCP_LISTEN || old == BPF_TCP_CLOSE)
		return;
	if (!counted_of(sk, CONN_CLOSE, old, &c))
		return;
	if (t->established_ns)
		c.e.took_ns = c.e.now_ns - t->established_ns;
	c.e.error = BPF_CORE_READ(sk, sk_err);
	tell_end(&c.e, old);
	record_send(ctx, &c.e.r, sizeof(c));
}

/* What is kept of the socket, or NULL: this change was taken. A socket's states come one after the
 * other, each unlike the one before. */
ALWAYS_INLINE struct conn_times *state_is_new(struct sock *sk, u32 state)
{
	struct conn_times *t = bpf_sk_storage_get(&times, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!t) {
		count(COUNT_LOST_STATE, 1);
		return NULL;
	}
	if (t->state == state)
		return NULL;
	t->state = state;
	return t;
}

ALWAYS_INLINE bool state_tells(int state)
{
	return state == BPF_TCP_SYN_SENT || state == BPF_TCP_ESTABLISHED ||
	       state == BPF_TCP_LISTEN || state == BPF_TCP_CLOSE;
}

ALWAYS_INLINE int state_changes(void *ctx, struct sock *sk, int old, int new)
{
	struct conn_times *t;

	if (!state_tells(new))
		return 0;
	t = socket_is_tcp(sk) ? state_is_new(sk, new) : NULL;
	if (!t)
		return 0;
	if (new == BPF_TCP_SYN_SENT)
		state_connecting(sk, t);
	else if (new == BPF_TCP_ESTABLISHED)
		state_established(ctx, sk, t);
	else if (new == BPF_TCP_LISTEN)
		state_listen(ctx, sk);
	else
		state_closed(ctx, sk, t, old);
	return 0;
}

/* The kernel does not enter a tracing program on a CPU that is inside it (kernel/trace/bpf_trace.c,
 * __bpf_trace_run): an interrupt's segment may end one connection while a process makes another,
 * and that end would be nobody's. So there are two, and the socket knows what the first one took.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(conns_state, struct sock *sk, int old, int new)
{
	return state_changes(ctx, sk, old, new);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(conns_state_too, struct sock *sk, int old, int new)
{
	return state_changes(ctx, sk, old, new);
}

ALWAYS_INLINE void accept_done(void *ctx, const struct sock *sk, const struct ends *ends,
			       const struct owner *who, bool pass, u64 waited_ns)
{
	struct conn_event e;

	if (!asked(CONN_ACCEPT) || !pass || !ends_pass(ends))
		return;
	event_fill(&e, CONN_ACCEPT, ends, who);
	e.took_ns = waited_ns;
	e.role = CONN_RESPONDER;
	e.state = BPF_CORE_READ(sk, __sk_common.skc_state);
	record_send(ctx, &e.r, sizeof(e));
}

/* ---- what was sent again, and what was lost ---- */

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(conns_retransmit, struct sock *sk, struct sk_buff *skb)
{
	struct conn_event e;

	if (!event_of(sk, CONN_RETRANSMIT, &e))
		return 0;
	e.number = BPF_CORE_READ((struct tcp_skb_cb *)skb->cb, tcp_gso_segs) ?: 1;
	record_send(ctx, &e.r, sizeof(e));
	return 0;
}

/* Of a connection that has no socket yet: the listener's process is its owner. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(conns_synack, struct sock *sk, struct request_sock *req)
{
	struct conn_event e;
	struct owner who;
	struct ends ends;

	ends_of_sock((struct sock *)req, &ends);
	if (!ends_pass(&ends) || !owner_passes(sk, &who))
		return 0;
	event_fill(&e, CONN_RETRANSMIT, &ends, &who);
	e.role = CONN_RESPONDER;
	e.state = BPF_TCP_SYN_RECV;
	e.number = 1;
	record_send(ctx, &e.r, sizeof(e));
	return 0;
}

/* A listener has no other end; the packet does. */
ALWAYS_INLINE void ends_of_packet(struct sk_buff *skb, struct ends *e)
{
	void *head = skb->head;
	void *network = head + skb->network_header;
	u16 ports[2] = {};
	u8 version = 0;
	u32 v4 = 0;

	bpf_probe_read_kernel(&version, 1, network);
	if (version >> 4 == 4 && !bpf_probe_read_kernel(&v4, 4, network + 12))
		addr_v4(e->remote, v4);
	else if (version >> 4 == 6)
		bpf_probe_read_kernel(e->remote, 16, network + 8);
	bpf_probe_read_kernel(ports, sizeof(ports), head + skb->transport_header);
	e->remote_port = bpf_ntohs(ports[0]);
}

/* Numbers of the kernel's drop reasons, which are no drops: what was left when its socket closed,
 * and (of TIME_WAIT only) none in particular. 0: there is no such reason. */
const volatile u32 reason_purge, reason_none;

/* Small sockets (of a handshake, or in TIME_WAIT) are TCP's, and no longer or not yet anybody's. */
ALWAYS_INLINE int dropped(void *ctx, struct sk_buff *skb, struct sock *sk, u32 reason)
{
	u8 state = sk->__sk_common.skc_state;
	bool small = state == BPF_TCP_NEW_SYN_RECV || state == BPF_TCP_TIME_WAIT;
	struct owner who = {};
	struct conn_event e;
	struct ends ends;

	if (!small && !socket_is_tcp(sk))
		return 0;
	/* TIME_WAIT takes what it gets and keeps none of it. Before 6.2 there is no reason for what
	 * is left in the queues of a socket that closes. */
	if (reason == reason_purge ||
	    (reason == reason_none &&
	     (state == BPF_TCP_TIME_WAIT || (state == BPF_TCP_CLOSE && !reason_purge))))
		return 0;
	ends_of_sock(sk, &ends);
	if (state == BPF_TCP_LISTEN)
		ends_of_packet(skb, &ends);
	if (!ends_pass(&ends) || (small ? filters_owner() : !owner_passes(sk, &who)))
		return 0;
	event_fill(&e, CONN_DROP, &ends, &who);
	e.state = state;
	e.number = reason;
	record_send(ctx, &e.r, sizeof(e));
	return 0;
}

/* From 6.11 the socket that a packet came to is an argument of its own; before, and on the way out,
 * it is the packet's. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(conns_drop, struct sk_buff *skb, void *location, u32 reason, struct sock *to)
{
	struct sock *sk = skb->sk;

	if (to)
		return dropped(ctx, skb, to, reason);
	return sk ? dropped(ctx, skb, sk, reason) : 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(conns_drop_before, struct sk_buff *skb, void *location, u32 reason)
{
	struct sock *sk = skb->sk;

	return sk ? dropped(ctx, skb, sk, reason) : 0;
}

/* ---- --open: sockets get a place in socket_users, of which each is then shown once ---- */

/* Those without a file: not accepted yet, or closed by their process and not by the other end. */
SEC("iter/tcp")
int conns_seek(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct tcp_sock *tp = common ? bpf_skc_to_tcp_sock(common) : NULL;

	if (tp)
		bpf_sk_storage_get(&socket_users, tp, 0, BPF_SK_STORAGE_GET_F_CREATE);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int conns_show(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn_counted c;
	char shown = 0;

	if (!sk || !ctx->value || sk->__sk_common.skc_state == BPF_TCP_CLOSE)
		return 0;
	if (!counted_of(sk, CONN_OPEN, sk->__sk_common.skc_state, &c))
		return 0;
	record_send(ctx, &c.e.r, sizeof(c));
	/* So that a read returns, and the ring is drained in between. */
	bpf_seq_write(ctx->meta->seq, &shown, sizeof(shown));
	return 0;
}
