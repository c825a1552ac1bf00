// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What packets' user side keeps, and the one form of a packet that a row is made from.
 * Where the packet came from is of no concern to the row. */
#pragma once

#include "capture/frame.h"
#include "loader/session.h"
#include "loader/wire_name.h"
#include "loader/wire_owner.h"
#include "tools/packets/packets.h"

struct packets_conf {
	struct opt_list interfaces;
	uint64_t direction, snap;
	bool all, http, hex, dump_filter;
};

struct packets {
	struct session *session;
	const struct packets_conf *conf;
	struct packets_bpf *kernel;
	struct wire_names *names;
	struct wire_owners *owners; /* NULL: no column asks for one */
	uint64_t columns;           /* that are asked for, as a mask */
	struct buf hex;             /* of one packet; no memory without -X */
};

/* All of it is borrowed for the call. */
struct packets_seen {
	int64_t time;          /* ns since the epoch */
	struct text interface; /* empty: not known */
	uint8_t type;          /* enum frame_type */
	uint8_t direction;     /* enum frame_direction */
	const struct packet *packet;
	const uint8_t *payload; /* of which captured bytes are there */
	uint32_t captured;
	const struct owner *owner; /* NULL: not known */
};

extern const struct schema packets_schema;
/* Do these columns tell the owner? */
bool packets_tell_owner(uint64_t columns);
/* Shows the packet as a row, if --where lets it: as session_row. */
int packets_show(struct packets *k, const struct packets_seen *seen);
