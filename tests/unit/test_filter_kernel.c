// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Filters in the kernel: the same verdict as libpcap's own for hundreds of expressions on 5,000
 * frames, and for VLAN expressions as the kernel's classic BPF on live frames. A filter that means
 * something else there than in a file would mislead without a trace. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "filter/run.h"
#include "filter_ebpf.h"
#include "filter_packets.h"

enum { FRAMES = 5000, LIVE_FRAMES = 200, CORPUS_MIN = 300 };

static struct frame frames[FRAMES];
static bool wanted[FRAMES];

static void make_frames(void)
{
	struct frames g = {.seed = 88172645463325252ULL};

	for (unsigned i = 0; i < FRAMES; i++)
		frames[i] = *frames_next(&g);
}

static int load(const struct bpf_insn *insns, unsigned n)
{
	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "Dual BSD/GPL", insns, n, NULL);
}

static bool is_able(void)
{
	const struct bpf_insn none[] = {{.code = BPF_ALU | BPF_MOV | BPF_K},
					{.code = BPF_JMP | BPF_EXIT}};
	_cleanup_close_ int fd = load(none, 2);

	return fd >= 0;
}

static int close_file(FILE **f)
{
	return *f ? fclose(*f) : 0;
}

static int load_expression(const char *expr, const char *live, int array, struct filter_program *p,
			   struct filter_ebpf *e)
{
	const struct filter_link link = {.type = 1, .snaplen = 65535, .live = live};
	struct filter_error err;
	char why[160];
	int fd;

	if (filter_compile(expr, &link, p, &err))
		fail_msg("%s: %s", expr, err.message);
	if (filter_translate(p, array, e, why, sizeof(why)))
		fail_msg("%s: %s", expr, why);
	fd = load(e->insns, e->n);
	if (fd < 0)
		fail_msg("%s: the kernel refuses it: %s", expr, strerror(-fd));
	return fd;
}

/* The kernel takes an Ethernet header off before it runs a socket filter by BPF_PROG_TEST_RUN, so
 * the frame gets one more. */
static uint32_t run_in_kernel(int fd, const struct frame *f)
{
	static uint8_t data[ETH_HLEN + FRAME_MAX];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	memcpy(data + ETH_HLEN, f->p, f->n);
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.data_in = (uintptr_t)data;
	attr.test.data_size_in = ETH_HLEN + f->n;
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		fail_msg("BPF_PROG_TEST_RUN: %s", strerror(errno));
	return attr.test.retval;
}

/* How many frames match. */
static unsigned compare(const char *expr)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	_cleanup_(filter_ebpf_free) struct filter_ebpf e = {0};
	_cleanup_close_ int fd = load_expression(expr, NULL, FILTER_RETURNS_VERDICT, &p, &e);
	struct ebpf_run run = {0};
	unsigned n = 0;

	for (unsigned i = 0; i < FRAMES; i++) {
		const struct frame *f = &frames[i];

		wanted[i] = filter_match(&p, f->p, f->n, f->n);
		n += wanted[i];
		if ((ebpf_run(&e, &run, f->p, f->n) != 0) != wanted[i])
			fail_msg("%s, frame %u: libpcap says %d", expr, i, wanted[i]);
		if ((run_in_kernel(fd, f) != 0) != wanted[i])
			fail_msg("%s, frame %u: libpcap says %d, the kernel not", expr, i,
				 wanted[i]);
	}
	return n;
}

/* Calls what for each expression; the number of them. */
static unsigned for_each_expression(void (*what)(const char *expr, void *arg), void *arg)
{
	_cleanup_(close_file) FILE *f = fopen("tests/unit/filter_expressions.txt", "re");
	char line[512];
	unsigned n = 0;

	if (!f)
		fail_msg("run it in the project's top folder");
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == '#' || !*line)
			continue;
		n++;
		what(line, arg);
	}
	return n;
}

static void compare_one(const char *expr, void *arg)
{
	unsigned *divides = arg, n = compare(expr);

	*divides += n > 0 && n < FRAMES;
}

static void test_same_verdict_as_libpcap(void **state)
{
	unsigned divides = 0, n;

	(void)state;
	if (!is_able())
		skip();
	make_frames();
	n = for_each_expression(compare_one, &divides);
	assert_true(n >= CORPUS_MIN);
	/* Nearly all of them match some frames and not others, or the comparison says little. */
	if (divides < n * 9 / 10)
		fail_msg("only %u of %u expressions divide the frames", divides, n);
}

/* ---- the tail call ---- */

