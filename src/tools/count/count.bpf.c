// SPDX-License-Identifier: GPL-2.0-only
/* count, kernel side: a socket filter that adds each packet to a sum of this CPU.
 * It returns 0, and it needs nothing but the packet, so another program may tail-call it. */
#include "kernel/ends.bpf.h"
#include "kernel/filter.bpf.h"
#include "kernel/owner.bpf.h"
#include "kernel/packet.h"

#include "tools/count/count.h"

#define LOOPBACK_INDEX  1 /* LOOPBACK_IFINDEX of include/net/net_namespace.h */
#define PACKET_OUTGOING 4 /* include/uapi/linux/if_packet.h */

/* Set before loading. */
const volatile u32 by, direction;
const volatile u32 network_namespace; /* its inode: sockets of others are not this interface's */

/* Grows as keys come, so that its size costs nothing before they do. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct count_key);
	__type(value, struct count_sum);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNT_PROTOCOL);
	__type(key, u32);
	__type(value, struct count_sum);
} protocols SEC(".maps");

/* Packets are filtered with softirqs off, so nothing else on this CPU is between load and store. */
ALWAYS_INLINE void add(struct count_sum *sum, u32 bytes)
{
	if (!sum)
		return;
	sum->packets++;
	sum->bytes += bytes;
}

ALWAYS_INLINE void add_protocol(u32 protocol, u32 bytes)
{
	add(bpf_map_lookup_elem(&protocols, &protocol), bytes);
}

ALWAYS_INLINE void add_key(const struct count_key *key, u32 bytes)
{
	struct count_sum *sum = bpf_map_lookup_elem(&sums, key);
	struct count_sum zero = {};

	if (!sum) {
		/* Another CPU may be first: then there is one. */
		bpf_map_update_elem(&sums, key, &zero, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&sums, key);
	}
	if (sum)
		add(sum, bytes);
	else
		add_protocol(COUNT_NO_ROOM, bytes);
}

/* By the index of an interface: are its packets Ethernet's? An index is never given again. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u8);
} ethernet SEC(".maps");

/* Bytes in front of the IP header. The kernel knows them for every type of link: the context of a
 * filter is the packet itself. Where that may not be read, the link is taken for Ethernet. */
ALWAYS_INLINE u32 link_header(struct __sk_buff *skb)
{
	struct sk_buff *packet = (struct sk_buff *)skb;
	u16 network = 0, link = 0;

	if (bpf_core_read(&network, sizeof(network), &packet->network_header) ||
	    bpf_core_read(&link, sizeof(link), &packet->mac_header))
		return PACKET_ETHERNET;
	return (u16)(network - link);
}

/* Asked once an interface, as the answer costs as much as all else that a packet does. */
ALWAYS_INLINE bool is_ethernet(struct __sk_buff *skb)
{
	u32 index = skb->ifindex;
	u8 *known = bpf_map_lookup_elem(&ethernet, &index);

	if (known && *known)
		return true;
	/* Behind tags, what the kernel says differs between its versions; only Ethernet has any. */
	if (packet_is_tag(bpf_ntohs(skb->protocol)))
		return true;
	if (link_header(skb) != PACKET_ETHERNET)
		return false;
	if (known)
		*known = 1;
	return true;
}

ALWAYS_INLINE void walk(struct __sk_buff *skb, bool from_ethernet, struct packet *p)
{
	if (from_ethernet)
		packet_walk_ethernet(skb, 0, p);
	else
		packet_walk(skb, link_header(skb), bpf_ntohs(skb->protocol), p);
}

ALWAYS_INLINE bool wanted(const struct packet *p)
{
	if (filter.n_ports &&
	    (!(p->flags & PACKET_PORTS) || !filter_ports(p->source_port, p->destination_port)))
		return false;
	return !filter.by_net || (p->version && filter_addresses(p->source, p->destination));
}

/* Any order of addresses will do, as long as both directions agree. */
ALWAYS_INLINE bool source_is_server(const struct packet *p)
{
	if (p->source_port != p->destination_port)
		return p->source_port < p->destination_port;
	if (p->source[0] != p->destination[0])
		return p->source[0] < p->destination[0];
	return p->source[1] < p->destination[1];
}

ALWAYS_INLINE void key_connection(const struct packet *p, bool outgoing, struct count_key *key)
{
	bool swap = source_is_server(p);

	__builtin_memcpy(key->client, swap ? p->destination : p->source, sizeof(key->client));
	__builtin_memcpy(key->server, swap ? p->source : p->destination, sizeof(key->server));
	key->client_port = swap ? p->destination_port : p->source_port;
	key->server_port = swap ? p->source_port : p->destination_port;
	key->known |= KEY_HOST;
	if (by == BY_PROCESS && swap != outgoing)
		key->known |= KEY_CLIENT;
}

ALWAYS_INLINE void key_of(const struct packet *p, bool outgoing, u32 bytes, struct count_key *key)
{
	if (by == BY_SIZE) {
		for (u32 n = bytes; n > 1 && key->type < 31; n >>= 1)
			key->type++;
		return;
	}
	if (by == BY_HOST) {
		if (!p->version)
			return;
		key->known = KEY_HOST;
		__builtin_memcpy(key->server, outgoing ? p->destination : p->source,
				 sizeof(key->server));
		return;
	}
	if (!p->version) {
		key->type = p->type;
		return;
	}
	key->protocol = p->protocol;
	key->known = KEY_IP;
	if (p->flags & PACKET_PORTS)
		key->known |= KEY_PORTS;
	if (by == BY_PORT)
		key->server_port =
			p->source_port < p->destination_port ? p->source_port : p->destination_port;
	else
		key_connection(p, outgoing, key);
}

