// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The ladders of hooks behind `tapline requests`: for each job, the best program that loads is
 * taken. tp_btf before fexit: cheaper, more stable, and some kernels refuse the last. There is no
 * kprobe rung: such a program cannot reach socket storage. */
#include "loader/ladder.h"

/* sock_send_length exists from 6.3. Before 6.5 sendfile and splice went by tcp_sendpage, past
 * tcp_sendmsg. */
const struct rung ladder_send[] = {
	{"owner_send_tp", "tp_btf/sock_send_length", NULL},
	{"owner_send_fexit", "fexit/tcp_sendmsg",
	 "owners that only ever send by sendfile or splice, on kernels before 6.5"},
	{NULL, NULL, NULL},
};

/* tcp_rcv_space_adjust fires for each read that returned data, splice included, which
 * sock_recv_length misses. */
const struct rung ladder_read[] = {
	{"owner_read_tp", "tp_btf/tcp_rcv_space_adjust", NULL},
	{NULL, NULL, NULL},
};

/* One rung: every kernel with BTF and a ring buffer has it, and a plain tracepoint program could
 * reach neither the socket nor its storage. */
const struct rung ladder_state[] = {
	{"state_tp", "tp_btf/inet_sock_set_state", NULL},
	{NULL, NULL, NULL},
};

const struct rung ladder_sweep[] = {
	{"sweep", "iter/bpf_sk_storage_map", NULL},
	{NULL, NULL, NULL},
};
