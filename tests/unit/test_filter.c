// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Filters without a kernel: errors with their place, what each classic instruction becomes, and
 * what is refused. test_filter_kernel.c runs the same in the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "filter/port.h"
#include "filter/run.h"
#include "filter_ebpf.h"

static const struct filter_link file = {.type = 1, .snaplen = 65535};

/* ---- errors ---- */

static void expect_error(const char *expr, const char *message, const char *marked)
{
	struct filter_program p = {0};
	struct filter_error err = {.at = -2};
	char text[1024];
	struct buf b = BUF_ON(text);

	assert_int_equal(filter_compile(expr, &file, &p, &err), -EINVAL);
	assert_null(p.insns);
	filter_error_text(&b, expr, &err);
	text[b.len] = '\0';
	if (!strstr(text, message))
		fail_msg("%s: \"%s\" instead of \"%s\"", expr, text, message);
	if (!strrchr(text, '\n') || strcmp(strrchr(text, '\n'), marked) != 0)
		fail_msg("wrong place:\n%s", text);
}

static void test_errors_have_a_place(void **state)
{
	(void)state;
	expect_error("tcp port", "syntax error", "\n          ^");
	expect_error("tcp prt 80", "syntax error", "\n      ^");
	expect_error("tcp and and udp", "syntax error", "\n          ^");
	expect_error("tcp port 80 and (udp", "syntax error", "\n                      ^");
	expect_error("tcp)", "syntax error", "\n     ^");
	expect_error("ip[0:3] = 1", "data size", "\n       ^");
	expect_error("tcp[tcpflags] & (tcp-syn|) != 0", "syntax error",
		     "\n                           ^");
	expect_error("udp and port nosuchport", "unknown port", "\n               ^");
	expect_error("net 10.0.0.0/8 and vlan 9999", "VLAN tag", "\n                          ^");
	expect_error("tcp host 10.0.0.1", "modifier", "\n  ^");
	expect_error("not", "syntax error", "\n     ^");
	expect_error("]", "syntax error", "\n  ^");
}

static void test_files_have_no_metadata(void **state)
{
	struct filter_program p = {0};
	struct filter_error err;
	struct filter_link live = file;

	(void)state;
	assert_int_equal(filter_compile("inbound and tcp", &file, &p, &err), -ENOTSUP);
	assert_non_null(strstr(err.message, "file"));
	assert_int_equal(err.at, -1);
	live.live = "lo";
	assert_int_equal(filter_compile("inbound and tcp", &live, &p, &err), 0);
	filter_program_free(&p);
	assert_null(p.insns);
}

static void test_unknown_link_type(void **state)
{
	struct filter_program p = {0};
	struct filter_error err;
	struct filter_link odd = {.type = 65000, .snaplen = 100};

	(void)state;
	assert_int_equal(filter_compile("tcp", &odd, &p, &err), -EINVAL);
	assert_int_equal(err.at, -1);
}

/* ---- on files ---- */

static const uint8_t udp4[] = {0x45, 0, 0,  28, 0, 0, 0, 0,  64, 17, 0, 0, 10, 0,
			       0,    1, 10, 0,  0, 2, 0, 53, 4,  0,  0, 8, 0,  0};

static void test_raw_ip_and_what_was_captured(void **state)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	struct filter_link raw = {.type = 101, .snaplen = 65535};
	struct filter_error err;

	(void)state;
	assert_int_equal(filter_compile("udp src port 53", &raw, &p, &err), 0);
	assert_true(filter_match(&p, udp4, sizeof(udp4), sizeof(udp4)));
	assert_true(filter_match(&p, udp4, 1000, 22));
	assert_false(filter_match(&p, udp4, sizeof(udp4), 21));
	assert_false(filter_match(&p, udp4, sizeof(udp4), 0));
	filter_program_free(&p);
	assert_int_equal(filter_compile("len = 1000", &raw, &p, &err), 0);
	assert_true(filter_match(&p, udp4, 1000, 22));
}

/* ---- instructions ---- */

#define INSN(c, jump_true, jump_false, value)                                                      \
	{                                                                                          \
		.code = (c), .jt = (jump_true), .jf = (jump_false), .k = (uint32_t)(value)         \
	}
