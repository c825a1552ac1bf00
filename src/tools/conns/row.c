// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* An event of a connection as a row: one set of columns for all events, null where an event has no
 * such thing or it is not known. */
#include "base/buf.h"
#include "tools/conns/state.h"

struct conns_row {
	struct row row;
	struct text comm, container, error, reason, why;
	struct addr local, remote;
	int64_t time;
	uint64_t pid, event, local_port, remote_port, role, state, took, latency, queue, duration,
		sent, received, segments_out, segments_in, retransmits, srtt, min_rtt, closed_by,
		reset_by, segments, backlog;
};

enum {
	COMM,
	PID,
	TIME,
	EVENT,
	LOCAL,
	LOCAL_PORT,
	REMOTE,
	REMOTE_PORT,
	TOOK,
	SENT,
	RECEIVED,
	WHY,
	ROLE,
	STATE,
	LATENCY,
	QUEUE,
	DURATION,
	SEGMENTS_OUT,
	SEGMENTS_IN,
	RETRANSMITS,
	SRTT,
	MIN_RTT,
	CLOSED_BY,
	RESET_BY,
	ERROR,
	REASON,
	SEGMENTS,
	BACKLOG,
	CONTAINER,
	COLUMNS
};

#define C(field)    offsetof(struct conns_row, field)
#define BIT(column) (1ull << (column))

const char *const conn_kind_names[] = {"connect", "accept", "close", "retransmit",
				       "drop",    "listen", "open",  NULL};
static const char *const roles[] = {"", "requester", "responder", NULL};
static const char *const sides[] = {"", "local", "remote", NULL};
/* include/net/tcp_states.h */
static const char *const states[] = {
	"",      "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",    "TIME_WAIT",
	"CLOSE", "CLOSE_WAIT",  "LAST_ACK", "LISTEN",   "CLOSING",   "NEW_SYN_RECV", NULL};

