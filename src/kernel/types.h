// SPDX-License-Identifier: GPL-2.0-only
/* Kernel types, cut down to the fields that are read. Made by scripts/kernel-types.py from
 * types.list; do not edit. CO-RE finds each field's real offset by its name when the program is
 * loaded. */
#pragma once

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "abi/types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct socket;
struct sock;
struct fdtable;
struct cgroup_subsys_state;
struct kernfs_node;
struct cgroup;
struct task_struct;
struct css_set;
struct files_struct;
struct seq_file;
struct bpf_iter_meta;
struct bpf_map;
struct sock_common;
struct file;

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	u16 skc_family;
	u8 skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	u64 skc_flags;
};

struct sock {
	struct sock_common __sk_common;
	s32 sk_err;
	u32 sk_max_ack_backlog;
	u16 sk_protocol;
	struct socket *sk_socket;
};

struct request_sock {
	struct sock_common __req_common;
};

struct file {
	void *private_data;
};

struct socket {
	struct sock *sk;
};

struct inet_sock {
	u16 inet_sport;
};

struct minmax_sample {
	u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	u32 srtt_us;
	u32 rcv_nxt;
	u32 snd_nxt;
	u32 snd_una;
	u32 write_seq;
	u64 bytes_acked;
	u64 bytes_received;
	u32 segs_out;
	u32 segs_in;
	u32 total_retrans;
	struct minmax rtt_min;
};

struct tcp_skb_cb {
	u16 tcp_gso_segs;
};

struct fdtable {
	u32 max_fds;
	void *fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct kernfs_node {
	u64 id;
};

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	u32 flags;
	struct task_struct *group_leader;
	char comm[16];
	s32 tgid;
	u64 start_boottime;
	struct css_set *cgroups;
	struct files_struct *files;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct sock *sk;
	void *value;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

struct sk_buff {
	struct sock *sk;
	char cb[48];
	void *head;
	u16 transport_header;
	u32 len;
	u32 data_len;
	void *data;
	u16 network_header;
	u16 mac_header;
};

#pragma clang attribute pop
