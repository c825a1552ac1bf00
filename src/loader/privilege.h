// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Gives up what a run no longer needs once its programs are attached.
 * What is parsed afterwards comes from the network, so a fault in a parser must not own the host.
 */
#pragma once

#include "base/def.h"

enum {
	PRIVILEGE_CAPS_ONLY =
		1 << 0, /* no system-call filter: for a process that still opens files */
};

/*
 * Drops every capability from all sets, forbids gaining privileges by execve, and enters a seccomp
 * filter that allows: reading and writing what is open, opening to read, the clock, waiting, memory
 * without execution, and bpf(2) on maps and iterators that are open. Everything else fails with
 * EPERM. Kernels before 5.19 refuse even map reads without CAP_BPF where unprivileged BPF is off;
 * there (it is tried, not guessed by version) CAP_BPF alone stays. Nothing can be loaded, attached
 * or mounted afterwards. 0 or -errno, after which the process must not go on to parse.
 */
int privilege_drop(unsigned flags);
