// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which container or service a process belongs to, remembered.
 * Rows name owners at the rate of calls, so the answer must cost no I/O after the first time. */
#include "host/process.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/hash.h"
#include "host/cgroup.h"
#include "host/container.h"
#include "host/proctext.h"

#define SLOTS   4096          /* processes remembered: 400 KiB when all are used */
#define PROBES  8             /* slots that one process may be in */
#define SCAN_NS 5000000000ull /* between two walks over the tree: 2,000 cgroups take 20 ms */
#define TICK_NS                                                                                    \
	10000000ull /* USER_HZ, what /proc counts in, is 100 on all that BPF has a JIT for */

/* One cgroup, and what its path names. */
struct group {
	uint64_t id;
	enum container_kind kind;
	char name[CONTAINER_NAME_MAX];
};

struct slot {
	uint64_t start_ns, cgroup_id;
	uint32_t pid;
	uint8_t used, len;
	bool again; /* not known, since the tree was read too recently to read it again */
	char name[CONTAINER_NAME_MAX];
};

struct processes {
	int root;    /* of cgroup v2, or -1 */
	bool hybrid; /* containers may be in cgroup v1 only: the v2 path alone does not tell */
	uint64_t seed, next_scan_ns;
	unsigned turn; /* which slot gives way next */
	/* By id. Rebuilt as a whole: cgroup ids are never used again. */
	struct group *groups;
	size_t n_groups, cap_groups;
	struct slot slots[SLOTS];
};

/* ---- cgroups by id ---- */

static int add_group(void *arg, struct text path, uint64_t id, unsigned level)
{
	struct processes *p = arg;
	struct group *g;

	(void)level;
	if (p->n_groups == p->cap_groups) {
		size_t cap = p->cap_groups ? 2 * p->cap_groups : 64;

		g = reallocarray(p->groups, cap, sizeof(*g));
		if (!g)
			return -ENOMEM;
		p->groups = g;
		p->cap_groups = cap;
	}
	g = &p->groups[p->n_groups++];
	g->id = id;
	g->name[0] = 0;
	g->kind = container_name(path, g->name);
	return CGROUP_WALK_DOWN;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct group *)a)->id, y = ((const struct group *)b)->id;

	return (x > y) - (x < y);
}

static const struct group *find_group(const struct processes *p, uint64_t id)
{
	const struct group key = {.id = id};

	return p->n_groups ? bsearch(&key, p->groups, p->n_groups, sizeof(key), by_id) : NULL;
}

/* An error leaves fewer groups: those processes are looked up in /proc. */
static void scan_groups(struct processes *p)
{
	p->n_groups = 0;
	(void)cgroup_walk(p->root, add_group, p);
	if (p->n_groups)
		qsort(p->groups, p->n_groups, sizeof(*p->groups), by_id);
}

/* The group of an id; *again is set when it is not known only because it is too early to look. */
static const struct group *group_of(struct processes *p, uint64_t id, uint64_t now_ns, bool *again)
{
	const struct group *g;

	if (p->root < 0 || id <= CGROUP_ROOT_INODE)
		return NULL;
	g = find_group(p, id);
	if (g)
		return g;
	if (now_ns < p->next_scan_ns) {
		*again = true;
		return NULL;
	}
	scan_groups(p);
	p->next_scan_ns = now_ns + SCAN_NS;
	return find_group(p, id);
}

/* ---- /proc ---- */

/* Reads a small file whole; the text is cut at size. */
static struct text read_small(int dir, const char *name, char *out, size_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return (struct text){0};
	while (n < size && (got = read(fd, out + n, size - n)) > 0)
		n += (size_t)got;
	return (struct text){out, (uint32_t)n};
}

/* The best name over all hierarchies: where v2 has only a service, v1 may have a container. */
static enum container_kind name_of_lines(struct text lines, char *out)
{
	enum container_kind best = CONTAINER_NONE;
	struct text line;

	while (best != CONTAINER_BOX && text_line(&lines, &line)) {
		char name[CONTAINER_NAME_MAX];
		enum container_kind kind = container_name(line, name);

		if (kind > best) {
			best = kind;
			memcpy(out, name, sizeof(name));
		}
	}
	return best;
}

static enum container_kind name_in_proc(uint32_t pid, uint64_t start_ns, char *out)
{
	char path[32], text[8192];
	uint64_t ticks;

	if (pid == 0 || start_ns == 0)
		return CONTAINER_NONE;
	(void)snprintf(path, sizeof(path), "/proc/%u", pid);
	/* The directory stays this process's: once it has exited, reads below it fail, even when
	 * the pid has been given to another. So the start need be checked only once. */
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || proc_stat_start(read_small(dir, "stat", text, sizeof(text)), &ticks) ||
	    ticks != start_ns / TICK_NS)
		return CONTAINER_NONE;
	return name_of_lines(read_small(dir, "cgroup", text, sizeof(text)), out);
}

/* ---- the answers ---- */

static void resolve(struct processes *p, struct slot *s, uint64_t now_ns)
{
	bool again = false;
	const struct group *g = group_of(p, s->cgroup_id, now_ns, &again);
	enum container_kind kind = g ? g->kind : CONTAINER_NONE;

	s->name[0] = 0;
	if (kind != CONTAINER_NONE)
		memcpy(s->name, g->name, sizeof(s->name));
	if (kind != CONTAINER_BOX && (!g || p->hybrid)) {
		char name[CONTAINER_NAME_MAX];
		enum container_kind other = name_in_proc(s->pid, s->start_ns, name);

		if (other > kind) {
			kind = other;
			memcpy(s->name, name, sizeof(name));
		}
	}
	s->len = (uint8_t)strlen(s->name);
	s->again = again && kind == CONTAINER_NONE;
}

static bool same(const struct slot *s, uint32_t pid, uint64_t start_ns, uint64_t cgroup_id)
{
	return s->used && s->pid == pid && s->start_ns == start_ns && s->cgroup_id == cgroup_id;
}

struct text process_container(struct processes *p, uint32_t pid, uint64_t start_ns,
			      uint64_t cgroup_id, uint64_t now_ns)
{
	uint64_t h = hash_fold(hash_fold(start_ns ^ p->seed, cgroup_id ^ 0x9e3779b97f4a7c15) ^ pid,
			       p->seed | 1);
	struct slot *s, *empty = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		s = &p->slots[(h + i) % SLOTS];
		if (same(s, pid, start_ns, cgroup_id)) {
			if (s->again && now_ns >= p->next_scan_ns)
				resolve(p, s, now_ns);
			return (struct text){s->name, s->len};
		}
		if (!s->used && !empty)
			empty = s;
	}
	s = empty ? empty : &p->slots[(h + p->turn++ % PROBES) % SLOTS];
	*s = (struct slot){.start_ns = start_ns, .cgroup_id = cgroup_id, .pid = pid, .used = true};
	resolve(p, s, now_ns);
	return (struct text){s->name, s->len};
}

/* Whether processes are in cgroup v1 hierarchies too: lines of other numbers than 0. */
static bool has_v1(void)
{
	char text[8192];
	struct text line, lines = read_small(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text));

	while (text_line(&lines, &line))
		if (line.len && line.p[0] != '0')
			return true;
	return false;
}

int processes_new(struct processes **out)
{
	struct processes *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->root = cgroup_root_open();
	p->hybrid = has_v1();
	p->seed = hash_seed();
	*out = p;
	return 0;
}

void processes_free(struct processes *p)
{
	if (!p)
		return;
	if (p->root >= 0)
		(void)close(p->root);
	free(p->groups);
	free(p);
}
