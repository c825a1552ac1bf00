// SPDX-License-Identifier: GPL-2.0-only
/* requests on an interface, kernel side: a socket filter that follows each TCP connection that
 * passes, of sockets of this host and of none. It returns 0, so another program may tail-call it.
 */
#include "kernel/wire.bpf.h"
#include "kernel/wire_owner.bpf.h"

#include "kernel/flow.h"

#include "kernel/emit.bpf.h"

/* Where the table is full the least recently used flow goes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow_key);
	__type(value, struct flow_edge);
} edges SEC(".maps");

u64 cookies; /* given out */

/* A flow begins locked, by the CPU that makes it. */
#define MADE_TURN 0 /* what it takes with that */
static const volatile struct flow unmade = {.turn = MADE_TURN + 1};

/* ---- one CPU at a time ---- */

/* A pass takes less than a microsecond, but the machine may take the CPU away in between: so one
 * that waits does it for some ten milliseconds, where it can be told to, else for a tenth of one.
 */
#define TRIES          32768
#define TRIES_UNROLLED 256 /* in a loop that the verifier walks */
#define CALLS          8   /* between two tries, as a try by itself takes no time */

#define NO_TURN 1 /* odd, so it is never taken */

/* No spin lock may be in such a map. Even: nobody is inside. A compare and exchange orders memory
 * both ways. Returns the turn that was taken, or NO_TURN. */
ALWAYS_INLINE u32 flow_try(struct flow *f)
{
	u32 turn = *(volatile u32 *)&f->turn;

	if (turn & 1 || __sync_val_compare_and_swap(&f->turn, turn, turn + 1) != turn)
		return NO_TURN;
	return turn;
}

struct flow_wait {
	struct flow *f;
	u32 turn;
};

/* Nonzero: no more tries. */
static long flow_try_again(u32 i, struct flow_wait *w)
{
	w->turn = flow_try(w->f);
	if (w->turn != NO_TURN)
		return 1;
#pragma unroll
	for (int k = 0; k < CALLS; k++)
		(void)bpf_ktime_get_ns();
	return 0;
}

/* Not static: verified once. */
__noinline u32 flow_wait(struct flow *f)
{
	struct flow_wait w = {f, NO_TURN};

	if (!f)
		return NO_TURN;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop)) { /* Linux 5.17 */
		bpf_loop(TRIES, flow_try_again, &w, 0);
		return w.turn;
	}
	for (int i = 0; i < TRIES_UNROLLED; i++)
		if (flow_try_again(i, &w))
			break;
	return w.turn;
}

ALWAYS_INLINE u32 flow_enter(struct flow *f)
{
	u32 turn = flow_try(f);

	return turn != NO_TURN ? turn : flow_wait(f);
}

/* turn: as it was before this CPU took it. Where the place is another flow's by now, that is left
 * alone. */
ALWAYS_INLINE void flow_leave(struct flow *f, u32 turn)
{
	(void)__sync_val_compare_and_swap(&f->turn, turn + 1, turn + 2);
}

/* ---- what the engine asks for ---- */

ALWAYS_INLINE u32 flow_mark_of(const struct flow *f)
{
	u64 cookie = f->cookie;
	u32 *mark = marks_used ? bpf_map_lookup_elem(&marks, &cookie) : NULL;

	return mark ? *mark : 0;
}

ALWAYS_INLINE void flow_emit(struct flow *f, const struct ended *e, u64 now)
{
	struct exchange *x = exchange_reserve(e, &f->heads);

	if (!x)
		return;
	flow_tell(f, x, now);
	ring_submit(&x->r);
}

ALWAYS_INLINE void flow_payload(packet_bytes *b, struct flow *f, struct payload *about, u32 from,
				u32 len)
{
	struct conn *c = &f->conn;

	if (c->budget < len) {
		payload_skip(about, len);
		return;
	}
	c->budget -= len;
	payload_emit(b, about, from, len);
}

/* ---- segments ---- */

ALWAYS_INLINE bool wire_same_key(const struct flow_key *a, const struct flow_key *b)
{
	return a->a[1] == b->a[1] && a->b[1] == b->b[1] && a->a_port == b->a_port &&
	       a->b_port == b->b_port && a->a[0] == b->a[0] && a->b[0] == b->b[0] &&
	       a->tunnel == b->tunnel && a->network == b->network;
}

/* It is over, and nobody is inside any more who would change it. What comes late is known by its
 * last numbers, which are there already; another flow may have its place. */
static __noinline void wire_forget(const struct flow_key *key, u64 cookie)
{
	struct flow *f = bpf_map_lookup_elem(&flows, key);

	if (f && f->cookie == cookie && !bpf_map_delete_elem(&flows, key))
		count(COUNT_FLOWS_ENDED, 1);
}

/* It may open a connection. Apart, as what has a stack of its own is not under
 * that of the engine. */
static __noinline void wire_syn(const struct flow_key *key, const struct flow_segment *v, u64 now)
{
	struct flow *f = bpf_map_lookup_elem(&flows, key);
	struct flow_edge *known, e = {};
	bool restarts;
	u64 cookie;
	u32 turn;

	if (f) {
		turn = flow_enter(f);
		if (turn == NO_TURN) {
			count(COUNT_CONTENDED, 1);
			return;
		}
		restarts = wire_same_key(&f->key, key) && flow_restarts(f, v);
		if (restarts) {
			flow_end(f, END_CLOSE, now);
			f->over = 1;
		}
		cookie = f->cookie;
		flow_leave(f, turn);
		if (restarts)
			wire_forget(key, cookie);
	}
	known = bpf_map_lookup_elem(&edges, key);
	if (known)
		e = *known;
	flow_opens(&e, v, now);
	bpf_map_update_elem(&edges, key, &e, BPF_ANY);
}

