// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Makes another process do one system call, to see what its seccomp filter lets it do.
 * usage: inject PID create|write|openat2|execve FILE; prints the call's result, or "killed". */
#include <err.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#ifndef __x86_64__
int main(void)
{
	return 77; /* registers are named for one machine only */
}
#else
struct call {
	const char *name;
	long number;
	unsigned long long flags; /* openat, openat2 */
};

static const struct call calls[] = {
	{"create", SYS_openat, O_WRONLY | O_CREAT},
	{"write", SYS_openat, O_RDWR},
	{"openat2", SYS_openat2, O_RDONLY},
	{"execve", SYS_execve, 0},
	{NULL, 0, 0},
};

static void poke(pid_t pid, unsigned long long at, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i += sizeof(long)) {
		long word = 0;

		memcpy(&word, (const char *)data + i,
		       size - i < sizeof(word) ? size - i : sizeof(word));
		if (ptrace(PTRACE_POKEDATA, pid, at + i, word))
			err(1, "poke");
	}
}

/* Arguments go on the stack of the process, below the red zone. */
static void prepare(pid_t pid, struct user_regs_struct *r, const struct call *c, const char *file)
{
	unsigned long long how[3] = {c->flags}, no_args[3] = {0};
	unsigned long long path = (r->rsp - 8192) & ~15ULL;

	poke(pid, path, file, strlen(file) + 1);
	poke(pid, path + 4096, c->number == SYS_openat2 ? how : no_args, sizeof(how));
	r->rax = c->number;
	r->orig_rax = -1;
	if (c->number == SYS_execve) {
		r->rdi = path;
		r->rsi = r->rdx = path + 4096;
		return;
	}
	r->rdi = AT_FDCWD;
	r->rsi = path;
	r->rdx = c->number == SYS_openat2 ? path + 4096 : c->flags;
	r->r10 = c->number == SYS_openat2 ? sizeof(how) : 0600;
}

static void stopped(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		err(1, "wait");
	if (WIFSTOPPED(status))
		return;
	puts("killed");
	exit(0);
}

int main(int argc, char **argv)
{
	const struct call *c = calls;
	struct user_regs_struct saved, r;
	long before;
	pid_t pid;

	if (argc != 4)
		errx(2, "usage: inject PID create|write|openat2|execve FILE");
	pid = atoi(argv[1]);
	while (c->name && strcmp(c->name, argv[2]))
		c++;
	if (!c->name)
		errx(2, "no call %s", argv[2]);
	if (ptrace(PTRACE_ATTACH, pid, 0, 0))
		err(1, "attach");
	stopped(pid);
	if (ptrace(PTRACE_GETREGS, pid, 0, &saved))
		err(1, "registers");
	before = ptrace(PTRACE_PEEKTEXT, pid, saved.rip - 2, 0);
	if ((before & 0xffff) != 0x050f) /* it sleeps behind its syscall instruction */
		errx(1, "the process is not in a system call");
	r = saved;
	prepare(pid, &r, c, argv[3]);
	r.rip -= 2;
	if (ptrace(PTRACE_SETREGS, pid, 0, &r) || ptrace(PTRACE_SINGLESTEP, pid, 0, 0))
		err(1, "step");
	stopped(pid);
	if (ptrace(PTRACE_GETREGS, pid, 0, &r))
		err(1, "registers");
	printf("%lld\n", (long long)r.rax);
	if (c->number != SYS_execve || r.rax)
		ptrace(PTRACE_SETREGS, pid, 0, &saved);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return 0;
}
#endif
