// SPDX-License-Identifier: GPL-2.0-only
/* latency, kernel side: each kind from the hook where it ends, counted there in a histogram.
 * Requests and responses are told apart by the engine of the main job; nothing is copied. */
#include "kernel/accept.bpf.h"
#include "kernel/stash.bpf.h"

#include "tools/latency/measure.bpf.h"
#include "tools/latency/sends.h"

#define TURNS (1u << LATENCY_FIRST_BYTE | 1u << LATENCY_SERVER | 1u << LATENCY_QUEUE)
#define SENDS (1u << LATENCY_RTT | 1u << LATENCY_SEND)

/* When its SYN went out; in the storage of the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} connects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sends);
} sends SEC(".maps");

/* Calls that were not measured, as too many were under way. */
u64 calls_unmeasured;

/* ---- packets ---- */

/* Which end it is: the kind says, or what was seen of the socket, else the socket itself. */
ALWAYS_INLINE bool is_connected(struct sock *sk, u32 kind, const struct sends *s)
{
	u32 role = kind_role(kind);

	if (!role && s)
		role = s->role;
	return role ? role == ROLE_REQUESTER : tcp_connected(sk);
}

/* A frame of its own: the stack of the packet programs would not hold one for each kind. */
static __noinline int case_here(struct bpf_sock *sk, u32 kind, u64 took_ns, u64 size)
{
	struct sends *s = kind_role(kind) ? NULL : bpf_sk_storage_get(&sends, sk, 0, 0);
	struct latency_case c = {.kind = kind, .took_ns = took_ns, .size = size};
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct ends e;

	if (!tp || !case_owner(&c, sk))
		return 0;
	c.now_ns = bpf_ktime_get_ns();
	c.connected = is_connected((struct sock *)tp, kind, s);
	ends_of_bpf_sock(sk, &e);
	take_case(&c, &e);
	return 0;
}

/* The socket's ports have passed the filter. */
ALWAYS_INLINE void measured_here(struct bpf_sock *sk, u32 kind, u64 took_ns, u64 size)
{
	if (only_time_matters())
		count_time(kind, took_ns);
	else
		case_here(sk, kind, took_ns, size);
}

/* Not static: verified once. A socket that no state change announced. */
__noinline int turns_begin(struct __sk_buff *skb)
{
	struct bpf_sock *sk = socket_of(skb);
	struct conn *c;

	if (!sk)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c)
		count(COUNT_LOST_STATE, 1);
	else if (sk->state == BPF_TCP_SYN_RECV)
		stash_fast_open(c, NULL, sk);
	else
		conn_midway(c, sk);
	return 0;
}

/* Another CPU may have moved the beginning meanwhile. */
ALWAYS_INLINE u64 since(u64 now, u64 began)
{
	return now > began ? now - began : 0;
}

/* A response begins: what its end knows of the request. */
ALWAYS_INLINE void answered(struct bpf_sock *sk, const struct conn *c, u64 now)
{
	if (c->role == ROLE_REQUESTER && asked(LATENCY_FIRST_BYTE))
		measured_here(sk, LATENCY_FIRST_BYTE, since(now, c->request_last_ns),
			      c->request_bytes);
	if (c->role == ROLE_RESPONDER && asked(LATENCY_SERVER) && c->read_ns >= c->request_first_ns)
		measured_here(sk, LATENCY_SERVER, since(now, c->read_ns), c->request_bytes);
}

ALWAYS_INLINE void turns_segment(struct bpf_sock *sk, struct conn *c, const struct tcp_view *v,
				 bool egress, u64 now)
{
	struct segment s = {.seq = v->seq,
			    .ack = v->ack,
			    .len = v->len,
			    .request = (c->role == ROLE_REQUESTER) == egress,
			    .egress = egress,
			    .now = now};
	bool ends = turn_flips(c, &s) && turn_ends(c, &s, turn_crosses(c, &s));
	struct head_take t = {};
	bool waited, begun;

	bpf_spin_lock(&c->lock);
	if (ends && c->phase >= PHASE_RESPONSE)
		c->phase = PHASE_IDLE;
	waited = c->phase == PHASE_REQUEST;
	turn_data(c, &s, &t);
	begun = waited && c->phase == PHASE_RESPONSE && !(c->flags & EX_OVERLAP);
	bpf_spin_unlock(&c->lock);
	if (begun)
		answered(sk, c, now);
}

