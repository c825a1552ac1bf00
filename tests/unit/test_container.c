// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Cgroup paths as container managers really write them, and the texts of /proc around them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "host/container.h"
#include "host/proctext.h"

#define ID    "3f4c9a1b2d7e8f60112233445566778899aabbccddeeff00112233445566778a"
#define OTHER "ffffffffffff8f60112233445566778899aabbccddeeff00112233445566778a"
#define UID_  "1c2e5a0e-6b6f-4d2e-8d2b-0a1b2c3d4e5f"
#define SHORT "3f4c9a1b2d7e"

static const struct {
	const char *path;
	enum container_kind kind;
	const char *name;
} paths[] = {
	/* docker: cgroupfs driver, systemd driver, in another parent, docker in docker */
	{"12:memory:/docker/" ID, CONTAINER_BOX, SHORT},
	{"0::/system.slice/docker-" ID ".scope", CONTAINER_BOX, SHORT},
	{"0::/mygroup/" ID, CONTAINER_BOX, SHORT},
	{"0::/docker/" OTHER "/docker/" ID, CONTAINER_BOX, SHORT},
	{"0::/system.slice/docker.service", CONTAINER_UNIT, "docker.service"},
	/* systemd inside a container: the container, not its service */
	{"0::/system.slice/docker-" ID ".scope/system.slice/nginx.service", CONTAINER_BOX, SHORT},
	{"0::/system.slice/docker-" ID ".scope (deleted)", CONTAINER_BOX, SHORT},
	/* containerd: nerdctl, ctr, and the CRI plugin without the systemd driver */
	{"0::/system.slice/nerdctl-" ID ".scope", CONTAINER_BOX, SHORT},
	{"0::/default/" ID, CONTAINER_BOX, SHORT},
	{"0::/system.slice/containerd.service/kubepods-burstable-pod" UID_
	 ".slice:cri-containerd:" ID,
	 CONTAINER_BOX, SHORT},
	/* kubernetes: systemd driver with containerd, cri-o, docker; cgroupfs driver; kind */
	{"0::/kubepods.slice/kubepods-burstable.slice/"
	 "kubepods-burstable-pod1c2e5a0e_6b6f_4d2e_8d2b_0a1b2c3d4e5f.slice/cri-containerd-" ID
	 ".scope",
	 CONTAINER_BOX, SHORT},
	{"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1c.slice/crio-" ID
	 ".scope",
	 CONTAINER_BOX, SHORT},
	{"0::/kubepods.slice/kubepods-pod1c.slice/crio-" ID ".scope/container", CONTAINER_BOX,
	 SHORT},
	{"0::/kubepods.slice/kubepods-pod1c.slice/docker-" ID ".scope", CONTAINER_BOX, SHORT},
	{"11:cpu,cpuacct:/kubepods/burstable/pod" UID_ "/" ID, CONTAINER_BOX, SHORT},
	{"0::/kubepods/besteffort/pod" UID_ "/" ID, CONTAINER_BOX, SHORT},
	{"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice/cri-containerd-" ID
	 ".scope",
	 CONTAINER_BOX, SHORT},
	{"0::/kubepods.slice/kubepods-pod1c.slice/crio-conmon-" ID ".scope", CONTAINER_NONE, NULL},
	{"0::/kubepods/besteffort/pod" UID_, CONTAINER_NONE, NULL},
	/* podman: rootful, rootless, split, cgroupfs, and its monitor */
	{"0::/machine.slice/libpod-" ID ".scope/container", CONTAINER_BOX, SHORT},
	{"0::/machine.slice/libpod-" ID ".scope", CONTAINER_BOX, SHORT},
	{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
	 ".scope/container",
	 CONTAINER_BOX, SHORT},
	{"0::/system.slice/web.service/libpod-payload-" ID, CONTAINER_BOX, SHORT},
	{"0::/libpod_parent/libpod-" ID, CONTAINER_BOX, SHORT},
	{"0::/machine.slice/libpod-conmon-" ID ".scope", CONTAINER_NONE, NULL},
	{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-" ID ".scope",
	 CONTAINER_NONE, NULL},
	/* LXC, LXD, Incus, Proxmox, their monitors */
	{"0::/lxc/web1", CONTAINER_BOX, "web1"},
	{"0::/lxc/101/ns/system.slice/ssh.service", CONTAINER_BOX, "101"},
	{"0::/lxc.payload/web1/init.scope", CONTAINER_BOX, "web1"},
	{"0::/lxc.payload.web1/system.slice/nginx.service", CONTAINER_BOX, "web1"},
	{"0::/lxc.monitor.web1", CONTAINER_NONE, NULL},
	/* machined: nspawn and libvirt, names escaped as systemd does */
	{"0::/machine.slice/systemd-nspawn@deb.service/payload", CONTAINER_BOX, "deb"},
	{"0::/machine.slice/machine-deb.scope/payload/init.scope", CONTAINER_BOX, "deb"},
	{"0::/machine.slice/machine-qemu\\x2d3\\x2dvm1.scope/libvirt/emulator", CONTAINER_BOX,
	 "qemu-3-vm1"},
	/* systemd */
	{"0::/system.slice/nginx.service", CONTAINER_UNIT, "nginx.service"},
	{"1:name=systemd:/system.slice/nginx.service", CONTAINER_UNIT, "nginx.service"},
	{"0::/system.slice/system-getty.slice/getty@tty1.service", CONTAINER_UNIT,
	 "getty@tty1.service"},
	{"0::/system.slice/systemd-udevd.service/udev", CONTAINER_UNIT, "systemd-udevd.service"},
	{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service", CONTAINER_UNIT,
	 "web.service"},
	{"0::/user.slice/user-1000.slice/user@1000.service/init.scope", CONTAINER_NONE, NULL},
	{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-12.scope",
	 CONTAINER_NONE, NULL},
	{"0::/user.slice/user-0.slice/session-2.scope", CONTAINER_NONE, NULL},
	{"0::/init.scope", CONTAINER_NONE, NULL},
	{"0::/", CONTAINER_NONE, NULL},
	/* nearly an id: a digit less, an upper-case digit, no separator before it */
	{"0::/docker/f4c9a1b2d7e8f60112233445566778899aabbccddeeff00112233445566778a",
	 CONTAINER_NONE, NULL},
	{"0::/docker/3F4c9a1b2d7e8f60112233445566778899aabbccddeeff00112233445566778a",
	 CONTAINER_NONE, NULL},
	{"0::/docker/a" ID, CONTAINER_NONE, NULL},
	/* not a path */
	{"", CONTAINER_NONE, NULL},
	{"0::", CONTAINER_NONE, NULL},
	{"////", CONTAINER_NONE, NULL},
	{"/.service", CONTAINER_NONE, NULL},
	{" (deleted)", CONTAINER_NONE, NULL},
};

