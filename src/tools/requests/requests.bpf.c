// SPDX-License-Identifier: GPL-2.0-only
/* requests, kernel side: cgroup_skb sees each TCP segment of each socket of this host and pairs
 * turns; socket hooks say which process uses the socket; state changes end what is left. */
#include <asm-generic/errno.h>
#include <linux/if_packet.h>

#include "kernel/payload.bpf.h"
#include "kernel/stash.bpf.h"

ALWAYS_INLINE u32 smoothed_rtt(struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	return tp ? tcp_srtt_us(tp) : 0;
}

/* The record of an exchange of the packet's socket; h may be NULL. Not static, as in payload.bpf.h:
 * verified once, not for each way here. */
__noinline int emit_ended(struct __sk_buff *skb, const struct ended *e, const struct heads *h,
			  const struct owner *o, u64 now)
{
	struct bpf_sock *sk = socket_of(skb);
	struct about a = {.now = now};

	if (!sk || !e || !o)
		return 0;
	a.cookie = bpf_get_socket_cookie(skb);
	a.srtt_us = smoothed_rtt(sk);
	ends_of_bpf_sock(sk, &a.ends);
	tap_record(e, h, o, &a);
	return 0;
}

/* Ends the exchange that is going on (END_SWEEP: shows it). */
__noinline int emit_from_skb(struct __sk_buff *skb, u32 end)
{
	struct bpf_sock *sk = socket_of(skb);
	struct conn *c = sk ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
	struct heads *h = NULL;
	struct ended e;
	bool ended;

	if (!c)
		return 0;
	if (!(c->mode & CONN_LOCAL))
		h = bpf_sk_storage_get(&heads, sk, 0, 0);
	bpf_spin_lock(&c->lock);
	ended = turn_end(c, &e, end);
	bpf_spin_unlock(&c->lock);
	if (ended && tap_wanted(c, end))
		emit_ended(skb, &e, h, &c->owner, bpf_ktime_get_ns());
	return 0;
}

/* Of an HTTP connection, crossed bytes that begin a request are pipelined, and followed from here
 * on; others are the rest of an upload. */
static __noinline bool crossed_request(struct __sk_buff *skb, struct conn *c,
				       const struct tcp_view *v)
{
	u8 start[4];

	/* A requester on loopback keeps no heads, and so never learned what it speaks. */
	if (!(c->mode & (CONN_HTTP | CONN_LOCAL)) ||
	    bpf_skb_load_bytes(skb, v->offset, start, sizeof(start)) || !http_method(start))
		return false;
	c->mode |= CONN_FOLLOW;
	c->budget = FOLLOW_BURST;
	return true;
}

/* A request turn begins: what user space has learned of this connection takes effect. */
ALWAYS_INLINE void apply_mark(struct __sk_buff *skb, struct conn *c)
{
	u64 cookie;
	u32 *mark;

	if (!(marks_used & 1u << c->role))
		return;
	cookie = bpf_get_socket_cookie(skb);
	mark = bpf_map_lookup_elem(&marks, &cookie);
	if (!mark)
		return;
	if (*mark == MARK_SILENT && c->mode & CONN_LOCAL && silent_tell(c, cookie, false)) {
		bpf_spin_lock(&c->lock);
		c->user |= USER_SILENT;
		c->phase = PHASE_IDLE;
		bpf_spin_unlock(&c->lock);
	}
	if (*mark == MARK_FOLLOW)
		c->mode |= CONN_FOLLOW;
	if (*mark == MARK_STREAM) {
		bpf_spin_lock(&c->lock);
		turn_stream(c);
		bpf_spin_unlock(&c->lock);
	}
}

/* Most heads lie in one segment, and their storage is there. */
ALWAYS_INLINE void segment_heads(struct __sk_buff *skb, struct bpf_sock *sk, struct conn *c,
				 struct heads *h, const struct tcp_view *v,
				 const struct head_take *t)
{
	u32 from = v->offset + t->skip, n = v->len - t->skip;

	if (!h)
		h = bpf_sk_storage_get(&heads, sk, 0, 0);
	if (h && !t->offset)
		take_start(skb, c, h, t->what, from, n);
	else
		take_heads(skb, t->what, t->offset, from, n);
	if (t->what & TAKE_START && t->what & TAKE_REQUEST && v->len != c->single_len)
		look_at_request(skb, n);
}

