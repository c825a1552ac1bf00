// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Owners to containers: by cgroup id, by /proc, remembered, and never another process's.
 * Needs root for cgroups of its own; the rest runs without. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "host/cgroup.h"
#include "host/process.h"
#include "host/proctext.h"

#define BOX                                                                                        \
	"tapline-process-test-docker-"                                                             \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope"
#define UNIT   "tapline-process-test.service"
#define SECOND 1000000000ull

static int root = -1;

static int open_root(void **state)
{
	(void)state;
	if (geteuid() == 0)
		root = cgroup_root_open();
	return 0;
}

static int remove_groups(void **state)
{
	(void)state;
	if (root < 0)
		return 0;
	(void)unlinkat(root, BOX, AT_REMOVEDIR);
	(void)unlinkat(root, UNIT, AT_REMOVEDIR);
	return close(root);
}

static uint64_t make_group(const char *name)
{
	struct stat st;

	assert_true(mkdirat(root, name, 0755) == 0 || errno == EEXIST);
	assert_int_equal(fstatat(root, name, &st, 0), 0);
	return st.st_ino;
}

static void skip_unless_root(void)
{
	if (root < 0)
		skip();
}

static struct processes *new_processes(void)
{
	struct processes *p = NULL;

	assert_int_equal(processes_new(&p), 0);
	return p;
}

static void expect(struct processes *p, uint32_t pid, uint64_t start, uint64_t cgroup, uint64_t now,
		   const char *name)
{
	struct text t = process_container(p, pid, start, cgroup, now);

	assert_int_equal(t.len, strlen(name));
	assert_memory_equal(t.p, name, t.len);
}

/* The start of a process as the kernel side sends it, to the tick. */
static uint64_t start_of(pid_t pid)
{
	char path[64], text[1024];
	uint64_t ticks = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text));

	assert_true(n > 0);
	assert_int_equal(proc_stat_start((struct text){text, (uint32_t)n}, &ticks), 0);
	return ticks * (SECOND / 100) + 1234567;
}

/* A child that waits, in the given cgroup. */
static pid_t child_in(const char *group)
{
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_true(child > 0);
	char path[256], text[16];

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	_cleanup_close_ int fd = openat(root, path, O_WRONLY | O_CLOEXEC);
	int n = snprintf(text, sizeof(text), "%d", (int)child);

	assert_int_equal(write(fd, text, (size_t)n), n);
	return child;
}

static void end(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_by_id(void **state)
{
	(void)state;
	skip_unless_root();
	uint64_t box = make_group(BOX), unit = make_group(UNIT);
	struct processes *p = new_processes();

	/* No such processes: the ids alone tell. */
	expect(p, 0, 0, box, 1, "0123456789ab");
	expect(p, 4000000001u, 5, box, 1, "0123456789ab");
	expect(p, 4000000001u, 5, unit, 1, UNIT);
	expect(p, 4000000001u, 5, 0, 1, "");
	expect(p, 4000000001u, 5, CGROUP_ROOT_INODE, 1, "");
	expect(p, 4000000001u, 5, ~0ull, 1, "");
	processes_free(p);
}

/* A cgroup that comes later is found once the tree may be read again, and a name outlives it. */
static void test_new_and_removed(void **state)
{
	(void)state;
	skip_unless_root();
	(void)unlinkat(root, UNIT, AT_REMOVEDIR);
	struct processes *p = new_processes();

	expect(p, 4000000001u, 5, ~0ull, SECOND, "");
	uint64_t unit = make_group(UNIT);

	expect(p, 4000000001u, 5, unit, SECOND + 1, "");
	expect(p, 4000000001u, 5, unit, 60 * SECOND, UNIT);
	assert_int_equal(unlinkat(root, UNIT, AT_REMOVEDIR), 0);
	expect(p, 4000000001u, 5, unit, 600 * SECOND, UNIT);
	processes_free(p);
}

static void test_by_proc(void **state)
{
	(void)state;
	skip_unless_root();
	(void)make_group(BOX);
	pid_t child = child_in(BOX);
	uint64_t start = start_of(child);
	struct processes *p = new_processes();

	expect(p, (uint32_t)child, start, 0, 1, "0123456789ab");
	/* Another start is another process, as is one whose start is not known. */
	expect(p, (uint32_t)child, start + SECOND / 50, 0, 1, "");
	expect(p, (uint32_t)child, start - SECOND / 50, 0, 1, "");
	expect(p, (uint32_t)child, 0, 0, 1, "");
	end(child);
	expect(p, (uint32_t)child, start, 0, 1, "0123456789ab"); /* remembered */
	processes_free(p);

	p = new_processes();
	expect(p, (uint32_t)child, start, 0, 1, ""); /* gone before it was asked for */
	processes_free(p);
}

/* More processes than there is room for: answers stay right. */
static void test_many(void **state)
{
	(void)state;
	skip_unless_root();
	uint64_t box = make_group(BOX);
	struct processes *p = new_processes();

	for (uint32_t i = 0; i < 100000; i++) {
		expect(p, 4000000000u + i, i, box, 1, "0123456789ab");
		if (i % 16 == 0)
			expect(p, 4000000000u + i, i, 0, 1, "");
	}
	processes_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_id),
		cmocka_unit_test(test_new_and_removed),
		cmocka_unit_test(test_by_proc),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, open_root, remove_groups);
}
