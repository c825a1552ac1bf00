// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Names of protocols and types, and the lines of /proc that say which addresses are this host's.
 * The lines are as the kernel writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/local_address.h"
#include "host/protocol_name.h"

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(ip_protocol_name(0), "HOPOPT");
	assert_string_equal(ip_protocol_name(1), "ICMP");
	assert_string_equal(ip_protocol_name(6), "TCP");
	assert_string_equal(ip_protocol_name(17), "UDP");
	assert_string_equal(ip_protocol_name(58), "ICMPv6");
	assert_string_equal(ip_protocol_name(132), "SCTP");
	assert_null(ip_protocol_name(253));
	assert_string_equal(ethertype_name(0x0806), "ARP");
	assert_string_equal(ethertype_name(0x88cc), "LLDP");
	assert_null(ethertype_name(0x88b5));
}

static void test_words_of_packets(void **state)
{
	char room[PROTOCOL_WORD];

	(void)state;
	assert_true(text_eq(protocol_word(true, 6, 0x0800, room), TEXT("TCP")));
	assert_true(text_eq(protocol_word(true, 253, 0x0800, room), TEXT("253")));
	assert_true(text_eq(protocol_word(false, 6, 0x0806, room), TEXT("ARP")));
	assert_true(text_eq(protocol_word(false, 0, 0x88b5, room), TEXT("0x88b5")));
	assert_int_equal(protocol_word(false, 0, 0, room).len, 0);
}

static void test_lines_of_the_trie(void **state)
{
	struct addr last = {{0}}, out = {{0}};
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(local_address_of_trie("        +-- 10.0.0.0/24 2 0 2\n", &last, &out),
			 -ENOENT);
	assert_int_equal(local_address_of_trie("           |-- 10.0.0.5\n", &last, &out), -ENOENT);
	assert_int_equal(local_address_of_trie("              /32 host LOCAL\n", &last, &out), 0);
	(void)addr_format(&out, text);
	assert_string_equal(text, "10.0.0.5");
	assert_int_equal(local_address_of_trie("              /24 link UNICAST\n", &last, &out),
			 -ENOENT);
	assert_int_equal(local_address_of_trie("              /32 link BROADCAST\n", &last, &out),
			 0);
	assert_int_equal(local_address_of_trie("", &last, &out), -ENOENT);
}

static void test_lines_of_if_inet6(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct addr out = {{0}};

	(void)state;
	assert_int_equal(local_address_of_inet6(
				 "fd130007000000000000000000000002 02 40 00 80     v1\n", &out),
			 0);
	(void)addr_format(&out, text);
	assert_string_equal(text, "fd13:7::2");
	assert_int_equal(local_address_of_inet6("fd13", &out), -ENOENT);
	assert_int_equal(local_address_of_inet6("zz", &out), -ENOENT);
}

static void test_addresses_that_every_host_takes(void **state)
{
	const struct local_addresses none = {NULL, 0};
	struct addr loopback = {{[10] = 0xff, 0xff, 127, 1, 2, 3}},
		    group = {{[10] = 0xff, 0xff, 224, 0, 0, 251}}, six = {{0xff, 2, [15] = 1}},
		    other = {{[10] = 0xff, 0xff, 192, 0, 2, 1}};

	(void)state;
	assert_true(local_address_is(&none, &loopback));
	assert_true(local_address_is(&none, &group));
	assert_true(local_address_is(&none, &six));
	assert_false(local_address_is(&none, &other));
	assert_true(local_address_is(&(struct local_addresses){&other, 1}, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_words_of_packets),
		cmocka_unit_test(test_lines_of_the_trie),
		cmocka_unit_test(test_lines_of_if_inet6),
		cmocka_unit_test(test_addresses_that_every_host_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
