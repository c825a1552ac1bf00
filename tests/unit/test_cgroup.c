// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The root of cgroup v2, with and without a mount, and what --container finds in it.
 * Needs root: makes cgroups below a directory of its own and removes them. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "host/cgroup.h"

#define ID_A "deadbeef00000000000000000000000000000000000000000000000000000001"
#define ID_B "deadbeef00000000000000000000000000000000000000000000000000000002"

/* Parents first: they are removed in the other order. */
static const char *const made[] = {
	"tapline-test",
	"tapline-test/docker-" ID_A ".scope",
	"tapline-test/docker-" ID_A ".scope/init",
	"tapline-test/libpod-conmon-" ID_B ".scope",
	"tapline-test/cri-containerd-" ID_B ".scope",
	"tapline-test/tapline-web.service",
	"tapline-test/kubepods-podbeac0ffe_1234.slice",
	"tapline-test/kubepods-podbeac0ffe_1234.slice/leaf",
};

static int root = -1;

static int make_tree(void **state)
{
	(void)state;
	root = cgroup_root_open();
	if (root < 0)
		return geteuid() ? 0 : -1;
	for (unsigned i = 0; i < ARRAY_SIZE(made); i++)
		if (mkdirat(root, made[i], 0755) && errno != EEXIST)
			return geteuid() ? 0 : -1;
	return 0;
}

static int remove_tree(void **state)
{
	(void)state;
	for (unsigned i = ARRAY_SIZE(made); root >= 0 && i-- > 0;)
		(void)unlinkat(root, made[i], AT_REMOVEDIR);
	if (root >= 0)
		(void)close(root);
	return 0;
}

static uint64_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(root, path, &st, 0), 0);
	return st.st_ino;
}

/* Attaches a program that lets everything pass to the directory and takes it off again. */
static int attach_egress(int cgroup)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	_cleanup_close_ int prog =
		bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "pass", "GPL", insns, 2, NULL);

	if (prog < 0)
		return prog;
	int err = bpf_prog_attach(prog, cgroup, BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI);

	return err ? err : bpf_prog_detach2(prog, cgroup, BPF_CGROUP_INET_EGRESS);
}

static void test_root(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(inode_of("."), CGROUP_ROOT_INODE);
	assert_int_equal(attach_egress(root), 0);
	assert_int_equal(cgroup_root_where()[0], '/');
}

