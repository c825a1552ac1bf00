// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Keys from the terminal that a table is shown on.
 * By ioctl(2), as those are the calls that the filter of system calls lets through. */
#include "loader/keyboard.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define LOOK_NS 250000000ull

void keyboard_open(struct keyboard *k)
{
	struct stat in, out;

	k->group = getpgrp();
	k->wanted = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !fstat(STDIN_FILENO, &in) &&
		    !fstat(STDOUT_FILENO, &out) && in.st_rdev == out.st_rdev;
}

/* A process in the background that changes the terminal or reads from it is stopped, and what it
 * changes is the shell's. */
static bool in_foreground(const struct keyboard *k)
{
	pid_t group;

	return !ioctl(STDIN_FILENO, TIOCGPGRP, &group) && group == k->group;
}

void keyboard_hold(struct keyboard *k)
{
	struct termios own;

	if (!k->wanted || !in_foreground(k) ||
	    (!k->held && ioctl(STDIN_FILENO, TCGETS, &k->before)))
		return;
	own = k->before;
	own.c_lflag &= ~(unsigned)(ICANON | ECHO); /* signals, as of Ctrl-C, stay */
	own.c_cc[VMIN] = 0;
	own.c_cc[VTIME] = 0;
	k->held = !ioctl(STDIN_FILENO, TCSETS, &own);
}

void keyboard_release(struct keyboard *k)
{
	if (k->held && in_foreground(k))
		(void)ioctl(STDIN_FILENO, TCSETS, &k->before);
	k->held = false;
}

/* By the signal's own action, which is none where there is no shell that could continue it. */
static void stop_now(void)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	(void)raise(SIGTSTP);
	(void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
	(void)sigprocmask(SIG_BLOCK, &stop, NULL);
}

bool keyboard_signal(struct keyboard *k, unsigned signal)
{
	if (signal == SIGTSTP) {
		keyboard_release(k);
		stop_now();
	} else if (signal != SIGCONT) {
		return false;
	} else if (!in_foreground(k)) {
		k->held = false; /* it is the shell's, which has set it as it wants */
	}
	keyboard_hold(k);
	return true;
}

/* Is there something to read? Not from a terminal that is gone, nor from the background. */
static bool may_read(struct keyboard *k)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

	if (poll(&p, 1, 0) <= 0)
		return false;
	if (p.revents & (POLLHUP | POLLERR | POLLNVAL))
		k->wanted = k->held = false;
	else if (!in_foreground(k))
		k->held = false;
	return k->held;
}

unsigned keyboard_read(struct keyboard *k, uint64_t now_ns, uint16_t keys[KEYBOARD_KEYS])
{
	uint8_t bytes[KEYBOARD_KEYS];
	ssize_t n;

	if (k->wanted && !k->held && now_ns >= k->next_look_ns) {
		k->next_look_ns = now_ns + LOOK_NS;
		keyboard_hold(k);
	}
	if (!k->held || !may_read(k))
		return 0;
	n = read(STDIN_FILENO, bytes, sizeof(bytes));
	return n > 0 ? key_read(&k->reader, bytes, (size_t)n, now_ns, keys) : 0;
}
