// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The two listings of a filter, and how filters of a live interface differ from those of a file:
 * who wonders what a filter does has nothing else to look at. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "filter/dump.h"

static const struct filter_link file = {.type = 1, .snaplen = 65535};

static void test_dump(void **state)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	_cleanup_(filter_ebpf_free) struct filter_ebpf e = {0};
	struct filter_error err;
	char why[160], text[2048], small[64];
	struct buf b = BUF_ON(text), s = BUF_ON(small);

	(void)state;
	assert_int_equal(filter_compile("ip", &file, &p, &err), 0);
	assert_int_equal(filter_translate(&p, 7, &e, why, sizeof(why)), 0);
	filter_dump(&b, &p, &e);
	assert_false(b.over);
	text[b.len] = '\0';
	assert_string_equal(text, "classic BPF, 4 instructions\n"
				  "(000) ldh      [12]\n"
				  "(001) jeq      #0x800           jt 2\tjf 3\n"
				  "(002) ret      #65535\n"
				  "(003) ret      #0\n"
				  "eBPF, 14 instructions\n"
				  "(000) r6 = r1\n"
				  "(001) w0 = 0x0\n"
				  "(002) w7 = 0x0\n"
				  "(003) r0 = *(u16 *)skb[12]\n"
				  "(004) if w0 != 0x800 goto 6\n"
				  "(005) goto 7\n"
				  "(006) goto 12\n"
				  "(007) r1 = r6\n"
				  "(008) r2 = program array\n"
				  "(010) w3 = 0x0\n"
				  "(011) call bpf_tail_call\n"
				  "(012) w0 = 0x0\n"
				  "(013) exit\n");
	filter_dump(&s, &p, &e);
	assert_true(s.over);
}

/* The eBPF listing of a translation, from the line after its heading on. */
static const char *listing(const struct filter_program *p, int array)
{
	static char text[16384];
	_cleanup_(filter_ebpf_free) struct filter_ebpf e = {0};
	struct buf b = BUF_ON(text);
	char why[160], *ebpf;

	assert_int_equal(filter_translate(p, array, &e, why, sizeof(why)), 0);
	filter_dump(&b, p, &e);
	assert_false(b.over);
	text[b.len] = '\0';
	ebpf = strstr(text, "eBPF, ");
	assert_non_null(ebpf);
	return strchr(ebpf, '\n') + 1;
}

static void expect_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	if (!at || (at != text && at[-1] != ' ') || at[strlen(line)] != '\n')
		fail_msg("there is no \"%s\" in\n%s", line, text);
}

#define DO(c, value)                                                                               \
	{                                                                                          \
		.code = (c), .k = (uint32_t)(value)                                                \
	}

static void test_every_kind_of_instruction_is_listed(void **state)
{
	static const char *const lines[] = {
		/* what is computed: of numbers, of registers, and with one register alone */
		"w0 -= 0x3", "w0 += w7", "w0 *= w7", "w0 |= w7", "w0 &= 0xff", "w0 ^= w7",
		"w0 <<= 0x2", "w0 >>= 0x1", "w0 /= w7", "w0 %= 0xa", "w0 = -w0", "r0 = be16 r0",
		/* what is loaded and stored: of the packet, of what the kernel knows, of M[] */
		"r0 = *(u32 *)skb[4]", "r0 = *(u8 *)skb[9]", "call bpf_get_smp_processor_id",
		"call bpf_get_prandom_u32", "exit"};
	struct sock_filter insns[] = {
		DO(BPF_LD | BPF_ABS | BPF_W, 4),
		DO(BPF_LDX | BPF_IMM, 5),
		DO(BPF_ALU | BPF_SUB | BPF_K, 3),
		DO(BPF_ALU | BPF_ADD | BPF_X, 0),
		DO(BPF_ALU | BPF_MUL | BPF_X, 0),
		DO(BPF_ALU | BPF_OR | BPF_X, 0),
		DO(BPF_ALU | BPF_AND | BPF_K, 0xff),
		DO(BPF_ALU | BPF_XOR | BPF_X, 0),
		DO(BPF_ALU | BPF_LSH | BPF_K, 2),
		DO(BPF_ALU | BPF_RSH | BPF_K, 1),
		DO(BPF_ALU | BPF_DIV | BPF_X, 0),
		DO(BPF_ALU | BPF_MOD | BPF_K, 10),
		DO(BPF_ALU | BPF_NEG, 0),
		DO(BPF_ST, 3),
		DO(BPF_LD | BPF_IND | BPF_H, 2),
		DO(BPF_LD | BPF_MEM, 3),
		DO(BPF_LD | BPF_ABS | BPF_B, 9),
		DO(BPF_LD | BPF_ABS | BPF_W, SKF_AD_OFF + SKF_AD_PROTOCOL),
		DO(BPF_LD | BPF_ABS | BPF_W, SKF_AD_OFF + SKF_AD_CPU),
		DO(BPF_LD | BPF_ABS | BPF_W, SKF_AD_OFF + SKF_AD_RANDOM),
		DO(BPF_JMP | BPF_JGT | BPF_X, 0),
		DO(BPF_RET | BPF_A, 0),
	};
	struct filter_program p = {insns, ARRAY_SIZE(insns)};
	const char *text = listing(&p, FILTER_RETURNS_VERDICT);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		expect_line(text, lines[i]);
	assert_non_null(strstr(text, "*(u32 *)(r10 "));
	assert_non_null(strstr(text, "r0 = *(u16 *)skb[r"));
	assert_null(strchr(text, '?'));
}

