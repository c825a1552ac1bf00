// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Runs a command as on a kernel before 5.8: bpf(2) knows no ring buffers. The type of map is behind
 * a pointer, where a seccomp filter cannot look, so a process of its own is asked.
 * usage: no_ringbuf COMMAND [ARGUMENT...] */
#include <err.h>
#include <errno.h>
#include <linux/bpf.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* A descriptor that has a question for each map that is to be made from here on. */
static int ask(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) ||
	    seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(bpf), 1,
			     SCMP_A0(SCMP_CMP_EQ, BPF_MAP_CREATE)) ||
	    seccomp_load(filter))
		errx(1, "no seccomp notifications here");
	return seccomp_notify_fd(filter);
}

static unsigned map_type(const struct seccomp_notif *q)
{
	unsigned type = 0; /* the first field of union bpf_attr */
	struct iovec to = {&type, sizeof(type)};
	struct iovec from = {(void *)q->data.args[1], sizeof(type)};

	if (process_vm_readv((pid_t)q->pid, &to, 1, &from, 1, 0) != sizeof(type))
		err(1, "process_vm_readv");
	return type;
}

/* Until the command ends, and this process with it. */
static void answer(int fd)
{
	struct seccomp_notif *q;
	struct seccomp_notif_resp *a;

	if (seccomp_notify_alloc(&q, &a))
		errx(1, "no memory");
	for (;;) {
		memset(q, 0, sizeof(*q));
		if (seccomp_notify_receive(fd, q))
			err(1, "seccomp_notify_receive");
		a->id = q->id;
		a->val = 0;
		a->error = map_type(q) == BPF_MAP_TYPE_RINGBUF ? -EINVAL : 0;
		a->flags = a->error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		(void)seccomp_notify_respond(fd, a);
	}
}

int main(int argc, char **argv)
{
	pid_t command = getpid();
	int fd;

	if (argc < 2)
		errx(1, "usage: no_ringbuf COMMAND [ARGUMENT...]");
	fd = ask();
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != command)
			return 1;
		(void)close_range(0, (unsigned)fd - 1, 0); /* who reads them waits for their end */
		(void)close_range((unsigned)fd + 1, ~0u, 0);
		answer(fd);
	}
	close(fd);
	execvp(argv[1], argv + 1);
	err(1, "%s", argv[1]);
}
