// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* An HTTP client that connects, sends and receives by io_uring only, on one kept connection.
 * usage: uring_client PORT COUNT [async]; asks for /uring/0, /uring/1 ..., prints "COUNT BYTES". */
#include <arpa/inet.h>
#include <err.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct io_uring ring;
static unsigned sqe_flags; /* IOSQE_ASYNC: the work is done by the iou-wrk threads */

static int finish(struct io_uring_sqe *sqe)
{
	struct io_uring_cqe *cqe;
	int result;

	io_uring_sqe_set_flags(sqe, sqe_flags);
	if (io_uring_submit(&ring) < 0 || io_uring_wait_cqe(&ring, &cqe))
		errx(1, "io_uring failed");
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	if (result < 0)
		errx(1, "%s", strerror(-result));
	return result;
}

static int connect_to(unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		err(1, "socket");
	io_uring_prep_connect(sqe, fd, (struct sockaddr *)&a, sizeof(a));
	finish(sqe);
	return fd;
}

/* One request and its whole response, whose length the server is known to state; bytes read. */
static size_t ask(int fd, unsigned number)
{
	char request[128], response[4096];
	size_t have = 0, want = sizeof(response) - 1;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	int n = snprintf(request, sizeof(request), "GET /uring/%u HTTP/1.1\r\nHost: uring\r\n\r\n",
			 number);

	io_uring_prep_send(sqe, fd, request, n, 0);
	if (finish(sqe) != n)
		errx(1, "short send");
	while (have < want) {
		char *end, *length;

		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_recv(sqe, fd, response + have, sizeof(response) - 1 - have, 0);
		n = finish(sqe);
		if (!n)
			errx(1, "the server closed");
		have += n;
		response[have] = 0;
		end = strstr(response, "\r\n\r\n");
		length = strstr(response, "Content-Length: ");
		if (end && length)
			want = end + 4 - response + strtoul(length + 16, NULL, 10);
	}
	return have;
}

int main(int argc, char **argv)
{
	size_t bytes = 0;
	unsigned count;
	int fd;

	if (argc < 3)
		errx(2, "usage: uring_client PORT COUNT [async]");
	if (argc > 3)
		sqe_flags = IOSQE_ASYNC;
	if (io_uring_queue_init(8, &ring, 0) < 0)
		errx(77, "no io_uring on this kernel");
	count = strtoul(argv[2], NULL, 10);
	fd = connect_to(strtoul(argv[1], NULL, 10));
	for (unsigned i = 0; i < count; i++)
		bytes += ask(fd, i);
	close(fd);
	printf("%u %zu\n", count, bytes);
	return 0;
}
