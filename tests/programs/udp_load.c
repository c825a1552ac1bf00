// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Sends UDP datagrams as fast as one CPU can, or at a rate; and a sink, so that no ICMP comes back.
 * usage: udp_load send ADDRESS PORT MARKED SECONDS [RATE]; of each 1,000 datagrams one goes to port
 *        MARKED. Prints how many it sent, how many of them to MARKED, and nanoseconds.
 *        udp_load sink PORT...; prints "ready" and throws away what comes to these ports, until
 *        standard input closes. */
#include <arpa/inet.h>
#include <err.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS    1000000000ULL
#define BURST 37 /* datagrams a system call; 27 of them and a marked one are 1,000 */
#define EVERY 27

/* Payloads of Ethernet frames of 64, 594 and 1,518 bytes, 7 to 4 to 1 (the simple IMIX). */
static const unsigned sizes[] = {18, 548, 18, 18, 548, 18, 1472, 18, 548, 18, 18, 548};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static char payload[1472];

static struct sockaddr_in address_of(const char *host, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || !a.sin_port)
		errx(2, "no IPv4 address and port: %s %s", host, port);
	return a;
}

static int sender(const char *host, const char *port)
{
	struct sockaddr_in a = address_of(host, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		err(1, "connect");
	return fd;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t at)
{
	struct timespec t = {(time_t)(at / NS), (long)(at % NS)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
		;
}

/* A whole burst, sizes in turn. */
static void burst(int fd, struct mmsghdr *messages)
{
	for (int at = 0, n; at < BURST; at += n) {
		n = sendmmsg(fd, messages + at, (unsigned)(BURST - at), 0);
		if (n <= 0)
			err(1, "send");
	}
}

/* rate: datagrams a second; 0: as fast as it can. */
static void send_all(int fd, int marked_fd, double seconds, double rate)
{
	struct iovec pieces[BURST];
	struct mmsghdr messages[BURST] = {0};
	uint64_t sent = 0, marked = 0, begin = now(), end = begin + (uint64_t)(seconds * NS);

	for (unsigned i = 0; i < BURST; i++) {
		pieces[i] = (struct iovec){payload, sizes[i % N_SIZES]};
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (uint64_t bursts = 1; now() < end; bursts++) {
		burst(fd, messages);
		sent += BURST;
		if (bursts % EVERY == 0) {
			if (send(marked_fd, payload, sizes[0], 0) < 0)
				err(1, "send");
			sent++;
			marked++;
		}
		if (rate > 0)
			sleep_until(begin + (uint64_t)((double)sent / rate * NS));
	}
	printf("%llu %llu %llu\n", (unsigned long long)sent, (unsigned long long)marked,
	       (unsigned long long)(now() - begin));
}

/* The socket's own filter takes nothing, which answers with no ICMP. */
static void sink(const char *port)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = {1, &nothing};
	struct sockaddr_in a = address_of("0.0.0.0", port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)))
		err(1, "sink");
}

int main(int argc, char **argv)
{
	char byte;

	if ((argc == 6 || argc == 7) && !strcmp(argv[1], "send")) {
		send_all(sender(argv[2], argv[3]), sender(argv[2], argv[4]), atof(argv[5]),
			 argc == 7 ? atof(argv[6]) : 0);
		return 0;
	}
	if (argc < 3 || strcmp(argv[1], "sink"))
		errx(2, "usage: udp_load send ADDRESS PORT MARKED SECONDS [RATE] | sink PORT...");
	for (int i = 2; i < argc; i++)
		sink(argv[i]);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