static const struct column columns[COLUMNS] = {
	[COMM] = {"comm", "COMM", COL_TEXT, UNIT_NONE, C(comm), 15, COLUMN_SHOWN,
		  .help = "name of the process that uses the socket; null: none is known"},
	[PID] = {"pid", "PID", COL_UINT, UNIT_NONE, C(pid), 7, COLUMN_SHOWN,
		 .help = "its process id"},
	[TIME] = {"time", "TIME", COL_TIME, UNIT_NONE, C(time), 12,
		  COLUMN_SHOWN | COLUMN_SPARE_FIRST, .help = "when it happened"},
	[EVENT] = {"event", "EVENT", COL_ENUM, UNIT_NONE, C(event), 10, COLUMN_SHOWN,
		   conn_kind_names, "what happened; open: nothing, it is there"},
	[LOCAL] = {"local", "LOCAL", COL_ADDR, UNIT_NONE, C(local), 15, COLUMN_SHOWN | COLUMN_SPARE,
		   .help = "address of this end, as the socket has it"},
	[LOCAL_PORT] = {"local_port", "LPORT", COL_UINT, UNIT_NONE, C(local_port), 5,
			COLUMN_SHOWN | COLUMN_SPARE, .help = "its port"},
	[REMOTE] = {"remote", "REMOTE", COL_ADDR, UNIT_NONE, C(remote), 15, COLUMN_SHOWN,
		    .help = "address of the other end; null: a listener"},
	[REMOTE_PORT] = {"remote_port", "RPORT", COL_UINT, UNIT_NONE, C(remote_port), 5,
			 COLUMN_SHOWN, .help = "its port"},
	[TOOK] = {"took_us", "TOOK", COL_UINT, UNIT_US, C(took), 7, COLUMN_SHOWN | COLUMN_EXTRA,
		  .help = "latency_us, queue_us or duration_us, in one column"},
	[SENT] = {"bytes_sent", "SENT", COL_UINT, UNIT_BYTES, C(sent), 7,
		  COLUMN_SHOWN | COLUMN_SPARE,
		  .help = "payload that the other end has acknowledged, without SYN and FIN"},
	[RECEIVED] = {"bytes_received", "RECEIVED", COL_UINT, UNIT_BYTES, C(received), 8,
		      COLUMN_SHOWN | COLUMN_SPARE, .help = "payload that came, each byte once"},
	[WHY] = {"why", "WHY", COL_TEXT, UNIT_NONE, C(why), 14,
		 COLUMN_SHOWN | COLUMN_EXTRA | COLUMN_GROWS,
		 .help = "error or reason, or who closed first, in one column"},
	[ROLE] = {"role", "ROLE", COL_ENUM, UNIT_NONE, C(role), 9, 0, roles,
		  "requester: this end connected; responder: it accepted, or listens"},
	[STATE] = {"state", "STATE", COL_ENUM, UNIT_NONE, C(state), 11, 0, states,
		   "TCP's state; of close and connect the one before"},
	[LATENCY] = {"latency_us", "LATENCY", COL_UINT, UNIT_US, C(latency), 7, 0,
		     .help = "connect: from the SYN to the connection, or to its failure"},
	[QUEUE] = {"queue_us", "QUEUE", COL_UINT, UNIT_US, C(queue), 7, 0,
		   .help = "accept: from the end of the handshake to the return of accept; null: "
			   "it was made before the run"},
	[DURATION] = {"duration_us", "DURATION", COL_UINT, UNIT_US, C(duration), 8, 0,
		      .help = "close: since the handshake; null: that was before the run"},
	[SEGMENTS_OUT] = {"segments_out", "SEGSOUT", COL_UINT, UNIT_NONE, C(segments_out), 7, 0,
			  .help = "segments that the socket sent, those without payload too"},
	[SEGMENTS_IN] = {"segments_in", "SEGSIN", COL_UINT, UNIT_NONE, C(segments_in), 7, 0,
			 .help = "segments that it got"},
	[RETRANSMITS] = {"retransmits", "RETR", COL_UINT, UNIT_NONE, C(retransmits), 4, 0,
			 .help = "segments that it sent again"},
	[SRTT] = {"srtt_us", "SRTT", COL_UINT, UNIT_US, C(srtt), 7, 0,
		  .help = "smoothed round-trip time; null: not measured"},
	[MIN_RTT] = {"min_rtt_us", "MINRTT", COL_UINT, UNIT_US, C(min_rtt), 7, 0,
		     .help = "the least one of late, as the kernel keeps it (tcp_min_rtt_wlen)"},
	[CLOSED_BY] = {"closed_by", "CLOSED", COL_ENUM, UNIT_NONE, C(closed_by), 6, 0, sides,
		       "close: which end did so first, by FIN or RST; null: neither, it timed out"},
	[RESET_BY] = {"reset_by", "RESET", COL_ENUM, UNIT_NONE, C(reset_by), 6, 0, sides,
		      "close: which end sent RST; null: none, or not known"},
	[ERROR] = {"error", "ERROR", COL_TEXT, UNIT_NONE, C(error), 12, COLUMN_ERROR,
		   .help = "errno of the socket; of a connect without one ECANCELED: it was given "
			   "up, or EADDRNOTAVAIL: there was no port"},
	[REASON] = {"reason", "REASON", COL_TEXT, UNIT_NONE, C(reason), 16, COLUMN_ERROR,
		    .help = "drop: the kernel's reason, SKB_DROP_REASON_ left out"},
	[SEGMENTS] = {"segments", "SEGS", COL_UINT, UNIT_NONE, C(segments), 4, 0,
		      .help = "retransmit: segments that were sent again at once"},
	[BACKLOG] = {"backlog", "BACKLOG", COL_UINT, UNIT_NONE, C(backlog), 7, 0,
		     .help = "listen: how many connections may wait"},
	[CONTAINER] = {"container", "CONTAINER", COL_TEXT, UNIT_NONE, C(container), 12, 0,
		       .help = "container or systemd unit of the process"},
};

const struct schema conns_schema = {columns, COLUMNS};

#define SET(to, column, field, value)                                                              \
	do {                                                                                       \
		(to)->field = (value);                                                             \
		(to)->row.known |= BIT(column);                                                    \
	} while (0)

static void set_owner(struct conns *c, const struct conn_event *e, struct conns_row *row)
{
	const struct owner *o = &e->owner;
	struct text container;

	if (!o->pid)
		return;
	SET(row, PID, pid, o->pid);
	SET(row, COMM, comm, text_in(o->comm, sizeof(o->comm)));
	if (!(session_columns(c->session) & BIT(CONTAINER)))
		return;
	container = process_container(c->processes, o->pid, o->start_ns, o->cgroup_id, e->now_ns);
	if (container.len)
		SET(row, CONTAINER, container, container);
}

