// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What conns' two halves share: a record for each event of a connection, with the socket's counters
 * behind it where the connection ends or is listed. */
#pragma once

#include "abi/record.h"

enum conn_record {
	RECORD_EVENT,   /* struct conn_event */
	RECORD_COUNTED, /* struct conn_counted */
};

enum conn_kind {
	CONN_CONNECT,
	CONN_ACCEPT,
	CONN_CLOSE,
	CONN_RETRANSMIT,
	CONN_DROP,
	CONN_LISTEN,
	CONN_OPEN, /* no event: what --open lists */
	CONN_KINDS,
};

enum conn_side { SIDE_NONE, SIDE_LOCAL, SIDE_REMOTE };

enum conn_role { CONN_ROLE_UNKNOWN, CONN_REQUESTER, CONN_RESPONDER };

struct conn_event {
	struct record r;
	u64 now_ns;  /* CLOCK_MONOTONIC */
	u64 took_ns; /* connect: latency; accept: wait in the queue; close: duration; 0: not known
		      */
	u8 local[16], remote[16];    /* IPv4 as IPv4-mapped */
	u16 local_port, remote_port; /* host order; remote 0: there is none */
	u32 number; /* retransmit: segments; drop: the kernel's reason; listen: backlog */
	s32 error;  /* errno, 0: none */
	u8 kind;    /* enum conn_kind */
	u8 state;   /* TCP's, before the event where it is one that changes it */
	u8 role;    /* enum conn_role */
	u8 closed_by, reset_by; /* enum conn_side */
	u8 pad[7];
	struct owner owner;
};
ABI_SIZE(struct conn_event, 120);

struct conn_counted {
	struct conn_event e;
	u64 sent, received; /* payload: acknowledged by the other end, and by this one */
	u32 segments_out, segments_in, retransmits;
	u32 srtt_us, min_rtt_us; /* 0: not measured */
	u32 pad;
};
ABI_SIZE(struct conn_counted, 160);
