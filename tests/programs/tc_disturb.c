// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A tc program on one interface that loses or delays one packet in N, for tests on a bad network.
 * usage: tc_disturb IFNAME drop|delay N; a clsact qdisc must be there. "drop" shoots packets that
 * come in; "delay" gives packets that go out the priority 1:2, which an HTB class can make slow.
 * Prints "ready", holds until standard input closes, then prints how many packets it touched. */
#include <err.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_REG(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define CALL(f)       INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT()        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int touched_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		err(1, "cannot create a map");
	return fd;
}

/* r6 = skb; one time in N: count it, then drop it or mark it. */
static int load(int map, int delay, int one_in)
{
	struct bpf_insn insns[] = {
		MOV_REG(6, 1),
		CALL(BPF_FUNC_get_prandom_u32),
		INSN(BPF_ALU | BPF_MOD | BPF_K, 0, 0, 0, one_in),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0),
		MOV_IMM(0, TC_ACT_UNSPEC),
		EXIT(),
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		MOV_REG(2, 10),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0),
		MOV_IMM(1, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD),
		MOV_IMM(1, 1 << 16 | 2),
		delay ? INSN(BPF_STX | BPF_MEM | BPF_W, 6, 1, offsetof(struct __sk_buff, priority),
			     0)
		      : MOV_REG(1, 1),
		MOV_IMM(0, delay ? TC_ACT_UNSPEC : TC_ACT_SHOT),
		EXIT(),
	};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SCHED_CLS,
			       .insns = (uintptr_t)insns,
			       .insn_cnt = sizeof(insns) / sizeof(insns[0]),
			       .license = (uintptr_t) "GPL",
			       .prog_name = "tc_disturb"};
	int fd = bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0)
		err(1, "cannot load the program");
	return fd;
}

struct message {
	struct nlmsghdr n;
	struct tcmsg t;
	char attrs[256];
};

static struct rtattr *put(struct message *m, int type, const void *data, size_t size)
{
	struct rtattr *a = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->n.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(a), data, size);
	m->n.nlmsg_len = NLMSG_ALIGN(m->n.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

/* The filter goes when the interface goes. */
static void attach(int prog, const char *ifname, int egress)
{
	struct message m = {
		.n = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)),
		      .nlmsg_type = RTM_NEWTFILTER,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
		.t = {.tcm_ifindex = if_nametoindex(ifname),
		      .tcm_parent =
			      TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS),
		      .tcm_info = TC_H_MAKE(1 << 16, __builtin_bswap16(ETH_P_ALL))},
	};
	struct {
		struct nlmsghdr n;
		struct nlmsgerr e;
		char more[512];
	} answer;
	__u32 flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct rtattr *options;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	put(&m, TCA_KIND, "bpf", 4);
	options = put(&m, TCA_OPTIONS, NULL, 0);
	put(&m, TCA_BPF_FD, &prog, sizeof(prog));
	put(&m, TCA_BPF_NAME, "tc_disturb", 11);
	put(&m, TCA_BPF_FLAGS, &flags, sizeof(flags));
	options->rta_len = (char *)&m + m.n.nlmsg_len - (char *)options;
	if (fd < 0 || send(fd, &m, m.n.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		err(1, "netlink");
	if (answer.e.error)
		errx(1, "cannot attach to %s: %s", ifname, strerror(-answer.e.error));
	close(fd);
}

int main(int argc, char **argv)
{
	__u32 key = 0;
	__u64 touched = 0;
	union bpf_attr attr = {.key = (uintptr_t)&key};
	int map = touched_map(), delay;
	char byte;

	if (argc != 4 || atoi(argv[3]) <= 0)
		errx(2, "usage: tc_disturb IFNAME drop|delay N");
	delay = !strcmp(argv[2], "delay");
	attach(load(map, delay, atoi(argv[3])), argv[1], delay);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	attr.map_fd = map;
	attr.value = (uintptr_t)&touched;
	if (bpf(BPF_MAP_LOOKUP_ELEM, &attr))
		err(1, "cannot read the count");
	printf("%llu\n", (unsigned long long)touched);
	return 0;
}
