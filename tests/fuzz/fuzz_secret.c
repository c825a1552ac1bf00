// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Plants a marked secret in a head or path made of any bytes, cuts it anywhere, and looks for the
 * mark in what masking leaves. */
#include <assert.h>

#include "protocol/secret.h"

#define MARK        '\x01' /* what secrets are made of; not in the rest */
#define SIZE_MAX_IN 4096

static char in_space[SIZE_MAX_IN + 256], out_space[3 * sizeof(in_space)];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"token",      "X-API-KEY",           "password", "passwd", "user_pwd", "client_secret",
	"sig",        "Authorization",       "Cookie",   "code",   "session",  "X-Amz-Credential",
	"set-cookie", "Proxy-Authorization", "%74oken",  "jwt",
};

/* Bytes of the fuzzer without marks and, on a line, without line ends. */
static void fuzz_bytes(struct buf *in, const uint8_t *p, size_t n, bool line)
{
	for (size_t i = 0; i < n; i++) {
		char c = (char)p[i];

		buf_char(in, c == MARK || (line && c == '\n') ? '.' : c);
	}
}

static void planted_value(struct buf *in, bool fold)
{
	buf_fill(in, MARK, 5);
	if (fold)
		buf_str(in, "\r\n \x01\x01\n\t\x01");
}

/* In a target: as a parameter or as userinfo. */
static void planted_target(struct buf *in, unsigned how)
{
	if (how % 5 < 4) {
		buf_char(in, "?&;#"[how % 5]);
		buf_str(in, names[how / 5 % ARRAY_SIZE(names)]);
		buf_str(in, how & 0x40 ? "%3d" : "=");
		planted_value(in, false);
		return;
	}
	buf_str(in, "http://");
	planted_value(in, false);
	buf_str(in, "@");
}

static void masked_path(struct text path)
{
	struct buf out = BUF_ON(out_space);

	if (!secret_mask_path(path, &out)) {
		assert(out.len == 0 && !out.over);
		assert(!path.len || !memchr(path.p, MARK, path.len));
		return;
	}
	assert(!out.over && !memchr(out.p, MARK, out.len));
}

static void masked_head(struct text head)
{
	struct buf out = BUF_ON(out_space);

	secret_mask_head(head, &out);
	assert(!out.over && !memchr(out.p, MARK, out.len));
}

/* how: where to plant; cut: how much to take off the end. Half of the bytes come before. */
static void planted(unsigned how, size_t cut, const uint8_t *p, size_t n)
{
	struct buf in = BUF_ON(in_space);
	bool in_field = how & 1;
	size_t target;

	how >>= 1;
	buf_str(&in, "GET ");
	target = in.len;
	buf_char(&in, '/');
	if (in_field) {
		buf_str(&in, " HTTP/1.1\r\n");
		fuzz_bytes(&in, p, n / 2, false);
		buf_str(&in, "\r\n");
		buf_str(&in, names[how % 14]); /* not the percent-encoded one */
		buf_str(&in, how & 0x40 ? " : " : ":");
		planted_value(&in, how & 0x20);
	} else {
		fuzz_bytes(&in, p, n / 2, true);
		planted_target(&in, how);
	}
	in.len -= MIN(cut, in.len - target);
	/* A path of a message has no cut userinfo: the parser leaves such a target out. */
	if (!in_field && (cut == 0 || how % 5 < 4))
		masked_path((struct text){in.p + target, (uint32_t)(in.len - target)});
	if (cut == 0) {
		buf_str(&in, in_field ? "\r\n" : "&x=y HTTP/1.1\r\n");
		fuzz_bytes(&in, p + n / 2, n - n / 2, false);
	}
	assert(!in.over);
	masked_head((struct text){in.p, (uint32_t)in.len});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in = BUF_ON(in_space);

	if (size < 2 || size > SIZE_MAX_IN)
		return 0;
	planted(data[0], data[1] & 0x80 ? data[1] & 0x1f : 0, data + 2, size - 2);
	fuzz_bytes(&in, data + 2, size - 2, false);
	masked_head((struct text){in.p, (uint32_t)in.len});
	masked_path((struct text){in.p, (uint32_t)in.len});
	return 0;
}
