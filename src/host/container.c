// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A container's or a unit's name from the text of a cgroup path.
 * Pure: container managers agree on nothing but that the id or name is in the path. */
#include "host/container.h"

#define ID_LEN       64 /* sha256 in hex: docker, containerd, cri-o and podman alike */
#define SHORT_ID_LEN 12 /* what docker ps and crictl ps show */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool starts_with(struct text t, struct text prefix)
{
	return t.len >= prefix.len && memcmp(t.p, prefix.p, prefix.len) == 0;
}

static bool ends_with(struct text t, struct text suffix)
{
	return t.len >= suffix.len && memcmp(t.p + t.len - suffix.len, suffix.p, suffix.len) == 0;
}

static struct text without_suffix(struct text t, struct text suffix)
{
	if (ends_with(t, suffix))
		t.len -= suffix.len;
	return t;
}

struct text container_id_of(struct text component)
{
	struct text t = without_suffix(component, TEXT(".scope"));

	if (t.len < ID_LEN)
		return (struct text){0};
	struct text head = {t.p, t.len - ID_LEN}, id = {t.p + t.len - ID_LEN, ID_LEN};

	if (head.len && head.p[head.len - 1] != '-' && head.p[head.len - 1] != ':')
		return (struct text){0};
	/* libpod-conmon-ID and crio-conmon-ID hold the monitor, which is outside the container. */
	if (ends_with(head, TEXT("conmon-")))
		return (struct text){0};
	for (uint32_t i = 0; i < ID_LEN; i++)
		if (!is_hex(id.p[i]))
			return (struct text){0};
	return id;
}

/* Takes the last component off *path. False when there is none left. */
static bool last_component(struct text *path, struct text *component)
{
	while (path->len && path->p[path->len - 1] == '/')
		path->len--;
	if (path->len == 0)
		return false;
	const char *slash = memrchr(path->p, '/', path->len);
	uint32_t start = slash ? (uint32_t)(slash + 1 - path->p) : 0;

	*component = (struct text){path->p + start, path->len - start};
	path->len = start;
	return true;
}

static struct text parent_name(struct text path)
{
	struct text name = {0};

	last_component(&path, &name);
	return name;
}

/* The name of an LXC container or a machined machine whose cgroup is component, below parent. */
static struct text machine_of(struct text component, struct text parent)
{
	static const struct {
		const char *prefix, *suffix;
	} forms[] = {
		{"lxc.payload.", ""},
		{"machine-", ".scope"},
		{"systemd-nspawn@", ".service"},
	};

	if (text_eq(parent, TEXT("lxc")) || text_eq(parent, TEXT("lxc.payload")))
		return component;
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		struct text prefix = text_of(forms[i].prefix), suffix = text_of(forms[i].suffix);

		if (component.len > prefix.len + suffix.len && starts_with(component, prefix) &&
		    ends_with(component, suffix))
			return (struct text){component.p + prefix.len,
					     component.len - prefix.len - suffix.len};
	}
	return (struct text){0};
}

/* user@1000.service is a login's whole tree, not a service. */
static bool is_service(struct text component)
{
	return component.len > strlen(".service") && ends_with(component, TEXT(".service")) &&
	       !starts_with(component, TEXT("user@"));
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Copies name, \xNN undone where units are escaped (systemd.unit(5)), cut to fit. */
static void copy_name(struct text name, bool escaped, char *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < name.len && n < CONTAINER_NAME_MAX - 1; n++) {
		char c = name.p[i++];

		if (escaped && c == '\\' && name.len - i >= 3 && name.p[i] == 'x') {
			int high = hex_digit(name.p[i + 1]), low = hex_digit(name.p[i + 2]);

			if (high >= 0 && low >= 0 && high + low > 0) {
				c = (char)(high << 4 | low);
				i += 3;
			}
		}
		out[n] = c;
	}
	out[n] = 0;
}

enum container_kind container_name(struct text path, char *out)
{
	struct text component, service = {0};
	const char *start;

	path.len = path.len ? (uint32_t)strnlen(path.p, path.len) : 0; /* no path holds a NUL */
	start = path.len ? memchr(path.p, '/', path.len) : NULL;
	if (!start)
		return CONTAINER_NONE;
	path = (struct text){start, path.len - (uint32_t)(start - path.p)};
	path = without_suffix(path, TEXT(" (deleted)"));
	/* From the inside out: the innermost container wins, and any container wins over a service
	 * that runs inside it. */
	while (last_component(&path, &component)) {
		struct text id = container_id_of(component);

		if (id.len) {
			copy_name((struct text){id.p, SHORT_ID_LEN}, false, out);
			return CONTAINER_BOX;
		}
		struct text machine = machine_of(component, parent_name(path));

		if (machine.len) {
			copy_name(machine, true, out);
			return CONTAINER_BOX;
		}
		if (!service.len && is_service(component))
			service = component;
	}
	if (!service.len)
		return CONTAINER_NONE;
	copy_name(service, false, out);
	return CONTAINER_UNIT;
}
