// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What a run can still do after privilege_drop, and what it cannot.
 * Each check drops in a child of its own, since there is no way back. Needs root. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "loader/privilege.h"

#ifdef __SANITIZE_ADDRESS__
#define FILTERED false
#else
#define FILTERED true
#endif

/* Runs check after a drop; its exit status is what check returns. */
static int dropped(int (*check)(int arg), int arg, unsigned flags)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		int err = privilege_drop(flags);

		_exit(err ? 100 - err : check(arg));
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool refused(long result)
{
	return result == -1 && errno == EPERM;
}

/* CAP_BPF may stay on kernels that refuse map reads without it. */
static unsigned long long may_stay(void)
{
	struct utsname name;
	unsigned major = 0, minor = 0;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return 0;
	return major < 5 || (major == 5 && minor < 19) ? 1ull << CAP_BPF : 0;
}

/* The capability sets of /proc/self/status. */
static int check_caps(int arg)
{
	static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
	const unsigned long long stays = (unsigned long long)arg << CAP_BPF;
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 1;
	text[n] = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(sets); i++) {
		const char *p = strstr(text, sets[i]);

		if (!p || (strtoull(p + strlen(sets[i]), NULL, 16) & ~stays) != 0)
			return 2 + (int)i;
	}
	return strstr(text, "NoNewPrivs:\t1\n") ? 0 : 9;
}

static int check_writing(int arg)
{
	(void)arg;
	if (!refused(open("/tmp", O_TMPFILE | O_RDWR, 0600)))
		return 1;
	if (!refused(open("/dev/null", O_WRONLY)) || !refused(open("/dev/null", O_RDWR)))
		return 2;
	if (!refused(open("/dev/null", O_RDONLY | O_CREAT, 0600)) ||
	    !refused(open("/dev/null", O_RDONLY | O_TRUNC)))
		return 3;
#ifdef SYS_open
	if (!refused(syscall(SYS_open, "/dev/null", O_WRONLY)))
		return 4;
#endif
	if (!refused(unlink("/tmp/tapline-no-such-file")) || !refused(rename("/none", "/none2")))
		return 5;
	return 0;
}

static int check_openat2(int arg)
{
	struct open_how how = {.flags = O_RDONLY};

	(void)arg;
	return refused(syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof(how))) ? 0 : 1;
}

static int check_execve(int arg)
{
	char *argv[] = {(char *)"true", NULL}, *none[] = {NULL};

	(void)arg;
	if (!refused(execve("/bin/true", argv, none)))
		return 1;
	int fd = open("/bin/true", O_RDONLY);

	return refused(syscall(SYS_execveat, fd, "", argv, none, AT_EMPTY_PATH)) ? 0 : 2;
}

static int check_other_calls(int arg)
{
	(void)arg;
	if (!refused(socket(AF_INET, SOCK_STREAM, 0)))
		return 1;
	if (!refused(syscall(SYS_ptrace, 0, 0, 0, 0)))
		return 2;
	if (!refused(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)))
		return 3;
	if (!refused(kill(getpid(), 0)) || !refused(syscall(SYS_tgkill, 1, 1, 0)))
		return 4;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	    MAP_FAILED)
		return 5;
	return refused(syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL)) ? 0 : 6;
}

static int check_bpf_loading(int arg)
{
	(void)arg;
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "none", 4, 4, 1, NULL);

	return map == -EPERM ? 0 : 1;
}

static int check_bpf_maps(int map)
{
	uint32_t key = 1, next, value = 42;

	if (bpf_map_update_elem(map, &key, &value, BPF_ANY))
		return 1;
	value = 0;
	if (bpf_map_lookup_elem(map, &key, &value) || value != 42)
		return 2;
	if (bpf_map_get_next_key(map, NULL, &next) || next != key)
		return 3;
	if (bpf_map_delete_elem(map, &key))
		return 4;
	return bpf_map_lookup_elem(map, &key, &value) == -ENOENT ? 0 : 5;
}

/* What a run does from morning to night. */
static int check_running(int pipe_end)
{
	struct epoll_event event;
	struct timespec now, little = {.tv_nsec = 1000};
	char text[16];
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (write(pipe_end, "hello", 5) != 5)
		return 1;
	if (fd < 0 || read(fd, text, sizeof(text)) <= 0 || close(fd))
		return 2;
	if (open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0)
		return 3;
	void *p = malloc(8u << 20);

	if (!p)
		return 4;
	memset(p, 1, 8u << 20);
	free(p);
	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) || nanosleep(&little, NULL))
		return 5;
	/* -1 is no epoll descriptor: the call itself is let through. */
	return epoll_wait(-1, &event, 1, 0) == -1 && errno == EBADF ? 0 : 6;
}

static void skip_unless_root(void)
{
	if (geteuid())
		skip();
}

static void test_capabilities(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(dropped(check_caps, may_stay() != 0, 0), 0);
	assert_int_equal(dropped(check_caps, may_stay() != 0, PRIVILEGE_CAPS_ONLY), 0);
}

static void test_forbidden(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(dropped(check_bpf_loading, 0, 0), 0);
	if (!FILTERED)
		return;
	assert_int_equal(dropped(check_writing, 0, 0), 0);
	assert_int_equal(dropped(check_openat2, 0, 0), 0);
	assert_int_equal(dropped(check_execve, 0, 0), 0);
	assert_int_equal(dropped(check_other_calls, 0, 0), 0);
}

