// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Classic BPF becomes eBPF, at run time, for a program of type BPF_PROG_TYPE_SOCKET_FILTER.
 * It decides before the tap's own program runs, so that what a filter rejects costs no more. */
#pragma once

#include <linux/bpf.h>

#include "filter/compile.h"

enum {
	FILTER_CLASSIC_MAX = BPF_MAXINSNS, /* as the kernel takes of classic BPF */
	FILTER_RETURNS_VERDICT = -1,
};

struct filter_ebpf {
	struct bpf_insn *insns; /* owned */
	unsigned n;
};

/*
 * The program of a match tail-calls entry 0 of the program array whose descriptor is prog_array,
 * and returns 0 as it does without a match: nothing is queued to the socket. With
 * FILTER_RETURNS_VERDICT it returns what the classic program returns.
 *
 * Instructions mean what they mean to bpf_filter of libpcap, so that a file and the wire have the
 * same verdict: a load outside of the packet and a division by zero end the program with 0. The
 * kernel's own classic BPF differs for a negative offset, which wraps there, and for a shift by 32
 * or more that is known only at run time, which shifts by its low five bits there and leaves 0
 * here. Loads from SKF_AD_OFF on ask the kernel, as in Documentation/networking/filter.rst. The
 * packet begins where the skb does when the socket's filter runs: at the link layer, for a packet
 * socket of type SOCK_RAW, on the way in and out.
 *
 * 0 and *out, which filter_ebpf_free frees; or with a sentence about the instruction in why:
 * -ENOTSUP (cannot be translated), -EINVAL (malformed), -E2BIG; -ENOMEM.
 */
int filter_translate(const struct filter_program *p, int prog_array, struct filter_ebpf *out,
		     char *why, size_t size);
void filter_ebpf_free(struct filter_ebpf *e);