ALWAYS_INLINE void turns(struct __sk_buff *skb, struct bpf_sock *sk, const struct tcp_view *v,
			 bool egress, u64 now)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, 0, 0);

	if (!c) {
		turns_begin(skb);
		c = bpf_sk_storage_get(&conns, sk, 0, 0);
	}
	if (c)
		turns_segment(sk, c, v, egress, now);
}

/* A FIN takes a sequence number, which is acknowledged as bytes are. */
ALWAYS_INLINE void sends_segment(struct bpf_sock *sk, const struct tcp_view *v, u64 now)
{
	struct sends *s = bpf_sk_storage_get(&sends, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!s) {
		count(COUNT_LOST_STATE, 1);
		return;
	}
	bpf_spin_lock(&s->lock);
	sends_out(s, v->seq, v->len, v->flags & TCP_FIN, now);
	bpf_spin_unlock(&s->lock);
}

__noinline int acked_calls(struct __sk_buff *skb)
{
	struct bpf_sock *sk = socket_of(skb);
	struct sends *s = sk ? bpf_sk_storage_get(&sends, sk, 0, 0) : NULL;
	u64 now = bpf_ktime_get_ns();
	struct call done;
	bool more;

	if (!s)
		return 0;
	for (int i = 0; i < CALLS; i++) {
		bpf_spin_lock(&s->lock);
		more = sends_acked(s, &done);
		bpf_spin_unlock(&s->lock);
		if (!more)
			break;
		measured_here(sk, LATENCY_SEND, now - done.began_ns, done.bytes);
	}
	return 0;
}

/* Acknowledgements come with and without payload. */
ALWAYS_INLINE void acked_segment(struct __sk_buff *skb, struct bpf_sock *sk,
				 const struct tcp_view *v, u64 now)
{
	struct sends *s = bpf_sk_storage_get(&sends, sk, 0, 0);
	u64 took;
	u32 len;
	bool calls;

	if (!s || !(v->flags & TCP_ACK))
		return;
	bpf_spin_lock(&s->lock);
	len = s->timed_len;
	took = sends_round_trip(s, v->ack, now);
	calls = s->n;
	bpf_spin_unlock(&s->lock);
	if (took && asked(LATENCY_RTT))
		measured_here(sk, LATENCY_RTT, took, len);
	if (calls && asked(LATENCY_SEND))
		acked_calls(skb);
}

/* Ports decide early. They are the socket's, as NAT may have rewritten those of the header. */
ALWAYS_INLINE struct bpf_sock *wanted_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = socket_of(skb);

	if (!sk || !filter_ports(sk->src_port, bpf_ntohs(sk->dst_port)))
		return NULL;
	return sk;
}

SEC("cgroup_skb/egress")
int latency_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = wanted_socket(skb);
	struct tcp_view v;
	u64 now;

	if (!sk || !segment_view(skb, &v) || !(v.len || v.flags & TCP_FIN))
		return 1;
	now = bpf_ktime_get_ns();
	if (kinds & SENDS)
		sends_segment(sk, &v, now);
	if (kinds & TURNS && v.len)
		turns(skb, sk, &v, true, now);
	return 1;
}

SEC("cgroup_skb/ingress")
int latency_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = wanted_socket(skb);
	struct tcp_view v;
	u64 now;

	if (!sk || !segment_view(skb, &v) || !(v.len || kinds & SENDS))
		return 1;
	if (sk->state == BPF_TCP_LISTEN) {
		if (kinds & TURNS && v.len)
			stash_put(skb);
		return 1;
	}
	now = bpf_ktime_get_ns();
	if (kinds & SENDS)
		acked_segment(skb, sk, &v, now);
	if (kinds & TURNS && v.len)
		turns(skb, sk, &v, false, now);
	return 1;
}

/* ---- what processes do ---- */

/* The first read after a request began to arrive ends its wait; it has been read with the first one
 * after its last bytes. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(latency_read, struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, 0, 0);
	u64 now, began = 0, size = 0;

	if (!c || c->role != ROLE_RESPONDER || c->phase != PHASE_REQUEST ||
	    c->read_ns >= c->request_last_ns)
		return 0;
	if (owners_wanted)
		socket_used(sk);
	now = bpf_ktime_get_ns();
	bpf_spin_lock(&c->lock);
	if (c->phase == PHASE_REQUEST && now >= c->request_last_ns) {
		if (c->read_ns < c->request_first_ns)
			began = c->request_first_ns;
		c->read_ns = now;
		size = c->request_bytes;
	}
	bpf_spin_unlock(&c->lock);
	if (began && asked(LATENCY_QUEUE))
		measured(sk, LATENCY_QUEUE, now - began, size, false);
	return 0;
}

/* Before the bytes of a call go out, where this can be seen. */
SEC("fentry/tcp_sendmsg")
int BPF_PROG(latency_send_begins, struct sock *sk)
{
	struct sends *s = bpf_sk_storage_get(&sends, sk, 0, 0);

	if (s)
		s->call_ns = bpf_ktime_get_ns();
	return 0;
}

