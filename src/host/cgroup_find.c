// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The cgroup that a person means by a container's name, id, unit or path fragment.
 * --container is decided in the kernel by cgroup id, so the name must become one id before loading.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/cgroup.h"
#include "host/container.h"
#include "host/proctext.h"

#define ID_MIN 4  /* fewer hex digits are more likely a mistake than an id */
#define ID_MAX 64 /* sha256 in hex */

/* How a directory matched, the better the lower. */
enum match { MATCH_NAME, MATCH_NAMED, MATCH_ID, MATCH_FRAGMENT, MATCHES };

struct found {
	uint64_t id;
	unsigned level, n;
};

struct search {
	struct text wanted;
	char named_id[ID_MAX + 1]; /* of the container whose name is wanted, or "" */
	bool is_id;                /* wanted can be the start of an id */
	struct found found[MATCHES];
};

static bool is_id_prefix(struct text t)
{
	if (t.len < ID_MIN || t.len > ID_MAX)
		return false;
	for (uint32_t i = 0; i < t.len; i++)
		if (!isdigit((unsigned char)t.p[i]) && !(t.p[i] >= 'a' && t.p[i] <= 'f'))
			return false;
	return true;
}

static bool starts_with(struct text t, struct text prefix)
{
	return t.len >= prefix.len && memcmp(t.p, prefix.p, prefix.len) == 0;
}

/* wanted itself, as a service, and as the names that machine managers make of it. */
static bool is_whole_name(struct text component, struct text wanted)
{
	static const char *const forms[][2] = {{"", ""},
					       {"", ".service"},
					       {"", ".scope"},
					       {"", ".slice"},
					       {"machine-", ".scope"},
					       {"systemd-nspawn@", ".service"},
					       {"lxc.payload.", ""}};

	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		struct text before = text_of(forms[i][0]), after = text_of(forms[i][1]);

		if (component.len == before.len + wanted.len + after.len &&
		    starts_with(component, before) &&
		    memcmp(component.p + before.len, wanted.p, wanted.len) == 0 &&
		    memcmp(component.p + before.len + wanted.len, after.p, after.len) == 0)
			return true;
	}
	return false;
}

static enum match match_of(const struct search *s, struct text path)
{
	const char *slash = memrchr(path.p, '/', path.len);
	struct text component = {slash + 1, (uint32_t)(path.p + path.len - slash - 1)};
	struct text id = container_id_of(component);

	if (is_whole_name(component, s->wanted))
		return MATCH_NAME;
	if (id.len && s->named_id[0] && text_eq(id, text_of(s->named_id)))
		return MATCH_NAMED;
	if (id.len && s->is_id && starts_with(id, s->wanted))
		return MATCH_ID;
	/* The fragment must reach into the last component: everything below it would match too. */
	size_t least = (size_t)(slash - path.p) + 2;
	size_t start = least > s->wanted.len ? least - s->wanted.len : 0;

	if (memmem(path.p + start, path.len - start, s->wanted.p, s->wanted.len))
		return MATCH_FRAGMENT;
	return MATCHES;
}

static int visit(void *arg, struct text path, uint64_t id, unsigned level)
{
	struct search *s = arg;
	enum match m = match_of(s, path);

	if (m == MATCHES)
		return CGROUP_WALK_DOWN;
	if (s->found[m].n++ == 0) {
		s->found[m].id = id;
		s->found[m].level = level;
	}
	/* Below a match are its parts, except that a fragment may be part of a better one's path.
	 */
	return m == MATCH_FRAGMENT ? CGROUP_WALK_DOWN : CGROUP_WALK_SKIP;
}

/* ---- names of containers, in the managers' own state files ---- */

#define STATE_FILE_MAX (4u << 20) /* podman keeps every container in one file */

/* Reads a whole file; the caller frees *out. 0 or -errno. */
static int read_state(int dir, const char *path, char **out, uint32_t *len)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *p = NULL;
	struct stat st;
	size_t n = 0;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > STATE_FILE_MAX)
		return -EFBIG;
	p = malloc((size_t)st.st_size);
	if (!p)
		return -ENOMEM;
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, p + n, (size_t)st.st_size - n);

		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*out = TAKE_PTR(p);
	*len = (uint32_t)n;
	return 0;
}

static bool take_id(struct search *s, struct text id)
{
	if (id.len != ID_MAX || !is_id_prefix(id))
		return false;
	memcpy(s->named_id, id.p, ID_MAX);
	s->named_id[ID_MAX] = 0;
	return true;
}

