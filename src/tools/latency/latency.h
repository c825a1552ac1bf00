// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What latency's two halves share: kinds of latency, the cells of its histograms, and the record of
 * a single case. */
#pragma once

#include "abi/bucket.h"
#include "abi/record.h"

enum latency_kind {
	LATENCY_CONNECT,    /* SYN sent to connection made, at the end that asks */
	LATENCY_RTT,        /* segment sent to acknowledgement of it */
	LATENCY_FIRST_BYTE, /* last byte of the request sent to first byte of the response, there */
	LATENCY_SERVER, /* request read to first byte of the response, at the end that answers */
	LATENCY_QUEUE,  /* first byte of the request arrived to first read, there */
	LATENCY_SEND,   /* tcp_sendmsg to acknowledgement of its last byte */
	LATENCY_ACCEPT, /* connection made to accept, at the end that listens */
	LATENCY_KINDS
};

enum latency_by {
	LATENCY_BY_HOST, /* all in one */
	LATENCY_BY_PROCESS,
	LATENCY_BY_PEER,
	LATENCY_BY_PORT,
	LATENCY_BY_CONTAINER,
};

/* What the cases of one histogram have in common: a process's pid and start, the other end's
 * address, the service's port, a cgroup; zero where it is not known. */
struct latency_group {
	u64 by[2];
};

/* A bucket (abi/bucket.h) of one histogram, of nanoseconds. */
struct latency_cell {
	struct latency_group group;
	u16 bucket;
	u16 kind;
	u32 pad;
};
ABI_SIZE(struct latency_cell, 24);

struct latency_sum {
	u64 count, max_ns; /* of the cell */
};

/* A single case; also the record of one that took long enough. */
struct latency_case {
	struct record r;
	u64 now_ns; /* when it ended, CLOCK_MONOTONIC */
	u64 took_ns;
	u64 size;                    /* bytes that it is about, 0: none */
	u64 local[2], remote[2];     /* IPv4 as IPv4-mapped */
	u16 local_port, remote_port; /* host order */
	u16 kind;
	u16 connected;      /* 1: this end connected */
	struct owner owner; /* pid 0: not known */
};
ABI_SIZE(struct latency_case, 112);

#define LATENCY_CELLS  65536
#define LATENCY_GROUPS 16384
