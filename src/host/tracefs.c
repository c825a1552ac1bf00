// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Mounts tracefs where only this process sees it, and only if it has to.
 * The namespace goes with the process, so nothing is left behind. */
#include "host/tracefs.h"

#include <sched.h>
#include <sys/mount.h>

#include "base/def.h"

#define TRACEFS "/sys/kernel/tracing"

int tracefs_ensure(void)
{
	if (access(TRACEFS "/events", R_OK) == 0 ||
	    access("/sys/kernel/debug/tracing/events", R_OK) == 0)
		return 0;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tracefs", TRACEFS, "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return -errno;
	return 0;
}
