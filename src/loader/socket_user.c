// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Owners of TCP sockets by socket: which hooks tell them on this kernel, and the look at open files
 * at the start. */
#include "loader/socket_user.h"

#include "base/log.h"
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

/* The kernel takes memory for storage from a small stock, which a look at many sockets uses up
 * before it is filled again. */
#define LOOKS 20

int socket_users_look(struct session *s, int files)
{
	uint64_t before, after = session_counter(s, COUNT_NO_USER);
	int r, n = 0;

	do {
		before = after;
		r = iterator_run(files);
		after = session_counter(s, COUNT_NO_USER);
	} while (!r && after != before && ++n < LOOKS);
	if (n)
		log_info("looked at open files %d times, as there was no memory for all sockets",
			 n + 1);
	return r;
}

int socket_users_seek(struct session *s, struct bpf_object *obj)
{
	int files = iterator_attach(s, obj, "owner_files", NULL);
	int r = files < 0 ? files : socket_users_look(s, files);

	return r && files >= 0 ? session_fail(s, r, "cannot read the open files: %s", strerror(-r))
			       : r;
}
