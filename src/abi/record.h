// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What every record in the ring begins with, the filter that every tool decides in the kernel,
 * and the counters behind the ledger. */
#pragma once

#include "abi/types.h"

/* The first bytes of each record; the session checks size before it hands a record on. */
struct record {
	u16 kind; /* the tool's own numbering, from 0 */
	u16 pad;
	u32 size; /* of the whole record, this header included */
};
ABI_SIZE(struct record, 8);

/* Who uses a socket. comm is the thread-group leader's: io_uring workers name themselves otherwise.
 */
struct owner {
	u64 start_ns;  /* leader's start since boot: tells a reused pid */
	u64 cgroup_id; /* cgroup v2 */
	u32 pid;       /* thread group, in the initial namespace; 0: not known */
	u32 tid;
	char comm[COMM_LEN];
};
ABI_SIZE(struct owner, 40);

#define FILTER_PORTS 8

/* -p, --comm, --port, --net, --container: read-only data that user space sets before loading,
 * so the verifier removes what is not asked for. Zero is "every". */
struct filter {
	u32 pid;
	u32 n_ports;
	u16 ports[FILTER_PORTS]; /* local or remote, host order */
	char comm[COMM_LEN];
	u64 net[2], net_mask[2]; /* of a local or remote address, network order */
	u64 cgroup_id;           /* this cgroup v2 or one below it */
	u32 cgroup_level;        /* its depth below the root */
	u8 by_comm, by_net, by_cgroup, pad;
};

/* Does it ask for certain processes? */
static inline bool filter_has_owner(const struct filter *f)
{
	return f->pid || f->by_comm || f->by_cgroup;
}

/* Per-CPU sums; the session adds them up for the ledger. A full map or ring is never silent. */
enum counter {
	COUNT_LOST_RING,    /* records lost: no room in the ring, or in a perf buffer */
	COUNT_LOST_STATE,   /* segments lost: no memory for state */
	COUNT_STASHED,      /* first bytes that arrived on a listener */
	COUNT_CLAIMED,      /* of these, claimed by the child */
	COUNT_SSH_BYTES,    /* payload of port 22, left out by default */
	COUNT_FILTERED,     /* exchanges that the filter kept out of the ring */
	COUNT_FOLLOW_BYTES, /* payload past the follow budget, counted and not copied */
	COUNT_FRAGMENTS,    /* parts of IP packets, which are left out */
	COUNT_FLOWS,        /* connections on an interface that were followed */
	COUNT_FLOWS_ENDED,  /* of these, forgotten since they were over */
	COUNT_LOST_FRAMES,  /* packets that gave way to records of exchanges */
	COUNT_LATE,         /* segments with new bytes, right after their connection's end */
	COUNT_CONTENDED, /* segments left out as another CPU was inside their flow for too long */
	COUNT_NO_USER, /* sockets that a look at open files had no memory to remember the user of */
	COUNTERS,
};
