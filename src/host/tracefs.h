// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* tracefs, which libbpf reads to attach a tracepoint.
 * Hosts without a desktop of tracing tools often do not mount it. */
#pragma once

/* Makes /sys/kernel/tracing readable: as it is mounted, or else mounted in a mount namespace of
 * this process, which nobody else sees. 0 or -errno. */
int tracefs_ensure(void);
