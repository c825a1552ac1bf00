// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The socket tap: every TCP socket of this host, in every network namespace.
 * What is common to taps in the kernel (marks, the sweep) is in sweep.c. */
#include "loader/iterator.h"
#include "loader/socket_user.h"
#include "requests.skel.h"
#include "tools/requests/requests.h"

static int socket_open(struct requests *r)
{
	struct session *s = r->session;
	struct requests_bpf *k = requests_bpf__open();
	int e;

	if (!k)
		return session_fail(s, -errno, "cannot open the BPF object: %s", strerror(errno));
	k->rodata->filter = *session_filter(s);
	k->rodata->ssh_shown = requests_ssh_shown(r);
	k->rodata->heads_shown = requests_heads_shown(r);
	k->rodata->frames_kept = r->frames;
	k->rodata->frames_room = frames_ring(r, k->maps.ring);
	e = socket_users_prepare(s, k->obj);
	if (e) {
		requests_bpf__destroy(k);
		return e;
	}
	e = SESSION_LOAD(s, k, requests_bpf);
	if (!e)
		e = session_attach(s);
	if (e)
		return e;
	r->kernel = (struct kernel_tap){
		.marks_fd = bpf_map__fd(k->maps.marks),
		.marks_used = &k->bss->marks_used,
		.sweep_quiet_ns = &k->bss->sweep_quiet_ns,
		.sweep_all = &k->bss->sweep_all,
	};
	r->kernel.sweep = iterator_attach(s, k->obj, "sweep", k->maps.conns);
	return r->kernel.sweep < 0 ? r->kernel.sweep : 0;
}

static void socket_ledger(struct requests *r, struct buf *out)
{
	uint64_t stashed = session_counter(r->session, COUNT_STASHED),
		 claimed = session_counter(r->session, COUNT_CLAIMED);

	ledger_line(out, "both_ends", r->both_ends, "of them with both ends on this host");
	if (stashed > claimed)
		ledger_line(out, "lost_listener", stashed - claimed,
			    "first segments on a listener that no connection claimed");
}

const struct tap tap_socket = {
	.needs = NEED_ROOT | NEED_BTF | NEED_RINGBUF | NEED_CGROUP2 | NEED_STORAGE,
	.open = socket_open,
	.sweep = sweep_kernel,
	.mark = mark_kernel,
	.ledger = socket_ledger,
};
