// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The translation from classic BPF to eBPF, instruction by instruction, in one pass.
 * Registers: A is R0 and X is R7, M[] is on the stack, R6 is the skb, R8 keeps A aside. */
#include <stdio.h>

#include "filter/classic.h"
#include "filter/translate.h"

#define A    BPF_REG_0
#define X    BPF_REG_7
#define SKB  BPF_REG_6
#define KEPT BPF_REG_8

enum {
	PER_INSN = 6, /* most that one classic instruction becomes */
	FRAME = 3 + BPF_MEMWORDS + 7,
	OUT_MAX = FRAME + FILTER_CLASSIC_MAX * PER_INSN,
	NO_TARGET = -1,
};
_Static_assert(OUT_MAX <= INT16_MAX, "every jump fits its 16 bits");

struct translation {
	const struct filter_program *p;
	int prog_array;
	struct bpf_insn *insns;
	unsigned n;
	int *target;     /* of each eBPF instruction: a classic one, reject or accept */
	unsigned *start; /* of each classic instruction, then of reject and accept */
	bool *reached;   /* likewise: the verifier refuses what no path leads to */
	uint16_t memory; /* which of M[] are used */
	char *why;
	size_t size;
};

static int reject_label(const struct translation *t)
{
	return (int)t->p->n;
}

static int accept_label(const struct translation *t)
{
	return (int)t->p->n + 1;
}

static int refuse(const struct translation *t, int error, unsigned i, const char *what)
{
	const struct sock_filter *f = &t->p->insns[i];

	(void)snprintf(t->why, t->size, "instruction %u (code 0x%02x, k 0x%x): %s", i, f->code,
		       f->k, what);
	return error;
}

/* ---- emitting ---- */

static void emit_to(struct translation *t, struct bpf_insn insn, int target)
{
	t->target[t->n] = target;
	t->insns[t->n++] = insn;
	if (target != NO_TARGET)
		t->reached[target] = true;
}

static void emit(struct translation *t, struct bpf_insn insn)
{
	emit_to(t, insn, NO_TARGET);
}

static void move(struct translation *t, uint8_t to, uint8_t from)
{
	emit(t, (struct bpf_insn){
			.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from});
}

static void set(struct translation *t, uint8_t to, uint32_t value)
{
	emit(t, (struct bpf_insn){
			.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = to, .imm = (int)value});
}

static void call(struct translation *t, int helper)
{
	emit(t, (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = helper});
}

