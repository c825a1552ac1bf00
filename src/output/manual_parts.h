// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What help, man pages and completion share: the option sets, the type of a field, paragraphs.
 * Private to the manual_*.c files. */
#pragma once

#include "output/manual.h"

#define MANUAL_INTRO                                                                               \
	"tapline shows every TCP request on a Linux host: who asked whom, what, how it was "       \
	"answered, and how long each part took. It watches from inside the kernel with eBPF; "     \
	"nothing is instrumented, restarted or proxied."

enum { MANUAL_SETS = 2 };

/* The options of m and the common ones, in the order in which they win. */
void manual_sets(const struct manual *m, const struct opt *common, struct opt_set sets[static 2]);

/* "microseconds", "bytes", "list of head_cut, gap": what a field holds. */
void manual_field_type(const struct column *c, struct buf *out);

/* Takes the next paragraph (blank lines separate them) off *left: false when there is none. */
bool manual_paragraph(struct text *left, struct text *paragraph);

bool manual_has_options(const struct opt_set *sets, unsigned set);
