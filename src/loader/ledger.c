// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The run's account, on standard error: seen, shown, lost, and why.
 * What is lost is said even where it is nothing, so that silence is never taken for proof. */
#include <bpf/bpf.h>
#include <stdio.h>

#include "loader/state.h"

uint64_t session_counter(const struct session *s, enum counter c)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t key = c;
	uint64_t sum = 0;

	if (s->counters_fd < 0 || bpf_map_lookup_elem(s->counters_fd, &key, s->counter_values))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += s->counter_values[i];
	return sum;
}

void ledger_line(struct buf *b, const char *name, uint64_t value, const char *help)
{
	buf_printf(b, "  %-18s %10llu  %s\n", name, (unsigned long long)value, help);
}

static void line_unless_zero(struct buf *b, const char *name, uint64_t value, const char *help)
{
	if (value)
		ledger_line(b, name, value, help);
}

void session_ledger(struct session *s)
{
	char text[4096];
	struct buf b = BUF_ON(text);

	if (!s->skel && !s->offline && !s->capture)
		return;
	buf_str(&b, "ledger\n");
	ledger_line(&b, "rows", s->rows,
		    !s->quiet                      ? "shown"
		    : capture_out_lost(s->capture) ? "not shown: not all their packets are written"
						   : "not shown: their packets are written");
	if (s->transport) {
		ledger_line(&b, "records", s->records, "taken from the kernel");
		ledger_line(&b, "lost_ring", session_counter(s, COUNT_LOST_RING),
			    transport_loss(s->transport));
	}
	line_unless_zero(&b, "lost_state", session_counter(s, COUNT_LOST_STATE),
			 "what there was no room to remember: sockets, segments, accepts, cells of "
			 "histograms");
	line_unless_zero(&b, "lost_output", output_dropped(s->output),
			 "rows dropped: the reader was too slow");
	line_unless_zero(&b, "malformed", s->malformed, "records of a wrong length");
	line_unless_zero(&b, "filtered", session_counter(s, COUNT_FILTERED),
			 "exchanges that the filter kept in the kernel");
	line_unless_zero(&b, "ssh_bytes", session_counter(s, COUNT_SSH_BYTES),
			 "payload on port 22, left out (show with --port 22)");
	if (s->capture)
		capture_out_ledger(s->capture, &b);
	if (s->tool->ledger)
		s->tool->ledger(s, &b);
	(void)fwrite(b.p, 1, b.len, stderr);
}