/* docker: one folder a container, named by its id; config.v2.json has "Name":"/web". */
static bool docker_name(struct search *s, const char *root)
{
	DIR *d = opendir(root);
	struct dirent *entry;
	bool found = false;

	while (d && !found && (entry = readdir(d))) {
		_cleanup_free_ char *document = NULL;
		char path[NAME_MAX + sizeof("/config.v2.json")];
		struct text name;
		uint32_t len;

		(void)snprintf(path, sizeof(path), "%s/config.v2.json", entry->d_name);
		if (entry->d_name[0] == '.' || read_state(dirfd(d), path, &document, &len) ||
		    json_member((struct text){document, len}, TEXT("Name"), &name))
			continue;
		name = json_string(name);
		if (name.len && name.p[0] == '/')
			name = (struct text){name.p + 1, name.len - 1};
		if (text_eq(name, s->wanted))
			found = take_id(s, text_of(entry->d_name));
	}
	if (d)
		(void)closedir(d);
	return found;
}

/* podman (containers/storage): an array of {"id":"...","names":["web"],...}. */
static bool podman_names(struct search *s, struct text container)
{
	struct text id, names, name;

	if (json_member(container, TEXT("id"), &id) ||
	    json_member(container, TEXT("names"), &names))
		return false;
	while (json_element(&names, &name))
		if (text_eq(json_string(name), s->wanted))
			return take_id(s, json_string(id));
	return false;
}

static bool podman_name(struct search *s, const char *path)
{
	_cleanup_free_ char *document = NULL;
	struct text rest, container;
	uint32_t len;

	if (read_state(AT_FDCWD, path, &document, &len))
		return false;
	rest = (struct text){document, len};
	while (json_element(&rest, &container))
		if (podman_names(s, container))
			return true;
	return false;
}

/* Rootless podman keeps its state in the home of the user who runs it. */
static bool rootless_podman_name(struct search *s)
{
	DIR *d = opendir("/home");
	struct dirent *entry;
	bool found = false;

	while (d && !found && (entry = readdir(d))) {
		char path[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path),
			       "/home/%s/.local/share/containers/storage/overlay-containers/"
			       "containers.json",
			       entry->d_name);
		found = podman_name(s, path);
	}
	if (d)
		(void)closedir(d);
	return found;
}

static void find_name(struct search *s)
{
	if (!docker_name(s, "/var/lib/docker/containers") &&
	    !podman_name(s, "/var/lib/containers/storage/overlay-containers/containers.json"))
		(void)rootless_podman_name(s);
}

/* ---- a path ---- */

static int open_path(int root, const char *path, uint64_t *id, unsigned *level, const char **why)
{
	const char *mounted = cgroup_root_where();
	size_t n = strlen(mounted);
	unsigned depth = 0;
	struct stat st;

	if (mounted[0] == '/' && !strncmp(path, mounted, n) && (path[n] == '/' || path[n] == 0))
		path += n;
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && !strncmp(p, "..", 2)) {
			*why = "is no cgroup path: it has a '..'";
			return -EINVAL;
		}
		depth += len > 0 && !(len == 1 && *p == '.');
		p += len + (p[len] == '/');
	}
	while (*path == '/')
		path++;
	if (fstatat(root, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode)) {
		*why = "is no directory of cgroup v2";
		return -ENOENT;
	}
	*id = st.st_ino;
	*level = depth;
	return 0;
}

static int choose(const struct search *s, uint64_t *id, unsigned *level, const char **why)
{
	for (unsigned m = 0; m < MATCHES; m++) {
		const struct found *f = &s->found[m];

		if (f->n == 0)
			continue;
		if (f->n > 1) {
			*why = "matches several cgroups; give more of the id, or the whole path";
			return -EINVAL;
		}
		*id = f->id;
		*level = f->level;
		return 0;
	}
	*why = s->named_id[0]
		       ? "has no cgroup v2 directory: it is not running, or in cgroup v1 only"
		       : "matches no running container, unit or cgroup v2 path";
	return -ENOENT;
}

int cgroup_of_container(const char *name_or_id, uint64_t *id, unsigned *level, const char **why)
{
	struct search s = {.wanted = text_of(name_or_id)};

	if (s.wanted.len == 0 || s.wanted.len >= PATH_MAX) {
		*why = "names nothing; give a container's name or id, a unit, or a cgroup path";
		return -EINVAL;
	}
	_cleanup_close_ int root = cgroup_root_open();

	if (root < 0) {
		*why = "cannot be looked up: cgroup v2 is not mounted, and mounting it takes root";
		return root;
	}
	if (name_or_id[0] == '/')
		return open_path(root, name_or_id, id, level, why);
	s.is_id = is_id_prefix(s.wanted);
	find_name(&s);
	int err = cgroup_walk(root, visit, &s);

	if (err) {
		*why = "cannot be looked up among so many cgroups; give the whole path";
		return err;
	}
	return choose(&s, id, level, why);
}
