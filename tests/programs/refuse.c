// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Runs a command on a kernel that refuses some of bpf(2): `ringbuf`, ring buffers, as before 5.8,
 * or a program by its name, as a verifier would. Both are behind a pointer, where a seccomp filter
 * cannot look, so a process of its own is asked. usage: refuse ringbuf|PROGRAM[,PROGRAM] COMMAND
 * [ARGUMENT...] */
#include <err.h>
#include <errno.h>
#include <linux/bpf.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* A descriptor that has a question for each map and program that is to be made from here on. */
static int ask(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) ||
	    seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(bpf), 1,
			     SCMP_A0(SCMP_CMP_EQ, BPF_MAP_CREATE)) ||
	    seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(bpf), 1,
			     SCMP_A0(SCMP_CMP_EQ, BPF_PROG_LOAD)) ||
	    seccomp_load(filter))
		errx(1, "no seccomp notifications here");
	return seccomp_notify_fd(filter);
}

static void read_there(const struct seccomp_notif *q, size_t offset, void *into, size_t n)
{
	struct iovec to = {into, n};
	struct iovec from = {(char *)q->data.args[1] + offset, n};

	if (process_vm_readv((pid_t)q->pid, &to, 1, &from, 1, 0) != (ssize_t)n)
		err(1, "process_vm_readv");
}

/* Is it one of the words? The kernel's names of programs are cut to 15 characters. */
static bool is_named(const char *name, const char *words)
{
	for (const char *end = words; *words; words = *end ? end + 1 : end) {
		end = strchrnul(words, ',');
		size_t n = (size_t)(end - words);

		if (n > BPF_OBJ_NAME_LEN - 1)
			n = BPF_OBJ_NAME_LEN - 1;
		if (strlen(name) == n && strncmp(name, words, n) == 0)
			return true;
	}
	return false;
}

static int verdict(const struct seccomp_notif *q, const char *words)
{
	char name[BPF_OBJ_NAME_LEN + 1] = "";
	unsigned type = 0;

	if (q->data.args[0] == BPF_MAP_CREATE) {
		read_there(q, offsetof(union bpf_attr, map_type), &type, sizeof(type));
		return type == BPF_MAP_TYPE_RINGBUF && is_named("ringbuf", words) ? -EINVAL : 0;
	}
	if (q->data.args[2] < offsetof(union bpf_attr, prog_name) + BPF_OBJ_NAME_LEN)
		return 0; /* it has none */
	read_there(q, offsetof(union bpf_attr, prog_name), name, BPF_OBJ_NAME_LEN);
	return is_named(name, words) ? -EACCES : 0;
}

/* Until the command ends, and this process with it. */
static void answer(int fd, const char *words)
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
		a->error = verdict(q, words);
		a->flags = a->error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		(void)seccomp_notify_respond(fd, a);
	}
}

int main(int argc, char **argv)
{
	pid_t command = getpid();
	int fd;

	if (argc < 3)
		errx(1, "usage: refuse ringbuf|PROGRAM[,PROGRAM] COMMAND [ARGUMENT...]");
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
		answer(fd, argv[1]);
	}
	close(fd);
	execvp(argv[2], argv + 2);
	err(1, "%s", argv[2]);
}
