// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Keys out of a terminal's bytes: in one read or cut anywhere, and whatever else comes.
 * The sequences are those that xterm and the Linux console send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "loader/key.h"

#define S 1000000000ull

/* Reads text in two parts, cut at a place, and puts the keys' names behind each other in out. */
static void read_cut(const char *text, size_t cut, char *out)
{
	static const char *const names[] = {"<up>", "<down>", "<right>", "<left>"};
	struct key_reader r = {0};
	uint16_t keys[64];
	size_t n = strlen(text);
	unsigned found = key_read(&r, (const uint8_t *)text, cut, S, keys);

	found += key_read(&r, (const uint8_t *)text + cut, n - cut, S + 1000, keys + found);
	*out = 0;
	for (unsigned i = 0; i < found; i++) {
		char one[2] = {(char)keys[i], 0};

		strcat(out, keys[i] < KEY_UP ? one : names[keys[i] - KEY_UP]);
	}
}

static void check(const char *text, const char *keys)
{
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		char out[512];

		read_cut(text, cut, out);
		if (strcmp(out, keys))
			print_message("%zu of %s: %s\n", cut, text, out);
		assert_string_equal(out, keys);
	}
}

static void test_characters(void **state)
{
	(void)state;
	check("bBsSr q?", "bBsSr q?");
	check("a\rb\nc\td\x7f"
	      "e\x01",
	      "abcde");
	check("\xc3\xa4q\xff", "q");
}

static void test_arrows(void **state)
{
	(void)state;
	check("\033[A\033[B\033[C\033[D", "<up><down><right><left>");
	check("\033OA\033OB\033OC\033ODx", "<up><down><right><left>x");
}

/* None of these ends in a key that was not typed. */
static void test_other_sequences(void **state)
{
	(void)state;
	check("\033[15~q", "q");             /* F5 */
	check("\033OBq\033OPb", "<down>qb"); /* F1 */
	check("\033[1;5Cq", "q");            /* with Ctrl */
	check("\033[[Bq", "q");              /* F2 of the console */
	check("\033[200~", "");              /* a paste begins */
	check("\033bs", "s");                /* with Alt */
	check("\033\033[Cs", "<right>s");
	check("\033[12\033[Cs", "<right>s");
	check("\033[?62;1;2;6;9;15;22;29cs", "s"); /* what a terminal says of itself */
	check("\033[999999999999999999999999999999999999999999999999999999999999Aq", "q");
}

static void test_escape_alone(void **state)
{
	struct key_reader r = {0};
	uint16_t keys[4];

	(void)state;
	assert_int_equal(key_read(&r, (const uint8_t *)"\033", 1, S, keys), 0);
	assert_int_equal(key_read(&r, (const uint8_t *)"q", 1, 2 * S, keys), 1);
	assert_int_equal(keys[0], 'q');
}

/* Never more keys than bytes, and nothing that is no key. */
static void test_any_bytes(void **state)
{
	struct key_reader r = {0};
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 100000; round++) {
		static const char likely[] = "\033\033[[OABCD1;~q";
		uint16_t keys[16];
		uint8_t bytes[16];
		unsigned n;

		for (unsigned i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = seed >> 31 ? (uint8_t)likely[(seed >> 8) % (sizeof(likely) - 1)]
					      : (uint8_t)(seed >> 16);
		}
		n = key_read(&r, bytes, sizeof(bytes), round, keys);
		assert_true(n <= sizeof(bytes));
		for (unsigned i = 0; i < n; i++)
			assert_true((keys[i] >= 0x20 && keys[i] < 0x7f) ||
				    (keys[i] >= KEY_UP && keys[i] <= KEY_LEFT));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),      cmocka_unit_test(test_arrows),
		cmocka_unit_test(test_other_sequences), cmocka_unit_test(test_escape_alone),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
