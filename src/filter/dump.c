// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Text of the instructions that translate.c emits, much as bpftool prints them.
 * Jumps name the instruction they go to, as the classic listing does. */
#include "filter/dump.h"
#include "filter/libpcap.h"

static const char *const alu_ops[16] = {"+=",
					"-=",
					"*=",
					"/=",
					"|=",
					"&=",
					"<<=",
					">>=",
					[BPF_MOD >> 4] = "%=",
					[BPF_XOR >> 4] = "^=",
					[BPF_MOV >> 4] = "="};
static const char *const jump_ops[16] = {
	[BPF_JEQ >> 4] = "==", [BPF_JNE >> 4] = "!=", [BPF_JGT >> 4] = ">", [BPF_JGE >> 4] = ">=",
	[BPF_JLT >> 4] = "<",  [BPF_JLE >> 4] = "<=", [BPF_JSET >> 4] = "&"};

static int width(const struct bpf_insn *e)
{
	return BPF_SIZE(e->code) == BPF_B ? 8 : BPF_SIZE(e->code) == BPF_H ? 16 : 32;
}

static void dump_alu(struct buf *b, const struct bpf_insn *e)
{
	char r = BPF_CLASS(e->code) == BPF_ALU ? 'w' : 'r';
	const char *op = alu_ops[BPF_OP(e->code) >> 4];

	if (BPF_OP(e->code) == BPF_NEG)
		buf_printf(b, "w%u = -w%u", e->dst_reg, e->dst_reg);
	else if (BPF_OP(e->code) == BPF_END)
		buf_printf(b, "r%u = be%d r%u", e->dst_reg, e->imm, e->dst_reg);
	else if (BPF_SRC(e->code) == BPF_X)
		buf_printf(b, "%c%u %s %c%u", r, e->dst_reg, op ? op : "?", r, e->src_reg);
	else
		buf_printf(b, "%c%u %s 0x%x", r, e->dst_reg, op ? op : "?", (unsigned)e->imm);
}

static void dump_jump(struct buf *b, const struct bpf_insn *e, unsigned i)
{
	unsigned to = i + 1 + (unsigned)e->off;
	const char *op = jump_ops[BPF_OP(e->code) >> 4];

	if (BPF_CLASS(e->code) == BPF_JMP && BPF_OP(e->code) == BPF_EXIT)
		buf_str(b, "exit");
	else if (BPF_CLASS(e->code) == BPF_JMP && BPF_OP(e->code) == BPF_CALL)
		buf_printf(b, "call %s",
			   e->imm == BPF_FUNC_tail_call              ? "bpf_tail_call"
			   : e->imm == BPF_FUNC_get_smp_processor_id ? "bpf_get_smp_processor_id"
								     : "bpf_get_prandom_u32");
	else if (BPF_CLASS(e->code) == BPF_JMP)
		buf_printf(b, "goto %u", to);
	else if (BPF_SRC(e->code) == BPF_X)
		buf_printf(b, "if w%u %s w%u goto %u", e->dst_reg, op ? op : "?", e->src_reg, to);
	else
		buf_printf(b, "if w%u %s 0x%x goto %u", e->dst_reg, op ? op : "?", (unsigned)e->imm,
			   to);
}

static void dump_memory(struct buf *b, const struct bpf_insn *e)
{
	switch (BPF_CLASS(e->code)) {
	case BPF_LDX:
		buf_printf(b, "r%u = *(u32 *)(r%u %+d)", e->dst_reg, e->src_reg, e->off);
		return;
	case BPF_ST:
		buf_printf(b, "*(u32 *)(r%u %+d) = %d", e->dst_reg, e->off, e->imm);
		return;
	case BPF_STX:
		buf_printf(b, "*(u32 *)(r%u %+d) = r%u", e->dst_reg, e->off, e->src_reg);
		return;
	default:
		break;
	}
	if (BPF_MODE(e->code) == BPF_ABS)
		buf_printf(b, "r0 = *(u%d *)skb[%d]", width(e), e->imm);
	else if (BPF_MODE(e->code) == BPF_IND)
		buf_printf(b, "r0 = *(u%d *)skb[r%u + %d]", width(e), e->src_reg, e->imm);
	else
		buf_printf(b, "r%u = program array", e->dst_reg);
}

static void dump_insn(struct buf *b, const struct bpf_insn *e, unsigned i)
{
	switch (BPF_CLASS(e->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		dump_alu(b, e);
		return;
	case BPF_JMP:
	case BPF_JMP32:
		dump_jump(b, e, i);
		return;
	default:
		dump_memory(b, e);
	}
}

void filter_dump(struct buf *b, const struct filter_program *p, const struct filter_ebpf *e)
{
	buf_printf(b, "classic BPF, %u instructions\n", p->n);
	for (unsigned i = 0; i < p->n; i++)
		buf_printf(b, "%s\n", libpcap_line(&p->insns[i], i));
	buf_printf(b, "eBPF, %u instructions\n", e->n);
	for (unsigned i = 0; i < e->n; i++) {
		buf_printf(b, "(%03u) ", i);
		dump_insn(b, &e->insns[i], i);
		buf_char(b, '\n');
		/* An address takes two instructions. */
		i += e->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW);
	}
}
