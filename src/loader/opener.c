// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Numbers go one way over a socket, descriptors come back (SCM_RIGHTS of unix(7)).
 * The process keeps its folder open, so that a rename or another working folder does not matter. */
#include "loader/opener.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "capture/pcapng.h"
#include "loader/privilege.h"

/* Its descriptors, and the only ones. */
enum { SOCKET = 0, FOLDER = 1, FREE = 2 };

int opener_flags(unsigned n)
{
	return O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | (n ? O_NOFOLLOW : 0);
}

/* ---- its side ---- */

/* O_NONBLOCK: where somebody has put a pipe, nobody waits for its reader. */
static int flags_of(unsigned n)
{
	return opener_flags(n) | O_NONBLOCK;
}

static int confine(void)
{
	const struct privilege_call calls[] = {
		{SYS_read, 1, {{0, SOCKET}}},
		{SYS_sendmsg, 1, {{0, SOCKET}}},
		{SYS_openat, 2, {{0, FOLDER}, {2, (uint32_t)flags_of(0)}}},
		{SYS_openat, 2, {{0, FOLDER}, {2, (uint32_t)flags_of(1)}}},
		{SYS_close, 0, {{0}}},
		{SYS_exit_group, 0, {{0}}},
	};

	return privilege_confine(CAP_DAC_OVERRIDE, calls, ARRAY_SIZE(calls));
}

/* Leaves the two open, in their places. */
static int settle(int folder, int socket)
{
	struct rlimit limit;

	/* Out of the way of each other's places first. */
	folder = fcntl(folder, F_DUPFD, FREE + 1);
	socket = fcntl(socket, F_DUPFD, FREE + 1);
	if (folder < 0 || socket < 0 || dup2(socket, SOCKET) < 0 || dup2(folder, FOLDER) < 0)
		return -errno;
	if (close_range(FREE, UINT_MAX, 0) == 0) /* Linux 5.9 */
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	for (int fd = FREE; fd < (int)MIN(limit.rlim_cur, (rlim_t)INT_MAX); fd++)
		(void)close(fd);
	return 0;
}

/* fd goes along, unless it is an error. */
static int answer(int fd)
{
	char room[CMSG_SPACE(sizeof(fd))] = "";
	int error = MIN(fd, 0);
	struct iovec part = {&error, sizeof(error)};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0) {
		m.msg_control = room;
		m.msg_controllen = sizeof(room);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(SOCKET, &m, MSG_NOSIGNAL) == sizeof(error) ? 0 : -errno;
}

static int open_file(const char *name, unsigned n)
{
	char full[NAME_MAX + 1];
	int fd = pcapng_name(name, n, full, sizeof(full));

	if (!fd)
		fd = openat(FOLDER, full, flags_of(n), 0666);
	return fd < 0 ? -errno : fd;
}

/* What a terminal or a supervisor sends to all of a run's processes is for the run: this one goes
 * when the run has gone. */
static int ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};

	for (unsigned i = 0; i < ARRAY_SIZE(ignored); i++)
		if (signal(ignored[i], SIG_IGN) == SIG_ERR)
			return -errno;
	return 0;
}

static void serve(const char *name, int folder, int socket)
{
	unsigned n;
	int r = settle(folder, socket);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* wherever it is then */
	(void)prctl(PR_SET_NAME, "tapline-files", 0, 0, 0);
	if (!r)
		r = ignore_signals();
	if (!r)
		r = confine();
	if (r) {
		(void)answer(r);
		return;
	}
	r = answer(FOLDER); /* ready: any descriptor will do */
	while (!r && read(SOCKET, &n, sizeof(n)) == sizeof(n)) {
		int fd = open_file(name, n);

		r = answer(fd);
		if (fd >= 0)
			(void)close(fd);
	}
}

/* ---- the run's side ---- */

static int receive(const struct opener *o)
{
	char room[CMSG_SPACE(sizeof(int))];
	int error, fd = -1;
	struct iovec part = {&error, sizeof(error)};
	struct msghdr m = {.msg_iov = &part,
			   .msg_iovlen = 1,
			   .msg_control = room,
			   .msg_controllen = sizeof(room)};
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(o->socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(error))
		return n < 0 ? -errno : -ECHILD;
	if (error)
		return error;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -EMFILE; /* there was no room for it in this process */
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Until the other process is ready, which takes milliseconds. */
#define BEGIN_MS 10000

/* Without memory libseccomp may look for its end forever. */
static int wait_begun(const struct opener *o)
{
	struct pollfd answered = {.fd = o->socket, .events = POLLIN};

	if (poll(&answered, 1, BEGIN_MS))
		return 0;
	(void)kill(o->pid, SIGKILL);
	return -ETIMEDOUT;
}

static int start(const char *name, int folder, struct opener *o)
{
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	*o = (struct opener){.socket = ends[0], .pid = fork()};
	if (o->pid == 0) {
		serve(name, folder, ends[1]);
		_exit(0);
	}
	r = o->pid < 0 ? -errno : 0;
	(void)close(ends[1]);
	if (r)
		(void)close(ends[0]);
	return r;
}

int opener_start(const char *path, struct opener *out)
{
	char folder_text[PATH_MAX], name_text[PATH_MAX];
	_cleanup_close_ int folder = -1;
	struct opener o = {.socket = -1};
	int r;

	if (strlen(path) >= sizeof(folder_text))
		return -ENAMETOOLONG;
	memcpy(folder_text, path, strlen(path) + 1);
	memcpy(name_text, path, strlen(path) + 1);
	folder = open(dirname(folder_text), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	r = start(basename(name_text), folder, &o);
	if (r)
		return r;
	r = wait_begun(&o);
	if (!r)
		r = receive(&o);
	if (r < 0) {
		opener_end(&o);
		return r;
	}
	(void)close(r);
	*out = o;
	return 0;
}

int opener_next(const struct opener *o, unsigned n)
{
	if (write(o->socket, &n, sizeof(n)) != sizeof(n))
		return -ECHILD;
	return receive(o);
}

void opener_end(struct opener *o)
{
	if (o->socket < 0)
		return;
	(void)close(o->socket);
	o->socket = -1;
	while (waitpid(o->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
