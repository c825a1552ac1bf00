// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* All contact with libpcap, for this room only.
 * Its headers call the classic instruction what the kernel's call the eBPF one (struct bpf_insn),
 * and the static build has no libpcap; so it stays behind these four functions. */
#pragma once

#include "filter/compile.h"

/* As filter_compile, but for the place and for what a file lacks. */
int libpcap_compile(const char *expr, const struct filter_link *link, struct filter_program *out,
		    char *message, size_t size);
/* Whether expr compiles for such packets, not optimised. */
bool libpcap_accepts(const char *expr, const struct filter_link *link);
/* What the program returns for a packet of length bytes of which captured are there; 0 is no match.
 * The program is one that libpcap_compile or bpf_validate has accepted. */
uint32_t libpcap_run(const struct filter_program *p, const void *packet, uint32_t length,
		     uint32_t captured);
/* Instruction i as `tcpdump -d` prints it; valid until the next call. */
const char *libpcap_line(const struct sock_filter *insn, unsigned i);
