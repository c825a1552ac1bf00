// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Classic programs of any bytes through the translation, then on any packet.
 * A program that libpcap holds for valid and that is not refused has the verdict that libpcap's own
 * interpreter gives; a program of the eBPF interpreter never does what the verifier would refuse.
 */
#include <stdio.h>

#include "../unit/filter_ebpf.h"
#include "filter/dump.h"
#include "filter/libpcap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INSNS_MAX = 64 };

/* pcap.h would bring the other struct bpf_insn. */
extern int bpf_validate(const void *insns, int n);

static const uint8_t codes[] = {
	BPF_LD | BPF_ABS | BPF_W,
	BPF_LD | BPF_ABS | BPF_H,
	BPF_LD | BPF_ABS | BPF_B,
	BPF_LD | BPF_IND | BPF_W,
	BPF_LD | BPF_IND | BPF_H,
	BPF_LD | BPF_IND | BPF_B,
	BPF_LD | BPF_IMM,
	BPF_LD | BPF_LEN,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_IMM,
	BPF_LDX | BPF_LEN,
	BPF_LDX | BPF_MEM,
	BPF_LDX | BPF_MSH | BPF_B,
	BPF_ST,
	BPF_STX,
	BPF_ALU | BPF_ADD | BPF_K,
	BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K,
	BPF_ALU | BPF_MOD | BPF_X,
	BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_X,
	BPF_ALU | BPF_LSH | BPF_K,
	BPF_ALU | BPF_NEG,
	BPF_ALU | BPF_XOR | BPF_K,
	BPF_JMP | BPF_JA,
	BPF_JMP | BPF_JEQ | BPF_K,
	BPF_JMP | BPF_JGT | BPF_X,
	BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JSET | BPF_K,
	BPF_JMP | BPF_JSET | BPF_X,
	BPF_RET | BPF_A,
	BPF_RET | BPF_K,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
};

/* Five bytes an instruction; of ten most make a small k and a known code. */
static struct sock_filter next_insn(const uint8_t *at, unsigned left)
{
	struct sock_filter f = {.code = at[0], .jt = at[1], .jf = at[2], .k = at[3]};

	if (at[4] & 0x80)
		return (struct sock_filter){at[0], at[1], at[2], 0U - (uint32_t)at[3]};
	f.code = codes[at[0] % sizeof(codes)];
	f.jt = (uint8_t)(at[1] % (left + 1));
	f.jf = (uint8_t)(at[2] % (left + 1));
	if (at[4] & 0x40)
		f.k = (uint32_t)at[3] << 24;
	else if (at[4] & 0x20)
		f.k %= BPF_MEMWORDS;
	else if (f.code == (BPF_JMP | BPF_JA))
		f.k %= left + 1;
	return f;
}

/* bpf_filter does not clear M[], and we do, so the program begins by storing into all of it. */
static unsigned make_program(struct sock_filter *insns, const uint8_t **data, size_t *size)
{
	unsigned n = 0, body = *size ? **data % INSNS_MAX : 0;

	if (*size) {
		*size -= 1;
		*data += 1;
	}
	body = (unsigned)MIN((size_t)body, *size / 5);
	for (; n < BPF_MEMWORDS; n++)
		insns[n] = (struct sock_filter){.code = BPF_ST, .k = n};
	for (unsigned i = 0; i < body; i++, *data += 5, *size -= 5)
		insns[n++] = next_insn(*data, body - i - 1);
	insns[n++] = (struct sock_filter){.code = BPF_RET | BPF_A};
	return n;
}

/* What libpcap does not define, or has another answer for without a kernel. */
static bool asks_kernel(const struct sock_filter *insns, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (BPF_CLASS(insns[i].code) == BPF_LD && BPF_MODE(insns[i].code) == BPF_ABS &&
		    insns[i].k >= (uint32_t)SKF_AD_OFF)
			return true;
	return false;
}

static void check_shape(const struct filter_ebpf *e, unsigned n)
{
	assert(e->n <= 26 + n * 6 && e->n >= 2);
	for (unsigned i = 0; i < e->n; i++) {
		uint8_t class = BPF_CLASS(e->insns[i].code);

		if (class == BPF_JMP || class == BPF_JMP32)
			assert(e->insns[i].off >= 0 && i + 1 + (unsigned)e->insns[i].off <= e->n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sock_filter insns[BPF_MEMWORDS + INSNS_MAX + 1];
	_cleanup_(filter_ebpf_free) struct filter_ebpf e = {0}, tail = {0};
	struct filter_program p = {insns, make_program(insns, &data, &size)};
	struct ebpf_run run = {0};
	char why[160] = "", text[16384];
	struct buf b = BUF_ON(text);
	int r = filter_translate(&p, FILTER_RETURNS_VERDICT, &e, why, sizeof(why));
	uint32_t verdict;

	assert(filter_translate(&p, 3, &tail, why, sizeof(why)) == r);
	if (r) {
		assert((r == -EINVAL || r == -ENOTSUP) && *why && !e.insns && !tail.insns);
		return 0;
	}
	check_shape(&e, p.n);
	check_shape(&tail, p.n);
	filter_dump(&b, &p, &tail);
	verdict = ebpf_run(&e, &run, data, (unsigned)size);
	assert(ebpf_run(&tail, &run, data, (unsigned)size) == 0);
	assert(run.tail_called == (verdict != 0));
	if (!asks_kernel(insns, p.n)) {
		assert(bpf_validate(insns, (int)p.n));
		assert(libpcap_run(&p, data, (uint32_t)size, (uint32_t)size) == verdict);
	}
	return 0;
}
