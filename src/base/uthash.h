// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* uthash, which by itself ends the program where there is no memory for an entry. Here HASH_ADD
 * frees the entry instead and sets its variable to NULL; who has entries in two tables says
 * otherwise before this. */
#pragma once

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#ifndef uthash_nonfatal_oom
#define uthash_nonfatal_oom(entry)                                                                 \
	do {                                                                                       \
		free(entry);                                                                       \
		(entry) = NULL;                                                                    \
	} while (0)
#endif
#include <uthash.h>
