// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The process that opens files: which it opens, how, for whom, and that it goes when its run goes.
 */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "loader/opener.h"
#include "loader/privilege.h"

static char folder[64], path[80];

static int make_folder(void **state UNUSED)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/tapline-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/c.pcapng", folder);
	return 0;
}

/* Has the process (-1: has every one) ended within five seconds? */
static bool ends(pid_t pid)
{
	struct timespec step = {.tv_nsec = 1000000};

	for (int i = 0; i < 5000; i++) {
		pid_t ended = waitpid(pid, NULL, WNOHANG);

		if (ended == pid || (ended < 0 && errno == ECHILD))
			return true;
		if (!ended)
			(void)nanosleep(&step, NULL);
	}
	return false;
}

static int remove_folder(void **state UNUSED)
{
	char command[100];

	if (!ends(-1))
		return -1;
	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static struct opener started(const char *of)
{
	struct opener o;

	assert_int_equal(opener_start(of, &o), 0);
	return o;
}

static const char *name_of(unsigned n)
{
	static char name[100];

	if (n)
		(void)snprintf(name, sizeof(name), "%s.%u", path, n);
	else
		(void)snprintf(name, sizeof(name), "%s", path);
	return name;
}

static off_t size_of(unsigned n)
{
	struct stat st;

	return stat(name_of(n), &st) ? -1 : st.st_size;
}

static void write_to(int fd, const char *text)
{
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void test_files_are_made_and_emptied(void **state UNUSED)
{
	mode_t mask = umask(027);
	struct opener o = started(path);
	struct stat st;

	write_to(opener_next(&o, 1), "first");
	assert_int_equal(size_of(1), 5);
	assert_int_equal(stat(name_of(1), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	write_to(opener_next(&o, 1), "x");
	assert_int_equal(size_of(1), 1);
	write_to(opener_next(&o, 0), "first name");
	assert_int_equal(size_of(0), 10);
	write_to(opener_next(&o, UINT32_MAX - 1), "last");
	assert_int_equal(size_of(UINT32_MAX - 1), 4);
	opener_end(&o);
	(void)umask(mask);
}

static void test_descriptors_close_on_exec(void **state UNUSED)
{
	struct opener o = started(path);
	int fd = opener_next(&o, 1);

	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(o.socket, F_GETFD) & FD_CLOEXEC);
	(void)close(fd);
	opener_end(&o);
}

static void test_it_stays_in_its_folder(void **state UNUSED)
{
	char before[PATH_MAX], moved[100];
	struct opener o;
	int fd;

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(folder), 0);
	o = started("c.pcapng");
	assert_int_equal(chdir(before), 0);
	write_to(opener_next(&o, 1), "x");
	assert_int_equal(size_of(1), 1);
	(void)snprintf(moved, sizeof(moved), "%s-moved", folder);
	assert_int_equal(rename(folder, moved), 0);
	fd = opener_next(&o, 2);
	assert_int_equal(rename(moved, folder), 0);
	write_to(fd, "xy");
	assert_int_equal(size_of(2), 2);
	opener_end(&o);
}

/* A link may stand where the user's own name is, but not where a name was made up. */
static void test_made_up_names_are_no_links(void **state UNUSED)
{
	char target[100];
	struct opener o = started(path);

	(void)snprintf(target, sizeof(target), "%s/target", folder);
	write_to(open(target, O_WRONLY | O_CREAT, 0600), "precious");
	assert_int_equal(symlink(target, name_of(1)), 0);
	assert_int_equal(symlink(target, name_of(0)), 0);
	assert_int_equal(opener_next(&o, 1), -ELOOP);
	assert_int_equal(size_of(1), 8);
	write_to(opener_next(&o, 0), "x");
	assert_int_equal(size_of(1), 1);
	opener_end(&o);
}

static void test_errors_are_told_and_it_goes_on(void **state UNUSED)
{
	struct opener o = started(path);

	assert_int_equal(mkdir(name_of(1), 0700), 0);
	assert_int_equal(mkfifo(name_of(2), 0600), 0);
	assert_int_equal(opener_next(&o, 1), -EISDIR);
	assert_int_equal(opener_next(&o, 2), -ENXIO); /* and nobody waits for a reader */
	write_to(opener_next(&o, 3), "x");
	opener_end(&o);
	assert_int_equal(opener_start("/no/such/folder/c.pcapng", &o), -ENOENT);
}

static void test_signals_of_a_terminal_do_not_end_it(void **state UNUSED)
{
	struct opener o = started(path);

	assert_int_equal(kill(o.pid, SIGINT) | kill(o.pid, SIGTERM) | kill(o.pid, SIGHUP), 0);
	write_to(opener_next(&o, 1), "x");
	(void)close(o.socket);
	assert_true(ends(o.pid));
}

static void test_when_it_was_killed(void **state UNUSED)
{
	struct opener o = started(path);

	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(kill(o.pid, SIGKILL), 0);
	assert_true(ends(o.pid));
	assert_int_equal(opener_next(&o, 1), -ECHILD);
	assert_int_equal(size_of(1), -1);
	opener_end(&o);
}

static void test_end_leaves_no_process(void **state UNUSED)
{
	struct opener o = started(path);

	opener_end(&o);
	assert_int_equal(kill(o.pid, 0), -1);
	opener_end(&o);
}

/* A line of /proc/PID/status as a number in this base. */
static unsigned long long status_of(pid_t pid, const char *key, int base)
{
	char name[64], line[256];
	unsigned long long value = ~0ull;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/status", pid);
	f = fopen(name, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, base);
	(void)fclose(f);
	return value;
}

static unsigned descriptors_of(pid_t pid)
{
	char command[100];
	unsigned n = 0;
	FILE *f;

	(void)snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", pid);
	f = popen(command, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1);
	(void)pclose(f);
	return n;
}

static void test_what_it_has_and_may(void **state UNUSED)
{
	struct opener o = started(path);
	if (geteuid() == 0) {
		assert_int_equal(status_of(o.pid, "CapEff:", 16), 1 << 1); /* CAP_DAC_OVERRIDE */
		assert_int_equal(status_of(o.pid, "CapPrm:", 16), 1 << 1);
		assert_int_equal(status_of(o.pid, "CapBnd:", 16), 0);
		assert_int_equal(status_of(o.pid, "NoNewPrivs:", 10), 1);
		assert_int_equal(descriptors_of(o.pid), 2);
#ifndef __SANITIZE_ADDRESS__
		assert_int_equal(status_of(o.pid, "Seccomp:", 10), 2);
#endif
	}
	opener_end(&o);
}

/* As in a run: the caller has dropped everything when it wants the next file. */
static void test_after_the_callers_privileges_are_gone(void **state UNUSED)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct opener o;
		int fd;

		if (opener_start(path, &o) || privilege_drop(PRIVILEGE_CAPTURE))
			_exit(1);
#ifndef __SANITIZE_ADDRESS__
		if (open(name_of(5), O_WRONLY | O_CREAT, 0600) >= 0)
			_exit(2);
#endif
		fd = opener_next(&o, 1);
		if (fd < 0 || write(fd, "x", 1) != 1 || ftruncate(fd, 0))
			_exit(3);
		opener_end(&o);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(size_of(1), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_files_are_made_and_emptied),
		IN_FOLDER(test_descriptors_close_on_exec),
		IN_FOLDER(test_it_stays_in_its_folder),
		IN_FOLDER(test_made_up_names_are_no_links),
		IN_FOLDER(test_errors_are_told_and_it_goes_on),
		IN_FOLDER(test_signals_of_a_terminal_do_not_end_it),
		IN_FOLDER(test_when_it_was_killed),
		IN_FOLDER(test_end_leaves_no_process),
		IN_FOLDER(test_what_it_has_and_may),
		IN_FOLDER(test_after_the_callers_privileges_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