ALWAYS_INLINE bool passes_here(struct __sk_buff *skb, bool outgoing)
{
	if (direction == DIRECTION_OUT)
		return outgoing;
	if (direction == DIRECTION_IN)
		return !outgoing;
	/* There what goes out comes in, and would be counted twice. */
	return !outgoing || skb->ifindex != LOOPBACK_INDEX;
}

SEC("socket")
int count_filter(struct __sk_buff *skb)
{
	/* A tag that was taken out of the frame was on the wire all the same. */
	u32 bytes = skb->len + (skb->vlan_present ? PACKET_TAG : 0);
	bool outgoing = skb->pkt_type == PACKET_OUTGOING, from_ethernet;
	bool filtered = filter.n_ports || filter.by_net;
	struct count_key key;
	struct packet p;
	u8 protocol;

	if (!passes_here(skb, outgoing))
		return 0;
	from_ethernet = is_ethernet(skb);
	if (by == BY_PROTOCOL && !filtered && from_ethernet &&
	    packet_quick_protocol(skb, &protocol)) {
		add_protocol(protocol, bytes);
		return 0;
	}
	__builtin_memset(&p, 0, sizeof(p));
	__builtin_memset(&key, 0, sizeof(key));
	if (by != BY_SIZE || filtered) {
		walk(skb, from_ethernet, &p);
		if (!wanted(&p))
			return 0;
	}
	if (by == BY_PROTOCOL && p.version) {
		add_protocol(p.protocol, bytes);
		return 0;
	}
	key_of(&p, outgoing, bytes, &key);
	add_key(&key, bytes);
	return 0; /* bytes to queue to the socket */
}

/* ---- whose sockets there are: for --by process ---- */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct count_socket);
	__type(value, struct owner);
} owners SEC(".maps");

/* Who connects: while that goes on the socket's port is not known yet. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct owner);
} connecting SEC(".maps");

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

ALWAYS_INLINE bool is_any(const u64 *address)
{
	return !address[0] && (!address[1] || address[1] == bpf_cpu_to_be64(0xffff00000000));
}

/* False: not a socket whose packets can be told by ports, or of another network namespace. */
ALWAYS_INLINE bool socket_key(struct sock *sk, struct count_socket *key)
{
	struct sock_common___namespace *common = (void *)sk;
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	struct net___namespace *net = BPF_CORE_READ(common, skc_net.net);
	struct ends e;

	if ((family != 2 /* AF_INET */ && family != 10 /* AF_INET6 */) ||
	    BPF_CORE_READ(net, ns.inum) != network_namespace)
		return false;
	ends_of_sock(sk, &e);
	if (!e.local_port)
		return false;
	__builtin_memset(key, 0, sizeof(*key));
	if (!is_any(e.local))
		__builtin_memcpy(key->local, e.local, sizeof(key->local));
	if (!is_any(e.remote))
		__builtin_memcpy(key->remote, e.remote, sizeof(key->remote));
	key->local_port = e.local_port;
	key->remote_port = e.remote_port;
	key->protocol = sk->sk_protocol;
	return true;
}

ALWAYS_INLINE int owned_by_current(struct sock *sk)
{
	struct count_socket key;
	struct owner who = {};

	if (!socket_key(sk, &key))
		return 0;
	owner_of_current(&who);
	bpf_map_update_elem(&owners, &key, &who, BPF_ANY);
	return 0;
}

/* After the packets left; for every protocol. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(owner_send, struct sock *sk)
{
	return owned_by_current(sk);
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(owner_read, struct sock *sk)
{
	return owned_by_current(sk);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(owner_state, struct sock *sk, int old, int new)
{
	struct count_socket key;
	struct owner *who;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (new == BPF_TCP_SYN_SENT) {
		who = bpf_sk_storage_get(&connecting, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (who)
			owner_of_current(who); /* connect() runs in the process that asks */
		return 0;
	}
	who = bpf_sk_storage_get(&connecting, sk, 0, 0);
	if (who && who->pid && socket_key(sk, &key)) {
		bpf_map_update_elem(&owners, &key, who, BPF_NOEXIST);
		bpf_sk_storage_delete(&connecting, sk);
	}
	return 0;
}

/* Sockets that are open, of every process: those older than the tool, and those that only
 * receive. */
SEC("iter/task_file")
int owner_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task, *leader;
	struct file *file = ctx->file;
	struct count_socket key;
	struct owner who = {};
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !socket_key(sk, &key))
		return 0;
	leader = BPF_CORE_READ(task, group_leader);
	who.pid = task->tgid;
	if (bpf_core_field_exists(leader->start_boottime))
		who.start_ns = BPF_CORE_READ(leader, start_boottime);
	BPF_CORE_READ_INTO(&who.comm, leader, comm);
	bpf_map_update_elem(&owners, &key, &who, BPF_NOEXIST);
	return 0;
}
