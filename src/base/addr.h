// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* An IP address of either family, as 16 bytes: IPv4 is kept IPv4-mapped (RFC 4291 2.5.5.2).
 * One form for both families keeps records, tables and filters free of a family switch. */
#pragma once

#include "base/def.h"

struct addr {
	uint8_t b[16]; /* network order; ::ffff:a.b.c.d is IPv4 and shown as a.b.c.d */
};

#define ADDR_TEXT_MAX 46

static inline bool addr_is_v4(const struct addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

/* Writes at most ADDR_TEXT_MAX bytes, terminated (RFC 5952); returns the length. */
size_t addr_format(const struct addr *a, char *out);

/* "10.0.0.0/8", "fe80::/10", "::1": the network (host bits cleared) and its prefix length in the
 * 128-bit form. 0, or -EINVAL with *why set to a sentence fragment that names the fault. */
int addr_parse_net(const char *s, struct addr *out, unsigned *prefix, const char **why);
