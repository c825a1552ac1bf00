// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The texts of /proc and of container managers, with any bytes: the first byte chooses the parser.
 * What they return must lie inside what they were given. */
#include "host/container.h"
#include "host/local_address.h"
#include "host/proctext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_inside(struct text part, struct text whole)
{
	require(part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len));
}

static void fuzz_cgroup(struct text all)
{
	struct text rest = all, line;
	uint32_t taken = 0;

	while (text_line(&rest, &line)) {
		char name[CONTAINER_NAME_MAX];

		require_inside(line, all);
		require_inside(rest, all);
		taken += line.len;
		require(taken <= all.len);
		if (container_name(line, name) != CONTAINER_NONE)
			require(memchr(name, 0, sizeof(name)) && name[0]);
		struct text id = container_id_of(line);

		require_inside(id, line);
		require(id.len == 0 || id.len == 64);
	}
}

static void fuzz_mountinfo(struct text all)
{
	struct text line;

	while (text_line(&all, &line)) {
		char point[32];
		int err = mountinfo_cgroup2(line, point, sizeof(point));

		require(err <= 0);
		if (!err)
			require(memchr(point, 0, sizeof(point)));
	}
}

static void fuzz_json(struct text document)
{
	struct text value = {0}, rest = document, element;

	if (json_member(document, TEXT("Name"), &value) == 0) {
		require_inside(value, document);
		require_inside(json_string(value), value);
	}
	while (json_element(&rest, &element)) {
		require_inside(element, document);
		require_inside(rest, document);
		if (json_member(element, TEXT("names"), &value) == 0)
			require_inside(value, element);
	}
}

/* Lines as fgets makes them: one is what it is, and no more is said of it than it says. */
static void fuzz_addresses(struct text all)
{
	static const struct addr none = {{0}};
	struct addr last = none, found = none;
	struct text line;
	char copy[256];

	while (text_line(&all, &line)) {
		uint32_t n = MIN(line.len, (uint32_t)sizeof(copy) - 1);

		memcpy(copy, line.p, n);
		copy[n] = '\0';
		require(local_address_of_trie(copy, &last, &found) <= 0);
		require(addr_is_v4(&last) || !memcmp(&last, &none, sizeof(none)));
		if (!local_address_of_inet6(copy, &found))
			require(strlen(copy) >= 32);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text t = {(const char *)data + 1, (uint32_t)(size - 1)};
	uint64_t ticks;

	if (size == 0)
		return 0;
	if (data[0] & 4) {
		fuzz_addresses(t);
		return 0;
	}
	switch (data[0] & 3) {
	case 0:
		fuzz_cgroup(t);
		break;
	case 1:
		fuzz_mountinfo(t);
		break;
	case 2:
		(void)proc_stat_start(t, &ticks);
		break;
	default:
		fuzz_json(t);
	}
	return 0;
}