#define DO(c, value) INSN(c, 0, 0, value)
#define RETURN_A     DO(BPF_RET | BPF_A, 0)

static int translate(struct sock_filter *insns, unsigned n, int array, struct filter_ebpf *e,
		     char why[160])
{
	struct filter_program p = {insns, n};

	return filter_translate(&p, array, e, why, 160);
}

/* The verdicts of libpcap and of the translation, both forms. */
static void both(struct sock_filter *insns, unsigned n, uint32_t want, int line)
{
	_cleanup_(filter_ebpf_free) struct filter_ebpf e = {0}, tail = {0};
	struct filter_program p = {insns, n};
	struct ebpf_run run = {0};
	char why[160] = "";

	if (translate(insns, n, FILTER_RETURNS_VERDICT, &e, why) ||
	    translate(insns, n, 7, &tail, why))
		fail_msg("line %d: %s", line, why);
	if (filter_match(&p, udp4, sizeof(udp4), sizeof(udp4)) != (want != 0))
		fail_msg("line %d: libpcap differs", line);
	if (ebpf_run(&e, &run, udp4, sizeof(udp4)) != want)
		fail_msg("line %d: eBPF differs", line);
	if (ebpf_run(&tail, &run, udp4, sizeof(udp4)) != 0 || run.tail_called != (want != 0))
		fail_msg("line %d: the tail-calling form differs", line);
}
#define BOTH(want, ...)                                                                            \
	both((struct sock_filter[]){__VA_ARGS__, RETURN_A},                                        \
	     ARRAY_SIZE(((struct sock_filter[]){__VA_ARGS__, RETURN_A})), (want), __LINE__)

#define LOAD(v)  DO(BPF_LD | BPF_IMM, v)
#define LOADX(v) DO(BPF_LDX | BPF_IMM, v)
#define TXA      DO(BPF_MISC | BPF_TXA, 0)

static void test_loads(void **state)
{
	(void)state;
	BOTH(5, LOAD(5));
	BOTH(0x4500001c, DO(BPF_LD | BPF_ABS | BPF_W, 0));
	BOTH(53, DO(BPF_LD | BPF_ABS | BPF_H, 20));
	BOTH(17, DO(BPF_LD | BPF_ABS | BPF_B, 9));
	BOTH(0x00080000, DO(BPF_LD | BPF_ABS | BPF_W, 24));
	BOTH(0, LOAD(1), DO(BPF_LD | BPF_ABS | BPF_W, 25), LOAD(1));
	BOTH(0, DO(BPF_LD | BPF_ABS | BPF_B, 28), LOAD(1));
	BOTH(0, DO(BPF_LD | BPF_ABS | BPF_B, 0x80000000), LOAD(1));
	BOTH(17, LOADX(4), DO(BPF_LD | BPF_IND | BPF_B, 5));
	BOTH(0, LOADX(0xffffffff), DO(BPF_LD | BPF_IND | BPF_B, 10), LOAD(1));
	BOTH(0, LOADX(20), DO(BPF_LD | BPF_IND | BPF_B, 0xfffffff6), LOAD(1));
	BOTH(0, LOADX(0x7fffffff), DO(BPF_LD | BPF_IND | BPF_W, 0x7fffffff), LOAD(1));
	BOTH(28, DO(BPF_LD | BPF_LEN, 0));
	BOTH(28, DO(BPF_LDX | BPF_LEN, 0), TXA);
	BOTH(20, DO(BPF_LDX | BPF_MSH | BPF_B, 0), TXA);
	BOTH(9, LOAD(9), DO(BPF_LDX | BPF_MSH | BPF_B, 0));
	BOTH(0, LOAD(9), DO(BPF_LDX | BPF_MSH | BPF_B, 28));
	BOTH(0, LOAD(9), DO(BPF_LDX | BPF_MSH | BPF_B, 0xffffffff));
	BOTH(7, LOAD(7), DO(BPF_ST, 0), LOAD(1), DO(BPF_LD | BPF_MEM, 0));
	BOTH(8, LOADX(8), DO(BPF_STX, 15), DO(BPF_LD | BPF_MEM, 15));
	BOTH(9, LOAD(9), DO(BPF_ST, 3), DO(BPF_LDX | BPF_MEM, 3), LOAD(1), TXA);
	BOTH(6, LOAD(6), DO(BPF_MISC | BPF_TAX, 0), LOAD(1), TXA);
	BOTH(0, DO(BPF_MISC | BPF_TAX, 0));
}

