// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which container or service a process belongs to, remembered.
 * Rows name owners at the rate of calls, so the answer must cost no I/O after the first time. */
#pragma once

#include "base/text.h"

struct processes;

/* *out is the caller's, for processes_free. Opens the root of cgroup v2 for later, so that it works
 * after privileges are dropped; where that fails, only /proc is asked. 0 or -ENOMEM. */
int processes_new(struct processes **out);
void processes_free(struct processes *p);

/*
 * The container or service of a process: 12 hex digits of a container's id, a machine's name or a
 * unit's name, or an empty text: none, or not known. Valid until the next call.
 *
 * start_ns is the start of the process since boot, CLOCK_BOOTTIME, as task->start_boottime of the
 * thread-group leader has it (0: not known). /proc/PID/stat shows the same number in clock ticks; a
 * process with that pid which started in another tick is another process, and is not asked.
 * cgroup_id is its cgroup v2 (0: not known). now_ns is CLOCK_MONOTONIC, and bounds how often the
 * cgroup tree is read again for an id that is new.
 */
struct text process_container(struct processes *p, uint32_t pid, uint64_t start_ns,
			      uint64_t cgroup_id, uint64_t now_ns);