/* The payload of a segment: ends the exchange before it where it does, and takes it into the state,
 * both in one hold of the lock. */
ALWAYS_INLINE void segment_data(struct __sk_buff *skb, struct bpf_sock *sk, struct conn *c,
				const struct tcp_view *v, const struct segment *s)
{
	bool ends = false, ended = false;
	struct heads *h = NULL;
	struct head_take t = {};
	struct ended e;
	u64 before = 0;

	if (c->mode & CONN_FOLLOW)
		before = turn_last_ns(c);
	if (turn_flips(c, s)) {
		bool crosses = turn_crosses(c, s);

		ends = turn_ends(c, s, crosses) || (crosses && crossed_request(skb, c, v));
		if (ends && !(c->mode & CONN_LOCAL)) {
			h = bpf_sk_storage_get(&heads, sk, 0, 0);
			if (h)
				heads_touch(h);
		}
	}
	bpf_spin_lock(&c->lock);
	if (ends)
		ended = turn_end(c, &e, END_NEXT);
	turn_data(c, s, &t);
	bpf_spin_unlock(&c->lock);
	if (ended && tap_wanted(c, END_NEXT))
		emit_ended(skb, &e, h, &c->owner, s->now);
	if (t.what == (TAKE_START | TAKE_REQUEST))
		apply_mark(skb, c);
	if (c->mode & CONN_LOCAL) {
		u8 start[4];

		/* It keeps no heads, but has to know whether it speaks HTTP. */
		if (t.what == (TAKE_START | TAKE_REQUEST) &&
		    !bpf_skb_load_bytes(skb, v->offset, start, sizeof(start)) && http_method(start))
			c->mode |= CONN_HTTP;
		return;
	}
	if (t.what)
		segment_heads(skb, sk, c, h, v, &t);
	if (!s->request && c->response_bytes > RESPONSE_HEAD_MAX && v->len >= TAIL_LEN &&
	    (v->flags & TCP_PSH))
		bpf_skb_load_bytes(skb, v->offset + v->len - TAIL_LEN, c->tail, sizeof(c->tail));
	if ((c->mode & CONN_FOLLOW) && c->phase != PHASE_STREAM &&
	    (!filters_owner() || c->user & USER_PASS)) {
		turn_refill(c, s->now, before);
		follow_emit(skb, v->offset, v->len, (u64)v->seq << 32 | v->ack, s->request);
	}
}

/* The first sight of a connection that no state change announced. */
__noinline int conn_open(struct __sk_buff *skb)
{
	struct bpf_sock *sk = socket_of(skb);
	struct heads *h;
	struct conn *c;
	struct ends e;

	if (!sk)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count(COUNT_LOST_STATE, 1);
		return 0;
	}
	conn_unowned(c);
	if (sk->state == BPF_TCP_SYN_RECV) {
		h = bpf_sk_storage_get(&heads, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		stash_fast_open(c, h, sk);
	} else {
		conn_midway(c, sk);
	}
	ends_of_bpf_sock(sk, &e);
	if (c->role == ROLE_REQUESTER && ends_loopback(&e))
		c->mode |= CONN_LOCAL;
	return 0;
}

/* Does anybody want it? First bytes on a listener wait for their connection's own socket. */
ALWAYS_INLINE bool segment_wanted(struct __sk_buff *skb, struct bpf_sock *sk,
				  const struct tcp_view *v, bool egress)
{
	struct ends e;

	if (sk->state == BPF_TCP_LISTEN) {
		if (v->len && !egress && tap_wants_ports(v->source, v->dest, v->len))
			stash_put(skb);
		return false;
	}
	/* The socket's ports: NAT may have rewritten those of the header. */
	if (!tap_wants_ports(sk->src_port, bpf_ntohs(sk->dst_port), v->len))
		return false;
	if (!filter.by_net)
		return true;
	ends_of_bpf_sock(sk, &e);
	return filter_addresses(e.local, e.remote);
}

