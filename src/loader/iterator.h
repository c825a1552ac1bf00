// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Iterators of the kernel: programs that are run over all sockets or open files at once.
 * For tools that want what was there before they started. */
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

/* The same for a program that puts records in the ring, and writes a byte for each: drains it in
 * between, so that it does not run full. 0, -errno, or what a handler returned. */
int iterator_drain(struct session *s, int iterator);