static void leave(struct translation *t)
{
	emit(t, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

static void jump(struct translation *t, int target)
{
	emit_to(t, (struct bpf_insn){.code = BPF_JMP | BPF_JA}, target);
}

/* if reg op value, goto target, on the low 32 bits. */
static void jump_if(struct translation *t, uint8_t op, uint8_t reg, uint32_t value, int target)
{
	emit_to(t,
		(struct bpf_insn){
			.code = BPF_JMP32 | op | BPF_K, .dst_reg = reg, .imm = (int)value},
		target);
}

static void load_field(struct translation *t, uint8_t to, size_t offset)
{
	emit(t, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
				  .dst_reg = to,
				  .src_reg = SKB,
				  .off = (int16_t)offset});
}

/* ---- loads ---- */

static bool is_ancillary(const struct sock_filter *f)
{
	return BPF_CLASS(f->code) == BPF_LD && BPF_MODE(f->code) == BPF_ABS &&
	       f->k >= (uint32_t)SKF_AD_OFF;
}

/* A load that is outside of every packet, as offsets are unsigned. */
static bool never_loads(const struct sock_filter *f)
{
	uint8_t class = BPF_CLASS(f->code), mode = BPF_MODE(f->code);

	if (f->k <= INT32_MAX || is_ancillary(f))
		return false;
	return (class == BPF_LD && (mode == BPF_ABS || mode == BPF_IND)) ||
	       (class == BPF_LDX && mode == BPF_MSH);
}

static int translate_ancillary(struct translation *t, unsigned i)
{
	const struct filter_ancillary *a =
		filter_ancillary_of(t->p->insns[i].k - (uint32_t)SKF_AD_OFF);
	char what[96];

	if (!a)
		return refuse(t, -EINVAL, i, "no such SKF_AD_ load is known");
	switch (a->how) {
	case ANCILLARY_REFUSED:
		(void)snprintf(what, sizeof(what), "%s cannot be loaded in eBPF", a->name);
		return refuse(t, -ENOTSUP, i, what);
	case ANCILLARY_XOR_X:
		emit(t, (struct bpf_insn){
				.code = BPF_ALU | BPF_XOR | BPF_X, .dst_reg = A, .src_reg = X});
		return 0;
	case ANCILLARY_HELPER:
		call(t, a->value);
		/* Helpers return 64 bits; A has 32. */
		emit(t, (struct bpf_insn){
				.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = A, .src_reg = A});
		return 0;
	case ANCILLARY_NETWORK_16:
	case ANCILLARY_FIELD:
		load_field(t, A, (size_t)a->value);
		if (a->how == ANCILLARY_NETWORK_16)
			emit(t, (struct bpf_insn){.code = BPF_ALU | BPF_END | BPF_TO_BE,
						  .dst_reg = A,
						  .imm = 16});
		return 0;
	}
	return 0;
}

/* Of the kernel's LD_ABS and LD_IND the result is in R0, in host byte order, and a load outside of
 * the packet ends the program with 0. They take offsets below 0 for something else. */
static void translate_packet_load(struct translation *t, const struct sock_filter *f)
{
	if (never_loads(f)) {
		jump(t, reject_label(t));
		return;
	}
	if (BPF_MODE(f->code) == BPF_IND)
		jump_if(t, BPF_JGT, X, INT32_MAX - f->k, reject_label(t));
	emit(t, (struct bpf_insn){.code = (uint8_t)f->code,
				  .src_reg = BPF_MODE(f->code) == BPF_IND ? X : 0,
				  .imm = (int)f->k});
}

/* X = 4 * (low half of the byte at k): the length of an IPv4 header. */
static void translate_msh(struct translation *t, const struct sock_filter *f)
{
	if (never_loads(f)) {
		jump(t, reject_label(t));
		return;
	}
	move(t, KEPT, A);
	emit(t, (struct bpf_insn){.code = BPF_LD | BPF_ABS | BPF_B, .imm = (int)f->k});
	emit(t, (struct bpf_insn){.code = BPF_ALU | BPF_AND | BPF_K, .dst_reg = A, .imm = 0xf});
	emit(t, (struct bpf_insn){.code = BPF_ALU | BPF_LSH | BPF_K, .dst_reg = A, .imm = 2});
	move(t, X, A);
	move(t, A, KEPT);
}

static int16_t memory_at(uint32_t k)
{
	return (int16_t)(-4 * ((int)k + 1));
}

static int translate_load(struct translation *t, unsigned i)
{
	const struct sock_filter *f = &t->p->insns[i];
	uint8_t to = BPF_CLASS(f->code) == BPF_LD ? A : X;

	switch (BPF_MODE(f->code)) {
	case BPF_IMM:
		set(t, to, f->k);
		return 0;
	case BPF_LEN:
		load_field(t, to, offsetof(struct __sk_buff, len));
		return 0;
	case BPF_MEM:
		emit(t, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
					  .dst_reg = to,
					  .src_reg = BPF_REG_10,
					  .off = memory_at(f->k)});
		return 0;
	case BPF_MSH:
		translate_msh(t, f);
		return 0;
	case BPF_ABS:
		if (is_ancillary(f))
			return translate_ancillary(t, i);
		/* fallthrough */
	default:
		translate_packet_load(t, f);
		return 0;
	}
}

static void translate_store(struct translation *t, const struct sock_filter *f)
{
	emit(t, (struct bpf_insn){.code = BPF_STX | BPF_MEM | BPF_W,
				  .dst_reg = BPF_REG_10,
				  .src_reg = BPF_CLASS(f->code) == BPF_ST ? A : X,
				  .off = memory_at(f->k)});
}

/* ---- arithmetic, jumps, returns ---- */

static void translate_alu(struct translation *t, const struct sock_filter *f)
{
	uint8_t op = BPF_OP(f->code), by = BPF_SRC(f->code);
	struct bpf_insn insn = {.code = (uint8_t)f->code, .dst_reg = A};

	if (by == BPF_X)
		insn.src_reg = X;
	else if (op != BPF_NEG)
		insn.imm = (int)f->k;
	if (by == BPF_X && (op == BPF_DIV || op == BPF_MOD))
		jump_if(t, BPF_JEQ, X, 0, reject_label(t));
	if (by != BPF_X || (op != BPF_LSH && op != BPF_RSH)) {
		emit(t, insn);
		return;
	}
	emit(t, (struct bpf_insn){
			.code = BPF_JMP32 | BPF_JGT | BPF_K, .dst_reg = X, .imm = 31, .off = 2});
	emit(t, insn);
	emit(t, (struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = 1});
	set(t, A, 0);
}

/* The condition that holds where op does not; 0 if there is none. */
static uint8_t opposite_of(uint8_t op)
{
	switch (op) {
	case BPF_JEQ:
		return BPF_JNE;
	case BPF_JGT:
		return BPF_JLE;
	case BPF_JGE:
		return BPF_JLT;
	default:
		return 0;
	}
}

static void translate_jump(struct translation *t, unsigned i)
{
	const struct sock_filter *f = &t->p->insns[i];
	uint8_t op = BPF_OP(f->code);
	int next = (int)i + 1, yes = next + f->jt, no = next + f->jf;
	struct bpf_insn insn = {.dst_reg = A};

	if (op == BPF_JA)
		yes = no = next + (int)f->k;
	if (yes != no) {
		if (yes == next && opposite_of(op)) {
			op = opposite_of(op);
			yes = no;
			no = next;
		}
		insn.code = BPF_JMP32 | op | BPF_SRC(f->code);
		if (BPF_SRC(f->code) == BPF_X)
			insn.src_reg = X;
		else
			insn.imm = (int)f->k;
		emit_to(t, insn, yes);
	}
	if (no != next)
		jump(t, no);
	t->reached[no] = true;
}