static void test_arithmetic(void **state)
{
	(void)state;
#define ALU(op, a, b, want)                                                                        \
	BOTH(want, LOAD(a), DO(BPF_ALU | (op) | BPF_K, b));                                        \
	BOTH(want, LOADX(b), LOAD(a), DO(BPF_ALU | (op) | BPF_X, 0))
	ALU(BPF_ADD, 0xffffffff, 2, 1);
	ALU(BPF_SUB, 1, 2, 0xffffffff);
	ALU(BPF_MUL, 0x10001, 0x10001, 0x20001);
	ALU(BPF_DIV, 0xffffffff, 2, 0x7fffffff);
	ALU(BPF_MOD, 0xffffffff, 0x80000000, 0x7fffffff);
	ALU(BPF_AND, 0xff00ff00, 0x0ff00ff0, 0x0f000f00);
	ALU(BPF_OR, 0x80000000, 1, 0x80000001);
	ALU(BPF_XOR, 0xffffffff, 1, 0xfffffffe);
	ALU(BPF_LSH, 1, 31, 0x80000000);
	ALU(BPF_RSH, 0x80000000, 31, 1);
	BOTH(0xffffffff, LOAD(1), DO(BPF_ALU | BPF_NEG, 0));
	BOTH(0, LOAD(1), DO(BPF_ALU | BPF_DIV | BPF_X, 0), LOAD(1));
	BOTH(0, LOAD(1), DO(BPF_ALU | BPF_MOD | BPF_X, 0), LOAD(1));
	BOTH(0, LOADX(32), LOAD(1), DO(BPF_ALU | BPF_LSH | BPF_X, 0));
	BOTH(0, LOADX(33), LOAD(0xff), DO(BPF_ALU | BPF_RSH | BPF_X, 0));
}

static void test_jumps(void **state)
{
	static const struct {
		uint16_t op;
		uint32_t a, b;
		bool taken;
	} jumps[] = {
		{BPF_JEQ, 5, 5, true},
		{BPF_JEQ, 5, 6, false},
		{BPF_JGT, 0x80000000, 1, true},
		{BPF_JGT, 5, 5, false},
		{BPF_JGE, 5, 5, true},
		{BPF_JGE, 1, 0x80000000, false},
		{BPF_JSET, 6, 2, true},
		{BPF_JSET, 5, 2, false},
		{BPF_JSET, 0xffffffff, 0x80000000, true},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(jumps); i++) {
		uint16_t k = BPF_JMP | jumps[i].op | BPF_K, x = BPF_JMP | jumps[i].op | BPF_X;
		uint32_t want = jumps[i].taken ? 1 : 2;

		/* The branch that goes on is the true one, the false one, or neither. */
		BOTH(want, LOAD(jumps[i].a), INSN(k, 0, 1, jumps[i].b), DO(BPF_RET | BPF_K, 1),
		     LOAD(2));
		BOTH(want, LOAD(jumps[i].a), INSN(k, 1, 0, jumps[i].b), DO(BPF_RET | BPF_K, 2),
		     LOAD(1));
		BOTH(want, LOADX(jumps[i].b), LOAD(jumps[i].a), INSN(x, 1, 2, 0), RETURN_A,
		     DO(BPF_RET | BPF_K, 1), LOAD(2));
	}
	BOTH(3, DO(BPF_JMP | BPF_JA, 1), RETURN_A, LOAD(3));
	BOTH(3, INSN(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0), RETURN_A, LOAD(3));
	BOTH(4, INSN(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 0), LOAD(4));
	BOTH(0, DO(BPF_RET | BPF_K, 0));
}