ALWAYS_INLINE int send_returned(struct sock *sk, int bytes)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	u64 now = bpf_ktime_get_ns(), took = 0;
	struct sends *s;
	bool room;
	u32 end;

	if (!tp || !socket_is_tcp(sk) ||
	    !filter_ports(sk->__sk_common.skc_num, bpf_ntohs(sk->__sk_common.skc_dport)))
		return 0;
	s = bpf_sk_storage_get(&sends, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!s) {
		count(COUNT_LOST_STATE, 1);
		return 0;
	}
	if (bytes <= 0) {
		s->call_ns = 0;
		return 0;
	}
	if (owners_wanted)
		socket_used(sk);
	end = tp->write_seq;
	bpf_spin_lock(&s->lock);
	room = sends_returned(s, end, bytes, now, &took);
	bpf_spin_unlock(&s->lock);
	if (!room)
		__sync_fetch_and_add(&calls_unmeasured, 1);
	if (took)
		measured(sk, LATENCY_SEND, took, bytes, is_connected(sk, LATENCY_SEND, s));
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(latency_send_tp, struct sock *sk, int ret, int flags)
{
	return send_returned(sk, ret);
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(latency_send_fexit, struct sock *sk, void *msg, u64 size, int ret)
{
	return send_returned(sk, ret);
}

/* ---- connections ---- */

ALWAYS_INLINE void connecting(struct sock *sk)
{
	u64 *began;

	if (kinds & TURNS)
		conn_connecting(sk);
	if (owners_wanted)
		socket_used(sk);
	if (!asked(LATENCY_CONNECT))
		return;
	began = bpf_sk_storage_get(&connects, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (began)
		*began = bpf_ktime_get_ns();
	else
		count(COUNT_LOST_STATE, 1);
}

ALWAYS_INLINE void connected(struct sock *sk)
{
	u64 *began = bpf_sk_storage_get(&connects, sk, 0, 0);

	if (!began || !*began)
		return;
	measured(sk, LATENCY_CONNECT, bpf_ktime_get_ns() - *began, 0, true);
	*began = 0;
}

/* Of a socket that sends, where it is asked which end it is. */
ALWAYS_INLINE void sends_role(struct sock *sk, u32 role)
{
	struct sends *s;

	if (!(kinds & SENDS) || (by != LATENCY_BY_PORT && !cases_wanted))
		return;
	s = bpf_sk_storage_get(&sends, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (s)
		s->role = role;
	else
		count(COUNT_LOST_STATE, 1);
}

ALWAYS_INLINE void established(struct sock *sk, bool accepted)
{
	struct conn *c;
	struct ends e;

	if (kinds & TURNS) {
		c = conn_established(sk, accepted);
		ends_of_sock(sk, &e);
		if (c && accepted && c->phase == PHASE_IDLE)
			stash_claim(c, NULL, &e);
	}
	sends_role(sk, accepted ? ROLE_RESPONDER : ROLE_REQUESTER);
	if (asked(LATENCY_ACCEPT) && accepted)
		accept_waits(sk, bpf_ktime_get_ns());
	if (asked(LATENCY_CONNECT) && !accepted)
		connected(sk);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(latency_state, struct sock *sk, int old, int new)
{
	if (!socket_is_tcp(sk))
		return 0;
	if (new == BPF_TCP_SYN_SENT)
		connecting(sk);
	else if (new == BPF_TCP_ESTABLISHED)
		established(sk, old == BPF_TCP_SYN_RECV);
	return 0;
}

ALWAYS_INLINE void accept_done(void *ctx, const struct sock *sk, const struct ends *ends,
			       const struct owner *who, bool pass, u64 waited_ns)
{
	struct latency_case c = {.kind = LATENCY_ACCEPT,
				 .took_ns = waited_ns,
				 .now_ns = bpf_ktime_get_ns(),
				 .owner = *who};

	(void)ctx;
	(void)sk;
	if (waited_ns && pass)
		take_case(&c, ends);
}