/* The flow of a segment with payload, where there was none; NULL: it has none. *made: this CPU is
 * inside. */
static __noinline struct flow *wire_make(struct __sk_buff *skb, const struct flow_key *key,
					 const struct flow_segment *v, bool *made)
{
	struct flow_edge *known, e;
	struct flow *f;

	known = bpf_map_lookup_elem(&edges, key);
	if (known) {
		e = *known;
		known = &e;
		if (flow_is_late(&e, v, v->s.now)) {
			count(COUNT_LATE, flow_is_new(&e, v));
			return NULL;
		}
	}
	if (bpf_map_update_elem(&flows, key, (const void *)&unmade, BPF_NOEXIST)) {
		f = bpf_map_lookup_elem(&flows, key); /* another CPU was first */
		if (!f)
			count(COUNT_LOST_STATE, 1);
		return f;
	}
	f = bpf_map_lookup_elem(&flows, key);
	if (!f)
		return NULL;
	*made = true;
	count(COUNT_FLOWS, 1);
	f->cookie = __sync_fetch_and_add(&cookies, 1) + 1;
	flow_start(skb, f, key, known, v);
	return f;
}

/* Its end is remembered while this CPU is inside, so that a SYN comes after it. */
static __noinline void wire_close(const struct flow_key *key, const struct flow *f, u64 now)
{
	struct flow_edge e;

	flow_closed(f, &e, now);
	bpf_map_update_elem(&edges, key, &e, BPF_ANY);
}

static __noinline void wire_frame(struct __sk_buff *skb, const struct flow *f, u64 now)
{
	struct frame_record about = {
		.cookie = f->cookie,
		.now_ns = now,
		.number = f->conn.number - 1,
		.interface = skb->ifindex,
		.ethernet = wire_is_ethernet(skb),
		.type = skb->pkt_type,
	};

	frame_emit(skb, &about, about.ethernet ? 0 : wire_link_header(skb));
}

ALWAYS_INLINE void wire_segment(struct __sk_buff *skb, const struct flow_key *key,
				struct flow_segment *v)
{
	bool made = false, over = false;
	u32 turn = MADE_TURN;
	u64 cookie;
	struct flow *f;

	f = bpf_map_lookup_elem(&flows, key);
	if (!f && v->s.len)
		f = wire_make(skb, key, v, &made);
	if (!f)
		return;
	if (!made)
		turn = flow_enter(f);
	if (turn == NO_TURN) {
		count(COUNT_CONTENDED, 1);
		flow_skip(f, turn_index(v->from_b == f->b_asks));
		return;
	}
	/* The place of a flow that was forgotten meanwhile may be another's. */
	if (wire_same_key(&f->key, key)) {
		if (!f->over) {
			flow_take(skb, f, v);
			if (frames_kept)
				wire_frame(skb, f, v->s.now);
			if (f->over)
				wire_close(key, f, v->s.now);
		}
		over = f->over;
	}
	cookie = f->cookie;
	flow_leave(f, turn);
	if (over)
		wire_forget(key, cookie);
}

/* What is not taken is counted, where that is not for want of interest. */
ALWAYS_INLINE bool wire_takes(const struct packet *p)
{
	u32 decision = flow_decide(&filter, ssh_shown, p);

	if (decision == FLOW_FRAGMENT)
		count(COUNT_FRAGMENTS, 1);
	if (decision == FLOW_SSH)
		count(COUNT_SSH_BYTES, p->payload_length);
	return decision == FLOW_TAKEN;
}

SEC("socket")
int wire_filter(struct __sk_buff *skb)
{
	struct flow_segment v;
	struct flow_key key;
	struct packet p;
	struct tunnel tunnel;

	if (!wire_passes(skb))
		return 0;
	if (!wire_is_ethernet(skb))
		wire_walk(skb, false, &p);
	else if (!packet_quick_tcp(skb, &p))
		packet_walk_frame(skb, 0, &p);
	packet_inside(skb, &p, &tunnel);
	if (!wire_takes(&p))
		return 0;
	flow_of(&p, &tunnel, &key, &v);
	v.s.now = bpf_ktime_get_ns();
	if (v.flags & FLOW_SYN)
		wire_syn(&key, &v, v.s.now);
	if (v.s.len || !(v.flags & FLOW_SYN))
		wire_segment(skb, &key, &v);
	return 0; /* bytes to queue to the socket */
}

/* ---- the sweep: what has not ended ---- */

/* A snapshot, unless another CPU changes the flow meanwhile: then the next sweep has it. */
__noinline int wire_snapshot(struct flow *f)
{
	struct exchange *x;
	struct ended e;
	u32 turn;

	if (!f)
		return 0;
	turn = *(volatile u32 *)&f->turn;
	if (turn & 1 || !sweep_wants(&f->conn) || ring_half_full() ||
	    !turn_end(&f->conn, &e, END_SWEEP))
		return 0;
	flow_headless(f, &e);
	x = exchange_reserve(&e, &f->heads);
	if (!x) {
		f->conn.swept = 0;
		return 0;
	}
	flow_tell(f, x, bpf_ktime_get_ns());
	if (*(volatile u32 *)&f->turn != turn) {
		f->conn.swept = 0;
		bpf_ringbuf_discard(x, 0);
		return 0;
	}
	ring_submit(&x->r);
	return 1;
}

SEC("iter/bpf_map_elem")
int wire_sweep(struct bpf_iter__bpf_map_elem *ctx)
{
	struct flow *f = ctx->value;
	char shown = 0;

	if (ctx->key && f && wire_snapshot(f))
		bpf_seq_write(ctx->meta->seq, &shown, sizeof(shown));
	return 0;
}
