// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Where a filter expression is wrong, for this room only.
 * libpcap says that there is a syntax error, not where. */
#pragma once

#include "filter/compile.h"

/* expr is one that libpcap refused with message. The place in bytes, strlen(expr) where something
 * is missing at the end; -1 if it is not found in a fifth of a second. */
int filter_place(const char *expr, const struct filter_link *link, const char *message);
