// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the files of doctor share: how a check is reported.
 * A check is one call with whole sentences, so that each output can lay them out its own way. */
#pragma once

#include "loader/session.h"

enum doctor_state { DOCTOR_OK, DOCTOR_LIMITED, DOCTOR_MISSING, DOCTOR_OFF };

/* One line of the report; advice may be NULL. */
void doctor_report(struct session *s, const char *check, enum doctor_state state,
		   const char *finding, const char *advice);

/* What goes past every hook that tapline has, and whether this host does it now. */
void doctor_bypasses(struct session *s);
