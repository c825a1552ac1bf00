// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Payload by its sequence number, so that whatever a tap kept of it can be checked. */
#pragma once

#include <stdbool.h>

#include "abi/types.h"

/* What one direction says over and over from a sequence number on, if not empty. */
struct known_text {
	const char *p;
	u32 n, first;
};

static inline u8 known_byte(const struct known_text *text, bool request, u32 seq)
{
	if (text->n)
		return (u8)text->p[(seq - text->first) % text->n];
	return (u8)((seq * 131) ^ (seq >> 8) ^ (request ? 0x80 : 0));
}
