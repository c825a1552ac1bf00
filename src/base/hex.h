// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Bytes as people read them side by side: in hexadecimal and as characters.
 * Lines are those of tcpdump -X, which many know, and other programs parse. */
#pragma once

#include "base/buf.h"

/* Bytes of output for n bytes of input, at most; n is below 1 MiB. */
#define HEX_DUMP_SIZE(n) (((size_t)(n) + 15) / 16 * 69)

/* A line for each 16 bytes: a tab, the offset, the bytes in pairs, and as characters where these
 * are printable ASCII, else a dot. Safe for a terminal. */
void hex_dump(struct buf *b, const void *bytes, size_t n);
