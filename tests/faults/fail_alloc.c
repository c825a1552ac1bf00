// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Put in front of the C library with LD_PRELOAD: memory runs out. FAIL_ALLOC=N fails the Nth
 * allocation, and FAIL_AFTER=1 all that follow; SHOW_ALLOC=FD instead writes a line for each: its
 * caller as an offset in its object. FAIL_CHILD=1: those of processes that it forks, and not its
 * own. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

static unsigned long asked, fails_at;
static int show_fd = -1;
static bool all_after, in_child, busy;
static pid_t first;

__attribute__((constructor)) static void begin(void)
{
	const char *n = getenv("FAIL_ALLOC"), *fd = getenv("SHOW_ALLOC");

	first = getpid();
	in_child = getenv("FAIL_CHILD") != NULL;
	all_after = getenv("FAIL_AFTER") != NULL;
	show_fd = fd ? atoi(fd) : -1;
	asked = 0; /* the loader's own do not count */
	fails_at = n ? strtoul(n, NULL, 10) : 0;
}

static void show(const void *caller)
{
	Dl_info at = {0};
	char line[256];

	if (busy)
		return;
	busy = true; /* dladdr may allocate */
	if (dladdr(caller, &at) && at.dli_fname) {
		const char *name = strrchr(at.dli_fname, '/');
		int n = snprintf(
			line, sizeof(line), "%s+%lx\n", name ? name + 1 : at.dli_fname,
			(unsigned long)((const char *)caller - (const char *)at.dli_fbase));

		if (n > 0 && write(show_fd, line, (size_t)n) != n)
			show_fd = -1;
	} else if (write(show_fd, "?\n", 2) != 2) {
		show_fd = -1;
	}
	busy = false;
}

/* Is this the one that there is no memory for? */
static bool fails(const void *caller)
{
	unsigned long n;

	if (busy || (getpid() != first) != in_child)
		return false;
	n = __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
	if (show_fd >= 0)
		show(caller);
	if (!fails_at || n < fails_at || (n > fails_at && !all_after))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t n)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all) || fails(__builtin_return_address(0))) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, all);
}

/* The C library's own would call its malloc past this one. */
char *strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

char *strndup(const char *s, size_t most)
{
	size_t n = strnlen(s, most);
	char *p = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n + 1);

	if (p) {
		memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}
