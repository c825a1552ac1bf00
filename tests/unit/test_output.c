// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The queue: what reaches a file, pipe, terminal or socket, and what happens when nobody reads.
 * A run that blocks on its reader loses the kernel's records, so blocking is what is tried most. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "output_capture.h"

static const struct output_style plain = {0};

static struct output *output_on(int fd, const char *kind)
{
	struct output *o = NULL;

	assert_int_equal(output_new(&o, kind_named(kind), &sample_schema, FIELDS(F_STATUS, F_PATH),
				    fd, plain),
			 0);
	return o;
}

/* Everything that can be read now, terminated; its length. */
static size_t read_all(int fd, char *out, size_t cap)
{
	size_t n = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (n < cap - 1 && poll(&p, 1, 0) == 1 && p.revents & POLLIN) {
		ssize_t r = read(fd, out + n, cap - 1 - n);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	out[n] = '\0';
	return n;
}

static unsigned lines_in(const char *s, size_t n)
{
	unsigned lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += s[i] == '\n';
	return lines;
}

static void test_header_comes_first_and_again(void **state)
{
	(void)state;
	struct sample s = sample_row();
	char out[1024];
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	struct output *o = output_on(fd[1], "table");
	assert_int_equal(output_flush(o, false), 0);
	assert_int_equal(read_all(fd[0], out, sizeof(out)), 0); /* no row, no header */
	assert_int_equal(output_row(o, &s.row), 0);
	assert_int_equal(output_row(o, &s.row), 0);
	assert_int_equal(output_text(o, TEXT("\nblock\n")), 0);
	output_repeat_header(o);
	assert_int_equal(output_row(o, &s.row), 0);
	assert_int_equal(output_flush(o, false), 0);
	read_all(fd[0], out, sizeof(out));
	assert_string_equal(out, "status path\n   200 /a\n   200 /a\n"
				 "\nblock\nstatus path\n   200 /a\n");
	output_free(o);
	close(fd[0]);
	close(fd[1]);
}

static void test_lines_below_a_row(void **state)
{
	(void)state;
	struct sample s = sample_row();
	char out[1024];

	s.row.below = TEXT("\tone\n\ttwo\n");
	for (unsigned i = 0; i < 2; i++) {
		int fd[2];

		assert_int_equal(pipe(fd), 0);
		struct output *o = output_on(fd[1], i ? "json" : "table");
		assert_int_equal(output_row(o, &s.row), 0);
		assert_int_equal(output_flush(o, false), 0);
		read_all(fd[0], out, sizeof(out));
		assert_string_equal(out, i ? "{\"status\":200,\"path\":\"/a\"}\n"
					   : "status path\n   200 /a\n\tone\n\ttwo\n");
		output_free(o);
		close(fd[0]);
		close(fd[1]);
	}
}

static void test_parsers_get_rows_only(void **state)
{
	(void)state;
	static const struct {
		const char *kind, *text;
	} cases[] = {
		{"json", "{\"status\":200,\"path\":\"/a\"}\n{\"status\":200,\"path\":\"/a\"}\n"},
		{"csv", "status,path\r\n200,/a\r\n200,/a\r\n"},
	};
	struct sample s = sample_row();
	char out[1024];
	int fd[2];

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(pipe(fd), 0);
		struct output *o = output_on(fd[1], cases[i].kind);
		assert_int_equal(output_row(o, &s.row), 0);
		assert_int_equal(output_text(o, TEXT("\nblock\n")), 0);
		output_repeat_header(o);
		assert_int_equal(output_row(o, &s.row), 0);
		assert_int_equal(output_flush(o, false), 0);
		read_all(fd[0], out, sizeof(out));
		assert_string_equal(out, cases[i].text);
		output_free(o);
		close(fd[0]);
		close(fd[1]);
	}
}

/*
 * Ten times the queue into reader's other end, which reads only afterwards: the rows that were
 * queued or written come out whole and in order, the others are counted. SIGALRM ends a test that
 * blocks.
 */
