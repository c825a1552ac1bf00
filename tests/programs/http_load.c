// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Asks an HTTP server at an exact rate, or as fast as it answers; each request has a number of its
 * own. usage: http_load ADDRESS PORT CONNECTIONS SECONDS RATE (0: as fast as it can). Request n is
 * for /r/n, nine digits; those that end in 3 are POST with a body, the others GET. Connections are
 * opened at once and kept. Prints: requests, answers, nanoseconds, and p50, p99 and the longest
 * time of an answer in us, from when its turn to be asked was, without the first half second. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS     1000000000ULL
#define MAX    256        /* connections */
#define LATEST (10 * NS)  /* to wait for the last answers */
#define TIMES  (1U << 25) /* as many answers have their time kept */

struct conn {
	int fd;
	uint64_t due; /* when its request was to be asked */
	size_t have;
	char answer[4096];
};

static struct conn conns[MAX];
static struct conn *idle[MAX];
static int n_idle;
static uint64_t asked, answered, begin;
static uint32_t *times_us;
static size_t n_times;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void connect_all(const char *host, const char *port, int count, int poll)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || !a.sin_port)
		errx(2, "no IPv4 address and port: %s %s", host, port);
	for (int i = 0; i < count; i++) {
		struct conn *c = &conns[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
		int on = 1;

		c->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)) ||
		    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
		    epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &e))
			err(1, "connect");
		idle[n_idle++] = c;
	}
}

static void ask(uint64_t due)
{
	/* The one that is idle longest: all are used, at low rates too. */
	struct conn *c = idle[0];
	char text[128];
	bool post = asked % 10 == 3;
	int n = snprintf(text, sizeof(text), "%s /r/%09llu HTTP/1.1\r\nHost: load\r\n%s\r\n",
			 post ? "POST" : "GET", (unsigned long long)asked,
			 post ? "Content-Length: 8\r\n" : "");

	memmove(idle, idle + 1, (size_t)--n_idle * sizeof(*idle));
	if (post)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "a body\r\n");
	c->due = due;
	c->have = 0;
	if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		err(1, "send");
	asked++;
}

/* Is the answer whole? Its length is in Content-Length. */
static bool whole(const struct conn *c)
{
	const char *end = memmem(c->answer, c->have, "\r\n\r\n", 4);
	const char *length =
		end ? memmem(c->answer, (size_t)(end - c->answer), "Content-Length: ", 16) : NULL;

	return length && c->have >= (size_t)(end + 4 - c->answer) + strtoul(length + 16, NULL, 10);
}

static void take(struct conn *c)
{
	ssize_t n = recv(c->fd, c->answer + c->have, sizeof(c->answer) - c->have, MSG_DONTWAIT);
	uint64_t at = now();

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		errx(1, "the server closed a connection");
	c->have += (size_t)n;
	if (!whole(c))
		return;
	answered++;
	idle[n_idle++] = c;
	if (c->due >= begin + NS / 2 && n_times < TIMES)
		times_us[n_times++] = (uint32_t)((at - c->due) / 1000);
}

/* Takes what answers came; waits for one at most until then. */
static void answers(int poll, uint64_t until)
{
	uint64_t at = now(), left = until > at ? until - at : 0;
	struct timespec wait = {(time_t)(left / NS), (long)(left % NS)};
	struct epoll_event events[64];
	int n = epoll_pwait2(poll, events, 64, &wait, NULL);

	for (int i = 0; i < n; i++)
		take(events[i].data.ptr);
}

/* At a rate, all that fall into the time are asked, though they may be late, up to LATEST. */
static void load(int poll, double seconds, double rate)
{
	uint64_t end = begin + (uint64_t)(seconds * NS),
		 all = rate > 0 ? (uint64_t)(rate * seconds) : UINT64_MAX, at;

	while ((at = now()) < (rate > 0 ? end + LATEST : end) && asked < all) {
		uint64_t due = rate > 0 ? begin + (uint64_t)((double)asked / rate * NS) : at;

		if (due <= at && n_idle)
			ask(due);
		else
			answers(poll, n_idle ? due : end + LATEST);
	}
	while (answered < asked && now() < end + 2 * LATEST)
		answers(poll, end + 2 * LATEST);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t share(double part)
{
	return n_times ? times_us[(size_t)(part * (double)(n_times - 1))] : 0;
}

int main(int argc, char **argv)
{
	int poll = epoll_create1(0), count = argc == 6 ? atoi(argv[3]) : 0;

	if (count < 1 || count > MAX)
		errx(2,
		     "usage: http_load ADDRESS PORT CONNECTIONS SECONDS RATE; up to %d connections",
		     MAX);
	times_us = malloc(TIMES * sizeof(*times_us));
	if (!times_us || poll < 0)
		err(1, "no memory");
	connect_all(argv[1], argv[2], count, poll);
	begin = now();
	load(poll, atof(argv[4]), atof(argv[5]));
	uint64_t took = now() - begin;
	qsort(times_us, n_times, sizeof(*times_us), by_size);
	printf("%llu %llu %llu %u %u %u\n", (unsigned long long)asked, (unsigned long long)answered,
	       (unsigned long long)took, share(0.5), share(0.99), share(1));
	return answered == asked ? 0 : 1;
}
