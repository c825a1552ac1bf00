// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* TLS records and the host name of a ClientHello, whole, cut off anywhere and lying about lengths.
 * The name is all that a row can say about such a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/protocol.h"

struct hello {
	uint8_t p[600];
	size_t n;
};

static void bytes(struct hello *h, const void *p, size_t n)
{
	assert_true(h->n + n <= sizeof(h->p));
	memcpy(h->p + h->n, p, n);
	h->n += n;
}

static void number(struct hello *h, size_t value, unsigned size)
{
	while (size--) {
		uint8_t byte = (uint8_t)(value >> (8 * size));

		bytes(h, &byte, 1);
	}
}

/* RFC 6066 3: type, length, list length, name type, name length, name. */
static void name_extension(struct hello *h, const char *name)
{
	size_t n = strlen(name);

	number(h, 0, 2);
	number(h, n + 5, 2);
	number(h, n + 3, 2);
	number(h, 0, 1);
	number(h, n, 2);
	bytes(h, name, n);
}

/* A ClientHello in one record: an extension of padding bytes, then the name, if there is one. */
static struct hello client_hello(const char *name, size_t padding)
{
	static const uint8_t zeros[300];
	struct hello extensions = {.n = 0}, body = {.n = 0}, h = {.n = 0};

	number(&extensions, 21, 2);
	number(&extensions, padding, 2);
	bytes(&extensions, zeros, padding);
	if (name)
		name_extension(&extensions, name);
	number(&body, 0x0303, 2);
	bytes(&body, zeros, 32);
	number(&body, 32, 1);
	bytes(&body, zeros, 32);
	number(&body, 4, 2);
	number(&body, 0x13011302, 4);
	number(&body, 1, 1);
	number(&body, 0, 1);
	number(&body, extensions.n, 2);
	bytes(&body, extensions.p, extensions.n);
	number(&h, 0x160301, 3);
	number(&h, body.n + 4, 2);
	number(&h, 1, 1);
	number(&h, body.n, 3);
	bytes(&h, body.p, body.n);
	return h;
}

static void assert_host(struct text host, const char *want)
{
	assert_non_null(host.p);
	assert_int_equal(host.len, strlen(want));
	assert_memory_equal(host.p, want, host.len);
}

static void name_found(void **state UNUSED)
{
	struct hello h = client_hello("example.com", 7);
	struct message m;

	assert_ptr_equal(protocol_detect(h.p, h.n), &protocol_tls);
	assert_int_equal(protocol_tls.request(h.p, h.n, &m), 0);
	assert_host(m.host, "example.com");
	assert_true(m.head_whole);
	assert_int_equal(m.head_length, h.n);
	assert_null(m.method.p);
	assert_null(m.path.p);
	assert_int_equal(m.status, 0);
}

static void name_absent(void **state UNUSED)
{
	struct hello h = client_hello(NULL, 7);
	struct message m;

	assert_int_equal(protocol_tls.request(h.p, h.n, &m), 0);
	assert_null(m.host.p);
	assert_true(m.head_whole);
}

/* The name is the last thing in the hello: every shorter piece lacks part of it. */
static void cut_off(void **state UNUSED)
{
	struct hello h = client_hello("example.com", 7);

	for (size_t n = 1; n < h.n; n++) {
		struct message m;

		assert_int_equal(protocol_tls.request(h.p, n, &m), 0);
		assert_null(m.host.p);
		assert_false(m.head_whole);
		assert_int_equal(m.head_length, 0);
		assert_int_equal(m.head_seen, n);
	}
}

static void name_before_the_cut(void **state UNUSED)
{
	struct hello h = client_hello("early.example", 0);
	struct message m;

	number(&h, 0x0010ffff, 4); /* an extension that runs past the record */
	h.p[4] = 0xff;             /* the record, the handshake and the extensions go on */
	h.p[8] = 0xf0;
	h.p[5 + 4 + 2 + 32 + 33 + 6 + 2 + 1] = 0xa0;
	assert_int_equal(protocol_tls.request(h.p, h.n, &m), 0);
	assert_host(m.host, "early.example");
	assert_true(m.head_whole);
}

/* A hello that says it goes on in another record may name a host there. */
static void longer_than_its_record(void **state UNUSED)
{
	struct hello h = client_hello(NULL, 7);
	struct message m;

	h.p[7] = 1;
	h.p[5 + 4 + 2 + 32 + 33 + 6 + 2] = 1;
	assert_int_equal(protocol_tls.request(h.p, h.n, &m), 0);
	assert_null(m.host.p);
	assert_false(m.head_whole);
}

static void refused(void **state UNUSED)
{
	static const char *const other[] = {"GET / HTTP/1.1\r\n", "\x16\x02\x01\x01\x01\x01",
					    "\x16\x03\x05\x01\x01\x01", "\x17\x03\x03\x7f\xff\x01"};
	struct message m = {.head_seen = 77};

	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		const uint8_t *p = (const uint8_t *)other[i];

		assert_int_equal(protocol_tls.request(p, strlen(other[i]), &m), -EBADMSG);
		assert_int_equal(protocol_tls.response(p, strlen(other[i]), NULL, &m), -EBADMSG);
		assert_int_equal(m.head_seen, 77);
		assert_false(protocol_tls.detect(p, strlen(other[i])));
	}
}

static void records_midway(void **state UNUSED)
{
	static const struct {
		const char *p;
		size_t n;
		bool tls;
	} cases[] = {
		{"\x17\x03\x03\x01\x40secret", 11, true},  {"\x14\x03\x03\x00\x01\x01", 6, true},
		{"\x15\x03\x03\x00\x02\x02\x28", 7, true}, {"\x16\x03\x03\x00\x28\x10", 6, true},
		{"\x16\x03\x03\x00\x28\x02", 6, false}, /* a ServerHello is no request */
		{"\x14\x03\x03\x00\x02\x01", 6, false},    {"\x15\x03\x03\x00\x02\x07", 6, false},
		{"\x17\x03\x03\x00\x00\x01", 6, false},    {"\x17\x03\x03\x01", 4, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint8_t *p = (const uint8_t *)cases[i].p;

		assert_int_equal(protocol_tls.detect(p, cases[i].n), cases[i].tls);
	}
}

static void responses(void **state UNUSED)
{
	const uint8_t hello[] = {0x16, 3, 3, 0, 4, 2, 0, 0, 0};
	const uint8_t alert[] = {0x15, 3, 3, 0, 2, 2, 40};
	struct message m;

	assert_int_equal(protocol_tls.response(hello, sizeof(hello), NULL, &m), 0);
	assert_int_equal(m.status, 0);
	assert_true(m.head_whole);
	assert_int_equal(protocol_tls.response(alert, sizeof(alert), NULL, &m), 0);
	assert_int_equal(protocol_tls.response(alert, 2, NULL, &m), 0);
	assert_false(m.head_whole);
}

static void resync(void **state UNUSED)
{
	const uint8_t p[] = {0x17, 3, 3, 0, 1, 9, 9, 0x17, 3, 3, 0, 2, 1, 2, 0x15, 3, 3};

	assert_int_equal(protocol_tls.resync(p, sizeof(p), true), 7);
	assert_int_equal(protocol_tls.resync(p + 1, 6, true), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_found),
		cmocka_unit_test(name_absent),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(name_before_the_cut),
		cmocka_unit_test(longer_than_its_record),
		cmocka_unit_test(refused),
		cmocka_unit_test(records_midway),
		cmocka_unit_test(responses),
		cmocka_unit_test(resync),
	};

	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
