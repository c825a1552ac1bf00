// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* One run of one tool: load, attach, drain the ring, tick, end, account.
 * It owns epoll, signals, ring, outputs and loss counts; tools never see libbpf's callbacks. */
#pragma once

#include <bpf/libbpf.h>

#include "loader/tool.h"
#include "output/output.h"

/* ---- options that every subcommand takes (loader/common.c) ---- */

struct common {
	uint64_t format; /* index in output_kinds */
	bool json;
	bool rows_asked;   /* how rows are to be printed was said, by -o, --json or --fields */
	uint64_t duration; /* seconds, 0: until told */
	uint64_t rows;     /* 0: no limit */
	uint64_t pid;
	struct filter filter; /* the session puts pid and --container into it too */
	const char *container;
	struct opt_list fields, where;
	uint64_t hooks; /* index in hook_kinds */
	bool verbose, help, man;
};

extern const struct opt common_opts[];
extern const char *const hook_kinds[]; /* what --hooks may say, NULL-terminated */

/* ---- for tools ---- */

void *session_conf(struct session *s);
/* The words that are no options, for a tool whose manual has operands: n of them, of argv. */
char *const *session_operands(const struct session *s, unsigned *n);
const struct common *session_common(const struct session *s);
/* A tool's own state for the run. */
void session_set_state(struct session *s, void *state);
void *session_state(struct session *s);

/* What to write into a skeleton's `rodata->filter` before loading. */
const struct filter *session_filter(const struct session *s);
/* The option that asks for an owner, --pid, --comm or --container; NULL: none does. */
const char *session_owner_option(const struct session *s);

/*
 * Takes a skeleton over (freed with the session through destroy), loads it, and finds its maps
 * `ring` and `counters`. Programs named in a ladder (below) but not chosen must be set before. 0 or
 * -errno; what failed has been said.
 */
int session_load(struct session *s, struct bpf_object_skeleton *skeleton, void *skel,
		 void (*destroy)(void *skel));
#define SESSION_LOAD(s, k, name)                                                                   \
	session_load((s), (k)->skeleton, (k), (void (*)(void *))name##__destroy)

/* Rungs of one hook, best first; programs that the kernel cannot attach are not loaded. */
struct rung {
	const char *program; /* in the object; NULL ends the ladder */
	const char *hook;    /* "tp_btf/sock_send_length", for doctor and -v */
	const char *without; /* what is invisible when this rung is taken, or NULL */
};
/* Chooses the first rung that this kernel can load and attach, of those of the kind that --hooks
 * asks for where the ladder has any, and disables the others' autoload. Returns its index, or
 * -ENOTSUP when there is none. */
int session_choose(struct session *s, struct bpf_object *obj, const struct rung *ladder);

/* Attaches every loaded program by its section: cgroup programs to the root of cgroup v2, the rest
 * as libbpf does. 0 or -errno, said. */
int session_attach(struct session *s);
/* A link or descriptor that the session closes at the end. */
int session_own_link(struct session *s, struct bpf_link *link);
int session_own_fd(struct session *s, int fd);

/* Filters by --where, prints, counts for -n. 0, or -ECANCELED when -n is reached. */
int session_row(struct session *s, const struct row *row);
/* Prints a row that sums up others: --where had its say on these, and -n limits rows a block. */
int session_group(struct session *s, const struct row *row);
/* The first half of session_row: does the row pass every --where? */
bool session_where(const struct session *s, const struct row *row);
/* How many rows a block may have, by -n and by the lines of a terminal; 0: no limit. */
size_t session_block_rows(const struct session *s);
/* Opens the output for another schema than the manual's (grouped rows), or with these extra columns
 * and without those hidden ones (bit i: column i), --fields aside; before the first row. 0 or
 * -errno, said. */
int session_set_schema(struct session *s, const struct schema *schema, uint64_t extra,
		       uint64_t hidden);
/* While rows are shown: the same for other hidden columns. 0 or -errno. */
int session_hide(struct session *s, uint64_t hidden);
/* Are keys heard now? Then a line may say which. */
bool session_hears_keys(const struct session *s);
/* The columns that the output or a --where asks for, as a mask; only those of --where. */
uint64_t session_columns(const struct session *s);
uint64_t session_where_columns(const struct session *s);
/* Takes what is in the ring now. 0, or what a handler returned. */
int session_drain(struct session *s);
struct output *session_output(struct session *s);
void session_set_tick(struct session *s, unsigned ms);
/*
 * In open: events come from a capture file, open as fd (borrowed), and not from the kernel. Then
 * times are ns since the epoch already; tick is called again at once while it returns 0 or -EINTR,
 * and when fd has something or a tenth of a second later when it returns -EAGAIN; the file waits
 * for who reads the rows, so that none is lost.
 */
void session_set_offline(struct session *s, int fd);
void session_stop(struct session *s); /* ends the run as Ctrl-C would */
/* In open: the tool ends the run by itself, so nobody is told how to. */
void session_ends_itself(struct session *s);

/* CLOCK_MONOTONIC ns of a record to ns since the epoch; follows clock steps. Of a run from a file:
 * the same number. */
int64_t session_wall(const struct session *s, uint64_t mono_ns);
uint64_t session_counter(const struct session *s, enum counter c);

uint64_t session_started(const struct session *s); /* CLOCK_MONOTONIC ns */

/* A line of the ledger: for a tool's ledger callback. */
void ledger_line(struct buf *b, const char *name, uint64_t value, const char *help);

/* One sentence on standard error with the next step; returns error. */
int session_fail(struct session *s, int error, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same for what does not stop the run but makes it incomplete: said at the very end, behind
 * rows and ledger, if nothing worse was; the first one counts. The exit status is then 1. */
void session_fail_late(struct session *s, int error, const char *format, ...) PRINTF_LIKE(3, 4);

/* ---- for main ---- */

/* Runs tool with argv[0] its name; returns the exit status (0, 1 failed, 2 usage). */
int session_run(const struct tool *tool, int argc, char **argv);
