// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* doctor: the ways in which bytes or owners go past every hook, whatever the kernel.
 * A tool that names what it cannot see can be believed about the rest. */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdio.h>

#include "tools/doctor/doctor.h"

/* The start of a small file, terminated. 0 or -errno. */
static int read_start(const char *path, char *out, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	if (n < 0)
		return -errno;
	out[n] = 0;
	return 0;
}

/* Loaded programs that can pass bytes from socket to socket: sockmap verdicts. -errno: not known.
 */
static int count_sockmap_programs(void)
{
	uint32_t id = 0;
	int count = 0, err;

	while ((err = bpf_prog_get_next_id(id, &id)) == 0) {
		_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0)
			count += info.type == BPF_PROG_TYPE_SK_SKB ||
				 info.type == BPF_PROG_TYPE_SK_MSG;
	}
	return err == -ENOENT ? count : err;
}

static void check_sockmap(struct session *s)
{
	int n = count_sockmap_programs();
	char finding[128];

	if (n == 0) {
		doctor_report(s, "sockmap", DOCTOR_OK, "no program here redirects between sockets",
			      NULL);
		return;
	}
	if (n < 0)
		(void)snprintf(finding, sizeof(finding), "not known without root");
	else
		(void)snprintf(finding, sizeof(finding), "loaded programs that may redirect: %d",
			       n);
	doctor_report(
		s, "sockmap", DOCTOR_LIMITED, finding,
		"invisible: bytes redirected from socket to socket, which are no segments (some "
		"service meshes)");
}

/* The numbers of TlsCurrTxSw and its like: connections that use it now. */
static unsigned long current_ktls(const char *text)
{
	unsigned long sum = 0;

	for (const char *p = text; (p = strstr(p, "TlsCurr")); p++)
		sum += strtoul(p + strcspn(p, " \t\n"), NULL, 10);
	return sum;
}

static void check_ktls(struct session *s)
{
	char text[2048], finding[128];

	if (read_start("/proc/net/tls_stat", text, sizeof(text))) {
		doctor_report(s, "kernel TLS", DOCTOR_OK, "not in use: not loaded in this kernel",
			      NULL);
		return;
	}
	if (!current_ktls(text)) {
		doctor_report(s, "kernel TLS", DOCTOR_OK, "no connection uses it now", NULL);
		return;
	}
	(void)snprintf(finding, sizeof(finding), "connections that use it now: %lu",
		       current_ktls(text));
	doctor_report(s, "kernel TLS", DOCTOR_LIMITED, finding,
		      "invisible: what is inside: their bytes are seen encrypted");
}

static void check_mptcp(struct session *s)
{
	char text[16];

	if (read_start("/proc/sys/net/mptcp/enabled", text, sizeof(text)) || text[0] != '1')
		doctor_report(s, "MPTCP", DOCTOR_OK, "off", NULL);
	else
		doctor_report(
			s, "MPTCP", DOCTOR_LIMITED, "on: programs may ask for it",
			"invisible: the owners of MPTCP subflows; each is shown as a connection");
}

void doctor_bypasses(struct session *s)
{
	check_sockmap(s);
	check_ktls(s);
	check_mptcp(s);
	doctor_report(
		s, "mapped receives", DOCTOR_LIMITED, "cannot be told from outside",
		"may be invisible: when a process reads by memory mapping (TCP_ZEROCOPY_RECEIVE); "
		"invisible: TCP stacks outside the kernel (AF_XDP, DPDK)");
}
