// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the accumulator holds where it is compared, followed forward through a program: after
 * optimisation the load may stand many jumps in front of the comparison. */
#include "filter/port.h"

/* A bit for each instruction that can be reached with two bytes of the packet in A. */
struct follow {
	uint8_t *loaded;
	unsigned n;
};

static void reach(struct follow *f, unsigned to, bool loaded)
{
	if (to < f->n)
		f->loaded[to] |= loaded;
}

/* Jumps go forward only, so each instruction is seen after all that lead to it. */
static bool step(struct follow *f, const struct sock_filter *insn, unsigned i, uint16_t port)
{
	bool loaded = f->loaded[i];

	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		loaded = BPF_SIZE(insn->code) == BPF_H &&
			 (BPF_MODE(insn->code) == BPF_ABS || BPF_MODE(insn->code) == BPF_IND);
		break;
	case BPF_ALU:
		loaded = false;
		break;
	case BPF_MISC:
		loaded &= BPF_MISCOP(insn->code) == BPF_TAX;
		break;
	case BPF_JMP:
		if (BPF_OP(insn->code) == BPF_JA) {
			reach(f, i + 1 + insn->k, loaded);
			return false;
		}
		if (loaded && insn->code == (BPF_JMP | BPF_JEQ | BPF_K) && insn->k == port)
			return true;
		reach(f, i + 1 + insn->jt, loaded);
		reach(f, i + 1 + insn->jf, loaded);
		return false;
	case BPF_RET:
		return false;
	default:
		break;
	}
	reach(f, i + 1, loaded);
	return false;
}

bool filter_names_port(const struct filter_program *p, uint16_t port)
{
	_cleanup_free_ uint8_t *loaded = calloc(p->n + 1, 1);
	struct follow f = {loaded, p->n};

	for (unsigned i = 0; loaded && i < p->n; i++)
		if (step(&f, &p->insns[i], i, port))
			return true;
	return false;
}
