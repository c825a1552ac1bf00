// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Iterators of the kernel: attached once, run as often as it is wanted, also after privileges were
 * given up. */
#include "loader/iterator.h"

#include <bpf/bpf.h>

/* Records until the ring is drained: of the largest, a third of it. */
#define AT_ONCE 512

int iterator_attach(struct session *s, struct bpf_object *obj, const char *program,
		    const struct bpf_map *map)
{
	union bpf_iter_link_info info = {.map.map_fd = map ? (uint32_t)bpf_map__fd(map) : 0};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_program *p = bpf_object__find_program_by_name(obj, program);
	struct bpf_link *link = bpf_program__attach_iter(p, map ? &opts : NULL);

	if (!link)
		return session_fail(s, -errno, "cannot attach %s (%s): run 'tapline doctor'",
				    bpf_program__section_name(p), strerror(errno));
	if (session_own_link(s, link))
		return session_fail(s, -ENOSPC, "too many programs in one tool");
	return bpf_link__fd(link);
}

/* s: whose ring is drained in between, or NULL. */
static int iterate(struct session *s, int iterator)
{
	_cleanup_close_ int fd = bpf_iter_create(iterator);
	char text[AT_ONCE];
	ssize_t got;
	int r = 0;

	if (fd < 0)
		return fd;
	do {
		got = read(fd, text, sizeof(text));
		if (got > 0 && s)
			r = session_drain(s);
	} while (!r && (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))));
	return r || got >= 0 ? r : -errno;
}

int iterator_run(int iterator)
{
	return iterate(NULL, iterator);
}

int iterator_drain(struct session *s, int iterator)
{
	int r = iterate(s, iterator);

	return r ? r : session_drain(s);
}
