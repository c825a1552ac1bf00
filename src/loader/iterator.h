// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Iterators of the kernel: programs that are run over all sockets or open files at once.
 * For tools that want what was there before they started, or has not told of itself. */
#pragma once

#include "loader/session.h"

/*
 * Attaches the iterator of that name in obj, over the elements of map where that is not NULL. The
 * link is the session's and stays attached. A descriptor for iterator_run, or -errno, said.
 */
int iterator_attach(struct session *s, struct bpf_object *obj, const char *program,
		    const struct bpf_map *map);

/* Once over everything; what the program writes is thrown away. 0 or -errno. */
int iterator_run(int iterator);

/* The same, and calls between after each read of at most at_once bytes of what the program writes:
 * also after the last one. 0, -errno, or what between returned, which ends it. */
int iterator_each(int iterator, size_t at_once, int (*between)(void *arg), void *arg);

/* For a program that puts records in the ring and writes a byte for each: drains the ring in
 * between, so that it does not run full. 0; -ECANCELED: a handler wants no more; -errno, said. */
int iterator_drain(struct session *s, int iterator);

/* For looks at all open files, which take the longer the more there are: 1/64 of the time, and of
 * that so much at once that most hosts' fit. */
struct iterator_budget {
	int64_t left_ns; /* below 0 after a look that took more */
	uint64_t filled_ns;
};
bool iterator_may_run(struct iterator_budget *b, uint64_t now_ns);
/* It ran, from began_ns until now. */
void iterator_ran(struct iterator_budget *b, uint64_t began_ns);
