// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which protocol the first bytes of a request are taken for. A wrong one shows a call that never
 * was, so where the bytes say nothing, nothing is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/def.h"
#include "protocol/protocol.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void test_first_bytes(void **state)
{
	(void)state;
	assert_ptr_equal(protocol_detect(BYTES("GET / HTTP/1.1\r\n")), &protocol_http1);
	assert_ptr_equal(protocol_detect(BYTES("\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03")),
			 &protocol_tls);
	assert_null(protocol_detect(BYTES("HTTP/1.0 200 OK\r\n"))); /* no request */
	assert_null(protocol_detect(BYTES("SSH-2.0-OpenSSH_9.2p1\r\n")));
	assert_null(protocol_detect(BYTES("EHLO mail\r\n")));
	assert_null(protocol_detect(BYTES("\0\0\0\0\0\0\0\0")));
	assert_null(protocol_detect(BYTES("")));
	assert_null(protocol_detect(NULL, 0));
}

/* Of no beginning of one protocol's bytes another one says that they are its own. */
static void test_beginnings(void **state)
{
	static const char tls[] = "\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03";
	static const char http[] = "POST /a HTTP/1.1\r\nHost: h\r\n\r\n";

	(void)state;
	for (size_t n = 0; n < sizeof(tls); n++)
		assert_ptr_not_equal(protocol_detect((const uint8_t *)tls, n), &protocol_http1);
	for (size_t n = 0; n < sizeof(http); n++)
		assert_ptr_not_equal(protocol_detect((const uint8_t *)http, n), &protocol_tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_bytes),
		cmocka_unit_test(test_beginnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