static void stall(int writer, int reader)
{
	enum { ROWS = 600000, OUT = 317 << 20 };
	struct sample s = sample_row();
	_cleanup_free_ char *out = malloc(OUT);
	char path[100];
	uint64_t dropped = 0;
	size_t n = 0;

	assert_non_null(out);
	memset(path, 'p', sizeof(path));
	s.path = (struct text){path, sizeof(path)};
	struct output *o = output_on(writer, "json");
	(void)alarm(20);
	for (s.status = 0; s.status < ROWS; s.status++) {
		int r = output_row(o, &s.row);
		assert_true(r == 0 || r == -ENOBUFS);
		dropped += r == -ENOBUFS;
	}
	assert_true(dropped > 0 && dropped < ROWS);
	assert_int_equal(output_dropped(o), dropped);
	assert_int_equal(output_flush(o, false), -EAGAIN);
	int r;
	do {
		r = output_flush(o, false);
		n += read_all(reader, out + n, OUT - n);
	} while (r == -EAGAIN);
	(void)alarm(0);
	assert_int_equal(r, 0);
	n += read_all(reader, out + n, OUT - n);
	assert_int_equal(lines_in(out, n), ROWS - dropped);
	const char *line = out;
	long last = -1;
	for (unsigned i = 0; i < ROWS - dropped; i++, line = strchr(line, '\n') + 1) {
		long status = strtol(line + strlen("{\"status\":"), NULL, 10);
		assert_memory_equal(line, "{\"status\":", 10);
		assert_true(status > last);
		last = status;
	}
	assert_int_equal(output_row(o, &s.row), 0); /* and it goes on */
	assert_int_equal(output_flush(o, false), 0);
	assert_int_equal(read_all(reader, out, OUT),
			 strlen("{\"status\":100000,\"path\":\"\"}\n") + sizeof(path));
	output_free(o);
}

static void test_stalled_pipe(void **state)
{
	(void)state;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	int flags = fcntl(fd[1], F_GETFL);
	stall(fd[1], fd[0]);
	assert_int_equal(fcntl(fd[1], F_GETFL), flags);
	close(fd[0]);
	close(fd[1]);
}

static void test_stalled_socket(void **state)
{
	(void)state;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	int flags = fcntl(fd[1], F_GETFL);
	stall(fd[1], fd[0]);
	assert_int_equal(fcntl(fd[1], F_GETFL), flags);
	close(fd[0]);
	close(fd[1]);
}

static void test_stalled_terminal(void **state)
{
	(void)state;
	int master, slave;
	struct termios raw;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	int flags = fcntl(slave, F_GETFL);
	stall(slave, master);
	assert_int_equal(fcntl(slave, F_GETFL), flags);
	close(master);
	close(slave);
}

static void test_reader_gone(void **state)
{
	(void)state;
	struct sample s = sample_row();
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	struct output *o = output_on(fd[1], "json");
	assert_int_equal(output_row(o, &s.row), 0);
	close(fd[0]);
	assert_int_equal(output_flush(o, false), -EPIPE);
	assert_int_equal(output_flush(o, true), -EPIPE);
	assert_int_equal(output_row(o, &s.row), -EPIPE);
	assert_int_equal(output_dropped(o), 0);
	output_free(o);
	close(fd[1]);
}

static void test_full_disk_is_an_error(void **state)
{
	(void)state;
	struct sample s = sample_row();
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		skip();
	struct output *o = output_on(fd, "json");
	assert_int_equal(output_row(o, &s.row), 0);
	assert_int_equal(output_flush(o, true), -ENOSPC);
	output_free(o);
	close(fd);
}