static __noinline bool on_loopback(struct __sk_buff *skb)
{
	struct bpf_sock *sk = socket_of(skb);
	struct ends e;

	if (!sk)
		return false;
	ends_of_bpf_sock(sk, &e);
	return ends_loopback(&e);
}

ALWAYS_INLINE void segment_ends(struct __sk_buff *skb, struct conn *c, const struct tcp_view *v,
				const struct segment *s)
{
	u16 flag = v->flags & TCP_RST ? EX_RESET : s->request ? EX_REQ_FIN : EX_RSP_FIN;

	bpf_spin_lock(&c->lock);
	c->flags |= flag;
	bpf_spin_unlock(&c->lock);
	if (flag == EX_RSP_FIN && v->seq + v->len == c->next[1])
		emit_from_skb(skb, END_FIN);
	/* A silent requester may not be waiting any longer: what for, only this end knows. */
	if (flag == EX_REQ_FIN && !s->egress && c->number > 1 && c->phase != PHASE_IDLE &&
	    on_loopback(skb))
		emit_from_skb(skb, END_SWEEP);
}

/* Not static, as in payload.bpf.h. */
__noinline int segment_frame(struct __sk_buff *skb, u32 egress)
{
	struct bpf_sock *sk = socket_of(skb);
	struct conn *c = sk ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
	struct frame_record about = {.type = egress ? PACKET_OUTGOING : PACKET_HOST};

	if (!c)
		return 0;
	about.cookie = bpf_get_socket_cookie(skb);
	about.now_ns = bpf_ktime_get_ns();
	about.number = c->number - 1;
	frame_emit(skb, &about, 0);
	return 0;
}

ALWAYS_INLINE int segment(struct __sk_buff *skb, bool egress)
{
	struct bpf_sock *sk = skb->sk;
	struct segment s = {};
	struct tcp_view v;
	struct conn *c;

	if (!sk)
		return 1;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (c && c->user & USER_SILENT)
		return 1;
	if (!segment_view(skb, &v))
		return 1;
	if (!v.len && !(v.flags & (TCP_FIN | TCP_RST)))
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk || !segment_wanted(skb, sk, &v, egress))
		return 1;
	if (!c) {
		if (!v.len)
			return 1;
		conn_open(skb);
		c = bpf_sk_storage_get(&conns, sk, 0, 0);
		if (!c)
			return 1;
	}
	s.request = (c->role == ROLE_REQUESTER) == egress;
	s.egress = egress;
	s.seq = v.seq;
	s.ack = v.ack;
	s.len = v.len;
	if (v.len) {
		s.now = bpf_ktime_get_ns();
		segment_data(skb, sk, c, &v, &s);
	}
	if (v.flags & (TCP_RST | TCP_FIN))
		segment_ends(skb, c, &v, &s);
	if (frames_kept && (!filters_owner() || c->user & USER_PASS))
		segment_frame(skb, egress);
	return 1;
}

SEC("cgroup_skb/ingress")
int tap_ingress(struct __sk_buff *skb)
{
	return segment(skb, false);
}

SEC("cgroup_skb/egress")
int tap_egress(struct __sk_buff *skb)
{
	return segment(skb, true);
}

/* ---- what the packets do not tell: processes, reads, and the ends of sockets ---- */

SEC("tp_btf/sock_send_length")
int BPF_PROG(owner_send_tp, struct sock *sk)
{
	struct conn *c;

	if (!unowned)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (c)
		tap_owner(sk, c);
	return 0;
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(owner_send_fexit, struct sock *sk)
{
	struct conn *c;

	if (!unowned)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (c)
		tap_owner(sk, c);
	return 0;
}

/* Fires for each read that returned data, by whatever call; also for MSG_PEEK and for EAGAIN, which
 * is why only the first one after a request arrived counts. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(owner_read_tp, struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, 0, 0);

	if (!c)
		return 0;
	if (c->role == ROLE_RESPONDER && c->phase == PHASE_REQUEST &&
	    c->read_ns < c->request_first_ns)
		c->read_ns = bpf_ktime_get_ns();
	tap_owner(sk, c);
	return 0;
}

ALWAYS_INLINE void state_connecting(struct sock *sk)
{
	struct conn *c = conn_connecting(sk);

	if (c)
		tap_owner(sk, c); /* connect() runs in the process that asks */
}

