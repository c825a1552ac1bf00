// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* An interpreter of the eBPF that filters are translated to, for tests.
 * It checks what the verifier would: registers and memory that were written, jumps that go forward
 * and stay inside, no instruction that is not known. */
#pragma once

#include <assert.h>

#include "filter/translate.h"

struct ebpf_run {
	uint64_t r[11];
	uint16_t written; /* registers */
	uint8_t stack[512];
	bool stored[512];
	const uint8_t *packet;
	unsigned n;
	struct __sk_buff skb;
	bool tail_called;
};

#define EBPF_STACK 0x1000000000ULL /* R10; one past the stack's last byte */
#define EBPF_SKB   0x2000000000ULL

static inline uint64_t ebpf_read(const struct ebpf_run *e, unsigned r)
{
	assert(r < 11 && e->written & 1U << r);
	return e->r[r];
}

static inline void ebpf_write(struct ebpf_run *e, unsigned r, uint64_t v)
{
	assert(r < 10);
	e->r[r] = v;
	e->written |= (uint16_t)(1U << r);
}

static inline void ebpf_clobber(struct ebpf_run *e)
{
	e->written &= (uint16_t)~0x3eU; /* R1 to R5 */
}

/* False: outside of the packet. */
static inline bool ebpf_packet(struct ebpf_run *e, const struct bpf_insn *f)
{
	unsigned size = BPF_SIZE(f->code) == BPF_W ? 4 : BPF_SIZE(f->code) == BPF_H ? 2 : 1;
	int64_t at = f->imm;
	uint32_t v = 0;

	assert(BPF_MODE(f->code) == BPF_ABS || BPF_MODE(f->code) == BPF_IND);
	assert(ebpf_read(e, BPF_REG_6) == EBPF_SKB && f->imm >= 0);
	if (BPF_MODE(f->code) == BPF_IND)
		at += (int64_t)(uint32_t)ebpf_read(e, f->src_reg);
	/* Below 0 the kernel would read something else, so no program may get there. */
	assert(at <= INT32_MAX);
	ebpf_clobber(e);
	if (at + size > e->n)
		return false;
	for (unsigned i = 0; i < size; i++)
		v = v << 8 | e->packet[at + i];
	ebpf_write(e, 0, v);
	return true;
}

static inline void ebpf_memory(struct ebpf_run *e, const struct bpf_insn *f)
{
	bool load = BPF_CLASS(f->code) == BPF_LDX;
	uint64_t base = ebpf_read(e, load ? f->src_reg : f->dst_reg);
	uint32_t v;

	assert(BPF_MODE(f->code) == BPF_MEM && BPF_SIZE(f->code) == BPF_W);
	if (base == EBPF_SKB) {
		assert(load && f->off >= 0 && f->off % 4 == 0);
		assert(f->off < (int)sizeof(e->skb));
		memcpy(&v, (const uint8_t *)&e->skb + f->off, 4);
		ebpf_write(e, f->dst_reg, v);
		return;
	}
	assert(base == EBPF_STACK && f->off >= -512 && f->off <= -4 && f->off % 4 == 0);
	if (load) {
		assert(e->stored[512 + f->off]);
		memcpy(&v, e->stack + 512 + f->off, 4);
		ebpf_write(e, f->dst_reg, v);
		return;
	}
	v = BPF_CLASS(f->code) == BPF_ST ? (uint32_t)f->imm : (uint32_t)ebpf_read(e, f->src_reg);
	memcpy(e->stack + 512 + f->off, &v, 4);
	e->stored[512 + f->off] = true;
}

static inline uint32_t ebpf_alu32(uint8_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_MOD:
		return b ? a % b : a;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & 31);
	case BPF_RSH:
		return a >> (b & 31);
	case BPF_NEG:
		return 0U - a;
	default:
		assert(op == BPF_MOV);
		return b;
	}
}