static double seconds(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Rows are counted, not lines below them. */
static void give_up_on(const char *kind, const char *row, struct text below)
{
	struct sample s = sample_row();
	_cleanup_free_ char *out = malloc(1 << 20);
	unsigned got = 0;
	int fd[2];

	s.row.below = below;
	assert_non_null(out);
	assert_int_equal(pipe(fd), 0);
	struct output *o = output_on(fd[1], kind);
	for (unsigned i = 0; i < 5000; i++) /* more than a pipe holds, less than the queue */
		assert_int_equal(output_row(o, &s.row), 0);
	double start = seconds();
	assert_int_equal(output_flush(o, true), -EAGAIN);
	assert_true(seconds() - start > 1.5 && seconds() - start < 10);
	size_t n = read_all(fd[0], out, 1 << 20);
	assert_true(n > 0);
	for (const char *at = strstr(out, row); at; at = strstr(at + 1, row))
		got++;
	assert_true(got > 0 && got < 5000);
	assert_int_equal(got + output_dropped(o), 5000);
	assert_int_equal(output_flush(o, false), 0); /* nothing is left to write */
	output_free(o);
	close(fd[0]);
	close(fd[1]);
}

static void test_wait_gives_up_and_counts(void **state)
{
	(void)state;
	give_up_on("json", "\"path\":\"/a\"}\n", TEXT(""));
	give_up_on("table", " /a\n\tone\n\ttwo\n", TEXT("\tone\n\ttwo\n"));
}

static void test_wait_is_patient_with_a_slow_reader(void **state)
{
	(void)state;
	struct sample s = sample_row();
	int fd[2], status;

	assert_int_equal(pipe(fd), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) { /* exits 0 when it got every line */
		char out[4096];
		unsigned lines = 0;
		ssize_t r;
		close(fd[1]);
		usleep(100000);
		while ((r = read(fd[0], out, sizeof(out))) > 0)
			lines += lines_in(out, (size_t)r);
		_exit(lines == 5000 ? 0 : 1);
	}
	close(fd[0]);
	struct output *o = output_on(fd[1], "json");
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(output_row(o, &s.row), 0);
	assert_int_equal(output_flush(o, true), 0);
	assert_int_equal(output_dropped(o), 0);
	output_free(o);
	close(fd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* For tests of patience: when the run is told to end, and how often it was asked. */
struct patience {
	unsigned asked, told_after;
};

static bool told(void *ctx)
{
	struct patience *p = ctx;

	return ++p->asked > p->told_after;
}

/* Three times the queue into a pipe whose reader sleeps first: nothing is lost. */
static void test_a_patient_output_loses_no_row(void **state)
{
	(void)state;
	enum { ROWS = 400000 };
	struct patience patience = {.told_after = UINT32_MAX};
	struct sample s = sample_row();
	char path[100];
	int fd[2], status;

	memset(path, 'p', sizeof(path));
	s.path = (struct text){path, sizeof(path)};
	assert_int_equal(pipe(fd), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) { /* exits 0 when it got every line */
		static char out[1 << 16];
		unsigned lines = 0;
		ssize_t r;
		close(fd[1]);
		usleep(500000);
		while ((r = read(fd[0], out, sizeof(out))) > 0)
			lines += lines_in(out, (size_t)r);
		_exit(lines == ROWS ? 0 : 1);
	}
	close(fd[0]);
	struct output *o = output_on(fd[1], "json");
	output_set_patient(o, told, &patience);
	for (s.status = 0; s.status < ROWS; s.status++)
		assert_int_equal(output_row(o, &s.row), 0);
	assert_true(patience.asked > 2);
	assert_int_equal(output_flush(o, true), 0);
	assert_int_equal(output_dropped(o), 0);
	output_free(o);
	close(fd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_patience_ends_when_the_run_is_told_to(void **state)
{
	(void)state;
	struct patience patience = {.told_after = 3};
	struct sample s = sample_row();
	unsigned rows = 0;
	int fd[2], r;

	assert_int_equal(pipe(fd), 0);
	struct output *o = output_on(fd[1], "json");
	output_set_patient(o, told, &patience);
	(void)alarm(20);
	do {
		r = output_row(o, &s.row);
		rows++;
	} while (r == 0);
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(patience.asked, 4);
	double start = seconds();
	assert_int_equal(output_flush(o, true), -EAGAIN); /* two seconds, as of a live run */
	assert_true(seconds() - start > 1.5);
	(void)alarm(0);
	assert_int_equal(patience.asked, 4);
	assert_true(output_dropped(o) > 1 && output_dropped(o) < rows);
	output_free(o);
	close(fd[0]);
	close(fd[1]);
}

static void test_row_larger_than_the_queue(void **state)
{
	(void)state;
	struct sample s = sample_row(), small = sample_row();
	_cleanup_free_ char *huge = malloc(17 << 20);
	char out[1024];
	int fd[2];

	assert_non_null(huge);
	memset(huge, 'x', 17 << 20);
	s.path = (struct text){huge, 17 << 20};
	assert_int_equal(pipe(fd), 0);
	struct output *o = output_on(fd[1], "csv");
	assert_int_equal(output_row(o, &s.row), -ENOBUFS);
	assert_int_equal(output_dropped(o), 1);
	assert_int_equal(output_row(o, &small.row), 0);
	assert_int_equal(output_row(o, &s.row), -ENOBUFS);
	assert_int_equal(output_row(o, &small.row), 0);
	assert_int_equal(output_dropped(o), 2);
	assert_int_equal(output_flush(o, false), 0);
	read_all(fd[0], out, sizeof(out));
	assert_string_equal(out, "status,path\r\n200,/a\r\n200,/a\r\n");
	output_free(o);
	close(fd[0]);
	close(fd[1]);
}

static void test_bad_columns_and_descriptor(void **state)
{
	(void)state;
	struct output *o = (struct output *)&o, *before = o;
	const struct output_kind *json = kind_named("json");

	assert_int_equal(output_new(&o, json, &sample_schema, FIELDS(F_ALL), 1, plain), -EINVAL);
	assert_int_equal(output_new(&o, json, &sample_schema, NULL, 0, 1, plain), -EINVAL);
	assert_int_equal(output_new(&o, json, &sample_schema, FIELDS(F_PATH), -1, plain), -EBADF);
	assert_ptr_equal(o, before);
}

static void test_style(void **state)
{
	(void)state;
	struct winsize size = {.ws_col = 123, .ws_row = 40};
	int master, slave, fd[2];

	assert_int_equal(pipe(fd), 0);
	struct output_style style = output_style_of(fd[1]);
	assert_false(style.terminal || style.color || style.width);
	close(fd[0]);
	close(fd[1]);

	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	(void)setenv("TERM", "xterm", 1);
	(void)unsetenv("NO_COLOR");
	style = output_style_of(slave);
	assert_true(style.terminal && style.color);
	assert_int_equal(style.width, 123);
	(void)setenv("NO_COLOR", "1", 1);
	assert_false(output_style_of(slave).color);
	(void)setenv("NO_COLOR", "", 1); /* empty does not count */
	assert_true(output_style_of(slave).color);
	(void)setenv("TERM", "dumb", 1);
	assert_false(output_style_of(slave).color);

	size.ws_col = 0;
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
	(void)setenv("COLUMNS", "99", 1);
	assert_int_equal(output_style_of(slave).width, 99);
	(void)setenv("COLUMNS", "wide", 1);
	assert_int_equal(output_style_of(slave).width, 80);
	(void)unsetenv("COLUMNS");
	assert_int_equal(output_style_of(slave).width, 80);
	close(master);
	close(slave);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_comes_first_and_again),
		cmocka_unit_test(test_lines_below_a_row),
		cmocka_unit_test(test_parsers_get_rows_only),
		cmocka_unit_test(test_stalled_pipe),
		cmocka_unit_test(test_stalled_socket),
		cmocka_unit_test(test_stalled_terminal),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_full_disk_is_an_error),
		cmocka_unit_test(test_wait_gives_up_and_counts),
		cmocka_unit_test(test_wait_is_patient_with_a_slow_reader),
		cmocka_unit_test(test_a_patient_output_loses_no_row),
		cmocka_unit_test(test_patience_ends_when_the_run_is_told_to),
		cmocka_unit_test(test_row_larger_than_the_queue),
		cmocka_unit_test(test_bad_columns_and_descriptor),
		cmocka_unit_test(test_style),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
