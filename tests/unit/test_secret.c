// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What must never reach a row, a file or a pasted table, and what must still be readable.
 * Heads are cut off anywhere, so masking may not rest on seeing the end of anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/secret.h"

static void assert_path(const char *path, const char *want)
{
	char space[512];
	struct buf out = BUF_ON(space);
	bool masked = secret_mask_path(text_of(path), &out);

	if (!want) {
		assert_false(masked);
		assert_int_equal(out.len, 0);
		return;
	}
	assert_true(masked);
	buf_char(&out, '\0');
	assert_string_equal(out.p, want);
}

static void assert_head(struct text head, const char *want)
{
	char space[1024];
	struct buf out = BUF_ON(space);

	secret_mask_head(head, &out);
	buf_char(&out, '\0');
	assert_string_equal(out.p, want);
}

static void names(void **state UNUSED)
{
	static const char *const secret[] = {
		"Authorization",
		"PROXY-AUTHORIZATION",
		"Cookie",
		"Set-Cookie",
		"X-Api-Key",
		"api_key",
		"apiKey",
		"X-Auth",
		"token",
		"accessToken",
		"userpassword",
		"passwd",
		"pwd",
		"clientSecret",
		"X-Amz-Signature",
		"sig",
		"X-Amz-Credential",
		"session-id",
		"JSESSIONID",
		"code",
		"PASS",
		"sid",
		"id_sig",
		"authority",
		"monkey",
	};
	static const char *const open[] = {
		"",
		"Host",
		"Content-Length",
		"keyword",
		"keywords",
		"author",
		"authors",
		"design",
		"signal",
		"zipcode",
		"compass",
		"resident",
		"WWW-Authenticate",
		"Proxy-Authenticate",
		"Accept",
		"inside",
		"Access-Control-Allow-Credentials",
	};
	char longest[257];

	for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
		assert_true(secret_name(text_of(secret[i])));
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		assert_false(secret_name(text_of(open[i])));
	assert_true(secret_name((struct text){"a\0token", 7}));
	memset(longest, 'a', sizeof(longest));
	assert_true(secret_name((struct text){longest, 256}));
	assert_false(secret_name((struct text){longest, 255}));
}

