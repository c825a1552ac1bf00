// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The simulated connection of tcp_sim.h between two ends of the socket tap. */
#pragma once

#include "tcp_sim.h"
#include "turn_env.h"

static inline void sim_tap(struct sim *s, const struct sim_packet *p, enum sim_place place)
{
	bool egress = place == SIM_SENT; /* direction 0 leaves end 0 and arrives at end 1 */
	unsigned at = egress ? p->d : !p->d;
	struct env_sock *end = &env.sock[at];
	struct env_segment seg = {.egress = egress, .request = p->d == 0, .ack = p->ack};

	env.now += 1000;
	if (!s->tapped)
		return;
	env_numbers(end, sim_seq(s, at, s->d[at].sent), sim_seq(s, !at, s->d[!at].received));
	seg.seq = sim_seq(s, p->d, p->from);
	seg.len = p->len;
	seg.flags = (u8)(TCP_ACK | TCP_PSH | (p->fin ? TCP_FIN : 0));
	env_play(end, &seg);
}

static inline void sim_start(struct sim *s, u32 (*pick)(u32 n), u32 first_request,
			     u32 first_response)
{
	*s = (struct sim){.pick = pick, .mss = 1448, .tapped = true, .tap = sim_tap};
	s->d[0].first = first_request;
	s->d[1].first = first_response;
	env_open(0, true);
	env_open(1, false);
	env_establish(&env.sock[0], true, first_request, first_response);
	env_establish(&env.sock[1], false, first_response, first_request);
}