static void translate_return(struct translation *t, const struct sock_filter *f)
{
	bool of_a = BPF_RVAL(f->code) == BPF_A;

	if (t->prog_array < 0) {
		if (!of_a)
			set(t, A, f->k);
		leave(t);
		return;
	}
	if (of_a)
		jump_if(t, BPF_JEQ, A, 0, reject_label(t));
	jump(t, of_a || f->k ? accept_label(t) : reject_label(t));
}

/* ---- the whole ---- */

static int translate_insn(struct translation *t, unsigned i)
{
	const struct sock_filter *f = &t->p->insns[i];

	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
	case BPF_LDX:
		return translate_load(t, i);
	case BPF_ST:
	case BPF_STX:
		translate_store(t, f);
		return 0;
	case BPF_ALU:
		translate_alu(t, f);
		return 0;
	case BPF_JMP:
		translate_jump(t, i);
		return 0;
	case BPF_RET:
		translate_return(t, f);
		return 0;
	default: /* BPF_MISC: TAX, TXA */
		move(t, BPF_MISCOP(f->code) == BPF_TAX ? X : A,
		     BPF_MISCOP(f->code) == BPF_TAX ? A : X);
		return 0;
	}
}

static bool goes_on(const struct sock_filter *f)
{
	return BPF_CLASS(f->code) != BPF_JMP && BPF_CLASS(f->code) != BPF_RET && !never_loads(f);
}

/* A and X begin as 0, as in bpf_filter; so does M[], which there begins as anything. */
static void begin(struct translation *t)
{
	move(t, SKB, BPF_REG_1);
	set(t, A, 0);
	set(t, X, 0);
	for (uint32_t k = 0; k < BPF_MEMWORDS; k++)
		if (t->memory & 1U << k)
			emit(t, (struct bpf_insn){.code = BPF_ST | BPF_MEM | BPF_W,
						  .dst_reg = BPF_REG_10,
						  .off = memory_at(k)});
}

static void finish(struct translation *t)
{
	int accept = accept_label(t), reject = reject_label(t);

	t->start[accept] = t->n;
	if (t->reached[accept]) {
		move(t, BPF_REG_1, SKB);
		emit(t, (struct bpf_insn){.code = BPF_LD | BPF_IMM | BPF_DW,
					  .dst_reg = BPF_REG_2,
					  .src_reg = BPF_PSEUDO_MAP_FD,
					  .imm = t->prog_array});
		emit(t, (struct bpf_insn){0});
		set(t, BPF_REG_3, 0);
		call(t, BPF_FUNC_tail_call);
	}
	t->start[reject] = t->n;
	if (t->reached[accept] || t->reached[reject]) {
		set(t, A, 0);
		leave(t);
	}
	for (unsigned i = 0; i < t->n; i++)
		if (t->target[i] != NO_TARGET)
			t->insns[i].off = (int16_t)(t->start[t->target[i]] - (i + 1));
}

static int translate_all(struct translation *t)
{
	t->reached[0] = true;
	begin(t);
	for (unsigned i = 0; i < t->p->n; i++) {
		int r;

		t->start[i] = t->n;
		if (!t->reached[i])
			continue;
		r = translate_insn(t, i);
		if (r)
			return r;
		if (goes_on(&t->p->insns[i]))
			t->reached[i + 1] = true;
	}
	finish(t);
	return 0;
}

int filter_translate(const struct filter_program *p, int prog_array, struct filter_ebpf *out,
		     char *why, size_t size)
{
	struct translation t = {.p = p, .prog_array = prog_array, .why = why, .size = size};
	unsigned bad = 0;
	const char *what = NULL;
	int r = filter_check(p, &t.memory, &bad, &what);

	if (r && bad < p->n)
		return refuse(&t, r, bad, what);
	if (r) {
		(void)snprintf(why, size, "%u instructions: %s", p->n, what);
		return r;
	}
	_cleanup_free_ struct bpf_insn *insns = calloc(FRAME + p->n * PER_INSN, sizeof(*insns));
	_cleanup_free_ int *target = calloc(FRAME + p->n * PER_INSN, sizeof(*target));
	_cleanup_free_ unsigned *start = calloc(p->n + 2, sizeof(*start));
	_cleanup_free_ bool *reached = calloc(p->n + 2, sizeof(*reached));

	if (!insns || !target || !start || !reached) {
		(void)snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	t.insns = insns;
	t.target = target;
	t.start = start;
	t.reached = reached;
	r = translate_all(&t);
	if (r)
		return r;
	*out = (struct filter_ebpf){TAKE_PTR(insns), t.n};
	return 0;
}

void filter_ebpf_free(struct filter_ebpf *e)
{
	free(e->insns);
	*e = (struct filter_ebpf){0};
}
