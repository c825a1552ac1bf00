// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What a classic program may hold: the loads from SKF_AD_OFF on, and the instructions.
 * Checked before anything is translated, so that the translation need not ask. */
#include <linux/bpf.h>

#include "filter/classic.h"
#include "filter/translate.h"

#define FIELD(ad, field)                                                                           \
	[SKF_AD_##ad] = {"SKF_AD_" #ad, ANCILLARY_FIELD, offsetof(struct __sk_buff, field)}
#define NETWORK_16(ad, field)                                                                      \
	[SKF_AD_##ad] = {"SKF_AD_" #ad, ANCILLARY_NETWORK_16, offsetof(struct __sk_buff, field)}
#define HELPER(ad, helper) [SKF_AD_##ad] = {"SKF_AD_" #ad, ANCILLARY_HELPER, BPF_FUNC_##helper}
#define REFUSED(ad)        [SKF_AD_##ad] = {"SKF_AD_" #ad, ANCILLARY_REFUSED, 0}

/* As bpf_convert_filter and convert_bpf_extensions (net/core/filter.c) read them. HATYPE and the
 * netlink attributes have no field in struct __sk_buff, and PAY_OFFSET's helper is not for eBPF. */
static const struct filter_ancillary ancillaries[] = {
	NETWORK_16(PROTOCOL, protocol),
	FIELD(PKTTYPE, pkt_type),
	FIELD(IFINDEX, ifindex),
	REFUSED(NLATTR),
	REFUSED(NLATTR_NEST),
	FIELD(MARK, mark),
	FIELD(QUEUE, queue_mapping),
	REFUSED(HATYPE),
	FIELD(RXHASH, hash),
	HELPER(CPU, get_smp_processor_id),
	[SKF_AD_ALU_XOR_X] = {"SKF_AD_ALU_XOR_X", ANCILLARY_XOR_X, 0},
	FIELD(VLAN_TAG, vlan_tci),
	FIELD(VLAN_TAG_PRESENT, vlan_present),
	REFUSED(PAY_OFFSET),
	HELPER(RANDOM, get_prandom_u32),
	NETWORK_16(VLAN_TPID, vlan_proto),
};

const struct filter_ancillary *filter_ancillary_of(uint32_t ad)
{
	if (ad >= ARRAY_SIZE(ancillaries) || !ancillaries[ad].name)
		return NULL;
	return &ancillaries[ad];
}

/* NULL, or what is wrong with the instruction by itself. */
static const char *wrong_alu(const struct sock_filter *f)
{
	bool by_k = BPF_SRC(f->code) == BPF_K;

	switch (BPF_OP(f->code)) {
	case BPF_DIV:
	case BPF_MOD:
		return by_k && !f->k ? "a division by zero" : NULL;
	case BPF_LSH:
	case BPF_RSH:
		return by_k && f->k > 31 ? "a shift by more than 31 bits" : NULL;
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		return NULL;
	case BPF_NEG:
		return by_k ? NULL : "unknown";
	default:
		return "unknown";
	}
}

static const char *wrong_insn(const struct sock_filter *f)
{
	const char *beyond = f->k < BPF_MEMWORDS ? NULL : "there is no such M[]";

	if (f->code > 0xff)
		return "unknown";
	switch (f->code) {
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return beyond;
	case BPF_LD | BPF_ABS | BPF_W:
	case BPF_LD | BPF_ABS | BPF_H:
	case BPF_LD | BPF_ABS | BPF_B:
	case BPF_LD | BPF_IND | BPF_W:
	case BPF_LD | BPF_IND | BPF_H:
	case BPF_LD | BPF_IND | BPF_B:
	case BPF_LD | BPF_IMM:
	case BPF_LD | BPF_LEN:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_LEN:
	case BPF_LDX | BPF_MSH | BPF_B:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_JMP | BPF_JA:
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_X:
		return NULL;
	default:
		return BPF_CLASS(f->code) == BPF_ALU ? wrong_alu(f) : "unknown";
	}
}

/* How far after instruction i the program may go on, at most; -1 for backwards. */
static int64_t furthest(const struct sock_filter *f)
{
	switch (BPF_CLASS(f->code)) {
	case BPF_RET:
		return 0;
	case BPF_JMP:
		if (BPF_OP(f->code) == BPF_JA)
			return f->k > INT32_MAX ? -1 : (int64_t)f->k + 1;
		return MAX(f->jt, f->jf) + 1;
	default:
		return 1;
	}
}

static bool uses_memory(const struct sock_filter *f)
{
	return f->code == BPF_ST || f->code == BPF_STX || f->code == (BPF_LD | BPF_MEM) ||
	       f->code == (BPF_LDX | BPF_MEM);
}

/* Offsets below 0 from which the kernel counts in the header of another layer. libpcap never emits
 * them; to bpf_filter they are outside of the packet. */
static const char *layer_of(const struct sock_filter *f)
{
	if (BPF_CLASS(f->code) != BPF_LD || BPF_MODE(f->code) != BPF_ABS ||
	    f->k >= (uint32_t)SKF_AD_OFF || f->k < (uint32_t)SKF_LL_OFF)
		return NULL;
	return f->k >= (uint32_t)SKF_NET_OFF ? "a load from SKF_NET_OFF cannot be translated"
					     : "a load from SKF_LL_OFF cannot be translated";
}

int filter_check(const struct filter_program *p, uint16_t *memory, unsigned *bad, const char **what)
{
	uint16_t used = 0;

	*bad = p->n;
	*what = p->n ? "at most 4096 are taken" : "nothing to translate";
	if (!p->n || p->n > FILTER_CLASSIC_MAX)
		return p->n ? -E2BIG : -EINVAL;
	for (unsigned i = 0; i < p->n; i++) {
		const struct sock_filter *f = &p->insns[i];
		int64_t far = furthest(f);

		*bad = i;
		*what = wrong_insn(f);
		if (*what)
			return -EINVAL;
		*what = layer_of(f);
		if (*what)
			return -ENOTSUP;
		*what = "`ja` backwards, a loop (`protochain` makes one), cannot be translated";
		if (far < 0)
			return -ENOTSUP;
		*what = "it leads out of the program";
		if (i + far >= p->n)
			return -EINVAL;
		if (uses_memory(f))
			used |= (uint16_t)(1U << f->k);
	}
	*memory = used;
	return 0;
}
