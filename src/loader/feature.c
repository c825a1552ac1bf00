// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What this kernel and these privileges allow, found by trying.
 * Version numbers lie (distributions backport, vendors lock down), so each answer is a probe. */
#include "loader/feature.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "host/cgroup.h"
#include "loader/probe.h"

_Static_assert(NEED_ROOT == 1 << FEATURE_ROOT && NEED_BTF == 1 << FEATURE_BTF &&
		       NEED_RINGBUF == 1 << FEATURE_RINGBUF &&
		       NEED_CGROUP2 == 1 << FEATURE_CGROUP2 &&
		       NEED_STORAGE == 1 << FEATURE_STORAGE &&
		       NEED_NET_RAW == 1 << FEATURE_NET_RAW && NEED_PERF == 1 << FEATURE_PERF &&
		       NEED_ATOMICS == 1 << FEATURE_ATOMICS,
	       "a need is the bit of its feature");

const struct feature_text feature_texts[FEATURES] = {
	[FEATURE_ROOT] =
		{"privileges",
		 "loading BPF programs takes root (since Linux 5.8: CAP_BPF, CAP_PERFMON and "
		 "CAP_NET_ADMIN, in the initial user namespace)",
		 "run it with sudo; it gives the privileges up once it is attached"},
	[FEATURE_BTF] =
		{"BTF",
		 "this kernel does not describe its types in /sys/kernel/btf/vmlinux (Linux 5.4 "
		 "on, CONFIG_DEBUG_INFO_BTF)",
		 "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of Debian 11, Ubuntu "
		 "20.10, Fedora 31 and RHEL 8.2 on are"},
	[FEATURE_RINGBUF] = {"ring buffer", "this kernel has no BPF ring buffer (Linux 5.8 on)",
			     "boot Linux 5.8 or newer"},
	[FEATURE_CGROUP2] =
		{"cgroup v2",
		 "this kernel has no cgroup v2 (Linux 4.5 on, CONFIG_CGROUPS), or it cannot "
		 "be mounted here",
		 "where it is only not mounted, tapline mounts it for itself alone"},
	[FEATURE_STORAGE] =
		{"socket storage",
		 "tracing programs cannot reach socket storage on this kernel (Linux 5.11 "
		 "on)",
		 "boot Linux 5.11 or newer, or one with it backported"},
	[FEATURE_NET_RAW] =
		{"packet sockets", "packet sockets take CAP_NET_RAW and CONFIG_PACKET",
		 "run it with sudo; `tapline requests` sees this host's sockets without them"},
	[FEATURE_PERF] = {"perf buffers",
			  "this kernel has no perf events that programs can write to (Linux 4.4 "
			  "on, CONFIG_PERF_EVENTS)",
			  "the ring buffer is taken instead where this kernel has one"},
	[FEATURE_ATOMICS] = {"atomics",
			     "this kernel's BPF has no atomic instructions that return a value "
			     "(Linux 5.12 on)",
			     "boot Linux 5.12 or newer"},
	[FEATURE_TRACEFS] = {"tracefs",
			     "tracefs is not mounted: plain tracepoints cannot be attached",
			     "mount it: mount -t tracefs tracefs /sys/kernel/tracing"},
	[FEATURE_KPROBE] =
		{"kprobes",
		 "this kernel is built without kprobes that perf can attach (CONFIG_KPROBES, "
		 "Linux 4.17 on)",
		 "tracepoints and tp_btf are used instead where this kernel has them"},
	[FEATURE_JIT] = {"JIT",
			 "the BPF JIT is off: programs are interpreted, at several times the cost",
			 "turn it on: sysctl net.core.bpf_jit_enable=1"},
};

/* What CAP_SYS_ADMIN also grants; CAP_NET_ADMIN is asked for apart from it. */
static const struct {
	cap_value_t cap;
	const char *name;
	bool or_sys_admin;
} loading_caps[] = {
	{CAP_BPF, "CAP_BPF", true},
	{CAP_PERFMON, "CAP_PERFMON", true},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN", false},
};

static bool has_cap(cap_value_t cap)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (!caps)
		return false;
	if (cap_get_flag(caps, cap, CAP_EFFECTIVE, &value))
		value = CAP_CLEAR;
	(void)cap_free(caps);
	return value == CAP_SET;
}

