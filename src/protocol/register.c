// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The register of protocols, one line each, in the order they are tried.
 * A new protocol is its file and a line here; nothing else in tapline names it. */
#include "protocol/protocol.h"

const struct protocol *const protocols[] = {
	&protocol_http1,
	&protocol_tls,
	NULL,
};

const struct protocol *protocol_detect(const uint8_t *p, size_t n)
{
	if (n == 0)
		return NULL;
	for (const struct protocol *const *i = protocols; *i; i++) {
		if ((*i)->detect(p, n))
			return *i;
	}
	return NULL;
}
