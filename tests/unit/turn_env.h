// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The socket tap of `requests` compiled natively, on sockets, packets and helpers that are made
 * here, so that tests and fuzzers run the very programs that the kernel runs, their locking
 * included. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/types.h"
#include "known_bytes.h"

#define BYTES_OF_SKB

/* Programs name fields of kernel structs and CO-RE finds their offsets. Here one object is sock,
 * inet_sock and tcp_sock at once, so their trimmed forms are moved apart. */
#define inet_sport                                                                                 \
	env_before_inet[48];                                                                       \
	u16 inet_sport
#define srtt_us                                                                                    \
	env_before_tcp[32];                                                                        \
	u32 srtt_us
#define preserve_access_index annotate("preserve_access_index")
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#include "kernel/types.h"
#undef inet_sport
#undef srtt_us
_Static_assert(sizeof(struct sock) <= 96, "inet_sport is behind it");

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

/* A helper that is not here jumps to a low address: add it when a program calls a new one. */
static void *env_lookup(void *map, const void *key);
static long env_update(void *map, const void *key, const void *value, u64 flags);
static long env_delete(void *map, const void *key);
static void *env_storage(void *map, void *sk, void *value, u64 flags);
static void *env_reserve(void *map, u64 size, u64 flags);
static void env_submit(void *record, u64 flags);
static void env_discard(void *record, u64 flags);
static long env_load(const void *skb, u32 from, void *to, u32 n);
static u64 env_available(void);
static u64 env_cookie(void *any);
static struct tcp_sock *env_tcp_sock(void *sk);
static u64 env_now(void);
static u64 env_pid_tgid(void);
static u64 env_task(void);
static void env_lock(struct bpf_spin_lock *l);
static void env_unlock(struct bpf_spin_lock *l);

#define bpf_map_lookup_elem                       env_lookup
#define bpf_map_update_elem                       env_update
#define bpf_map_delete_elem                       env_delete
#define bpf_sk_storage_get(map, sk, v, f)         env_storage(map, (void *)(sk), (void *)(v), f)
#define bpf_ringbuf_reserve                       env_reserve
#define bpf_ringbuf_submit                        env_submit
#define bpf_ringbuf_discard                       env_discard
#define bpf_ringbuf_query(map, what)              env_available()
#define bpf_skb_load_bytes                        env_load
#define bpf_get_socket_cookie                     env_cookie
#define bpf_seq_write(seq, data, n)               (void)(data)
#define bpf_sk_fullsock(sk)                       (sk)
#define bpf_skc_to_tcp_sock                       env_tcp_sock
#define bpf_ktime_get_ns                          env_now
#define bpf_get_current_pid_tgid                  env_pid_tgid
#define bpf_get_current_task                      env_task
#define bpf_get_current_cgroup_id()               7
#define bpf_get_current_ancestor_cgroup_id(level) 7
#define bpf_spin_lock(l)                          env_lock(l)
#define bpf_spin_unlock(l)                        env_unlock(l)
#undef SEC
#define SEC(name)
#undef BPF_CORE_READ
#define BPF_CORE_READ_1(p, a)                        ((p)->a)
#define BPF_CORE_READ_4(p, a, b, c, d)               ((p)->a->b->c->d)
#define BPF_CORE_READ_PICK(p, a, b, c, d, name, ...) name
#define BPF_CORE_READ(...)                                                                         \
	BPF_CORE_READ_PICK(__VA_ARGS__, BPF_CORE_READ_4, , , BPF_CORE_READ_1, )(__VA_ARGS__)
#undef BPF_CORE_READ_INTO
#define BPF_CORE_READ_INTO(to, p, field) memcpy(to, &(p)->field, sizeof(*(to)))
#undef bpf_core_field_exists
#define bpf_core_field_exists(field) 1

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#pragma GCC diagnostic ignored "-Wshadow"
#include "tools/requests/requests.bpf.c"
#pragma GCC diagnostic pop

#define ENV_SOCKETS 2
#define ENV_HEADER  40 /* IPv4 and TCP without options */
#define ENV_TABLE   16

/* One end: what packet programs see of the socket, the socket itself, and its storage. */
struct env_sock {
	struct bpf_sock bpf;
	union {
		struct sock sock;
		struct inet_sock inet;
		struct tcp_sock tcp;
	} k;
	u64 cookie;
	bool has_conn, has_heads;
	struct conn conn;
	struct heads heads;
};

struct env_segment {
	bool egress, request;
	u32 seq, ack, len;
	u8 flags;
	const void *payload; /* NULL: env_byte() of each byte's sequence number */
};

static struct {
	struct env_sock sock[ENV_SOCKETS];
	u64 cookies; /* given out */
	u64 now;
	u32 pid;
	struct task_struct task;
	bool locked;
	u64 counter[COUNTERS];
	struct {
		bool used;
		struct ends key;
		struct stashed value;
	} stash[ENV_TABLE];
	struct stashed scratch;
	struct {
		u64 key;
		u32 value;
	} mark[ENV_TABLE];
	u8 *packet; /* below 4 GiB, as __sk_buff has 32 bits for its address */
	const struct env_segment *segment;
	struct known_text text[2]; /* of responses, of requests */
	/* Takes each record; it may be gone afterwards. */
	void (*record)(const struct record *r);
	u64 reserved; /* size of the last record's room */
} env;

