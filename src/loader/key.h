// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Keys out of the bytes that a terminal sends for them.
 * Whatever comes, it is skipped or a key: nothing is stored but where in a sequence it stands. */
#pragma once

#include "base/def.h"

/* Others are their character, of ASCII and printable. */
enum { KEY_UP = 256, KEY_DOWN, KEY_RIGHT, KEY_LEFT };

/* Zeroed at first. A sequence may be spread over several reads. */
struct key_reader {
	uint8_t state;
	uint64_t escape_ns; /* when an ESC came */
};

/* Appends the keys in n bytes, read at now_ns (CLOCK_MONOTONIC), to keys, which has room for n.
 * Returns how many. */
unsigned key_read(struct key_reader *r, const uint8_t *bytes, size_t n, uint64_t now_ns,
		  uint16_t *keys);
