// SPDX-License-Identifier: GPL-2.0-only
/* The common filter, decided where the event happens: what does not match costs no copy and no
 * record. Ports and networks are known at the first segment; the owner only once a process used the
 * socket. */
#pragma once

#include "kernel/bpf.h"

/* local, remote: ports in host order. */
ALWAYS_INLINE bool filter_ports(u16 local, u16 remote)
{
	if (!filter.n_ports)
		return true;
	for (u32 i = 0; i < FILTER_PORTS; i++) {
		if (i < filter.n_ports && (filter.ports[i] == local || filter.ports[i] == remote))
			return true;
	}
	return false;
}

ALWAYS_INLINE bool filter_net_has(const u64 *a)
{
	return (a[0] & filter.net_mask[0]) == filter.net[0] &&
	       (a[1] & filter.net_mask[1]) == filter.net[1];
}

/* local, remote: 16 bytes each, IPv4 as IPv4-mapped. */
ALWAYS_INLINE bool filter_addresses(const u64 *local, const u64 *remote)
{
	return !filter.by_net || filter_net_has(local) || filter_net_has(remote);
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
