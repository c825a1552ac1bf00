// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Reading the monotonic clock and its distance from the wall clock.
 * The distance must not contain a preemption between two reads. */
#include <time.h>

#include "base/clock.h"

static int64_t read_ns(clockid_t id)
{
	struct timespec t = {0};

	(void)clock_gettime(id, &t); /* cannot fail for these two clocks */
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return (uint64_t)read_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_offset_ns(void)
{
	int64_t narrowest = INT64_MAX;
	int64_t offset = 0;

	/* The wall clock is read between two reads of the other; the closest pair of three wins. */
	for (int i = 0; i < 3; i++) {
		int64_t before = read_ns(CLOCK_MONOTONIC);
		int64_t wall = read_ns(CLOCK_REALTIME);
		int64_t width = read_ns(CLOCK_MONOTONIC) - before;

		if (width < narrowest) {
			narrowest = width;
			offset = wall - before - width / 2;
		}
	}
	return offset;
}