/* The payload where none is given. */
static inline u8 env_byte(bool request, u32 seq)
{
	return known_byte(&env.text[request], request, seq);
}

/* ---- helpers ---- */

static void env_lock(struct bpf_spin_lock *l)
{
	(void)l;
	assert(!env.locked);
	env.locked = true;
}

static void env_unlock(struct bpf_spin_lock *l)
{
	(void)l;
	assert(env.locked);
	env.locked = false;
}

static u64 env_now(void)
{
	assert(!env.locked); /* the verifier takes no helper call inside the lock */
	return env.now;
}

static u64 env_pid_tgid(void)
{
	assert(!env.locked);
	return (u64)env.pid << 32 | env.pid;
}

static u64 env_task(void)
{
	return (u64)(uintptr_t)&env.task;
}

static void *env_lookup(void *map, const void *key)
{
	assert(!env.locked);
	if (map == &counters) {
		assert(*(const u32 *)key < COUNTERS);
		return &env.counter[*(const u32 *)key];
	}
	if (map == &stash_scratch)
		return &env.scratch;
	for (int i = 0; i < ENV_TABLE; i++) {
		if (map == &stash && env.stash[i].used &&
		    !memcmp(&env.stash[i].key, key, sizeof(struct ends)))
			return &env.stash[i].value;
		if (map == &marks && env.mark[i].value && env.mark[i].key == *(const u64 *)key)
			return &env.mark[i].value;
	}
	return NULL;
}

static long env_update(void *map, const void *key, const void *value, u64 flags)
{
	assert(!env.locked && map == &stash && flags == BPF_NOEXIST);
	for (int i = 0; i < ENV_TABLE; i++) {
		if (env.stash[i].used)
			continue;
		env.stash[i].used = true;
		memcpy(&env.stash[i].key, key, sizeof(struct ends));
		memcpy(&env.stash[i].value, value, sizeof(struct stashed));
		return 0;
	}
	return -E2BIG;
}

static long env_delete(void *map, const void *key)
{
	assert(!env.locked && map == &stash);
	for (int i = 0; i < ENV_TABLE; i++)
		if (!memcmp(&env.stash[i].key, key, sizeof(struct ends)))
			env.stash[i].used = false;
	return 0;
}

/* Programs hold either the packet's view of a socket or the socket. */
static struct env_sock *env_sock_of(const void *sk)
{
	for (int i = 0; i < ENV_SOCKETS; i++)
		if (sk == &env.sock[i].bpf || sk == &env.sock[i].k)
			return &env.sock[i];
	abort();
}

static void *env_storage(void *map, void *sk, void *value, u64 flags)
{
	struct env_sock *s = env_sock_of(sk);
	bool *has = map == &conns ? &s->has_conn : &s->has_heads;

	assert(!env.locked && !value);
	if (!*has && !(flags & BPF_SK_STORAGE_GET_F_CREATE))
		return NULL;
	*has = true;
	return map == &conns ? (void *)&s->conn : (void *)&s->heads;
}

static struct tcp_sock *env_tcp_sock(void *sk)
{
	return &env_sock_of(sk)->k.tcp;
}

static u64 env_cookie(void *any)
{
	const struct __sk_buff *skb = any;

	assert(!env.locked);
	for (int i = 0; i < ENV_SOCKETS; i++)
		if (any == &env.sock[i].k)
			return env.sock[i].cookie;
	return env_sock_of(skb->sk)->cookie;
}

static long env_load(const void *skb_, u32 from, void *to, u32 n)
{
	const struct __sk_buff *skb = skb_;
	const struct env_segment *s = env.segment;
	const u8 *given = s->payload;
	u8 *b = to;

	assert(!env.locked);
	if (!n || from > skb->len || n > skb->len - from)
		return -EFAULT;
	for (u32 i = 0; i < n; i++) {
		u32 at = from + i - ENV_HEADER;

		if (from + i < ENV_HEADER)
			b[i] = env.packet[from + i];
		else
			b[i] = given ? given[at] : env_byte(s->request, s->seq + at);
	}
	return 0;
}

static void *env_reserve(void *map, u64 size, u64 flags)
{
	(void)flags;
	assert(!env.locked && map == &ring);
	env.reserved = size;
	return memset(malloc(size), 0xee, size);
}

static u64 env_available(void)
{
	return 0; /* the ring is drained at once */
}

static void env_discard(void *record, u64 flags)
{
	(void)flags;
	assert(!env.locked);
	free(record);
}

static void env_submit(void *record, u64 flags)
{
	const struct record *r = record;

	assert(r->size == env.reserved && r->kind <= RECORD_SILENT);
	if (env.record)
		env.record(r);
	env_discard(record, flags);
}

/* ---- what tests call ---- */