void feature_lacking_caps(struct buf *out)
{
	size_t start = out->len;

	for (unsigned i = 0; i < ARRAY_SIZE(loading_caps); i++) {
		if (has_cap(loading_caps[i].cap) ||
		    (loading_caps[i].or_sys_admin && has_cap(CAP_SYS_ADMIN)))
			continue;
		if (out->len > start)
			buf_str(out, ", ");
		buf_str(out, loading_caps[i].name);
	}
}

static int check_root(void)
{
	char text[64];
	struct buf b = BUF_ON(text);

	feature_lacking_caps(&b);
	if (b.len)
		return -EPERM;
	/* In a user namespace the capabilities are there and worth nothing. */
	return probe_load(BPF_PROG_TYPE_TRACEPOINT, 0, 0);
}

static int check_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) ? -errno : 0;
}

static int check_ringbuf(void)
{
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "probe", 0, 0,
						(uint32_t)sysconf(_SC_PAGESIZE), NULL);

	return fd < 0 ? fd : 0;
}

static int check_cgroup2(void)
{
	_cleanup_close_ int fd = cgroup_root_open();

	return fd < 0 ? fd : 0;
}

static int check_net_raw(void)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : 0;
}

static int check_perf(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_BPF_OUTPUT};
	_cleanup_close_ int fd = (int)syscall(SYS_perf_event_open, &attr, -1, sched_getcpu(), -1,
					      PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

/* libbpf looks at the same two places. */
static int check_tracefs(void)
{
	static const char *const places[] = {"/sys/kernel/tracing/events",
					     "/sys/kernel/debug/tracing/events"};
	int err = -ENOENT;

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		if (access(places[i], F_OK) == 0)
			return 0;
		if (errno == EACCES)
			err = -EACCES;
	}
	return err;
}

static int check_kprobe(void)
{
	return access("/sys/bus/event_source/devices/kprobe/type", F_OK) ? -errno : 0;
}

static int check_jit(void)
{
	_cleanup_close_ int fd = open("/proc/sys/net/core/bpf_jit_enable", O_RDONLY | O_CLOEXEC);
	char c;

	if (fd < 0)
		return -errno;
	if (read(fd, &c, 1) != 1)
		return -EIO;
	return c == '0' ? -ENOTSUP : 0;
}

int feature_check(enum feature f)
{
	static int (*const checks[FEATURES])(void) = {
		[FEATURE_ROOT] = check_root,       [FEATURE_BTF] = check_btf,
		[FEATURE_RINGBUF] = check_ringbuf, [FEATURE_CGROUP2] = check_cgroup2,
		[FEATURE_STORAGE] = probe_storage, [FEATURE_NET_RAW] = check_net_raw,
		[FEATURE_PERF] = check_perf,       [FEATURE_ATOMICS] = probe_atomics,
		[FEATURE_TRACEFS] = check_tracefs, [FEATURE_KPROBE] = check_kprobe,
		[FEATURE_JIT] = check_jit,
	};
	static bool known[FEATURES];
	static int result[FEATURES];

	if (!known[f]) {
		result[f] = checks[f]();
		known[f] = true;
	}
	return result[f];
}

const struct feature_text *feature_missing(unsigned needs)
{
	for (enum feature f = 0; f < FEATURES; f++)
		if ((needs & 1u << f) && feature_check(f))
			return &feature_texts[f];
	return NULL;
}

/* An open descriptor on the file of the given name in securityfs, or -errno. */
static int open_securityfs(const char *name)
{
	_cleanup_close_ int root = open("/sys/kernel/security", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root < 0 ? -1 : openat(root, name, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	/* Not mounted (containers, small systems): look at a mount that nobody else sees. */
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "securityfs", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	_cleanup_close_ int mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);

	if (mount < 0)
		return -errno;
	fd = openat(mount, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

enum lockdown feature_lockdown(void)
{
	/* "none [integrity] confidentiality" */
	static const char *const words[] = {
		[LOCKDOWN_NONE] = "[none]",
		[LOCKDOWN_INTEGRITY] = "[integrity]",
		[LOCKDOWN_CONFIDENTIALITY] = "[confidentiality]",
	};
	_cleanup_close_ int fd = open_securityfs("lockdown");
	char text[128] = "";

	if (fd == -ENOENT)
		return LOCKDOWN_NONE; /* securityfs without it: built without lockdown */
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return LOCKDOWN_UNKNOWN;
	for (unsigned i = LOCKDOWN_NONE; i < ARRAY_SIZE(words); i++)
		if (strstr(text, words[i]))
			return (enum lockdown)i;
	return LOCKDOWN_UNKNOWN;
}