static void test_match_calls_the_tap(void **state)
{
	const struct bpf_insn tap[] = {{.code = BPF_ALU | BPF_MOV | BPF_K, .imm = 42},
				       {.code = BPF_JMP | BPF_EXIT}};
	_cleanup_(filter_program_free) struct filter_program p = {0};
	_cleanup_(filter_ebpf_free) struct filter_ebpf e = {0};
	_cleanup_close_ int array = -1, fd = -1, tap_fd = -1;
	unsigned matches = 0;
	uint32_t zero = 0;

	(void)state;
	if (!is_able())
		skip();
	make_frames();
	array = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, NULL, 4, 4, 1, NULL);
	assert_true(array >= 0);
	fd = load_expression("tcp port 80", NULL, array, &p, &e);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(run_in_kernel(fd, &frames[i]), 0);
	tap_fd = load(tap, 2);
	assert_int_equal(bpf_map_update_elem(array, &zero, &tap_fd, BPF_ANY), 0);
	for (unsigned i = 0; i < 500; i++) {
		bool match = filter_match(&p, frames[i].p, frames[i].n, frames[i].n);

		assert_int_equal(run_in_kernel(fd, &frames[i]), match ? 42 : 0);
		matches += match;
	}
	assert_true(matches > 0);
}

/* ---- live ---- */

/* protocol: ETH_P_ALL, or 0 for a socket that only sends. */
static int packet_socket(uint16_t protocol)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(protocol));

	to.sll_ifindex = (int)if_nametoindex("lo");
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* How often the frame came out of a socket, which is then empty: a copy on its way out and one on
 * its way in, less what the filter takes away. */
static unsigned drain(int fd)
{
	uint8_t byte;
	unsigned n = 0;

	while (recv(fd, &byte, 1, MSG_TRUNC) >= 0)
		n++;
	return n;
}

/* The socket that is the oldest gets its copy last. */
static void send_and_wait(int sender, int all, const struct frame *f)
{
	struct pollfd p = {.fd = all, .events = POLLIN};
	unsigned seen = 0;

	assert_int_equal(send(sender, f->p, f->n, 0), f->n);
	while (seen < 2) {
		assert_true(poll(&p, 1, 5000) > 0);
		seen += drain(all);
	}
}

struct live {
	unsigned compared, refused, matches;
};

static void compare_live(const char *expr, void *arg)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	_cleanup_(filter_ebpf_free) struct filter_ebpf e = {0};
	_cleanup_close_ int prog = -1, sender = -1, all = -1, classic = -1, extended = -1;
	struct sock_fprog fprog;
	struct live *live = arg;

	if (!strstr(expr, "vlan"))
		return;
	prog = load_expression(expr, "lo", FILTER_RETURNS_VERDICT, &p, &e);
	fprog = (struct sock_fprog){(unsigned short)p.n, p.insns};
	sender = packet_socket(0);
	all = packet_socket(ETH_P_ALL);
	classic = packet_socket(ETH_P_ALL);
	extended = packet_socket(ETH_P_ALL);
	/* The kernel's classic BPF wants M[] written on every path, and libpcap does not always. */
	if (setsockopt(classic, SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof(fprog))) {
		live->refused++;
		return;
	}
	live->compared++;
	assert_int_equal(setsockopt(extended, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)), 0);
	(void)drain(classic);
	(void)drain(extended);
	for (unsigned i = 0, sent = 0; i < FRAMES && sent < LIVE_FRAMES; i++) {
		unsigned want;

		/* Shorter ones cannot be sent, and a program may see the tag of a cut one only on
		 * its way out. */
		if (frames[i].n < 40 || (i % 4 && frames[i].p[12] < 0x81))
			continue;
		sent++;
		send_and_wait(sender, all, &frames[i]);
		want = drain(classic);
		live->matches += want;
		if (drain(extended) != want)
			fail_msg("%s, frame %u: classic BPF has %u of 2", expr, i, want);
	}
}

/* In a process and network namespace of its own, where nothing else is sent. */
static int live_child(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	_cleanup_close_ int fd = -1;
	struct live live = {0};

	if (unshare(CLONE_NEWNET))
		return 77;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		return 77;
	(void)for_each_expression(compare_live, &live);
	return live.matches && live.refused <= 2 && live.compared >= 30 ? 0 : 1;
}

static void test_live_tags_are_found(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (!is_able())
		skip();
	make_frames();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(live_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_verdict_as_libpcap),
		cmocka_unit_test(test_match_calls_the_tap),
		cmocka_unit_test(test_live_tags_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
