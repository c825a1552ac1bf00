// SPDX-License-Identifier: GPL-2.0-only
/* What the benchmark puts beside tapline: empty programs on the same hooks, which show what any
 * program there costs, and two that count, which show how many packets carry data. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_helpers.h>

#include "abi/types.h"
#include "floor.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PACKET_COUNTS);
	__type(key, u32);
	__type(value, u64);
} packets SEC(".maps");

static __always_inline void add(u32 what)
{
	u64 *v = bpf_map_lookup_elem(&packets, &what);

	if (v)
		__sync_fetch_and_add(v, 1);
}

/* The load is IPv4, without options that would hide a header; others are not counted at all. */
static __always_inline int count(struct __sk_buff *skb, u32 all, u32 with_data)
{
	void *end = (void *)(long)skb->data_end;
	struct iphdr *ip = (void *)(long)skb->data;
	struct tcphdr *tcp = (void *)(ip + 1);

	if ((void *)(tcp + 1) > end || ip->version != 4 || ip->ihl != 5 ||
	    ip->protocol != IPPROTO_TCP)
		return 1;
	add(all);
	if (skb->len > sizeof(*ip) + tcp->doff * 4)
		add(with_data);
	return 1;
}

SEC("cgroup_skb/ingress")
int empty_ingress(struct __sk_buff *skb)
{
	return 1;
}

SEC("cgroup_skb/egress")
int empty_egress(struct __sk_buff *skb)
{
	return 1;
}

SEC("tp_btf/sock_send_length")
int empty_send(void *ctx)
{
	return 0;
}

/* Where the tracepoint is missing (before 6.3), as in tapline's ladder. */
SEC("fexit/tcp_sendmsg")
int empty_send_fexit(void *ctx)
{
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int empty_read(void *ctx)
{
	return 0;
}

/* Returns 0 as tapline's do: nothing is queued to the socket. */
SEC("socket")
int empty_socket(struct __sk_buff *skb)
{
	return 0;
}

SEC("cgroup_skb/ingress")
int count_ingress(struct __sk_buff *skb)
{
	return count(skb, PACKETS_IN, PACKETS_IN_DATA);
}

SEC("cgroup_skb/egress")
int count_egress(struct __sk_buff *skb)
{
	return count(skb, PACKETS_OUT, PACKETS_OUT_DATA);
}
