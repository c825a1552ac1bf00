// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The user side of kernel/socket_user.bpf.h: chooses its hooks, and has the open files looked at
 * for the owners of sockets that are older than the tool. */
#pragma once

#include "loader/session.h"

/* Before obj is loaded. 0, or -ENOTSUP, said. */
int socket_users_prepare(struct session *s, struct bpf_object *obj);

/* After the hooks are attached, so that no socket falls between: looks at all open files, of every
 * process. 0 or -errno, said. */
int socket_users_seek(struct session *s, struct bpf_object *obj);
