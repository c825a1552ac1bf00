// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Holds the benchmark's own BPF programs attached: the floor that tapline is compared with.
 * usage: floor [empty] [count] [stats] [on INTERFACE]; prints "ready" and holds until standard
 * input closes, so that nothing outlives the benchmark. empty: on the hooks of tapline requests.
 * on: an empty filter on a packet socket. count: prints at the end the TCP packets seen: received,
 * of them with data, sent, of them with data. stats: the kernel times every BPF program meanwhile.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "floor.h"
#include "floor.skel.h"
#include "host/cgroup.h"

struct wanted {
	bool empty, counting, stats;
	const char *interface;
};

static bool parse(int argc, char **argv, struct wanted *w)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "empty"))
			w->empty = true;
		else if (!strcmp(argv[i], "count"))
			w->counting = true;
		else if (!strcmp(argv[i], "stats"))
			w->stats = true;
		else if (!strcmp(argv[i], "on") && i + 1 < argc)
			w->interface = argv[++i];
		else
			return false;
	}
	return argc > 1;
}

static void choose(struct floor_bpf *k, const struct wanted *w)
{
	bool tracepoint = libbpf_find_vmlinux_btf_id("sock_send_length", BPF_TRACE_RAW_TP) > 0;

	bpf_program__set_autoload(k->progs.empty_ingress, w->empty);
	bpf_program__set_autoload(k->progs.empty_egress, w->empty);
	bpf_program__set_autoload(k->progs.empty_send, w->empty && tracepoint);
	bpf_program__set_autoload(k->progs.empty_send_fexit, w->empty && !tracepoint);
	bpf_program__set_autoload(k->progs.empty_read, w->empty);
	bpf_program__set_autoload(k->progs.count_ingress, w->counting);
	bpf_program__set_autoload(k->progs.count_egress, w->counting);
	bpf_program__set_autoload(k->progs.empty_socket, w->interface);
}

/* Links go with the process. */
static void attach_hooks(struct floor_bpf *k)
{
	int cgroup = cgroup_root_open();
	struct bpf_program *p;

	if (cgroup < 0)
		errx(1, "cannot open the root of cgroup v2: %s", strerror(-cgroup));
	bpf_object__for_each_program(p, k->obj)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(p) ||
		    bpf_program__type(p) == BPF_PROG_TYPE_SOCKET_FILTER)
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

/* As tapline opens one: bound once it has its filter. It goes with the process. */
static void attach_socket(struct floor_bpf *k, const char *interface)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(ETH_P_ALL),
				.sll_ifindex = (int)if_nametoindex(interface)};
	int program = bpf_program__fd(k->progs.empty_socket);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (!a.sll_ifindex)
		err(1, "%s", interface);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)) ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)))
		err(1, "cannot watch %s", interface);
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
	struct wanted w = {0};
	struct floor_bpf *k;
	char byte;

	if (!parse(argc, argv, &w))
		errx(2, "usage: floor [empty] [count] [stats] [on INTERFACE]");
	if (w.stats && bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		err(1, "cannot enable the statistics of BPF programs");
	k = floor_bpf__open();
	if (!k)
		err(1, "cannot open the BPF object");
	choose(k, &w);
	if (floor_bpf__load(k))
		err(1, "cannot load the BPF programs");
	if (w.empty || w.counting)
		attach_hooks(k);
	if (w.interface)
		attach_socket(k, w.interface);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	if (w.counting)
		print_packets(k);
	floor_bpf__destroy(k);
	return 0;
}
