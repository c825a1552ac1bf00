// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel side knows of HTTP: how a request begins. No more, as user space reads the rest;
 * but whether bytes begin a request decides where an exchange ends. */
#pragma once

#include "kernel/bytes.h"

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
	case WORD('C', 'O', 'P', 'Y'): /* WebDAV and what grew out of it: RFC 4918 9, 3253, 5323 */
	case WORD('L', 'O', 'C', 'K'):
	case WORD('M', 'K', 'C', 'O'):
	case WORD('M', 'O', 'V', 'E'):
	case WORD('P', 'R', 'O', 'P'):
	case WORD('R', 'E', 'P', 'O'):
	case WORD('S', 'E', 'A', 'R'):
	case WORD('U', 'N', 'L', 'O'):
		return 2;
	}
	return 0;
}

ALWAYS_INLINE bool http_word(u64 start, const char *word, const u32 n)
{
	u64 value = 0;

	for (u32 i = 0; i < n; i++)
		value |= (u64)(u8)word[i] << 8 * i;
	return (start & ~0ull >> (64 - 8 * n)) == value;
}

#define HTTP_WORD(start, word) http_word((start), (word), sizeof(word) - 1)

/* Do these bytes begin an HTTP message? start: the first eight as a little-endian number, 0 where
 * there are fewer. Words end where their space or the eighth byte does, so GETAWAY is none. */
ALWAYS_INLINE bool http_begins(u64 start)
{
	return HTTP_WORD(start, "HTTP/") || HTTP_WORD(start, "GET ") || HTTP_WORD(start, "POST ") ||
	       HTTP_WORD(start, "HEAD ") || HTTP_WORD(start, "PUT ") ||
	       HTTP_WORD(start, "DELETE ") || HTTP_WORD(start, "PATCH ") ||
	       HTTP_WORD(start, "OPTIONS ") || HTTP_WORD(start, "CONNECT ") ||
	       HTTP_WORD(start, "TRACE ") || HTTP_WORD(start, "PROPFIND") ||
	       HTTP_WORD(start, "PROPPATC") || HTTP_WORD(start, "MKCOL ") ||
	       HTTP_WORD(start, "COPY ") || HTTP_WORD(start, "MOVE ") ||
	       HTTP_WORD(start, "LOCK ") || HTTP_WORD(start, "UNLOCK ") ||
	       HTTP_WORD(start, "REPORT ") || HTTP_WORD(start, "SEARCH ") ||
	       HTTP_WORD(start, "PURGE ") || HTTP_WORD(start, "QUERY ") ||
	       HTTP_WORD(start, "PRI * HT"); /* the preface of HTTP/2, RFC 9113 3.4 */
}
