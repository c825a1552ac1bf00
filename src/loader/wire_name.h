// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which interface a packet passed: by its index, when the packet is looked at.
 * Interfaces come, go and are renamed while a run goes on, and after its privileges are gone. */
#pragma once

#include "loader/wire.h"

struct wire_names;

/* Before privileges are dropped. *out is the caller's, for wire_names_free, which takes NULL too.
 * 0 or -errno, said. */
int wire_names_open(struct session *s, struct wire_names **out);
void wire_names_free(struct wire_names *w);

/* The name of the interface with this index, as it was at most 100 ms before now_ns
 * (CLOCK_MONOTONIC): valid until the next call. One that has gone keeps it as long as it is
 * remembered; that of one which is not known is empty. */
const char *wire_names_of(struct wire_names *w, unsigned index, uint64_t now_ns);
