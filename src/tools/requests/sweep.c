// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The sweep: a look at all states of the tap, for exchanges that have not ended by themselves.
 * So an answer is shown although its connection stays open, and a request that waits is a row too.
 */
#include <bpf/bpf.h>

#include "base/clock.h"
#include "loader/iterator.h"
#include "tools/requests/requests.h"

#define SWEEP_NS       200000000ull
#define SWEEP_QUIET_NS 100000000ull
#define SHOW_NS        1000000000ull
/* A sweep may take this share of a CPU at most. */
#define SWEEP_SHARE 128

int sweep_kernel(struct requests *r, uint64_t quiet_ns, bool all)
{
	*r->kernel.sweep_quiet_ns = quiet_ns;
	*r->kernel.sweep_all = all;
	return iterator_drain(r->session, r->kernel.sweep);
}

void mark_kernel(struct requests *r, const struct exchange *x, uint32_t mark)
{
	*r->kernel.marks_used |= 1u << x->role;
	(void)bpf_map_update_elem(r->kernel.marks_fd, &x->cookie, &mark, BPF_ANY);
}

/* What is waiting: no answer, or one that is not over. An exchange of an unknown protocol, or of
 * unknown length, that was answered and has gone quiet most likely waits for its client, not for
 * its server. */
static void show_waiting(void *arg, const struct exchange *requester,
			 const struct exchange *responder)
{
	struct requests *r = arg;
	struct call_row row;
	struct call c;

	call_of(&c, requester, responder);
	if (!c.request_bytes || call_is_whole(&c))
		return;
	if (c.response_bytes && (c.protocol != &protocol_http1 || !c.response.head_whole) &&
	    r->now_ns - c.response_last_ns > SHOW_NS)
		return;
	c.quality &= ~(unsigned)QUALITY_UNANSWERED; /* not yet is not never */
	row_of_call(r, &c, &row);
	r->waiting++;
	if (!r->shown)
		r->shown = session_row(r->session, &row.row);
}

int in_flight_show(struct requests *r, uint64_t now_ns)
{
	int e = r->tap->sweep(r, 0, true);

	if (e)
		return e;
	r->now_ns = clock_mono_ns();
	output_new_block(session_output(r->session));
	r->waiting = 0;
	(void)join_in_flight(r->join, now_ns, 1000, show_waiting, r);
	if (!r->waiting && output_style(session_output(r->session))->terminal)
		(void)output_text(session_output(r->session),
				  TEXT("nothing that was asked since the start is waiting\n"));
	return r->shown;
}

int sweep_tick(struct requests *r, uint64_t now_ns)
{
	uint64_t took;
	int e;

	if (now_ns < r->next_sweep_ns)
		return 0;
	e = r->tap->sweep(r, SWEEP_QUIET_NS, false);
	if (e)
		return e;
	took = clock_mono_ns() - now_ns;
	r->next_sweep_ns = now_ns + MAX(SWEEP_NS, took * SWEEP_SHARE);
	join_swept(r->join, now_ns);
	return 0;
}
