// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Owners of TCP sockets by socket: which hooks tell them on this kernel, and the look at open files
 * at the start. */
#include "loader/socket_user.h"

#include "loader/iterator.h"
#include "loader/ladder.h"

int socket_users_prepare(struct session *s, struct bpf_object *obj)
{
	if (session_choose(s, obj, ladder_send) >= 0 && session_choose(s, obj, ladder_read) >= 0)
		return 0;
	return session_fail(s, -ENOTSUP,
			    "this kernel has no hook that names the process of a socket: run "
			    "'tapline doctor'");
}

int socket_users_seek(struct session *s, struct bpf_object *obj)
{
	int files = iterator_attach(s, obj, "owner_files", NULL);
	int r = files < 0 ? files : iterator_run(files);

	return r && files >= 0 ? session_fail(s, r, "cannot read the open files: %s", strerror(-r))
			       : r;
}
