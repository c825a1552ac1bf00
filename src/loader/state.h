// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The session's own struct, for the files that make up the session and for nobody else.
 * Tools see session.h only. */
#pragma once

#include <net/if.h>

#include "loader/keyboard.h"
#include "loader/session.h"
#include "loader/transport.h"
#include "output/where.h"

#define SESSION_LINKS 32
#define SESSION_FDS   48
#define SESSION_RUNGS 8

/* An interface of its own, not one of all. */
struct watched {
	int fd; /* of the session, as its packets come by it */
	unsigned index;
	char name[IF_NAMESIZE];
};

struct session {
	const struct tool *tool;
	struct common common;
	void *conf; /* the tool's options, owned */
	char **operands;
	unsigned n_operands;
	void *state; /* the tool's own, its close() frees it */

	const struct schema *schema;
	struct output *output;
	struct where where[OPT_LIST_MAX];
	unsigned n_where;
	uint64_t rows; /* shown */

	/* kernel side */
	struct bpf_object_skeleton *skeleton;
	void *skel;
	void (*destroy)(void *skel);
	struct transport *transport; /* NULL: no records */
	int counters_fd, cgroup_fd;
	uint64_t *counter_values; /* of one counter, a CPU each */
	/* Rungs of ladders: taken, and those of them whose programs the kernel then refused. */
	const char *taken[SESSION_RUNGS], *refused[SESSION_RUNGS];
	unsigned n_taken, n_refused;
	struct bpf_link *links[SESSION_LINKS];
	unsigned n_links;
	int fds[SESSION_FDS];
	unsigned n_fds;
	struct watched watched[OPT_LIST_MAX];
	unsigned n_watched;
	uint64_t next_look_ns; /* at them; CLOCK_MONOTONIC */
	uint64_t records, malformed;
	int handled; /* what the last handler returned, when not 0 */

	/* loop */
	int epoll_fd, signal_fd;
	struct keyboard keyboard;
	unsigned tick_ms;
	uint64_t started_ns, next_tick_ns;
	int64_t wall_offset;
	bool stop, reader_gone;
	bool brief;   /* the tool ends it, soon */
	bool told;    /* to stop, by a signal or by -d */
	bool offline; /* events come from a capture file: */
	int source_fd;
	bool waiting;                /* it had nothing in the last turn */
	struct capture_out *capture; /* the file that packets are written to, or NULL */
	bool quiet;                  /* which is instead of rows */
	int error;                   /* what ended the run, when it failed */
	int late_error;
	char late_text[1024];
};

/* loop.c: what the loop waits for is opened while privileges are there. 0 or -errno, said. */
int session_loop_open(struct session *s);
/* Until told to stop. 0 or -errno. */
int session_loop(struct session *s);
/* Was the run told to end, by a signal or by -d? For those who wait inside a turn. */
bool session_told(struct session *s);
/* ledger.c: what was seen, shown and lost, on standard error. */
void session_ledger(struct session *s);
/* capture_out.c: before privileges go: 0 or -errno, said; in each turn: 0 or -ECANCELED; at the
 * end, more than once too; in the ledger. */
int capture_out_begin(struct capture_out *o);
int capture_out_turn(struct capture_out *o, uint64_t now_ns);
void capture_out_end(struct capture_out *o);
void capture_out_ledger(const struct capture_out *o, struct buf *b);
/* Packets that were to be written and are not; after capture_out_end. */
uint64_t capture_out_lost(const struct capture_out *o);
void capture_out_free(struct capture_out *o); /* NULL too */
/* wire.c, in each turn: ends the run when an interface that it watches is no more. */
void wire_look(struct session *s, uint64_t now_ns);
/* attach.c */
int session_check_needs(struct session *s);
void session_detach(struct session *s);
