// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What a classic program may ask the kernel, and what must hold of it before it is translated, for
 * this room only. */
#pragma once

#include "filter/compile.h"

enum ancillary_how {
	ANCILLARY_FIELD,      /* value: an offset in struct __sk_buff */
	ANCILLARY_NETWORK_16, /* likewise, two bytes in network order */
	ANCILLARY_HELPER,     /* value: a helper that takes nothing */
	ANCILLARY_XOR_X,      /* no load, but A ^= X */
	ANCILLARY_REFUSED,
};

struct filter_ancillary {
	const char *name;
	enum ancillary_how how;
	int value;
};

/* ad: SKF_AD_PROTOCOL and so on (linux/filter.h). NULL if unknown; static. */
const struct filter_ancillary *filter_ancillary_of(uint32_t ad);

/*
 * Whether every instruction that can be reached is known, and every jump goes forward into the
 * program. 0, and in *memory a bit for each of M[] that is used; or *bad (p->n: it is about the
 * whole), *what in words, static, and: -E2BIG, -EINVAL, or -ENOTSUP for a jump back.
 */
int filter_check(const struct filter_program *p, uint16_t *memory, unsigned *bad,
		 const char **what);
