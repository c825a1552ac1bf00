// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Counts what is in BPF maps: a hash by its keys, a storage of sockets by its sockets. The kernel
 * walks the map with an iterator, so nothing is copied but one byte an entry.
 * usage: map_entries ID... prints a line "ID NAME ENTRIES" for each map that still exists. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})

/* Both kinds of iterator have the same context: meta, map, the key or the socket, the value. The
 * third is NULL once, at the end of the walk. */
static int load(const char *target)
{
	int id = libbpf_find_vmlinux_btf_id(target, BPF_TRACE_ITER);
	const struct bpf_insn body[] = {
		INSN(BPF_LDX | BPF_DW | BPF_MEM, 2, 1, 16, 0),  /* r2 = ctx->key or ctx->sk */
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 7, 0),    /* none: to the end */
		INSN(BPF_LDX | BPF_DW | BPF_MEM, 1, 1, 0, 0),   /* r1 = ctx->meta */
		INSN(BPF_LDX | BPF_DW | BPF_MEM, 1, 1, 0, 0),   /* r1 = meta->seq */
		INSN(BPF_ST | BPF_DW | BPF_MEM, 10, 0, -8, 0),  /* a byte on the stack */
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0), /* r2 = its address */
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -8),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 1), /* r3 = its length */
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .attach_btf_id = (unsigned)id,
		    .expected_attach_type = BPF_TRACE_ITER);

	if (id < 0)
		errx(1, "this kernel has no iterator %s", target);
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "map_entries", "GPL", body,
			     sizeof(body) / sizeof(body[0]), &opts);
}

static long count(int prog, int map)
{
	union bpf_iter_link_info info = {.map.map_fd = (unsigned)map};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	static char bytes[1 << 16];
	int link = bpf_link_create(prog, 0, BPF_TRACE_ITER, &opts);
	int iter = link < 0 ? link : bpf_iter_create(link);
	long total = 0;
	ssize_t n;

	if (iter < 0)
		err(1, "iterator");
	while ((n = read(iter, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EAGAIN))
		total += n > 0 ? n : 0;
	if (n < 0)
		err(1, "read of an iterator");
	close(iter);
	close(link);
	return total;
}

int main(int argc, char **argv)
{
	int sockets = load("bpf_sk_storage_map"), keys = load("bpf_map_elem");

	if (sockets < 0 || keys < 0)
		err(1, "a program for an iterator");
	for (int i = 1; i < argc; i++) {
		struct bpf_map_info info = {0};
		__u32 size = sizeof(info);
		int map = bpf_map_get_fd_by_id((__u32)strtoul(argv[i], NULL, 10));

		if (map < 0 || bpf_obj_get_info_by_fd(map, &info, &size))
			continue; /* its owner has ended */
		printf("%s %s %ld\n", argv[i], info.name,
		       count(info.type == BPF_MAP_TYPE_SK_STORAGE ? sockets : keys, map));
		close(map);
	}
	return 0;
}
