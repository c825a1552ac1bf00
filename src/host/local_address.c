// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which addresses are this host's own, read from /proc: it needs no socket, so it works after
 * privileges are dropped, and follows addresses that come and go. */
#include "host/local_address.h"

#include <arpa/inet.h>
#include <stdio.h>

#define ADDRESSES_MAX 65536

static void close_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static int add(struct local_addresses *a, const struct addr *address)
{
	struct addr *v;

	if (a->n == ADDRESSES_MAX)
		return -E2BIG;
	if (!(a->n & (a->n - 1))) { /* full at each power of two */
		v = realloc(a->v, (a->n ? 2 * a->n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		a->v = v;
	}
	a->v[a->n++] = *address;
	return 0;
}

/* "           |-- 127.0.0.1", then "              /32 host LOCAL": net/ipv4/fib_trie.c. */
int local_address_of_trie(const char *line, struct addr *last, struct addr *out)
{
	struct addr a = {.b = {[10] = 0xff, [11] = 0xff}};
	char text[INET_ADDRSTRLEN] = "";

	line += strspn(line, " ");
	if (!strncmp(line, "|-- ", 4)) {
		line += 4;
		memcpy(text, line, MIN(strcspn(line, "\n"), sizeof(text) - 1));
		if (inet_pton(AF_INET, text, a.b + 12) == 1)
			*last = a;
		return -ENOENT;
	}
	if (strncmp(line, "/32 host LOCAL", 14) && strncmp(line, "/32 link BROADCAST", 18))
		return -ENOENT;
	*out = *last;
	return 0;
}

/* "fe80000000000000021122fffe334455 02 40 20 80     eth0": net/ipv6/addrconf.c. */
int local_address_of_inet6(const char *line, struct addr *out)
{
	static const char digits[] = "0123456789abcdef";
	struct addr a = {{0}};

	for (unsigned i = 0; i < 2 * sizeof(a.b); i++) {
		const char *digit = line[i] ? strchr(digits, line[i]) : NULL;

		if (!digit)
			return -ENOENT;
		a.b[i / 2] = (uint8_t)(a.b[i / 2] << 4 | (digit - digits));
	}
	*out = a;
	return 0;
}

static int read_file(struct local_addresses *a, const char *path, bool trie)
{
	_cleanup_(close_file) FILE *f = fopen(path, "re");
	struct addr last = {{0}}, found;
	char line[256];
	int r = 0;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (!r && fgets(line, sizeof(line), f))
		if (!(trie ? local_address_of_trie(line, &last, &found)
			   : local_address_of_inet6(line, &found)))
			r = add(a, &found);
	return r;
}

int local_addresses_read(struct local_addresses *a)
{
	struct local_addresses now = {NULL, 0};
	int r = read_file(&now, "/proc/net/fib_trie", true);

	if (!r)
		r = read_file(&now, "/proc/net/if_inet6", false);
	if (r) {
		free(now.v);
		return r;
	}
	free(a->v);
	*a = now;
	return 0;
}

void local_addresses_free(struct local_addresses *a)
{
	free(a->v);
	*a = (struct local_addresses){NULL, 0};
}

bool local_address_is(const struct local_addresses *a, const struct addr *address)
{
	static const uint8_t broadcast[4] = {255, 255, 255, 255};
	const uint8_t *b = address->b;

	if (addr_is_v4(address) &&
	    (b[12] == 127 || b[12] >> 4 == 14 || !memcmp(b + 12, broadcast, sizeof(broadcast))))
		return true;
	if (b[0] == 0xff)
		return true;
	for (size_t i = 0; i < a->n; i++)
		if (!memcmp(&a->v[i], address, sizeof(*address)))
			return true;
	return false;
}