static void paths_unchanged(void **state UNUSED)
{
	static const char *const paths[] = {
		"",
		"/",
		"/a/b.html",
		"/a?b=c&d=e",
		"/token/abc",
		"/?token",
		"/?token=",
		"/?keyword=x",
		"/%41%zz%4?a=%",
		"*",
		"/@me",
		"/a=b?c=d#e=f",
		"/?q=token",
		"h:443",
		"/?tok",
		"/a;v=1",
		"http://h/a?b=c",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_path(paths[i], NULL);
	assert_false(secret_mask_path((struct text){NULL, 0}, NULL));
}

static void paths_masked(void **state UNUSED)
{
	static const struct {
		const char *path, *want;
	} cases[] = {
		{"/?token=x", "/?token=***"},
		{"/?a=b&api_key=x&c=d", "/?a=b&api_key=***&c=d"},
		{"/?TOKEN=a=b&Secret=c", "/?TOKEN=***&Secret=***"},
		{"/?%74oke%6E=x", "/?%74oke%6E=***"},
		{"/?token%3Dx", "/?token%3D***"},
		{"/?token=a%26b;c#d", "/?token=***"},
		{"/a;jsessionid=x?y=z", "/a;jsessionid=***"},
		{"/cb#access_token=x", "/cb#access_token=***"},
		{"/?next=%2Fcb%3Fcode%3Dx%26y&z=1", "/?next=%2Fcb%3Fcode%3D***&z=1"},
		{"http://u:p@h/a", "http://***@h/a"},
		{"u:p@h:443", "***@h:443"},
		{"/go/https://u:p@w@h", "/go/https://***@h"},
		{"/go/https://u:p@h?token=x", "/go/https://***@h?token=***"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_path(cases[i].path, cases[i].want);
}

static void heads(void **state UNUSED)
{
	static const struct {
		const char *head, *want;
	} cases[] = {
		{"GET /?token=x HTTP/1.1\r\nHost: h\r\nAuthorization: Basic x\r\nA: b\r\n\r\n",
		 "GET /?token=*** HTTP/1.1\r\nHost: h\r\nAuthorization: ***\r\nA: b\r\n\r\n"},
		{"\r\nGET / HTTP/1.1\ncookie:a=b\nX: y\n\n",
		 "\r\nGET / HTTP/1.1\ncookie:***\nX: y\n\n"},
		{"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie : b\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nSet-Cookie: ***\r\nset-cookie : ***\r\n\r\n"},
		/* Folded: at once, later, in the name, on the first line. */
		{"GET / HTTP/1.1\r\nCookie:\r\n a\r\n\tb\r\nX: y\r\n\r\n",
		 "GET / HTTP/1.1\r\nCookie:\r\n ***\r\nX: y\r\n\r\n"},
		{"GET / HTTP/1.1\r\nCookie: a\n b\nX: c\n d\n\n",
		 "GET / HTTP/1.1\r\nCookie: ***\nX: c\n d\n\n"},
		{"GET / HTTP/1.1\r\nCookie\r\n : a\r\n\r\n",
		 "GET / HTTP/1.1\r\nCookie\r\n : ***\r\n\r\n"},
		{"GET / HTTP/1.1\r\n Cookie: a\r\n\r\n", "GET / HTTP/1.1\r\n Cookie: ***\r\n\r\n"},
		/* URLs in other fields. */
		{"GET / HTTP/1.1\r\nReferer: http://u:p@h/?a=1&key=x&b=2\r\n\r\n",
		 "GET / HTTP/1.1\r\nReferer: http://***@h/?a=1&key=***&b=2\r\n\r\n"},
		{"HTTP/1.1 302 Found\r\nLocation: /cb?code=x\r\n\r\n",
		 "HTTP/1.1 302 Found\r\nLocation: /cb?code=***\r\n\r\n"},
		/* The body is not part of the head. */
		{"POST / HTTP/1.1\r\n\r\npassword=x", "POST / HTTP/1.1\r\n\r\n"},
		{"GET / HTTP/1.1\r\nCookie:\r\n\r\n", "GET / HTTP/1.1\r\nCookie:\r\n\r\n"},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_head(text_of(cases[i].head), cases[i].want);
}

static void heads_cut_off(void **state UNUSED)
{
	static const struct {
		const char *head, *want;
	} cases[] = {
		{"GET / HTTP/1.1\r\nAuthoriz", "GET / HTTP/1.1\r\nAuthoriz"},
		{"GET / HTTP/1.1\r\nAuthorization: Bas", "GET / HTTP/1.1\r\nAuthorization: ***"},
		{"GET / HTTP/1.1\r\nCookie: a\r\n b", "GET / HTTP/1.1\r\nCookie: ***"},
		{"GET /?token=ab", "GET /?token=***"},
		{"GET /?token=ab HTT", "GET /?token=***"},
		{"GET http://u:p", "GET http://***"},
		{"GET / HTTP/1.1\r\nReferer: http://u:p", "GET / HTTP/1.1\r\nReferer: http://***"},
		{"GET / HTTP/1.1\r\nOrigin: http://h\r\nA",
		 "GET / HTTP/1.1\r\nOrigin: http://h\r\nA"},
		{"GET", "GET"},
		/* Not a version. */
		{"GET / HTTP/?token=x", "GET / HTTP/?token=***"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_head(text_of(cases[i].head), cases[i].want);
}

/* Not a byte of any secret is left, wherever the head is cut. */
static void every_cut(void **state UNUSED)
{
	static const char head[] =
		"GET http://ZZ:ZZ@h/?a=b&key=ZZ HTTP/1.1\r\nCookie: ZZ\r\n ZZ\r\n"
		"Referer: http://ZZ@h/?pwd=ZZ\r\nX-Session:ZZ\r\n\r\n";

	for (uint32_t n = 0; n < sizeof(head); n++) {
		char space[1024];
		struct buf out = BUF_ON(space);

		secret_mask_head((struct text){head, n}, &out);
		assert_null(memchr(out.p, 'Z', out.len));
	}
}

static void bounded(void **state UNUSED)
{
	char space[8];
	struct buf out = BUF_ON(space);

	assert_true(secret_mask_path(text_of("/long/path?token=x"), &out));
	assert_true(out.over);
	assert_true(out.len <= sizeof(space));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),         cmocka_unit_test(paths_unchanged),
		cmocka_unit_test(paths_masked),  cmocka_unit_test(heads),
		cmocka_unit_test(heads_cut_off), cmocka_unit_test(every_cut),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
