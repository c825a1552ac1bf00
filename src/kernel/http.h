// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel side knows of HTTP: how a request begins. No more, as user space reads the rest;
 * but whether bytes begin a request decides where an exchange ends. */
#pragma once

#include "abi/types.h"

#ifndef ALWAYS_INLINE
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

/* Methods as the first four bytes of a segment on a little-endian machine. */
#define WORD(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

/* 1: a method whose request has no body, 2: another HTTP method, 0: none. */
ALWAYS_INLINE int http_method(const u8 *p)
{
	switch (WORD(p[0], p[1], p[2], p[3])) {
	case WORD('G', 'E', 'T', ' '):
	case WORD('H', 'E', 'A', 'D'):
	case WORD('O', 'P', 'T', 'I'):
	case WORD('D', 'E', 'L', 'E'):
		return 1;
	case WORD('P', 'O', 'S', 'T'):
	case WORD('P', 'U', 'T', ' '):
	case WORD('P', 'A', 'T', 'C'):
	case WORD('C', 'O', 'N', 'N'):
	case WORD('T', 'R', 'A', 'C'):
		return 2;
	}
	return 0;
}