static void test_jumps_say_where_to(void **state)
{
	struct sock_filter insns[] = {
		DO(BPF_LDX | BPF_IMM, 5),
		{.code = BPF_JMP | BPF_JGT | BPF_X, .jt = 1, .jf = 0},
		{.code = BPF_JMP | BPF_JSET | BPF_K, .jt = 0, .jf = 1, .k = 0x10},
		DO(BPF_RET | BPF_K, 1),
		DO(BPF_RET | BPF_K, 0),
	};
	struct filter_program p = {insns, ARRAY_SIZE(insns)};
	const char *text = listing(&p, FILTER_RETURNS_VERDICT);

	(void)state;
	assert_non_null(strstr(text, "if w0 > w7 goto "));
	assert_non_null(strstr(text, "if w0 & 0x10 goto "));
	assert_null(strchr(text, '?'));
}

/* ---- files and interfaces ---- */

/* The kernel takes a VLAN tag out of a packet; libpcap knows that only of a socket that is open. */
static void test_a_tag_is_looked_for_where_it_is(void **state)
{
	_cleanup_(filter_program_free) struct filter_program of_file = {0}, of_live = {0};
	struct filter_link live = file;
	struct filter_error err;
	int r;

	(void)state;
	assert_int_equal(filter_compile("vlan 7", &file, &of_file, &err), 0);
	assert_null(strstr(listing(&of_file, 7), "*(u32 *)(r6 "));
	live.live = "lo";
	r = filter_compile("vlan 7", &live, &of_live, &err);
	if (r == -EPERM) {
		assert_non_null(strstr(err.message, "lo: "));
		return;
	}
	assert_int_equal(r, 0);
	assert_non_null(strstr(listing(&of_live, 7), "*(u32 *)(r6 "));
}

/* Loopback is asked instead, as it knows the same. */
static void test_an_interface_that_is_not_there(void **state)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	struct filter_link live = file;
	struct filter_error err;
	int r;

	(void)state;
	live.live = "no-such-device";
	r = filter_compile("vlan 7", &live, &p, &err);
	if (r == -EPERM) {
		assert_non_null(strstr(err.message, ": "));
		return;
	}
	assert_int_equal(r, 0);
	assert_non_null(strstr(listing(&p, 7), "*(u32 *)(r6 "));
}

/* Compiles in a network namespace that is new, with what prepare makes there. */
static int compile_apart(int (*prepare)(void), const char *live, struct filter_program *p,
			 struct filter_error *err)
{
	const struct filter_link link = {.type = 1, .snaplen = 65535, .live = live};
	_cleanup_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int kept = -1;
	int r;

	if (unshare(CLONE_NEWNET)) {
		assert_int_equal(errno, EPERM);
		skip();
	}
	kept = prepare();
	r = kept < 0 ? 0 : filter_compile("vlan 7", &link, p, err);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	if (kept < 0)
		skip();
	return r;
}

static int nothing(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool set_up(const char *name)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq q = {.ifr_flags = IFF_UP};

	memcpy(q.ifr_name, name, strlen(name));
	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &q) == 0;
}

/* A tunnel carries bare IP. Gone when the descriptor is closed. */
static int tunnel_and_loopback(void)
{
	_cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq q = {.ifr_name = "t0", .ifr_flags = IFF_TUN | IFF_NO_PI};

	if (fd < 0 || ioctl(fd, TUNSETIFF, &q) || !set_up("t0") || !set_up("lo"))
		return -1;
	return TAKE_FD(fd);
}

/* Even loopback is down, so there is nobody to ask. */
static void test_where_no_interface_is_up(void **state)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	struct filter_error err;

	(void)state;
	assert_int_equal(compile_apart(nothing, "lo", &p, &err), -EIO);
	assert_non_null(strstr(err.message, "lo: "));
	assert_int_equal(err.at, -1);
}

static void test_an_interface_that_is_no_ethernet(void **state)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	struct filter_error err;

	(void)state;
	assert_int_equal(compile_apart(tunnel_and_loopback, "t0", &p, &err), 0);
	assert_non_null(strstr(listing(&p, 7), "*(u32 *)(r6 "));
}

/* `ip broadcast` takes the interface's netmask, which a file has none of. */
static void test_broadcast_wants_a_netmask(void **state)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	struct filter_link live = file;
	struct filter_error err;

	(void)state;
	assert_int_equal(filter_compile("ip broadcast", &file, &p, &err), -EINVAL);
	assert_non_null(strstr(err.message, "netmask"));
	live.live = "lo";
	assert_int_equal(filter_compile("ip broadcast", &live, &p, &err), 0);
}

/* Raw IP has three numbers in files, of which libpcap takes one. */
static void test_numbers_of_raw_ip(void **state)
{
	static const unsigned numbers[] = {101, 12, 14};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		_cleanup_(filter_program_free) struct filter_program p = {0};
		const struct filter_link raw = {.type = numbers[i], .snaplen = 65535};
		struct filter_error err;

		assert_int_equal(filter_compile("udp", &raw, &p, &err), 0);
		expect_line(listing(&p, 7), "r0 = *(u8 *)skb[0]");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_every_kind_of_instruction_is_listed),
		cmocka_unit_test(test_jumps_say_where_to),
		cmocka_unit_test(test_a_tag_is_looked_for_where_it_is),
		cmocka_unit_test(test_an_interface_that_is_not_there),
		cmocka_unit_test(test_where_no_interface_is_up),
		cmocka_unit_test(test_an_interface_that_is_no_ethernet),
		cmocka_unit_test(test_broadcast_wants_a_netmask),
		cmocka_unit_test(test_numbers_of_raw_ip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