static void test_paths(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(paths); i++) {
		char name[CONTAINER_NAME_MAX] = "untouched";
		enum container_kind kind = container_name(text_of(paths[i].path), name);

		if (kind != paths[i].kind ||
		    strcmp(name, paths[i].name ? paths[i].name : "untouched") != 0)
			fail_msg("%s: kind %d, name %s", paths[i].path, kind, name);
	}
}

static void test_long_name(void **state)
{
	char path[400] = "/system.slice/", name[CONTAINER_NAME_MAX];

	(void)state;
	memset(path + 14, 'x', 200);
	memcpy(path + 214, ".service", 9);
	assert_int_equal(container_name(text_of(path), name), CONTAINER_UNIT);
	assert_int_equal(strlen(name), CONTAINER_NAME_MAX - 1);
	assert_memory_equal(name, path + 14, CONTAINER_NAME_MAX - 1);
}

static void test_mountinfo(void **state)
{
	static const struct {
		const char *line;
		int err;
		const char *point;
	} lines[] = {
		{"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw", 0,
		 "/sys/fs/cgroup/unified"},
		{"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 "
		 "rw,nsdelegate",
		 0, "/sys/fs/cgroup"},
		{"30 23 0:26 / /mnt/a\\040b\\134c rw - cgroup2 none rw", 0, "/mnt/a b\\c"},
		{"30 23 0:26 / /mnt/\\04 rw - cgroup2 none rw", 0, "/mnt/\\04"},
		{"30 23 0:26 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw", -ENOENT, NULL},
		{"32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup2 rw,cpu", -ENOENT,
		 NULL},
		{"30 23 0:26 / /mnt/\\000x rw - cgroup2 none rw", -EINVAL, NULL},
		{"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4", -EINVAL, NULL},
		{"30 23 0:26 / -", -EINVAL, NULL},
		{"", -EINVAL, NULL},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		char point[64];

		if (mountinfo_cgroup2(text_of(lines[i].line), point, sizeof(point)) != lines[i].err)
			fail_msg("%s", lines[i].line);
		if (lines[i].point)
			assert_string_equal(point, lines[i].point);
	}
	char small[5];

	assert_int_equal(mountinfo_cgroup2(text_of(lines[0].line), small, sizeof(small)),
			 -ENAMETOOLONG);
}

