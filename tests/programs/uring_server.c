// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* An HTTP server that accepts, receives and sends by io_uring only.
 * No read or write system call touches its sockets, so tools that hook those are blind to it. */
#include <arpa/inet.h>
#include <err.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FD   1024
#define REQUEST  4096
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello, uring\n"

enum op { OP_ACCEPT, OP_RECV, OP_SEND, OP_STDIN };

struct peer {
	char request[REQUEST];
	size_t have;
};

static struct io_uring ring;
static struct peer peers[MAX_FD];
static unsigned sqe_flags; /* IOSQE_ASYNC: the work is done by the iou-wrk threads */
static char stdin_byte;

static void submit(enum op op, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe)
		errx(1, "submission queue is full");
	switch (op) {
	case OP_ACCEPT:
		io_uring_prep_accept(sqe, fd, NULL, NULL, 0);
		break;
	case OP_RECV:
		io_uring_prep_recv(sqe, fd, peers[fd].request + peers[fd].have,
				   REQUEST - peers[fd].have, 0);
		break;
	case OP_SEND:
		io_uring_prep_send(sqe, fd, RESPONSE, sizeof(RESPONSE) - 1, MSG_NOSIGNAL);
		break;
	case OP_STDIN:
		io_uring_prep_read(sqe, fd, &stdin_byte, 1, 0);
		break;
	}
	io_uring_sqe_set_flags(sqe, sqe_flags);
	io_uring_sqe_set_data64(sqe, (unsigned long long)op << 32 | (unsigned)fd);
}

static int listen_any(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&a, &n))
		err(1, "cannot listen");
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

/* One completed receive: answers when the head is whole. */
static unsigned received(int fd, int result)
{
	struct peer *p = &peers[fd];

	if (result <= 0 || p->have + result == REQUEST) {
		close(fd);
		return 0;
	}
	p->have += result;
	if (p->have < 4 || memcmp(p->request + p->have - 4, "\r\n\r\n", 4)) {
		submit(OP_RECV, fd);
		return 0;
	}
	p->have = 0;
	submit(OP_SEND, fd);
	return 1;
}

static unsigned long serve(int listener)
{
	unsigned long served = 0;

	for (;;) {
		struct io_uring_cqe *cqe;
		int fd, result;
		enum op op;

		if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_peek_cqe(&ring, &cqe))
			continue;
		op = cqe->user_data >> 32;
		fd = (int)(unsigned)cqe->user_data;
		result = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
		if (op == OP_STDIN)
			return served;
		if (op == OP_ACCEPT) {
			if (result >= MAX_FD)
				errx(1, "too many connections");
			if (result >= 0) {
				peers[result].have = 0;
				submit(OP_RECV, result);
			}
			submit(OP_ACCEPT, listener);
		} else if (op == OP_RECV) {
			served += received(fd, result);
		} else if (result < 0) {
			close(fd);
		} else {
			submit(OP_RECV, fd);
		}
	}
}

int main(int argc, char **argv)
{
	int listener;

	if (argc > 1 && !strcmp(argv[1], "async"))
		sqe_flags = IOSQE_ASYNC;
	if (io_uring_queue_init(256, &ring, 0) < 0)
		errx(77, "no io_uring on this kernel");
	listener = listen_any();
	submit(OP_STDIN, STDIN_FILENO);
	submit(OP_ACCEPT, listener);
	printf("%lu\n", serve(listener));
	io_uring_queue_exit(&ring);
	return 0;
}
