// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A run of bytes that somebody else owns, not terminated and not trusted: what parsers return.
 * Length before use, escape before output. */
#pragma once

#include "base/def.h"

struct text {
	const char *p;
	uint32_t len;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

static inline struct text text_of(const char *s)
{
	return (struct text){s, s ? (uint32_t)strlen(s) : 0};
}

/* What is in an array of size bytes, up to a NUL if there is one. */
static inline struct text text_in(const char *array, size_t size)
{
	return (struct text){array, (uint32_t)strnlen(array, size)};
}

static inline bool text_eq(struct text a, struct text b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Equal when ASCII case is ignored (RFC 9110 5.1: field names are case-insensitive). */
bool text_eq_nocase(struct text a, struct text b);

/* The whole of t as an unsigned decimal number: 0, or -EINVAL (not a number), -ERANGE. */
int text_to_u64(struct text t, uint64_t *out);

/* The first character of n bytes: its length, 1 to 4, or 0 when they do not start with well-formed
 * UTF-8 (RFC 3629 4: no overlong forms, no surrogates, nothing above U+10FFFF). */
unsigned utf8_decode(const void *bytes, size_t n, uint32_t *character);
