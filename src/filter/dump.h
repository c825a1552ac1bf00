// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A filter's two programs as text, for --dump-filter. */
#pragma once

#include "filter/translate.h"

/* The classic program as `tcpdump -d` prints it, then the eBPF one, an instruction a line, each
 * under a heading. A line takes at most 80 bytes; what does not fit is left out (buf's over). */
void filter_dump(struct buf *b, const struct filter_program *p, const struct filter_ebpf *e);