static void set_ends(const struct conn_event *e, struct conns_row *row)
{
	memcpy(&row->local, e->local, sizeof(row->local));
	memcpy(&row->remote, e->remote, sizeof(row->remote));
	row->row.known |= BIT(LOCAL);
	SET(row, LOCAL_PORT, local_port, e->local_port);
	if (!e->remote_port)
		return;
	row->row.known |= BIT(REMOTE);
	SET(row, REMOTE_PORT, remote_port, e->remote_port);
}

static void set_counters(const struct conn_counted *c, struct conns_row *row)
{
	SET(row, SENT, sent, c->sent);
	SET(row, RECEIVED, received, c->received);
	SET(row, SEGMENTS_OUT, segments_out, c->segments_out);
	SET(row, SEGMENTS_IN, segments_in, c->segments_in);
	SET(row, RETRANSMITS, retransmits, c->retransmits);
	if (c->srtt_us)
		SET(row, SRTT, srtt, c->srtt_us);
	if (c->min_rtt_us)
		SET(row, MIN_RTT, min_rtt, c->min_rtt_us);
}

static void set_took(const struct conn_event *e, struct conns_row *row)
{
	uint64_t us = e->took_ns / 1000;

	if (!e->took_ns)
		return;
	SET(row, TOOK, took, us);
	if (e->kind == CONN_CONNECT)
		SET(row, LATENCY, latency, us);
	else if (e->kind == CONN_ACCEPT)
		SET(row, QUEUE, queue, us);
	else
		SET(row, DURATION, duration, us);
}

/* scratch: room for a number, where there is no name. */
static void set_reason(const struct conns *c, const struct conn_event *e, struct conns_row *row,
		       struct buf *scratch)
{
	const char *name = e->number < DROP_REASONS ? c->drops.names[e->number] : NULL;

	if (!name)
		buf_u64(scratch, e->number);
	SET(row, REASON, reason, name ? text_of(name) : buf_text(scratch));
	SET(row, WHY, why, row->reason);
}

static void set_error(const struct conn_event *e, struct conns_row *row, struct buf *scratch)
{
	const char *name = strerrorname_np(e->error);

	if (!name)
		buf_u64(scratch, (uint64_t)e->error);
	SET(row, ERROR, error, name ? text_of(name) : buf_text(scratch));
	SET(row, WHY, why, row->error);
}

static void set_end(const struct conn_event *e, struct conns_row *row)
{
	static const char *const says[][3] = {{"", "local first", "remote first"},
					      {"", "reset by local", "reset by remote"}};

	if (e->closed_by)
		SET(row, CLOSED_BY, closed_by, e->closed_by);
	if (e->reset_by)
		SET(row, RESET_BY, reset_by, e->reset_by);
	if (e->closed_by || e->reset_by)
		SET(row, WHY, why,
		    text_of(e->reset_by ? says[1][e->reset_by] : says[0][e->closed_by]));
}

int conns_row(struct conns *c, const struct conn_event *e, const struct conn_counted *counted)
{
	struct conns_row row = {.row.known = BIT(TIME) | BIT(EVENT)};
	char number[24];
	struct buf scratch = BUF_ON(number);

	row.time = session_wall(c->session, e->now_ns);
	row.event = e->kind;
	set_owner(c, e, &row);
	set_ends(e, &row);
	set_took(e, &row);
	if (e->role)
		SET(&row, ROLE, role, e->role);
	SET(&row, STATE, state, e->state);
	if (counted)
		set_counters(counted, &row);
	if (e->kind == CONN_CLOSE && e->closed_by <= SIDE_REMOTE && e->reset_by <= SIDE_REMOTE)
		set_end(e, &row);
	if (e->error)
		set_error(e, &row, &scratch);
	if (e->kind == CONN_DROP)
		set_reason(c, e, &row, &scratch);
	if (e->kind == CONN_RETRANSMIT)
		SET(&row, SEGMENTS, segments, e->number);
	if (e->kind == CONN_LISTEN)
		SET(&row, BACKLOG, backlog, e->number);
	return session_row(c->session, &row.row);
}
