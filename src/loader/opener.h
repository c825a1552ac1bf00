// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A process that opens the next files of a capture, which the run itself may not any more.
 * It is told a number and nothing else, so that a fault in a parser opens no other file. */
#pragma once

#include <sys/types.h>

#include "base/def.h"

struct opener {
	int socket; /* -1: there is none */
	pid_t pid;
};

/* How number n of a capture's files is opened: emptied, or made as 0666 & ~umask. A name that was
 * made up here (n > 0) is not followed where it is a link, as who made that is not known. */
int opener_flags(unsigned n);

/*
 * Starts the process for the files of path (pcapng_name). It has the capability to write where
 * others may not, if the caller has it, and no other; it can open in the folder of path, and
 * nothing else; it ends when the caller ends, however that happens. 0 and *out, for opener_end; or
 * -errno. Before session_load, so that it inherits nothing of that.
 */
int opener_start(const char *path, struct opener *out);

/* A descriptor of file number n, empty, the caller's; or -errno: what opening said, -ECHILD: the
 * process has gone. */
int opener_next(const struct opener *o, unsigned n);

/* Ends it, and waits until it is gone; more than once, too. */
void opener_end(struct opener *o);
