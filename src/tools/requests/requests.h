// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the files of `requests` share: its options, its state, a call and the row made of it.
 * records -> join (both ends) -> calls (messages) -> row -> filter, group or print. */
#pragma once

#include "abi/exchange.h"
#include "call/follow.h"
#include "call/join.h"
#include "host/process.h"
#include "loader/capture_out.h"
#include "loader/session.h"
#include "loader/wire.h"
#include "protocol/protocol.h"

struct requests_conf {
	bool in_flight, heads, show_secrets, dump_filter;
	struct opt_list by, interfaces;
	const char *file;            /* -r */
	struct capture_out_conf out; /* -w */
	uint64_t path_depth;
};

/* Bits of the quality column, in the order of quality_names. */
enum quality {
	QUALITY_HEAD_CUT = 1 << 0,
	QUALITY_MIDWAY = 1 << 1,
	QUALITY_GAP = 1 << 2,
	QUALITY_LOST = 1 << 3,
	QUALITY_UNANSWERED = 1 << 4,
	QUALITY_RESET = 1 << 5,
	QUALITY_PIPELINED = 1 << 6,
};

/* A call as its ends saw it. Pointers are valid while the call is handled. */
struct call {
	const struct exchange *requester, *responder; /* one may be NULL */
	const struct exchange *x;                     /* of these, the one that has the heads */
	struct text request_head, response_head;      /* as captured */
	const struct protocol *protocol;              /* NULL: tcp */
	struct message request, response;
	bool answered; /* a final response's head was seen */
	uint64_t request_first_ns, request_last_ns, response_first_ns, response_last_ns;
	uint64_t request_bytes, response_bytes;
	uint32_t interim_bytes; /* of the response: 1xx heads before the final one */
	struct text host;       /* of the request, or remembered for its connection */
	unsigned quality;
	bool crossed; /* the answer began before the request had ended */
};

enum call_column {
	C_TIME,
	C_AGE_US,
	C_FROM,
	C_TO,
	C_WHAT,
	C_CLIENT,
	C_CLIENT_PORT,
	C_CLIENT_PID,
	C_CLIENT_COMM,
	C_CLIENT_CONTAINER,
	C_SERVER,
	C_SERVER_PORT,
	C_SERVER_PID,
	C_SERVER_COMM,
	C_SERVER_CONTAINER,
	C_PROTOCOL,
	C_METHOD,
	C_HOST,
	C_PATH,
	C_STATUS,
	C_REQUEST,
	C_REQUEST_BYTES,
	C_RESPONSE_BYTES,
	C_CONNECT_US,
	C_TTFB_US,
	C_TOTAL_US,
	C_SERVER_QUEUE_US,
	C_SERVER_US,
	C_RETRANSMITS,
	C_SRTT_US,
	C_SIDE,
	C_QUALITY,
	C_REQUEST_HEAD,
	C_RESPONSE_HEAD,
	C_COLUMNS,
};

/* Columns that say whose an end is, or are made of what does. */
#define OWNER_COLUMNS                                                                              \
	(1ull << C_CLIENT_PID | 1ull << C_CLIENT_COMM | 1ull << C_CLIENT_CONTAINER |               \
	 1ull << C_SERVER_PID | 1ull << C_SERVER_COMM | 1ull << C_SERVER_CONTAINER |               \
	 1ull << C_SIDE | 1ull << C_FROM | 1ull << C_TO)

struct call_row {
	struct row row;
	int64_t time;
	struct addr client, server;
	uint64_t client_port, client_pid, server_port, server_pid;
	struct text client_comm, client_container, server_comm, server_container;
	struct text protocol, method, host, path, request;
	uint64_t status, request_bytes, response_bytes;
	uint64_t connect_us, ttfb_us, total_us, server_queue_us, server_us, retransmits, srtt_us;
	uint64_t side, quality, age_us;
	struct text request_head, response_head, from, to, what;
	struct owner owners[2]; /* room for those that are in no record */
};

extern const struct schema call_schema;

struct notes;
struct by;
struct bpf_map;
struct requests;

/* Where exchanges are seen. */
struct tap {
	unsigned needs; /* enum need */
	int (*open)(struct requests *r);
	/* NULL: records come by the session. Else, at each tick: takes some of what there is, and
	 * says by r->now_ns which time it is there. 0 or what tick returns. */
	int (*read)(struct requests *r);
	/* Snapshots of what has been quiet for quiet_ns (all: of everything) come as records. 0 or
	 * -errno, said. */
	int (*sweep)(struct requests *r, uint64_t quiet_ns, bool all);
	/* Tells it of the connection that has this end (enum mark), from its next turn on. */
	void (*mark)(struct requests *r, const struct exchange *x, uint32_t mark);
	/* NULL: records say whose they are, each for its end. Else x stands for both ends, and
	 * *out (zero: not known) is whose the client's or the server's is. */
	void (*owner)(struct requests *r, const struct exchange *x, bool client, struct owner *out);
	void (*ledger)(struct requests *r, struct buf *out);
	void (*close)(struct requests *r); /* may be NULL */
};

extern const struct tap tap_socket, tap_wire, tap_file;

/* What the taps in the kernel have in common: kernel/emit.bpf.h. */
struct kernel_tap {
	int sweep; /* iterator */
	int marks_fd;
	uint32_t *marks_used;
	uint64_t *sweep_quiet_ns;
	bool *sweep_all;
};

