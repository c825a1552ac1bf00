// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the fuzzer needs of the skeleton that the build generates of requests.bpf.c: the one
 * variable that user space sets while it decodes. */
#pragma once

struct requests_bpf {
	struct {
		uint32_t marks_used;
	} * bss;
};
