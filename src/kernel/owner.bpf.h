// SPDX-License-Identifier: GPL-2.0-only
/* Who runs now, as an owner: only valid where `current` is the process that acts (system-call
 * hooks), never in packet programs, which run in whatever process the softirq interrupted. */
#pragma once

#include "kernel/filter.bpf.h"

/* comm is the thread-group leader's. start_boottime is absent before 5.5: then start_ns stays 0. */
ALWAYS_INLINE void owner_of_current(struct owner *o)
{
	u64 id = bpf_get_current_pid_tgid();
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	o->pid = id >> 32;
	o->tid = (u32)id;
	o->cgroup_id = bpf_get_current_cgroup_id();
	o->start_ns = 0;
	if (bpf_core_field_exists(leader->start_boottime))
		o->start_ns = BPF_CORE_READ(leader, start_boottime);
	BPF_CORE_READ_INTO(&o->comm, leader, comm);
}

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* Does a thread of the kernel run? It is nobody who uses a socket, though it may work for one. */
ALWAYS_INLINE bool kernel_thread_runs(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, flags) & PF_KTHREAD;
}

/* Is it the process that runs now? */
ALWAYS_INLINE bool owner_runs(const struct owner *o)
{
	return o->pid == bpf_get_current_pid_tgid() >> 32;
}

/* A process that an iterator came by. */
ALWAYS_INLINE void owner_of_task(struct task_struct *task, struct owner *o)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	o->pid = task->tgid;
	o->tid = 0;
	o->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	o->start_ns = 0;
	if (bpf_core_field_exists(leader->start_boottime))
		o->start_ns = BPF_CORE_READ(leader, start_boottime);
	BPF_CORE_READ_INTO(&o->comm, leader, comm);
}
