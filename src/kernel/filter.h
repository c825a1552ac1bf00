// SPDX-License-Identifier: GPL-2.0-only
/* --port and --net on addresses and ports, wherever these come from: for BPF, where the filter is
 * read-only data, and natively, for files. */
#pragma once

#include "abi/record.h"

#ifndef ALWAYS_INLINE
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

/* local, remote: ports in host order. */
ALWAYS_INLINE bool filter_has_port(const volatile struct filter *f, u16 local, u16 remote)
{
	if (!f->n_ports)
		return true;
	for (u32 i = 0; i < FILTER_PORTS; i++) {
		if (i < f->n_ports && (f->ports[i] == local || f->ports[i] == remote))
			return true;
	}
	return false;
}

ALWAYS_INLINE bool filter_net_has(const volatile struct filter *f, const u64 *a)
{
	return (a[0] & f->net_mask[0]) == f->net[0] && (a[1] & f->net_mask[1]) == f->net[1];
}

/* local, remote: 16 bytes each, IPv4 as IPv4-mapped. */
ALWAYS_INLINE bool filter_has_address(const volatile struct filter *f, const u64 *local,
				      const u64 *remote)
{
	return !f->by_net || filter_net_has(f, local) || filter_net_has(f, remote);
}
