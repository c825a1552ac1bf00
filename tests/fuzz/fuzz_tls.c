// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Any bytes as TLS records: a host name is in the bytes, and a cut never changes it.
 * The lengths inside a ClientHello are the sender's word only. */
#include <assert.h>

#include "protocol/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void message(const struct message *m, const uint8_t *p, size_t n)
{
	const uint8_t *host = (const uint8_t *)m->host.p;

	assert(!m->method.p && !m->path.p && !m->status);
	assert(m->head_seen <= n);
	assert(m->head_length == (m->head_whole ? m->head_seen : 0));
	if (host)
		assert(m->host.len && host >= p && host + m->host.len <= p + m->head_seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message whole, cut;
	size_t at = protocol_tls.resync(data, size, true);

	assert(at <= size);
	if (size && protocol_tls.detect(data, size)) {
		assert(protocol_tls.request(data, size, &whole) == 0);
		assert(!protocol_http1.detect(data, size));
	}
	if (protocol_tls.response(data, size, NULL, &whole) == 0) {
		message(&whole, data, size);
		assert(!whole.host.p);
	}
	if (protocol_tls.request(data, size, &whole))
		return 0;
	message(&whole, data, size);
	for (size_t n = 0; n < size; n += size / 64 + 1) {
		assert(protocol_tls.request(data, n, &cut) == 0);
		message(&cut, data, n);
		assert(!cut.host.p ||
		       (cut.host.p == whole.host.p && cut.host.len == whole.host.len));
		assert(!cut.head_whole || (whole.head_whole && cut.host.p == whole.host.p));
	}
	return 0;
}