static void test_stat(void **state)
{
	static const char numbers[] = " S 1 1 1 0 -1 4194560 9 9 9 9 1 1 1 1 20 0 1 0 8675309 2 3";
	char text[256];
	uint64_t ticks = 0;

	(void)state;
	strcpy(text, "42 (nginx)");
	strcat(text, numbers);
	assert_int_equal(proc_stat_start(text_of(text), &ticks), 0);
	assert_int_equal(ticks, 8675309);
	/* A process may call itself anything. */
	strcpy(text, "42 (a) S 1 (b) R 2)");
	strcat(text, numbers);
	assert_int_equal(proc_stat_start(text_of(text), &ticks), 0);
	assert_int_equal(ticks, 8675309);
	ticks = 1;
	assert_int_equal(proc_stat_start(TEXT("42 (nginx) S 1 1"), &ticks), -EINVAL);
	assert_int_equal(proc_stat_start(TEXT("42 nginx S"), &ticks), -EINVAL);
	assert_int_equal(proc_stat_start(TEXT(""), &ticks), -EINVAL);
	assert_int_equal(
		proc_stat_start(TEXT("1 (a) S 1 1 1 0 -1 1 9 9 9 9 1 1 1 1 20 0 1 0 -5 2"), &ticks),
		-EINVAL);
	assert_int_equal(ticks, 1);
}

static void expect_member(const char *document, const char *key, const char *value)
{
	struct text v = {0};
	int err = json_member(text_of(document), text_of(key), &v);

	if ((err != 0) != (value == NULL))
		fail_msg("%s of %s: %d", key, document, err);
	if (value && !text_eq(v, text_of(value)))
		fail_msg("%s of %s: %.*s", key, document, (int)v.len, v.p);
}

static void test_json(void **state)
{
	struct text rest = TEXT("[\"a,]\", {\"x\":[1,2]} , 3]"), element;

	(void)state;
	expect_member("{\"a\":1,\"b\":\"two\"}", "a", "1");
	expect_member(" { \"a\" : 1 , \"b\" : \"two\" } ", "b", "\"two\"");
	expect_member("{\"o\":{\"b\":1},\"b\":[1,{}]}", "b", "[1,{}]");
	expect_member("{\"s\":\"\\\",\\\"b\\\":9\",\"b\":null}", "b", "null");
	expect_member("{\"o\":{\"b\":1}}", "b", NULL);
	expect_member("{}", "b", NULL);
	expect_member("[\"b\",1]", "b", NULL);
	expect_member("{\"b\":\"cut", "b", NULL);
	expect_member("{\"b\":", "b", NULL);
	expect_member("{\"b\"", "b", NULL);
	expect_member("", "b", NULL);

	assert_true(json_element(&rest, &element));
	assert_true(text_eq(json_string(element), TEXT("a,]")));
	assert_true(json_element(&rest, &element));
	assert_true(text_eq(element, TEXT("{\"x\":[1,2]}")));
	assert_int_equal(json_string(element).len, 0);
	assert_true(json_element(&rest, &element));
	assert_true(text_eq(element, TEXT("3")));
	assert_false(json_element(&rest, &element));
}

static void test_lines(void **state)
{
	struct text rest = TEXT("a\n\nb"), line;

	(void)state;
	assert_true(text_line(&rest, &line) && text_eq(line, TEXT("a")));
	assert_true(text_line(&rest, &line) && line.len == 0);
	assert_true(text_line(&rest, &line) && text_eq(line, TEXT("b")));
	assert_false(text_line(&rest, &line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),     cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_mountinfo), cmocka_unit_test(test_stat),
		cmocka_unit_test(test_json),      cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
