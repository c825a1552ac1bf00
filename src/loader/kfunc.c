// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What libbpf before 1.3 leaves of a call to a function that is not there is a call of function 0.
 * Kernels from 5.13 to 5.15 look functions up before they know what is reached, and refuse it. */
#include "loader/kfunc.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/def.h"

size_t kfunc_drop_missing(struct bpf_insn *insns, size_t n)
{
	const struct bpf_insn move = {.code = BPF_ALU64 | BPF_MOV | BPF_K};
	size_t dropped = 0;

	for (size_t i = 0; i < n; i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL) &&
		    insns[i].src_reg == BPF_PSEUDO_KFUNC_CALL && !insns[i].imm) {
			insns[i] = move; /* r0 = 0 */
			dropped++;
		}
	return dropped;
}

/* libbpf calls it when all that the object refers to has been found. */
static int prepare(struct bpf_program *p, struct bpf_prog_load_opts *opts, long cookie)
{
	size_t n = bpf_program__insn_cnt(p);
	_cleanup_free_ struct bpf_insn *insns = malloc(n * sizeof(*insns));

	(void)opts;
	(void)cookie;
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(p), n * sizeof(*insns));
	return kfunc_drop_missing(insns, n) ? bpf_program__set_insns(p, insns, n) : 0;
}

void kfunc_register(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare);
	static bool done;

	if (done)
		return;
	done = true;
	(void)libbpf_register_prog_handler("socket", BPF_PROG_TYPE_SOCKET_FILTER, 0, &opts);
	(void)libbpf_register_prog_handler("cgroup_skb/ingress", BPF_PROG_TYPE_CGROUP_SKB,
					   BPF_CGROUP_INET_INGRESS, &opts);
	(void)libbpf_register_prog_handler("cgroup_skb/egress", BPF_PROG_TYPE_CGROUP_SKB,
					   BPF_CGROUP_INET_EGRESS, &opts);
}
