// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A compiled filter on a packet of a capture file.
 * The same expression has the same verdict there as in the kernel. */
#pragma once

#include "filter/compile.h"

/*
 * Whether a packet matches that was length bytes on the wire and of which captured are at packet
 * (none beyond is read; a load past them is no match). The program was compiled for the link type
 * of the packet, and without an interface: then tags of VLANs are looked for in the packet, where
 * libpcap puts them back when it writes a file.
 */
bool filter_match(const struct filter_program *p, const void *packet, uint32_t length,
		  uint32_t captured);
