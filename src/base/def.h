// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What every user-side file needs: sizes of arrays, ownership by the cleanup attribute, and
 * fetches. Ownership is visible where a variable is declared, so a function can be judged without
 * its callees. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)         ((a) < (b) ? (a) : (b))
#define MAX(a, b)         ((a) > (b) ? (a) : (b))
#define PRINTF_LIKE(f, v) __attribute__((format(printf, f, v)))
#define UNUSED            __attribute__((unused))

static inline void free_ptr_(void *p)
{
	free(*(void **)p);
}

static inline void close_fd_(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* _cleanup_free_ char *s = NULL; is freed at the end of its scope; an fd starts as -1. */
#define _cleanup_(f)    __attribute__((cleanup(f)))
#define _cleanup_free_  _cleanup_(free_ptr_)
#define _cleanup_close_ _cleanup_(close_fd_)

/* Hand ownership on: yields the value and leaves NULL (or -1) behind. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		typeof(p) taken_ = (p);                                                            \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int taken_ = (fd);                                                                 \
		(fd) = -1;                                                                         \
		taken_;                                                                            \
	})