ALWAYS_INLINE void state_established(struct sock *sk, bool accepted)
{
	struct conn *c = conn_established(sk, accepted);
	struct heads *h;
	struct ends e;

	if (!c)
		return;
	if (accepted)
		conn_unowned(c);
	ends_of_sock(sk, &e);
	if (!accepted && ends_loopback(&e))
		c->mode |= CONN_LOCAL;
	if (accepted && stash_waiting && c->phase == PHASE_IDLE) {
		h = bpf_sk_storage_get(&heads, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		stash_claim(c, h, &e);
	}
}

/* Ends (or for the sweep, shows) the exchange that is going on, from a hook that has the socket
 * itself. */
static __noinline void emit_from_sock(struct sock *sk, struct conn *c, u32 end)
{
	struct heads *h = bpf_sk_storage_get(&heads, sk, 0, 0);
	struct about a = {.cookie = bpf_get_socket_cookie(sk)};
	struct ended e;
	bool ended;

	/* A snapshot can wait for the next sweep; an exchange that ended cannot. */
	if (end == END_SWEEP && ring_half_full())
		return;
	bpf_spin_lock(&c->lock);
	ended = turn_end(c, &e, end);
	bpf_spin_unlock(&c->lock);
	if (!ended || !tap_wanted(c, end))
		return;
	a.now = bpf_ktime_get_ns();
	a.srtt_us = BPF_CORE_READ((struct tcp_sock *)sk, srtt_us) >> 3;
	ends_of_sock(sk, &a.ends);
	if (!tap_record(&e, h, &c->owner, &a) && end == END_SWEEP)
		c->swept = 0; /* the next sweep tries again */
}

/* Did it end without a FIN of its own, and not for want of an answer (ETIMEDOUT)? Then this end
 * sends RST, which goes out when its exchange has been told, or it got one. */
ALWAYS_INLINE bool closed_by_reset(struct sock *sk, int old)
{
	int error = BPF_CORE_READ(sk, sk_err);

	return (old == BPF_TCP_ESTABLISHED || old == BPF_TCP_CLOSE_WAIT) &&
	       (!error || error == ECONNRESET);
}

ALWAYS_INLINE void state_closed(struct sock *sk, struct conn *c, int old)
{
	if (closed_by_reset(sk, old)) {
		bpf_spin_lock(&c->lock);
		c->flags |= EX_RESET;
		bpf_spin_unlock(&c->lock);
	}
	if (c->phase != PHASE_IDLE)
		emit_from_sock(sk, c, END_CLOSE);
	if (c->user & USER_SILENT)
		silent_tell(c, bpf_get_socket_cookie(sk), true);
	conn_owned(c);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_tp, struct sock *sk, int old, int new)
{
	struct conn *c;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (new == BPF_TCP_SYN_SENT) {
		state_connecting(sk);
	} else if (new == BPF_TCP_ESTABLISHED) {
		state_established(sk, old == BPF_TCP_SYN_RECV);
	} else if (new == BPF_TCP_CLOSE) {
		c = bpf_sk_storage_get(&conns, sk, 0, 0);
		if (c)
			state_closed(sk, c, old);
	}
	return 0;
}

/*
 * The sweep: what has not ended. A byte of output for each snapshot, so that a read returns after
 * as many as its buffer holds: the ring is drained in between and cannot run full of them.
 */

SEC("iter/bpf_sk_storage_map")
int sweep(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *c;
	char shown = 0;

	if (!sk || !ctx->value)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!c || !sweep_wants(c))
		return 0;
	emit_from_sock(sk, c, END_SWEEP);
	bpf_seq_write(ctx->meta->seq, &shown, sizeof(shown));
	return 0;
}
