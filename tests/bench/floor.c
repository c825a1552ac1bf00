// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Holds the benchmark's own BPF programs attached: the floor that tapline is compared with.
 * usage: floor [empty] [count] [stats]; prints "ready" and holds until standard input closes, so
 * that nothing outlives the benchmark. count: then prints the TCP packets seen: received, of them
 * with data, sent, of them with data. stats: the kernel times every BPF program meanwhile. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "floor.h"
#include "floor.skel.h"
#include "host/cgroup.h"

static void choose(struct floor_bpf *k, bool empty, bool counting)
{
	bool tracepoint = libbpf_find_vmlinux_btf_id("sock_send_length", BPF_TRACE_RAW_TP) > 0;

	bpf_program__set_autoload(k->progs.empty_ingress, empty);
	bpf_program__set_autoload(k->progs.empty_egress, empty);
	bpf_program__set_autoload(k->progs.empty_send, empty && tracepoint);
	bpf_program__set_autoload(k->progs.empty_send_fexit, empty && !tracepoint);
	bpf_program__set_autoload(k->progs.empty_read, empty);
	bpf_program__set_autoload(k->progs.count_ingress, counting);
	bpf_program__set_autoload(k->progs.count_egress, counting);
}

static void attach_all(struct floor_bpf *k)
{
	int cgroup = cgroup_root_open();
	struct bpf_program *p;

	if (cgroup < 0)
		errx(1, "cannot open the root of cgroup v2: %s", strerror(-cgroup));
	/* Links go with the process. */
	bpf_object__for_each_program(p, k->obj)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(p))
			continue;
		if (bpf_program__type(p) == BPF_PROG_TYPE_CGROUP_SKB)
			link = bpf_program__attach_cgroup(p, cgroup);
		else
			link = bpf_program__attach(p);
		if (!link)
			err(1, "cannot attach %s", bpf_program__name(p));
	}
	close(cgroup);
}

static void print_packets(struct floor_bpf *k)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *each = cpus > 0 ? calloc((size_t)cpus, sizeof(*each)) : NULL;

	if (!each)
		errx(1, "no memory");
	for (uint32_t i = 0; i < PACKET_COUNTS; i++) {
		unsigned long long sum = 0;

		if (bpf_map_lookup_elem(bpf_map__fd(k->maps.packets), &i, each))
			err(1, "cannot read the packet counts");
		for (int c = 0; c < cpus; c++)
			sum += each[c];
		printf("%llu%c", sum, i + 1 < PACKET_COUNTS ? ' ' : '\n');
	}
	free(each);
}

int main(int argc, char **argv)
{
	bool empty = false, counting = false, stats = false;
	struct floor_bpf *k;
	char byte;

	for (int i = 1; i < argc; i++) {
		empty |= !strcmp(argv[i], "empty");
		counting |= !strcmp(argv[i], "count");
		stats |= !strcmp(argv[i], "stats");
	}
	if (argc != 1 + empty + counting + stats || argc == 1)
		errx(2, "usage: floor [empty] [count] [stats]");
	if (stats && bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		err(1, "cannot enable the statistics of BPF programs");
	k = floor_bpf__open();
	if (!k)
		err(1, "cannot open the BPF object");
	choose(k, empty, counting);
	if (floor_bpf__load(k))
		err(1, "cannot load the BPF programs");
	attach_all(k);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	if (counting)
		print_packets(k);
	floor_bpf__destroy(k);
	return 0;
}