/* In a child, since the namespace cannot be left. */
static int without_mount(void)
{
	struct stat st;
	uint64_t id;
	unsigned level;
	const char *why = "";

	if (unshare(CLONE_NEWNS | CLONE_NEWPID) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 1;
	while (cgroup_root_where()[0] == '/' && umount2(cgroup_root_where(), MNT_DETACH) == 0)
		;
	/* Nor may init's mounts be seen through /proc. */
	if (mount("none", "/proc", "tmpfs", 0, NULL))
		return 2;
	_cleanup_close_ int fd = cgroup_root_open();

	if (fd < 0 || fstat(fd, &st) || st.st_ino != CGROUP_ROOT_INODE)
		return 3;
	if (cgroup_root_where()[0] == '/')
		return 4;
	if (attach_egress(fd))
		return 5;
	return cgroup_of_container("tapline-web", &id, &level, &why) ? 6 : 0;
}

static void test_root_not_mounted(void **state)
{
	int status;

	(void)state;
	if (geteuid())
		skip();
	pid_t child = fork();

	if (child == 0)
		_exit(without_mount());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void expect_found(const char *what, const char *path, unsigned expected_level)
{
	uint64_t id = 0;
	unsigned level = 0;
	const char *why = NULL;

	if (cgroup_of_container(what, &id, &level, &why))
		fail_msg("%s: %s", what, why);
	assert_int_equal(id, inode_of(path));
	assert_int_equal(level, expected_level);
}

static void test_find(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	expect_found("/", ".", 0);
	expect_found("/tapline-test", made[0], 1);
	expect_found("/tapline-test/./tapline-web.service/", made[5], 2);
	expect_found(ID_A, made[1], 2);
	expect_found("deadbeef00000000000000000000000000000000000000000000000000000002", made[4],
		     2);
	expect_found("tapline-web", made[5], 2);
	expect_found("tapline-web.service", made[5], 2);
	expect_found("podbeac0ffe", made[6], 2);
	expect_found("tapline-test/kubepods", made[6], 2);
	expect_found("tapline-test/tapline", made[5], 2);

	char mounted[4200];

	(void)snprintf(mounted, sizeof(mounted), "%s/%s", cgroup_root_where(), made[5]);
	expect_found(mounted, made[5], 2);
}

static bool write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* The state files as docker 24 and podman 4 write them, shortened; labels repeat keys to mislead.
 */
#define DOCKER "/var/lib/docker/containers/"
#define PODMAN "/var/lib/containers/storage/overlay-containers"
static const char docker_state[] =
	"{\"StreamConfig\":{},\"ID\":\"" ID_A "\",\"Config\":{\"Labels\":{\"Name\":\"/wrong\"}},"
	"\"LogPath\":\"\",\"Name\":\"/shop\",\"Driver\":\"overlay2\"}";
static const char podman_state[] =
	"[{\"id\":\"" ID_A "\",\"names\":[\"other\"],\"image\":\"x\"},"
	"{\"id\":\"" ID_B "\",\"names\":[\"first\",\"stock\"],\"metadata\":\"{\\\"name\\\":"
	"\\\"wrong\\\"}\",\"created\":\"2024-01-01\"}]";

static int finds(const char *name, uint64_t expected)
{
	uint64_t id = 0;
	unsigned level = 0;
	const char *why;
	int err = cgroup_of_container(name, &id, &level, &why);

	return err ? err : id == expected && level == 2 ? 0 : 1;
}

/* In a child: with state files of its own in place of the host's. */
static int named(uint64_t docker, uint64_t podman)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/var/lib", "tmpfs", 0, NULL))
		return 1;
	if (mkdir("/var/lib/docker", 0700) || mkdir(DOCKER, 0700) || mkdir(DOCKER ID_A, 0700) ||
	    !write_file(DOCKER ID_A "/config.v2.json", docker_state))
		return 2;
	if (mkdir("/var/lib/containers", 0700) || mkdir("/var/lib/containers/storage", 0700) ||
	    mkdir(PODMAN, 0700) || !write_file(PODMAN "/containers.json", podman_state))
		return 3;
	if (finds("shop", docker) || finds("stock", podman) || finds("first", podman))
		return 4;
	return finds("wrong", docker) == -ENOENT ? 0 : 5;
}

static void test_names(void **state)
{
	int status;

	(void)state;
	if (geteuid())
		skip();
	uint64_t docker = inode_of(made[1]), podman = inode_of(made[4]);
	pid_t child = fork();

	if (child == 0)
		_exit(named(docker, podman));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void expect_error(const char *what, int expected)
{
	uint64_t id = 77;
	unsigned level = 77;
	const char *why = NULL;

	assert_int_equal(cgroup_of_container(what, &id, &level, &why), expected);
	assert_non_null(why);
	assert_int_equal(id, 77);
	assert_int_equal(level, 77);
}

static void test_not_found(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	expect_error("", -EINVAL);
	expect_error("deadbeef", -EINVAL); /* two containers */
	expect_error("dea", -EINVAL);      /* too short for an id, and in several names */
	expect_error("no-such-container", -ENOENT);
	expect_error("/tapline-test/none", -ENOENT);
	expect_error("/tapline-test/../..", -EINVAL);
	expect_error("/tapline-test/cgroup.procs", -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),      cmocka_unit_test(test_root_not_mounted),
		cmocka_unit_test(test_find),      cmocka_unit_test(test_names),
		cmocka_unit_test(test_not_found),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
