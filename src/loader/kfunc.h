// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Kernel functions that programs call where this kernel has them (`__ksym __weak`).
 * Where it has not, the calls are never reached, but not every kernel leaves them alone for that.
 */
#pragma once

#include <linux/bpf.h>
#include <stddef.h>

/* Makes each call to a function that was not found a move, and returns how many there were. */
size_t kfunc_drop_missing(struct bpf_insn *insns, size_t n);

/* From here on, for the objects that are opened: it is done to their packet programs. Once a
 * process; where there is no memory, it is not done. */
void kfunc_register(void);
