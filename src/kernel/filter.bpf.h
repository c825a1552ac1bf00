// SPDX-License-Identifier: GPL-2.0-only
/* The common filter, decided where the event happens: what does not match costs no copy and no
 * record. Ports and networks are known at the first segment; the owner only once a process used the
 * socket. */
#pragma once

#include "kernel/bpf.h"
#include "kernel/filter.h"

ALWAYS_INLINE bool filter_ports(u16 local, u16 remote)
{
	return filter_has_port(&filter, local, remote);
}

ALWAYS_INLINE bool filter_addresses(const u64 *local, const u64 *remote)
{
	return filter_has_address(&filter, local, remote);
}

/* The same as filter_has_owner() of abi/record.h, on the read-only copy. */
ALWAYS_INLINE bool filters_owner(void)
{
	return filter.pid || filter.by_comm || filter.by_cgroup;
}

ALWAYS_INLINE bool filter_comm(const char *comm)
{
	if (!filter.by_comm)
		return true;
	for (int i = 0; i < COMM_LEN; i++) {
		if (comm[i] != filter.comm[i])
			return false;
		if (!comm[i])
			break;
	}
	return true;
}

/* For the process that runs now: pid, comm (of the leader) and cgroup. */
ALWAYS_INLINE bool filter_current(u32 pid, const char *comm)
{
	if (filter.pid && filter.pid != pid)
		return false;
	if (!filter_comm(comm))
		return false;
	if (filter.by_cgroup &&
	    bpf_get_current_ancestor_cgroup_id(filter.cgroup_level) != filter.cgroup_id)
		return false;
	return true;
}
