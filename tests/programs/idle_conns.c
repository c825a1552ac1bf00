// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Holds many idle loopback connections, spread over processes because of the limit of open files.
 * usage: idle_conns COUNT [request]; prints "ready COUNT", holds them until standard input closes.
 * For each byte from there it uses all of them once, and prints "used". */
#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EACH     8000 /* two descriptors a connection, 20,000 descriptors a process */
#define PARTS    64   /* processes, at most */
#define REQUEST  "GET /idle HTTP/1.1\r\nHost: idle\r\n\r\n"
#define RESPONSE "HTTP/1.1 204 No Content\r\n\r\n"

static void transfer(int from, int to, const char *what)
{
	char in[128];
	size_t n = strlen(what), have = 0;

	if (write(from, what, n) != (ssize_t)n)
		err(1, "write");
	while (have < n) {
		ssize_t got = read(to, in, sizeof(in));

		if (got <= 0)
			err(1, "read");
		have += got;
	}
}

static void use(const int ends[2])
{
	transfer(ends[0], ends[1], REQUEST);
	transfer(ends[1], ends[0], RESPONSE);
}

/* Opens both ends of count connections in this process. */
static void open_all(unsigned count, int request, int (*ends)[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&a, n) || listen(listener, 128) ||
	    getsockname(listener, (struct sockaddr *)&a, &n))
		err(1, "listen");
	for (unsigned i = 0; i < count; i++) {
		ends[i][0] = socket(AF_INET, SOCK_STREAM, 0);
		if (ends[i][0] < 0 || connect(ends[i][0], (struct sockaddr *)&a, n))
			err(1, "connect");
		ends[i][1] = accept(listener, NULL, NULL);
		if (ends[i][1] < 0)
			err(1, "accept");
		if (request)
			use(ends[i]);
	}
}

/* ready: written once all is open, and once all was used as a byte of orders asks. They are open as
 * long as the parent lives. */
static void hold(unsigned count, int request, int ready, int orders)
{
	static int ends[EACH][2];
	char byte = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_all(count, request, ends);
	if (write(ready, &byte, 1) != 1)
		err(1, "parent");
	while (read(orders, &byte, 1) > 0) {
		for (unsigned i = 0; i < count; i++)
			use(ends[i]);
		if (write(ready, &byte, 1) != 1)
			err(1, "parent");
	}
	_exit(0);
}

static void wait_for(unsigned children, int ready)
{
	char byte;

	for (unsigned i = 0; i < children; i++)
		if (read(ready, &byte, 1) != 1)
			errx(1, "a child could not open or use its connections");
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	struct rlimit files;
	int ready[2], orders[PARTS][2];
	unsigned children = 0;
	char byte;

	if (!count || count > (unsigned long)PARTS * EACH)
		errx(2, "usage: idle_conns COUNT [request]");
	if (getrlimit(RLIMIT_NOFILE, &files) || pipe(ready))
		err(1, "setup");
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (unsigned long left = count; left; children++) {
		unsigned long part = left < EACH ? left : EACH;
		pid_t pid = pipe(orders[children]) ? -1 : fork();

		if (pid < 0)
			err(1, "fork");
		if (!pid) {
			for (unsigned i = 0; i <= children; i++)
				close(orders[i][1]);
			close(ready[0]);
			hold(part, argc > 2, ready[1], orders[children][0]);
		}
		left -= part;
	}
	close(ready[1]);
	wait_for(children, ready[0]);
	printf("ready %lu\n", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0) {
		for (unsigned i = 0; i < children; i++)
			if (write(orders[i][1], &byte, 1) != 1)
				err(1, "write");
		wait_for(children, ready[0]);
		printf("used\n");
		fflush(stdout);
	}
	for (unsigned i = 0; i < children; i++)
		close(orders[i][1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