static void test_metadata(void **state)
{
	const struct {
		uint32_t ad, want;
	} loads[] = {
		{SKF_AD_PROTOCOL, 0x0800},  {SKF_AD_PKTTYPE, 4},
		{SKF_AD_IFINDEX, 12},       {SKF_AD_MARK, 77},
		{SKF_AD_QUEUE, 3},          {SKF_AD_RXHASH, 0x12345678},
		{SKF_AD_VLAN_TAG, 0x2005},  {SKF_AD_VLAN_TAG_PRESENT, 1},
		{SKF_AD_VLAN_TPID, 0x88a8}, {SKF_AD_CPU, 3},
		{SKF_AD_RANDOM, 3},         {SKF_AD_ALU_XOR_X, 0},
	};
	struct ebpf_run run = {.skb = {.protocol = 0x0008,
				       .pkt_type = 4,
				       .ifindex = 12,
				       .mark = 77,
				       .queue_mapping = 3,
				       .hash = 0x12345678,
				       .vlan_tci = 0x2005,
				       .vlan_present = 1,
				       .vlan_proto = 0xa888}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
		_cleanup_(filter_ebpf_free) struct filter_ebpf e = {0};
		struct sock_filter insns[] = {
			DO(BPF_LD | BPF_ABS | BPF_B, SKF_AD_OFF + loads[i].ad), RETURN_A};
		char why[160] = "";

		if (translate(insns, 2, FILTER_RETURNS_VERDICT, &e, why))
			fail_msg("%s", why);
		if (ebpf_run(&e, &run, udp4, sizeof(udp4)) != loads[i].want)
			fail_msg("SKF_AD_ %u", loads[i].ad);
	}
}

static void refused(struct sock_filter *insns, unsigned n, int error, const char *name)
{
	struct filter_ebpf e = {0};
	char why[160] = "";
	int r = translate(insns, n, 7, &e, why);

	assert_null(e.insns);
	if (r != error || !strstr(why, name))
		fail_msg("%d, \"%s\" instead of %d, \"%s\"", r, why, error, name);
}
#define REFUSED(error, name, ...)                                                                  \
	refused((struct sock_filter[]){__VA_ARGS__, RETURN_A},                                     \
		ARRAY_SIZE(((struct sock_filter[]){__VA_ARGS__, RETURN_A})), (error), (name))

static void test_refusals(void **state)
{
	static struct sock_filter many[FILTER_CLASSIC_MAX + 1];
	struct filter_ebpf e = {0};
	char why[160];

	(void)state;
	REFUSED(-ENOTSUP, "SKF_AD_HATYPE",
		DO(BPF_LD | BPF_ABS | BPF_H, SKF_AD_OFF + SKF_AD_HATYPE));
	REFUSED(-ENOTSUP, "SKF_AD_NLATTR", DO(BPF_LD | BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR));
	REFUSED(-ENOTSUP, "SKF_AD_NLATTR_NEST",
		DO(BPF_LD | BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR_NEST));
	REFUSED(-ENOTSUP, "SKF_AD_PAY_OFFSET",
		DO(BPF_LD | BPF_ABS, SKF_AD_OFF + SKF_AD_PAY_OFFSET));
	REFUSED(-EINVAL, "SKF_AD_", DO(BPF_LD | BPF_ABS, SKF_AD_OFF + SKF_AD_MAX));
	REFUSED(-ENOTSUP, "SKF_NET_OFF", DO(BPF_LD | BPF_ABS | BPF_B, SKF_NET_OFF + 9));
	REFUSED(-ENOTSUP, "SKF_LL_OFF", DO(BPF_LD | BPF_ABS | BPF_B, SKF_LL_OFF));
	REFUSED(-ENOTSUP, "`ja`", LOAD(1), DO(BPF_JMP | BPF_JA, -2));
	REFUSED(-EINVAL, "out of the program", DO(BPF_JMP | BPF_JA, 1));
	REFUSED(-EINVAL, "out of the program", INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
	REFUSED(-EINVAL, "division by zero", DO(BPF_ALU | BPF_DIV | BPF_K, 0));
	REFUSED(-EINVAL, "shift", DO(BPF_ALU | BPF_LSH | BPF_K, 32));
	REFUSED(-EINVAL, "M[]", DO(BPF_ST, 16));
	REFUSED(-EINVAL, "unknown", DO(BPF_RET | BPF_X, 0));
	REFUSED(-EINVAL, "unknown", DO(0x115, 0));
	assert_int_equal(translate(many, 0, 7, &e, why), -EINVAL);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct sock_filter)DO(BPF_LDX | BPF_MSH | BPF_B, 0);
	assert_int_equal(translate(many, ARRAY_SIZE(many), 7, &e, why), -E2BIG);
	many[FILTER_CLASSIC_MAX - 1] = (struct sock_filter)RETURN_A;
	assert_int_equal(translate(many, FILTER_CLASSIC_MAX, 7, &e, why), 0);
	filter_ebpf_free(&e);
}