static inline void ebpf_alu(struct ebpf_run *e, const struct bpf_insn *f)
{
	uint8_t op = BPF_OP(f->code);
	uint64_t b =
		BPF_SRC(f->code) == BPF_X ? ebpf_read(e, f->src_reg) : (uint64_t)(int64_t)f->imm;
	uint16_t v;

	if (BPF_CLASS(f->code) == BPF_ALU64) {
		assert(op == BPF_MOV && BPF_SRC(f->code) == BPF_X);
		ebpf_write(e, f->dst_reg, b);
	} else if (op == BPF_END) {
		assert(f->imm == 16 && BPF_SRC(f->code) == BPF_TO_BE);
		v = (uint16_t)ebpf_read(e, f->dst_reg);
		ebpf_write(e, f->dst_reg, __builtin_bswap16(v));
	} else {
		uint64_t a = op == BPF_MOV ? 0 : ebpf_read(e, f->dst_reg);

		assert(!(op == BPF_DIV || op == BPF_MOD) || (uint32_t)b);
		assert(!(op == BPF_LSH || op == BPF_RSH) || (uint32_t)b < 32);
		ebpf_write(e, f->dst_reg, ebpf_alu32(op, (uint32_t)a, (uint32_t)b));
	}
}

static inline bool ebpf_taken(const struct ebpf_run *e, const struct bpf_insn *f)
{
	uint32_t a, b;

	if (BPF_CLASS(f->code) == BPF_JMP) {
		assert(BPF_OP(f->code) == BPF_JA);
		return true;
	}
	a = (uint32_t)ebpf_read(e, f->dst_reg);
	b = BPF_SRC(f->code) == BPF_X ? (uint32_t)ebpf_read(e, f->src_reg) : (uint32_t)f->imm;
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	default:
		assert(BPF_OP(f->code) == BPF_JSET);
		return a & b;
	}
}

/* True: the program has ended, since the kernel does not come back from a tail call that works. */
static inline bool ebpf_call(struct ebpf_run *e, int helper)
{
	if (helper == BPF_FUNC_tail_call) {
		assert(ebpf_read(e, 1) == EBPF_SKB && ebpf_read(e, 3) == 0);
		(void)ebpf_read(e, 2);
		e->tail_called = true;
		return true;
	}
	assert(helper == BPF_FUNC_get_smp_processor_id || helper == BPF_FUNC_get_prandom_u32);
	ebpf_clobber(e);
	ebpf_write(e, 0, 0xdeadbeef00000003ULL);
	return false;
}

/* What the program returns for n bytes at packet; skb gives the fields but for len. */
static inline uint32_t ebpf_run(const struct filter_ebpf *p, struct ebpf_run *e,
				const uint8_t *packet, unsigned n)
{
	e->packet = packet;
	e->n = n;
	e->skb.len = n;
	e->tail_called = false;
	memset(e->stored, 0, sizeof(e->stored));
	e->r[1] = EBPF_SKB;
	e->r[10] = EBPF_STACK;
	e->written = 1U << 1 | 1U << 10;
	for (unsigned i = 0;; i++) {
		const struct bpf_insn *f = &p->insns[i];

		assert(i < p->n);
		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			if (f->code == (BPF_LD | BPF_IMM | BPF_DW))
				ebpf_write(e, f->dst_reg, (uint32_t)p->insns[i++].imm);
			else if (!ebpf_packet(e, f))
				return 0;
			break;
		case BPF_LDX:
		case BPF_ST:
		case BPF_STX:
			ebpf_memory(e, f);
			break;
		case BPF_ALU:
		case BPF_ALU64:
			ebpf_alu(e, f);
			break;
		default:
			if (f->code == (BPF_JMP | BPF_EXIT))
				return (uint32_t)ebpf_read(e, 0);
			if (f->code == (BPF_JMP | BPF_CALL)) {
				if (ebpf_call(e, f->imm))
					return 0;
			} else if (ebpf_taken(e, f)) {
				assert(f->off >= 0 && i + 1 + (unsigned)f->off < p->n);
				i += (unsigned)f->off;
			}
		}
	}
}
