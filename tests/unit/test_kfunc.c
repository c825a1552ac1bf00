// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Calls of kernel functions that are missing become moves, and no other instruction does.
 * A kernel that minds them is older than those the tests run on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/def.h"
#include "loader/kfunc.h"

#define CALL(src, id)                                                                              \
	{                                                                                          \
		.code = BPF_JMP | BPF_CALL, .src_reg = (src), .imm = (id)                          \
	}

static void test_only_missing_calls_go(void **state UNUSED)
{
	const struct bpf_insn before[] = {
		CALL(0, BPF_FUNC_skb_load_bytes),
		CALL(BPF_PSEUDO_CALL, 0),
		CALL(BPF_PSEUDO_KFUNC_CALL, 4711),
		CALL(BPF_PSEUDO_KFUNC_CALL, 0),
		/* the second half of a 64-bit constant has no code */
		{.code = BPF_LD | BPF_DW | BPF_IMM, .src_reg = BPF_PSEUDO_MAP_FD, .imm = 3},
		{.imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct bpf_insn after[ARRAY_SIZE(before)];

	memcpy(after, before, sizeof(before));
	assert_int_equal(kfunc_drop_missing(after, ARRAY_SIZE(after)), 1);
	for (unsigned i = 0; i < ARRAY_SIZE(before); i++)
		if (i != 3)
			assert_memory_equal(&after[i], &before[i], sizeof(after[i]));
	assert_int_equal(after[3].code, BPF_ALU64 | BPF_MOV | BPF_K);
	assert_int_equal(after[3].dst_reg, BPF_REG_0);
	assert_int_equal(kfunc_drop_missing(after, ARRAY_SIZE(after)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_missing_calls_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
