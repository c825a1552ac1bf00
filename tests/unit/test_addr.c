// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Addresses to text (RFC 5952) and networks from text.
 * The C library's inet_ntop and inet_pton are the second opinion. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/addr.h"

static void expect(const char *in, const char *out)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;
	size_t n;

	assert_int_equal(inet_pton(AF_INET6, in, a.b), 1);
	n = addr_format(&a, text);
	assert_string_equal(text, out);
	assert_int_equal(n, strlen(out));
}

static void test_format(void **state UNUSED)
{
	expect("::", "::");
	expect("::1", "::1");
	expect("1::", "1::");
	expect("2001:db8::1", "2001:db8::1");
	expect("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"); /* 4.2.2: one group stays */
	expect("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");          /* 4.2.3: the longest */
	expect("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");    /* 4.2.3: the first */
	expect("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::");
	expect("0:0:3:4:5:6:7:8", "::3:4:5:6:7:8");
	expect("FE80::A:0B", "fe80::a:b");
	expect("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	expect("::ffff:0.0.0.0", "0.0.0.0");
	expect("::ffff:9.10.99.100", "9.10.99.100");
	expect("::ffff:255.255.255.255", "255.255.255.255");
	expect("::fffe:1.2.3.4", "::fffe:102:304");
}

/* Every pattern of zero groups, as inet_ntop writes it. */
static void test_format_like_libc(void **state UNUSED)
{
	for (unsigned zeros = 0; zeros < 256; zeros++)
		for (unsigned salt = 1; salt < 0x10000; salt = salt * 5 + 2) {
			char text[ADDR_TEXT_MAX], libc[INET6_ADDRSTRLEN];
			struct addr a;

			for (unsigned i = 0; i < 8; i++) {
				unsigned v = zeros >> i & 1 ? 0 : salt;

				a.b[2 * i] = (uint8_t)(v >> 8);
				a.b[2 * i + 1] = (uint8_t)v;
			}
			assert_non_null(inet_ntop(AF_INET6, a.b, libc, sizeof(libc)));
			if (strchr(libc, '.'))
				continue; /* the deprecated IPv4-compatible form */
			addr_format(&a, text);
			assert_string_equal(text, libc);
		}
}

static void expect_net(const char *in, const char *out, unsigned prefix)
{
	char text[ADDR_TEXT_MAX];
	const char *why = NULL;
	struct addr a;
	unsigned p;

	assert_int_equal(addr_parse_net(in, &a, &p, &why), 0);
	assert_null(why);
	addr_format(&a, text);
	assert_string_equal(text, out);
	assert_int_equal(p, prefix);
}

static void test_parse(void **state UNUSED)
{
	expect_net("10.0.0.0/8", "10.0.0.0", 104);
	expect_net("10.11.12.13/8", "10.0.0.0", 104);
	expect_net("10.11.12.13/12", "10.0.0.0", 108);
	expect_net("10.31.12.13/12", "10.16.0.0", 108);
	expect_net("10.11.12.13", "10.11.12.13", 128);
	expect_net("10.11.12.13/32", "10.11.12.13", 128);
	expect_net("1.2.3.4/0", "0.0.0.0", 96);
	expect_net("fe80::1/10", "fe80::", 10);
	expect_net("::1", "::1", 128);
	expect_net("::1/0", "::", 0);
	expect_net("2001:db8:ffff::/33", "2001:db8:8000::", 33);
	expect_net("::ffff:10.1.2.3/104", "10.0.0.0", 104);
}

static void test_parse_wrong(void **state UNUSED)
{
	static const char *const wrong[] = {
		"",
		"/",
		"/8",
		"10",
		"10.0.0",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/8x",
		"10.0.0.256",
		"10.0.0.0/8/8",
		"::/129",
		"::/99999999999999999999",
		":::",
		"fe80::1%eth0",
		"host",
		" 1.2.3.4",
		"1.2.3.4 ",
		"1.2.3.4/ 8",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct addr a, untouched;
		unsigned prefix = 77;
		const char *why = NULL;

		memset(&a, 0x5a, sizeof(a));
		untouched = a;
		if (addr_parse_net(wrong[i], &a, &prefix, &why) != -EINVAL)
			fail_msg("'%s' is accepted", wrong[i]);
		assert_non_null(why);
		assert_memory_equal(&a, &untouched, sizeof(a));
		assert_int_equal(prefix, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_like_libc),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