static void test_maps(void **state)
{
	(void)state;
	skip_unless_root();
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_HASH, "test", 4, 4, 8, NULL);

	assert_true(map >= 0);
	assert_int_equal(dropped(check_bpf_maps, map, 0), 0);
}

static void test_running(void **state)
{
	int ends[2];
	char text[8] = "";

	(void)state;
	skip_unless_root();
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dropped(check_running, ends[1], 0), 0);
	assert_int_equal(read(ends[0], text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(close(ends[0]) | close(ends[1]), 0);
}

/* Without the filter files can still be written and programs run, but no privilege comes back. */
static int check_caps_only(int arg)
{
	(void)arg;
	return open("/dev/null", O_WRONLY) >= 0 ? 0 : 1;
}

static void test_caps_only(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(dropped(check_caps_only, 0, PRIVILEGE_CAPS_ONLY), 0);
}

/* What writing a capture file takes: only a run that does may do it. */
static int check_capture(int allowed)
{
	struct msghdr m = {0};

	/* -1 is no descriptor: the call itself is let through, or not. */
	if (ftruncate(-1, 0) != -1 || errno != (allowed ? EBADF : EPERM))
		return 1;
	if (recvmsg(-1, &m, 0) != -1 || errno != (allowed ? EBADF : EPERM))
		return 2;
	if (waitpid(-1, NULL, 0) != -1 || errno != (allowed ? ECHILD : EPERM))
		return 3;
	return check_writing(0);
}

static void test_capture(void **state)
{
	(void)state;
	if (!FILTERED)
		skip();
	assert_int_equal(dropped(check_capture, 0, 0), 0);
	assert_int_equal(dropped(check_capture, 1, PRIVILEGE_CAPTURE), 0);
}

/* Standard input's terminal may be set by a run that takes keys, and no other's. */
static int check_keyboard(int allowed)
{
	char nothing[256] = "";
	pid_t group;

	(void)close(STDIN_FILENO);
	if (ioctl(STDIN_FILENO, TCSETS, nothing) != -1 || errno != (allowed ? EBADF : EPERM))
		return 1;
	if (ioctl(STDIN_FILENO, TIOCGPGRP, &group) != -1 || errno != (allowed ? EBADF : EPERM))
		return 2;
	if (!refused(ioctl(STDOUT_FILENO, TCSETS, nothing)))
		return 3;
	return refused(ioctl(STDIN_FILENO, TIOCSTI, nothing)) ? 0 : 4;
}

static void test_keyboard(void **state)
{
	(void)state;
	if (!FILTERED)
		skip();
	assert_int_equal(dropped(check_keyboard, 0, 0), 0);
	assert_int_equal(dropped(check_keyboard, 1, PRIVILEGE_KEYBOARD), 0);
}

/* ---- a process that does one thing ---- */

static unsigned long long caps_of(const char *set)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long caps = ~0ull;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, set, strlen(set)) == 0)
			caps = strtoull(line + strlen(set), NULL, 16);
	if (f)
		(void)fclose(f);
	return caps;
}

static int check_confined(int pipe_end)
{
	const struct privilege_call calls[] = {
		{SYS_write, 1, {{0, (uint32_t)pipe_end}}},
		{SYS_openat, 2, {{0, (uint32_t)AT_FDCWD}, {2, O_RDONLY | O_CLOEXEC}}},
		{SYS_read, 0, {{0}}},
		{SYS_close, 0, {{0}}},
		{SYS_exit_group, 0, {{0}}},
	};

	if (privilege_confine(CAP_DAC_OVERRIDE, calls, ARRAY_SIZE(calls)))
		return 1;
	if (write(pipe_end, "x", 1) != 1)
		return 2;
	if (!FILTERED)
		return 0;
	if (!refused(write(STDOUT_FILENO, "x", 1)) || !refused(getppid()))
		return 3;
	if (openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC) < 0)
		return 4;
	if (!refused(openat(AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC)) ||
	    !refused(openat(pipe_end, "/dev/null", O_RDONLY | O_CLOEXEC)))
		return 5;
	return 0;
}

static int check_kept_capability(int kept)
{
	const struct privilege_call calls[] = {
		{SYS_openat, 0, {{0}}}, {SYS_fstat, 0, {{0}}},      {SYS_newfstatat, 0, {{0}}},
		{SYS_read, 0, {{0}}},   {SYS_close, 0, {{0}}},      {SYS_brk, 0, {{0}}},
		{SYS_mmap, 0, {{0}}},   {SYS_exit_group, 0, {{0}}},
	};
	unsigned long long want = kept < 0 ? 0 : 1ull << kept;

	if (privilege_confine(kept, calls, ARRAY_SIZE(calls)))
		return 1;
	if (caps_of("CapEff:") != want || caps_of("CapPrm:") != want)
		return 2;
	if (caps_of("CapInh:") || caps_of("CapBnd:") || caps_of("CapAmb:"))
		return 3;
	return caps_of("NoNewPrivs:") == 1 ? 0 : 4;
}

static int in_child(int (*check)(int arg), int arg)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(check(arg));
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_confined(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(in_child(check_confined, ends[1]), 0);
	assert_int_equal(close(ends[0]) | close(ends[1]), 0);
}

static void test_kept_capability(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(in_child(check_kept_capability, CAP_DAC_OVERRIDE), 0);
	assert_int_equal(in_child(check_kept_capability, -1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_running),
		cmocka_unit_test(test_caps_only),
		cmocka_unit_test(test_capture),
		cmocka_unit_test(test_keyboard),
		cmocka_unit_test(test_confined),
		cmocka_unit_test(test_kept_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
