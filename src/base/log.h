// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What is said on standard error. Library rooms are silent; main, the session and tools speak once.
 * A message is one sentence and, where there is one, the next step. */
#pragma once

#include "base/def.h"

extern bool log_verbose; /* -v */

/* "tapline: ..." on standard error. */
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same, only with -v. */
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
