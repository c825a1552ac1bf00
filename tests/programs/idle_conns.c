// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Holds many idle loopback connections, spread over processes because of the limit of open files.
 * usage: idle_conns COUNT [request]; prints "ready COUNT", holds them until standard input closes.
 */
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

/* Opens both ends of count connections in this process. */
static void open_all(unsigned count, int request)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&a, n) || listen(listener, 128) ||
	    getsockname(listener, (struct sockaddr *)&a, &n))
		err(1, "listen");
	for (unsigned i = 0; i < count; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0), server;

		if (client < 0 || connect(client, (struct sockaddr *)&a, n))
			err(1, "connect");
		server = accept(listener, NULL, NULL);
		if (server < 0)
			err(1, "accept");
		if (request) {
			transfer(client, server, REQUEST);
			transfer(server, client, RESPONSE);
		}
	}
}

/* ready: written once all is open. hold: open as long as the parent lives. */
static void hold(unsigned count, int request, int ready, int hold_fd)
{
	char byte = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_all(count, request);
	if (write(ready, &byte, 1) != 1 || read(hold_fd, &byte, 1) < 0)
		err(1, "parent");
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	struct rlimit files;
	int ready[2], held[2];
	unsigned children = 0;
	char byte;

	if (!count)
		errx(2, "usage: idle_conns COUNT [request]");
	if (getrlimit(RLIMIT_NOFILE, &files) || pipe(ready) || pipe(held))
		err(1, "setup");
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (unsigned long left = count; left; children++) {
		unsigned long part = left < EACH ? left : EACH;
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (!pid) {
			close(held[1]);
			close(ready[0]);
			hold(part, argc > 2, ready[1], held[0]);
		}
		left -= part;
	}
	close(ready[1]);
	for (unsigned i = 0; i < children; i++)
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "a child could not open its connections");
	printf("ready %lu\n", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	close(held[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
