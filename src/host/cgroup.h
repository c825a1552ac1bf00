// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The root of cgroup v2, the walk over it, and the cgroup that a person means by a name.
 * Where it is mounted differs by distribution, and some hosts do not mount it at all. */
#pragma once

#include "base/text.h"

#define CGROUP_ROOT_INODE                                                                          \
	1 /* kernfs numbers its root 1: another inode is a cgroup namespace's root */

/*
 * The root of cgroup v2: the mount found in mountinfo (hybrid layouts have it below
 * /sys/fs/cgroup/unified), else init's, else a mount that no other process sees. Returns a
 * descriptor that the caller closes, or -errno (-EPERM: not mounted, and not allowed to mount it).
 */
int cgroup_root_open(void);

/* Where the root was found, for people: a path, or what was done instead. Valid after the first
 * successful cgroup_root_open(). */
const char *cgroup_root_where(void);

enum { CGROUP_WALK_DOWN = 0, CGROUP_WALK_SKIP = 1 };

/*
 * Calls visit for each directory below root (not for root), parents first: path from the root
 * ("/system.slice/nginx.service"), id (what bpf_get_current_cgroup_id gives: the inode), level (1
 * for children of the root). visit returns CGROUP_WALK_DOWN, CGROUP_WALK_SKIP (not below this one),
 * or -errno to stop. What disappears or may not be read meanwhile is passed over. 0; what visit
 * returned; -E2BIG: more than CGROUP_WALK_MAX directories.
 */
#define CGROUP_WALK_MAX 65536
int cgroup_walk(int root, int (*visit)(void *arg, struct text path, uint64_t id, unsigned level),
		void *arg);

/*
 * The one cgroup v2 directory that --container means, by the first of these that matches:
 * a path ("/system.slice/nginx.service"), the whole name of a directory or unit ("nginx.service",
 * "nginx", an LXC or nspawn machine), the name of a docker or podman container, a container id or
 * its first 4 or more hex digits, a fragment of a path that ends in the directory's own name (a
 * pod's uid). 0; -ENOENT: none; -EINVAL: several, or nothing to look for; other -errno from
 * cgroup_root_open. Except for 0, *why says what is wrong with the name, to be read after it
 * ("matches several ...").
 */
int cgroup_of_container(const char *name_or_id, uint64_t *id, unsigned *level, const char **why);
