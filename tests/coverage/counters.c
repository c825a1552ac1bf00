// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* In coverage builds the linker has tapline call this for seccomp_load, so that its own code stays
 * as it is: gcov writes its counters when a program ends, by calls that the filter exists to
 * refuse. */
#include <seccomp.h>
#include <stdio.h>

int __real_seccomp_load(const scmp_filter_ctx filter);
int __wrap_seccomp_load(const scmp_filter_ctx filter);

int __wrap_seccomp_load(const scmp_filter_ctx filter)
{
	static const int calls[] = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(fcntl),
				    SCMP_SYS(ftruncate)};
	int err = 0;

	for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return err ? err : __real_seccomp_load(filter);
}

/* Who runs it as another user cannot write the counters, and gcov says so of each file, which no
 * test expects. Its own destructor comes after all that have no priority. */
__attribute__((destructor)) static void be_quiet(void)
{
	if (!freopen("/dev/null", "w", stderr))
		(void)fclose(stderr);
}
