// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Gives up what a run no longer needs once its programs are attached.
 * What is parsed afterwards comes from the network, so a fault in a parser must not own the host.
 */
#pragma once

#include "base/def.h"

enum {
	PRIVILEGE_CAPS_ONLY =
		1 << 0, /* no system-call filter: for a process that still opens files */
	PRIVILEGE_CAPTURE = 1 << 1,  /* a capture file is written: it may be cut, the next one's
					descriptor received, and a child waited for */
	PRIVILEGE_KEYBOARD = 1 << 2, /* the terminal of standard input may be set, and asked who is
					in its foreground */
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

/* A system call that stays allowed, where the arguments (counted from 0) have these values. */
struct privilege_call {
	int number; /* SYS_* */
	unsigned n_args;
	struct {
		unsigned at;
		uint32_t value;
	} args[2];
};

/*
 * For a process that does one thing: drops every capability but the one (CAP_*) that is kept, if
 * the process has it, forbids gaining privileges, and every system call but these n. Everything
 * else fails with EPERM. 0 or -errno, after which the process must not go on.
 */
int privilege_confine(int kept, const struct privilege_call *calls, unsigned n);