static void test_protochain_is_refused(void **state)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	struct filter_ebpf e = {0};
	struct filter_error err;
	char why[160];

	(void)state;
	assert_int_equal(filter_compile("ip6 protochain 6", &file, &p, &err), 0);
	assert_int_equal(filter_translate(&p, 7, &e, why, sizeof(why)), -ENOTSUP);
	assert_non_null(strstr(why, "`ja` backwards"));
}

/* ---- what is asked for by its number ---- */

static void test_ports_that_are_named(void **state)
{
	static const struct {
		const char *expr;
		bool names;
	} cases[] = {
		{"port 22", true},
		{"port ssh", true},
		{"tcp dst port 22 or port 80", true},
		{"port 80 or 22", true},
		{"not port 22", true},
		{"ip6 and tcp src port 22", true},
		{"host 192.0.2.1 and (udp port 53 or tcp port 0x16)", true},
		{"tcp[2:2] = 22", true},
		{"", false},
		{"tcp", false},
		{"port 2222", false},
		{"portrange 20-25", false},
		{"vlan 22", false},
		{"ip[8] = 22", false},
		{"tcp[2:2] & 0x3f = 22", false},
		{"host 0.0.0.22", false},
		{"len = 22", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(filter_program_free) struct filter_program p = {0};
		struct filter_error err;

		assert_int_equal(filter_compile(cases[i].expr, &file, &p, &err), 0);
		if (filter_names_port(&p, 22) != cases[i].names)
			fail_msg("'%s' %s port 22", cases[i].expr,
				 cases[i].names ? "does not name" : "names");
	}
}

/* What libpcap makes of no expression, but might: jumps around, and what becomes of a number that
 * was loaded. */
static bool names_22(struct sock_filter *insns, unsigned n)
{
	struct filter_program p = {insns, n};

	return filter_names_port(&p, 22);
}
#define NAMES_22(...)                                                                              \
	names_22((struct sock_filter[]){__VA_ARGS__, RETURN_A},                                    \
		 ARRAY_SIZE(((struct sock_filter[]){__VA_ARGS__, RETURN_A})))
#define LOAD_PORT DO(BPF_LD | BPF_ABS | BPF_H, 36)
#define IS_22     INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 22)

static void test_ports_that_reach_a_comparison(void **state)
{
	(void)state;
	assert_true(NAMES_22(LOAD_PORT, IS_22));
	assert_true(NAMES_22(LOAD_PORT, DO(BPF_JMP | BPF_JA, 1), LOAD(1), IS_22));
	assert_true(NAMES_22(LOAD(1), INSN(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), LOAD_PORT, IS_22));
	assert_true(NAMES_22(LOAD_PORT, DO(BPF_MISC | BPF_TAX, 0), IS_22));
	assert_false(NAMES_22(LOAD_PORT, TXA, IS_22));
	assert_true(NAMES_22(LOAD_PORT, LOADX(22), IS_22));
	assert_true(NAMES_22(LOAD_PORT, DO(BPF_ST, 0), IS_22));
	assert_false(NAMES_22(LOAD_PORT, DO(BPF_ALU | BPF_ADD | BPF_K, 1), IS_22));
	assert_false(NAMES_22(LOAD_PORT, INSN(BPF_JMP | BPF_JGT | BPF_K, 0, 0, 22)));
	assert_false(NAMES_22(LOAD_PORT, DO(BPF_JMP | BPF_JA, 1000))); /* out of the program */
	assert_false(NAMES_22(DO(BPF_RET | BPF_K, 0), LOAD_PORT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_have_a_place),
		cmocka_unit_test(test_files_have_no_metadata),
		cmocka_unit_test(test_unknown_link_type),
		cmocka_unit_test(test_raw_ip_and_what_was_captured),
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_protochain_is_refused),
		cmocka_unit_test(test_ports_that_are_named),
		cmocka_unit_test(test_ports_that_reach_a_comparison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