static inline void env_reset(void (*record)(const struct record *))
{
	u8 *packet = env.packet;

	if (!packet)
		packet = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
#ifdef MAP_32BIT
			      MAP_32BIT |
#endif
				      MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	assert(packet != MAP_FAILED && (uintptr_t)packet >> 32 == 0);
	memset(&env, 0, sizeof(env));
	env.packet = packet;
	env.record = record;
	env.now = 1000000;
	stash_waiting = 0;
	marks_used = 0;
}

#define ENV_CLIENT 0x0a000001
#define ENV_SERVER 0x0a000002

/* Socket i anew: one end of 10.0.0.1:40000 -> 10.0.0.2:80, in no state yet. */
static inline struct env_sock *env_open(unsigned i, bool requester)
{
	struct env_sock *s = &env.sock[i];
	u32 local = bpf_htonl(requester ? ENV_CLIENT : ENV_SERVER);
	u32 remote = bpf_htonl(requester ? ENV_SERVER : ENV_CLIENT);
	u16 local_port = requester ? 40000 : 80, remote_port = requester ? 80 : 40000;

	memset(s, 0, sizeof(*s));
	s->cookie = ++env.cookies;
	s->bpf.family = s->k.sock.__sk_common.skc_family = 2;
	s->bpf.src_ip4 = s->k.sock.__sk_common.skc_rcv_saddr = local;
	s->bpf.dst_ip4 = s->k.sock.__sk_common.skc_daddr = remote;
	s->bpf.src_port = local_port;
	s->bpf.dst_port = s->k.sock.__sk_common.skc_dport = bpf_htons(remote_port);
	s->k.inet.inet_sport = bpf_htons(local_port);
	s->k.sock.sk_protocol = IPPROTO_TCP;
	s->k.sock.sk_max_ack_backlog = requester ? 0 : 128;
	return s;
}

static inline void env_state(struct env_sock *s, u32 state)
{
	unsigned long long ctx[] = {(uintptr_t)&s->k, s->bpf.state, state};

	state_tp(ctx);
	s->bpf.state = state;
}

/* Both directions have ended in order. */
static inline void env_close(struct env_sock *s)
{
	s->bpf.state = BPF_TCP_LAST_ACK;
	env_state(s, BPF_TCP_CLOSE);
}

/* What the socket knows: the next sequence numbers that it will send and that it waits for. */
static inline void env_numbers(struct env_sock *s, u32 snd_nxt, u32 rcv_nxt)
{
	s->k.tcp.snd_nxt = snd_nxt;
	s->k.tcp.rcv_nxt = rcv_nxt;
}

/* The handshake, at this end; the numbers are of the first bytes. */
static inline void env_establish(struct env_sock *s, bool requester, u32 snd_nxt, u32 rcv_nxt)
{
	if (requester)
		env_state(s, BPF_TCP_SYN_SENT);
	else
		s->bpf.state = BPF_TCP_SYN_RECV;
	env_numbers(s, snd_nxt, rcv_nxt);
	env_state(s, BPF_TCP_ESTABLISHED);
}

static inline void env_sweep(struct env_sock *s)
{
	struct bpf_iter_meta meta = {0};
	struct bpf_iter__bpf_sk_storage_map ctx = {
		.meta = &meta, .sk = &s->k.sock, .value = &s->conn};

	if (s->has_conn)
		sweep(&ctx);
}

/* The process env.pid sends on the socket, or reads from it. */
static inline void env_use(struct env_sock *s, bool reads)
{
	unsigned long long ctx[] = {(uintptr_t)&s->k};

	env.task.group_leader = &env.task;
	(void)(reads ? owner_read_tp(ctx) : owner_send_tp(ctx));
}

static inline void env_play(struct env_sock *s, const struct env_segment *seg)
{
	struct __sk_buff skb = {.sk = &s->bpf, .len = ENV_HEADER + seg->len};
	struct iphdr *ip = (struct iphdr *)env.packet;
	struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
	bool from_client = (s->bpf.src_port == 40000) == seg->egress;

	memset(env.packet, 0, ENV_HEADER);
	ip->version = 4;
	ip->ihl = 5;
	ip->protocol = IPPROTO_TCP;
	ip->saddr = bpf_htonl(from_client ? ENV_CLIENT : ENV_SERVER);
	ip->daddr = bpf_htonl(from_client ? ENV_SERVER : ENV_CLIENT);
	tcp->source = bpf_htons(from_client ? 40000 : 80);
	tcp->dest = bpf_htons(from_client ? 80 : 40000);
	tcp->doff = 5;
	((u8 *)tcp)[13] = seg->flags;
	tcp->seq = bpf_htonl(seg->seq - !!(seg->flags & TCP_SYN));
	tcp->ack_seq = bpf_htonl(seg->ack);
	skb.protocol = bpf_htons(ETH_P_IP);
	skb.ifindex = 2;
	skb.data = (u32)(uintptr_t)env.packet;
	skb.data_end = skb.data + ENV_HEADER;
	env.segment = seg;
	(void)(seg->egress ? tap_egress(&skb) : tap_ingress(&skb));
	assert(!env.locked);
	assert((u32)s->conn.response_base + s->conn.response_head <= HEADS_MAX);
}
