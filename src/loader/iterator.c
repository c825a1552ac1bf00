// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Iterators of the kernel: attached once, run as often as it is wanted, also after privileges were
 * given up. */
#include "loader/iterator.h"

#include <bpf/bpf.h>

#include "base/clock.h"

/* Bytes that are read at once. As a byte stands for a record, so many records are in the ring until
 * it is drained: of the largest, a third of it. */
#define AT_ONCE 512

#define BUDGET_BURST_NS 50000000
#define BUDGET_SHARE    64

int iterator_attach(struct session *s, struct bpf_object *obj, const char *program,
		    const struct bpf_map *map)
{
	union bpf_iter_link_info info = {.map.map_fd = map ? (uint32_t)bpf_map__fd(map) : 0};
	struct bpf_iter_attach_opts opts;
	struct bpf_program *p = bpf_object__find_program_by_name(obj, program);
	struct bpf_link *link;

	/* libbpf refuses the options if the padding at their end is not zero, which an initializer,
	 * and so LIBBPF_OPTS, leaves to chance. */
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	link = bpf_program__attach_iter(p, map ? &opts : NULL);
	if (!link)
		return session_fail(s, -errno, "cannot attach %s (%s): run 'tapline doctor'",
				    bpf_program__section_name(p), strerror(errno));
	if (session_own_link(s, link))
		return session_fail(s, -ENOSPC, "too many programs in one tool");
	return bpf_link__fd(link);
}

int iterator_each(int iterator, size_t at_once, int (*between)(void *arg), void *arg)
{
	_cleanup_close_ int fd = bpf_iter_create(iterator);
	char text[AT_ONCE];
	ssize_t got = 1;
	int r = 0;

	if (fd < 0)
		return fd;
	while (!r && got) {
		got = read(fd, text, MIN(at_once, sizeof(text)));
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		r = between(arg);
	}
	return r;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

int iterator_run(int iterator)
{
	return iterator_each(iterator, AT_ONCE, nothing, NULL);
}

static int drain(void *session)
{
	return session_drain(session);
}

int iterator_drain(struct session *s, int iterator)
{
	int r = iterator_each(iterator, AT_ONCE, drain, s);

	if (r && r != -ECANCELED)
		return session_fail(s, r, "cannot go through what the kernel has (%s)",
				    strerror(-r));
	return r;
}

bool iterator_may_run(struct iterator_budget *b, uint64_t now_ns)
{
	uint64_t more = MIN((now_ns - b->filled_ns) / BUDGET_SHARE, (uint64_t)BUDGET_BURST_NS);

	b->left_ns = MIN(b->left_ns + (int64_t)more, (int64_t)BUDGET_BURST_NS);
	b->filled_ns = now_ns;
	return b->left_ns > 0;
}

void iterator_ran(struct iterator_budget *b, uint64_t began_ns)
{
	b->left_ns -= (int64_t)(clock_mono_ns() - began_ns);
}
