// SPDX-License-Identifier: GPL-2.0-only
/* What TCP counts for each socket anyway, as tools show it: payload without the SYN and FIN that
 * are counted as bytes of it. */
#pragma once

#include "kernel/bpf.h"

#define SOCK_DONE 1 /* enum sock_flags of include/net/sock.h: a FIN arrived */

/* Did it connect? For sockets that are older than the run: of others the change of state tells. One
 * that was accepted is a copy of its listener (sk_clone_lock) and keeps the limit of its queue; one
 * that connects never had any. So one of a listener with a limit of 0 is taken for the other. */
ALWAYS_INLINE bool tcp_connected(const struct sock *sk)
{
	return !sk->sk_max_ack_backlog;
}

/*
 * SYN and FIN take a sequence number each. Only an end that connected has its SYN in the count, as
 * the numbers of one that was accepted begin behind it. Its FIN was acknowledged if nothing it
 * wrote is open; before FIN_WAIT2 that holds only of a socket that closes (closed), as else the FIN
 * may not have been written yet. state: now, or before it closed.
 */
ALWAYS_INLINE void tcp_payload(struct tcp_sock *t, u8 state, bool closed, bool connected, u64 *sent,
			       u64 *received)
{
	struct sock *sk = (struct sock *)t;
	bool ending = closed && (state == BPF_TCP_FIN_WAIT1 || state == BPF_TCP_CLOSING ||
				 state == BPF_TCP_LAST_ACK);
	bool fin_acked = state == BPF_TCP_FIN_WAIT2 || (ending && t->snd_una == t->write_seq);
	bool fin_came = sk->__sk_common.skc_flags & 1 << SOCK_DONE;
	u64 not_payload = connected + fin_acked;

	*sent = t->bytes_acked > not_payload ? t->bytes_acked - not_payload : 0;
	*received = t->bytes_received > fin_came ? t->bytes_received - fin_came : 0;
}

/* Smoothed, in microseconds; 0: not measured. The kernel keeps eighths. */
ALWAYS_INLINE u32 tcp_srtt_us(const struct tcp_sock *t)
{
	return t->srtt_us >> 3;
}
