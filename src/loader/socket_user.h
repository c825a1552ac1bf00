// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The user side of kernel/socket_user.bpf.h: chooses its hooks, and has the open files looked at
 * for the owners of sockets that are older than the tool. */
#pragma once

#include "loader/session.h"

/* Before obj is loaded. 0, or -ENOTSUP, said. */
int socket_users_prepare(struct session *s, struct bpf_object *obj);

/* A look at all open files by the iterator owner_files, attached as files; again and again while
 * there is no memory for all sockets at once. 0 or -errno. */
int socket_users_look(struct session *s, int files);

/* After the hooks are attached, so that no socket falls between: looks at all open files, of every
 * process. 0 or -errno, said. */
int socket_users_seek(struct session *s, struct bpf_object *obj);
