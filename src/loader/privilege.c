// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Gives up what a run no longer needs once its programs are attached.
 * What is parsed afterwards comes from the network, so a fault in a parser must not own the host.
 */
#include "loader/privilege.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static void free_caps(cap_t *caps)
{
	if (*caps)
		(void)cap_free(*caps);
}

static void free_filter(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

/* Sets the sets of this thread to kept alone, or to nothing for kept < 0; permitted stays as it is
 * with keep_permitted, so that a dropped capability can be raised again. */
static int set_caps(int kept, bool keep_permitted)
{
	_cleanup_(free_caps) cap_t caps = keep_permitted ? cap_get_proc() : cap_init();
	const cap_value_t value = kept;

	if (!caps)
		return -errno;
	if (cap_clear_flag(caps, CAP_EFFECTIVE) || cap_clear_flag(caps, CAP_INHERITABLE))
		return -errno;
	if (kept >= 0 && (cap_set_flag(caps, CAP_EFFECTIVE, 1, &value, CAP_SET) ||
			  cap_set_flag(caps, CAP_PERMITTED, 1, &value, CAP_SET)))
		return -errno;
	return cap_set_proc(caps) ? -errno : 0;
}

/* Whether map operations by an open descriptor still work with the effective set as it is. */
static bool map_usable(int map)
{
	uint32_t key = 0, value;

	return map < 0 || bpf_map_lookup_elem(map, &key, &value) == 0;
}

/* The bounding set matters only across execve, which PR_SET_NO_NEW_PRIVS makes harmless: a process
 * that may not change it (no CAP_SETPCAP) goes on. */
static void drop_bounds(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int drop_caps(void)
{
	/* Made while that is allowed, read after the drop. Without privilege it cannot be made, and
	 * then there is nothing to keep. */
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 4, 1, NULL);

	drop_bounds();
	int err = set_caps(-1, true);

	if (err)
		return err;
	return set_caps(map_usable(map) ? -1 : CAP_BPF, false);
}

/* ---- system calls ---- */

/* Allowed with any arguments: none of them opens, creates, signals another process or executes. */
static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(getdents64),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(statx),
	/* waiting and time */
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(futex),
	SCMP_SYS(restart_syscall),
	/* memory */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(getrandom),
	/* signals to itself, and the end */
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static const unsigned bpf_commands[] = {
	BPF_MAP_LOOKUP_ELEM,
	BPF_MAP_UPDATE_ELEM,
	BPF_MAP_DELETE_ELEM,
	BPF_MAP_GET_NEXT_KEY,
	BPF_MAP_LOOKUP_AND_DELETE_ELEM,
	BPF_MAP_LOOKUP_BATCH,
	BPF_MAP_LOOKUP_AND_DELETE_BATCH,
	BPF_MAP_UPDATE_BATCH,
	BPF_MAP_DELETE_BATCH,
	BPF_OBJ_GET_INFO_BY_FD,
	BPF_ITER_CREATE,
};

/* The last asks for the name of an interface (loader/wire_name.h). */
static const unsigned ioctls[] = {TIOCGWINSZ, TCGETS, SIOCGIFNAME};

/* O_TMPFILE is two bits, one of which is O_DIRECTORY; the other alone is telling. */
#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

static int allow_calls(scmp_filter_ctx filter, const int *calls, unsigned n)
{
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return err;
}

static int allow_when(scmp_filter_ctx filter, int call, struct scmp_arg_cmp cmp)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, cmp);
}

/* A file that a full disk stopped is cut; the next one's descriptor is received from a process of
 * this one's, which is waited for at the end. */
static const int allowed_capture[] = {SCMP_SYS(ftruncate), SCMP_SYS(recvmsg), SCMP_SYS(wait4)};

/* Of standard input alone. */
static int allow_keyboard(scmp_filter_ctx filter)
{
	static const unsigned calls[] = {TCSETS, TIOCGPGRP};
	int err = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(calls) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 2,
				       SCMP_A0(SCMP_CMP_EQ, STDIN_FILENO),
				       SCMP_A1(SCMP_CMP_EQ, calls[i]));
	return err;
}

static int allow_checked(scmp_filter_ctx filter)
{
	int err = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(bpf_commands) && !err; i++)
		err = allow_when(filter, SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, bpf_commands[i]));
	for (unsigned i = 0; i < ARRAY_SIZE(ioctls) && !err; i++)
		err = allow_when(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, ioctls[i]));
	if (!err)
		err = allow_when(filter, SCMP_SYS(open),
				 SCMP_A1(SCMP_CMP_MASKED_EQ, OPEN_WRITES, O_RDONLY));
	if (!err)
		err = allow_when(filter, SCMP_SYS(openat),
				 SCMP_A2(SCMP_CMP_MASKED_EQ, OPEN_WRITES, O_RDONLY));
	if (!err)
		err = allow_when(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* abort() signals the process itself. */
	if (!err)
		err = allow_when(filter, SCMP_SYS(tgkill),
				 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return err;
}

static int UNUSED enter_filter(unsigned flags)
{
	_cleanup_(free_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = 0;

	if (!filter)
		return -ENOMEM;
	/* A search tree instead of a list: the filter runs at every system call. Only faster, so
	 * an older libseccomp that lacks it does not matter. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	err = allow_calls(filter, allowed, ARRAY_SIZE(allowed));
	if (!err && flags & PRIVILEGE_CAPTURE)
		err = allow_calls(filter, allowed_capture, ARRAY_SIZE(allowed_capture));
	if (!err && flags & PRIVILEGE_KEYBOARD)
		err = allow_keyboard(filter);
	if (!err)
		err = allow_checked(filter);
	return err ? err : seccomp_load(filter);
}

int privilege_drop(unsigned flags)
{
	int err = drop_caps();

	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (flags & PRIVILEGE_CAPS_ONLY)
		return 0;
#ifdef __SANITIZE_ADDRESS__
	/* AddressSanitizer reports by sigaltstack, readlink, prctl and clone (the leak checker),
	 * which the filter exists to refuse. Its builds are for finding faults, not for running. */
	return 0;
#else
	return enter_filter(flags);
#endif
}

static bool has_cap(int value)
{
	_cleanup_(free_caps) cap_t caps = cap_get_proc();
	cap_flag_value_t set = CAP_CLEAR;

	return caps && !cap_get_flag(caps, value, CAP_PERMITTED, &set) && set == CAP_SET;
}

static int UNUSED enter_calls(const struct privilege_call *calls, unsigned n)
{
	_cleanup_(free_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = 0;

	if (!filter)
		return -ENOMEM;
	for (unsigned i = 0; i < n && !err; i++) {
		struct scmp_arg_cmp cmp[ARRAY_SIZE(calls->args)];

		for (unsigned a = 0; a < calls[i].n_args; a++)
			cmp[a] = SCMP_CMP(calls[i].args[a].at, SCMP_CMP_MASKED_EQ, UINT32_MAX,
					  calls[i].args[a].value);
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, calls[i].number,
					     calls[i].n_args, cmp);
	}
	return err ? err : seccomp_load(filter);
}

int privilege_confine(int kept, const struct privilege_call *calls, unsigned n)
{
	int err;

	drop_bounds();
	err = set_caps(has_cap(kept) ? kept : -1, false);
	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
#ifdef __SANITIZE_ADDRESS__ /* as above */
	(void)calls;
	(void)n;
	return 0;
#else
	return enter_calls(calls, n);
#endif
}
