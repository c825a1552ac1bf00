// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The root of cgroup v2 and the walk over it.
 * Where it is mounted differs by distribution, and some hosts do not mount it at all. */
#include "host/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "host/proctext.h"

static char where[PATH_MAX];

static void close_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

/* Opens path when it is what mountinfo said: another mount may lie over it. */
static int open_if_cgroup2(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs))
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return -ENOENT;
	return TAKE_FD(fd);
}

/* The cgroup v2 root among the mounts that the process (a pid or "self") has. */
static int open_mounted(const char *process, const char *prefix)
{
	_cleanup_(close_file) FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	char path[64], point[PATH_MAX];
	size_t size = 0;
	ssize_t n;
	int err = -ENOENT;

	(void)snprintf(path, sizeof(path), "/proc/%s/mountinfo", process);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while ((n = getline(&line, &size, f)) > 0) {
		size_t room = sizeof(point) - strlen(prefix);
		struct text t = {line, (uint32_t)n - (line[n - 1] == '\n')};

		memcpy(point, prefix, strlen(prefix));
		if (mountinfo_cgroup2(t, point + strlen(prefix), room))
			continue;
		err = open_if_cgroup2(point);
		if (err >= 0) {
			memcpy(where, point, sizeof(where));
			return err;
		}
	}
	return err;
}

/* A mount that hangs nowhere: only this descriptor reaches it (fsmount, Linux 5.2). */
static int open_detached(void)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC);

	if (fs < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	int fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			      MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID);

	return fd < 0 ? -errno : fd;
}

/* The same by mount(2), for where the calls above are filtered: in a mount namespace of our own,
 * and taken off the tree again once it is open. */
static int open_in_own_namespace(void)
{
	static const char *const points[] = {"/sys/fs/cgroup", "/sys", "/mnt"};
	int err = -ENOENT;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	for (unsigned i = 0; i < ARRAY_SIZE(points); i++) {
		if (mount("cgroup2", points[i], "cgroup2", MS_NOEXEC | MS_NOSUID, NULL)) {
			err = -errno;
			continue;
		}
		err = open_if_cgroup2(points[i]);
		(void)umount2(points[i], MNT_DETACH);
		return err;
	}
	return err;
}

int cgroup_root_open(void)
{
	int fd = open_mounted("self", "");

	if (fd >= 0)
		return fd;
	/* In a container the host's mount may be init's only. It is taken before making one: a new
	 * mount of cgroup v2 would reset the mount options that all of its mounts share
	 * (nsdelegate; apply_cgroup_root_flags in kernel/cgroup/cgroup.c). */
	fd = open_mounted("1", "/proc/1/root");
	if (fd >= 0)
		return fd;
	fd = open_detached();
	if (fd < 0)
		fd = open_in_own_namespace();
	if (fd >= 0)
		(void)snprintf(where, sizeof(where), "mounted for this process only");
	return fd;
}

const char *cgroup_root_where(void)
{
	return where;
}

/* Real trees are 5 to 10 deep; each level keeps a descriptor and a buffer on the stack. */
#define WALK_DEPTH 32

struct walk {
	int (*visit)(void *arg, struct text path, uint64_t id, unsigned level);
	void *arg;
	unsigned seen;
	char path[PATH_MAX];
};

static int walk_level(struct walk *w, int dir, size_t len, unsigned level);

static int walk_child(struct walk *w, int dir, const struct dirent64 *entry, size_t len,
		      unsigned level)
{
	size_t name_len = strlen(entry->d_name);

	if (len + 1 + name_len >= sizeof(w->path))
		return 0;
	if (++w->seen > CGROUP_WALK_MAX)
		return -E2BIG;
	w->path[len] = '/';
	memcpy(w->path + len + 1, entry->d_name, name_len + 1);
	len += 1 + name_len;

	int err = w->visit(w->arg, (struct text){w->path, (uint32_t)len}, entry->d_ino, level);

	if (err < 0)
		return err;
	if (err == CGROUP_WALK_SKIP || level >= WALK_DEPTH)
		return 0;
	_cleanup_close_ int fd =
		openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? 0 : walk_level(w, fd, len, level + 1);
}

static int walk_level(struct walk *w, int dir, size_t len, unsigned level)
{
	_Alignas(struct dirent64) char entries[4096];
	ssize_t n;

	while ((n = getdents64(dir, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(entries + at);

			at += entry->d_reclen;
			/* kernfs always fills d_type in. */
			if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
			    !strcmp(entry->d_name, ".."))
				continue;
			int err = walk_child(w, dir, entry, len, level);

			if (err < 0)
				return err;
		}
	}
	return 0;
}

int cgroup_walk(int root, int (*visit)(void *arg, struct text path, uint64_t id, unsigned level),
		void *arg)
{
	struct walk w = {.visit = visit, .arg = arg};
	/* A descriptor of its own: the caller's keeps its place in the directory. */
	_cleanup_close_ int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : walk_level(&w, fd, 0, 1);
}
