// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Running a filter natively: libpcap's own interpreter, bpf_filter.
 * What the kernel runs is compared with it. */
#include "filter/run.h"
#include "filter/libpcap.h"

bool filter_match(const struct filter_program *p, const void *packet, uint32_t length,
		  uint32_t captured)
{
	return libpcap_run(p, packet, length, captured) != 0;
}
