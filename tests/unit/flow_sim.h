// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The simulated connection of tcp_sim.h past the file tap, which is in the middle: what is lost
 * before it is not seen, and what is lost behind it is seen again. */
#pragma once

#include "flow_env.h"
#include "tcp_sim.h"

static u64 sim_seen[2]; /* past the last byte that passed, of requests and of responses */

static inline void sim_tap(struct sim *s, const struct sim_packet *p, enum sim_place place)
{
	struct env_packet packet = {
		.request = p->d == 0,
		.flags = (u8)(FLOW_ACK | FLOW_PSH | (p->fin ? FLOW_FIN : 0)),
		.seq = sim_seq(s, p->d, p->from),
		.ack = p->ack,
		.len = p->len,
	};

	env.now += 1000;
	if (place != SIM_PASSES || !s->tapped)
		return;
	if (p->len && p->from + p->len > sim_seen[p->d])
		sim_seen[p->d] = p->from + p->len;
	env_send(&packet);
}

static inline void sim_handshake(const struct sim *s, bool answer)
{
	struct env_packet p = {
		.request = !answer,
		.flags = FLOW_SYN | (answer ? FLOW_ACK : 0),
		.seq = sim_seq(s, answer, 0) - 1,
		.ack = answer ? sim_seq(s, 0, 0) : 0,
	};

	env.now += 1000;
	env_send(&p);
}

/* Connected; with tapped, its handshake was seen. */
static inline void sim_start(struct sim *s, u32 (*pick)(u32 n), u32 first_request,
			     u32 first_response, bool tapped)
{
	*s = (struct sim){
		.pick = pick, .mss = 1448, .tapped = tapped, .middle = true, .tap = sim_tap};
	s->d[0].first = first_request;
	s->d[1].first = first_response;
	sim_seen[0] = sim_seen[1] = 0;
	if (tapped) {
		sim_handshake(s, false);
		sim_handshake(s, true);
	}
}