struct requests {
	struct session *session;
	const struct requests_conf *conf;
	const struct tap *tap;
	struct kernel_tap kernel; /* of a tap that is there */
	struct wire *wire;        /* of tap_wire */
	struct file *file;        /* of tap_file */
	struct frames *frames;    /* with -w */
	struct join *join;
	struct follow *follow;
	struct followed *followed;
	struct notes *notes;
	struct alone *alone; /* by connection */
	struct told_table *told;
	struct processes *processes;
	struct by *by;
	uint64_t wanted; /* columns that the output or a filter asks for */
	uint64_t next_sweep_ns, next_show_ns;
	uint64_t now_ns;
	uint64_t begin_ns; /* of the first packet in a file; 0: not from a file */
	unsigned waiting;  /* calls that --in-flight showed last */
	int shown;         /* what session_row said last, when not 0 */
	uint64_t calls, upgraded_bytes, absorbed, goodbyes, both_ends;
	char scratch[96 * 1024]; /* texts of the row that is being made */
};

/* calls.c: pairs from the join become calls. */
void calls_done(void *arg, const struct exchange *requester, const struct exchange *responder);
bool calls_complete(void *arg, const struct exchange *requester, const struct exchange *responder);
void call_of(struct call *c, const struct exchange *requester, const struct exchange *responder);
/* Sets the quality anew, after something of the call was changed. */
void call_judge(struct call *c);
/* Is the call over by its own protocol, though its connection goes on? */
bool call_is_whole(const struct call *c);
/* The end of a call: to a row, and on. */
void call_show(struct requests *r, struct call *c);

/* row.c. now_ns: for the age of a call in flight. */
void row_of_call(struct requests *r, const struct call *c, struct call_row *row);

/* notes.c: what has to be remembered of a connection from one exchange to the next. */
int notes_new(struct notes **out);
void notes_free(struct notes *n);
/* Takes the call over (it waits for its rest, or belongs to an upgraded connection): true. Else c
 * may have been completed from what was remembered. */
bool notes_take(struct requests *r, struct call *c);
bool notes_expects_rest(const struct notes *n, uint64_t cookie);
void notes_expire(struct requests *r, bool all);

/* alone.c: what one end alone saw on loopback. Takes the call over: true. */
bool alone_take(struct requests *r, const struct call *c);
void alone_flush(struct requests *r); /* shows what is held */
void alone_free(struct requests *r);

/* told.c: requesters on loopback that leave their exchanges to the responder's end. */
int told_new(struct told_table **out);
void told_free(struct told_table *t);
/* A call whose ends both told of it. */
void told_learn(struct requests *r, const struct call *c);
int told_silent(struct session *s, const struct record *rec);
/* A responder's record whose requester is silent goes to the join with one made for it: true. */
bool told_take(struct requests *r, const struct exchange *x);
void told_expire(struct requests *r, uint64_t now_ns);

/* frames.c: packets of calls, for -w. 0 or -errno, said. */
int frames_new(struct requests *r);
/* Before an object is loaded: a ring that holds packets, too. How much of it they may fill. */
uint32_t frames_ring(const struct requests *r, struct bpf_map *ring);
void frames_free(struct requests *r);
/* A packet of an exchange, from interface number index. */
void frames_keep(struct requests *r, uint64_t cookie, uint32_t number, const struct frame *f,
		 uint32_t index);
int frames_record(struct session *s, const struct record *rec);
/* The call is shown (wanted) or not: its packets go into the file, or go. */
void frames_decide(struct requests *r, const struct call *c, const struct call_row *row,
		   bool wanted);
/* Two exchanges are of one call, whose record has the number of into. */
void frames_merge(struct requests *r, const struct exchange *into, const struct exchange *from);
int frames_finish(struct requests *r); /* at the end: what was received. 0 or -errno */
void frames_ledger(const struct requests *r, struct buf *out);

/* by.c: --by. */
int by_new(struct requests *r, struct by **out);
void by_free(struct by *b);
void by_add(struct by *b, const struct call_row *row);
int by_show(struct by *b, uint64_t elapsed_ns);

/* requests.c: a record with its heads behind it. 0, or what a record's handler returns. */
int requests_take(struct requests *r, const struct exchange *x);
/* What to tell a tap before it is opened. */
struct wire_tap requests_wire_tap(const struct requests *r);
bool requests_ssh_shown(const struct requests *r);
bool requests_heads_shown(const struct requests *r);

/* sweep.c: what the taps in the kernel share. */
int sweep_kernel(struct requests *r, uint64_t quiet_ns, bool all);
void mark_kernel(struct requests *r, const struct exchange *x, uint32_t mark);
int sweep_tick(struct requests *r, uint64_t now_ns);
int in_flight_show(struct requests *r, uint64_t now_ns);

/* pipeline.c: followed connections, whose messages come one by one. */
int followed_new(struct requests *r);
void followed_free(struct requests *r);
int followed_payload(struct session *s, const struct record *rec);
/* The exchange of a followed connection has ended: shows its messages as calls. False: it has none.
 */
bool followed_done(struct requests *r, struct call *c);
uint64_t followed_lost(const struct requests *r); /* messages */
