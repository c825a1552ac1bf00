// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The row of a call: what is known is filled in, what is not stays null.
 * Only columns that somebody asked for and that cost something are made on demand. */
#include "protocol/secret.h"
#include "tools/requests/requests.h"

#define FIELD(f) offsetof(struct call_row, f)

static const char *const side_names[] = {"client", "server", "both", NULL};
static const char *const quality_names[] = {"head_cut",   "midway", "gap",       "lost",
					    "unanswered", "reset",  "pipelined", NULL};

static const struct column columns[C_COLUMNS] = {
	[C_TIME] = {"time", "TIME", COL_TIME, UNIT_NONE, FIELD(time), 12, COLUMN_SHOWN,
		    .help = "when the first byte of the request passed"},
	[C_CLIENT] = {"client", "CLIENT", COL_ADDR, UNIT_NONE, FIELD(client), 15, 0,
		      .help = "address of the end that connected, as that end has it"},
	[C_CLIENT_PORT] = {"client_port", "PORT", COL_UINT, UNIT_NONE, FIELD(client_port), 5, 0,
			   .help = "its port"},
	[C_CLIENT_PID] = {"client_pid", "PID", COL_UINT, UNIT_NONE, FIELD(client_pid), 7, 0,
			  .help = "the process that uses the client's socket"},
	[C_CLIENT_COMM] = {"client_comm", "CLIENT", COL_TEXT, UNIT_NONE, FIELD(client_comm), 15, 0,
			   .help = "its name"},
	[C_CLIENT_CONTAINER] = {"client_container", "CONTAINER", COL_TEXT, UNIT_NONE,
				FIELD(client_container), 14, 0,
				.help = "its container (12 digits of the id) or systemd unit"},
	[C_SERVER] = {"server", "SERVER", COL_ADDR, UNIT_NONE, FIELD(server), 15, 0,
		      .help = "address of the end that accepted, as that end has it if it is here"},
	[C_SERVER_PORT] = {"server_port", "PORT", COL_UINT, UNIT_NONE, FIELD(server_port), 5, 0,
			   .help = "its port"},
	[C_SERVER_PID] = {"server_pid", "PID", COL_UINT, UNIT_NONE, FIELD(server_pid), 7, 0,
			  .help = "the process that reads and writes the server's socket"},
	[C_SERVER_COMM] = {"server_comm", "SERVER", COL_TEXT, UNIT_NONE, FIELD(server_comm), 15, 0,
			   .help = "its name"},
	[C_SERVER_CONTAINER] = {"server_container", "CONTAINER", COL_TEXT, UNIT_NONE,
				FIELD(server_container), 14, 0,
				.help = "its container (12 digits of the id) or systemd unit"},
	[C_PROTOCOL] = {"protocol", "PROTO", COL_TEXT, UNIT_NONE, FIELD(protocol), 5, 0,
			.help = "http, tls, or tcp for every other protocol"},
	[C_METHOD] = {"method", "METHOD", COL_TEXT, UNIT_NONE, FIELD(method), 7, 0,
		      .help = "HTTP method"},
	[C_HOST] = {"host", "HOST", COL_TEXT, UNIT_NONE, FIELD(host), 20, 0,
		    .help = "HTTP Host, or the server name (SNI) that a TLS client asked for"},
	[C_PATH] = {"path", "PATH", COL_TEXT, UNIT_NONE, FIELD(path), 30, 0,
		    .help = "HTTP request target with its query, secrets masked"},
	[C_STATUS] = {"status", "STATUS", COL_UINT, UNIT_NONE, FIELD(status), 6, COLUMN_SHOWN,
		      .help = "HTTP status"},
	[C_REQUEST] = {"request", "REQUEST", COL_TEXT, UNIT_NONE, FIELD(request), 30, 0,
		       .help = "printable start of the request, for protocol tcp"},
	[C_REQUEST_BYTES] = {"request_bytes", "SENT", COL_UINT, UNIT_BYTES, FIELD(request_bytes), 7,
			     COLUMN_SHOWN | COLUMN_SPARE, .help = "TCP payload of the request"},
	[C_RESPONSE_BYTES] = {"response_bytes", "RECEIVED", COL_UINT, UNIT_BYTES,
			      FIELD(response_bytes), 8, COLUMN_SHOWN | COLUMN_SPARE,
			      .help = "TCP payload of the response"},
	[C_CONNECT_US] =
		{"connect_us", "CONNECT", COL_UINT, UNIT_US, FIELD(connect_us), 7, 0,
		 .help = "SYN to established, for the first call of a connection made here"},
	[C_TTFB_US] = {"ttfb_us", "TTFB", COL_UINT, UNIT_US, FIELD(ttfb_us), 7,
		       COLUMN_SHOWN | COLUMN_SPARE,
		       .help = "last request byte to first response byte"},
	[C_TOTAL_US] =
		{"total_us", "TOTAL", COL_UINT, UNIT_US, FIELD(total_us), 7, COLUMN_SHOWN,
		 .help = "first request byte to last response byte; unanswered: the time waited"},
	[C_SERVER_QUEUE_US] = {"server_queue_us", "QUEUE", COL_UINT, UNIT_US,
			       FIELD(server_queue_us), 7, 0,
			       .help = "request arrived to first read by the server"},
	[C_SERVER_US] = {"server_us", "SERVER", COL_UINT, UNIT_US, FIELD(server_us), 7, 0,
			 .help = "first read by the server to its first byte written"},
	[C_RETRANSMITS] = {"retransmits", "RETR", COL_UINT, UNIT_NONE, FIELD(retransmits), 4, 0,
			   .help = "segments sent again by the ends that are on this host"},
	[C_SRTT_US] = {"srtt_us", "SRTT", COL_UINT, UNIT_US, FIELD(srtt_us), 7, 0,
		       .help = "smoothed round-trip time, the client's if it is here"},
	[C_SIDE] = {"side", "SIDE", COL_ENUM, UNIT_NONE, FIELD(side), 6, 0, .names = side_names,
		    .help = "which ends are on this host: client, server or both"},
	[C_QUALITY] =
		{"quality", "NOTES", COL_SET, UNIT_NONE, FIELD(quality), 10,
		 COLUMN_SHOWN | COLUMN_ERROR, .names = quality_names,
		 .help = "what the row is worth: head_cut (the request's head is longer than what "
			 "is captured), midway (the connection was older than tapline and "
			 "something is missing), gap (bytes were not seen), lost (the other end's "
			 "record was lost), unanswered, reset, pipelined (its response could not "
			 "be "
			 "told from others); empty is whole"},
	[C_AGE_US] = {"age_us", "AGE", COL_UINT, UNIT_US, FIELD(age_us), 7, COLUMN_EXTRA,
		      .help = "with --in-flight: how long it has been waiting"},
	[C_REQUEST_HEAD] = {"request_head", "REQUEST HEAD", COL_TEXT, UNIT_NONE,
			    FIELD(request_head), 40, COLUMN_EXTRA,
			    .help = "with -H: the request's head as captured, secrets masked"},
	[C_RESPONSE_HEAD] = {"response_head", "RESPONSE HEAD", COL_TEXT, UNIT_NONE,
			     FIELD(response_head), 40, COLUMN_EXTRA,
			     .help = "with -H: the response's head as captured, secrets masked"},
	[C_FROM] = {"from", "FROM", COL_TEXT, UNIT_NONE, FIELD(from), 20,
		    COLUMN_SHOWN | COLUMN_EXTRA | COLUMN_SHRINKS,
		    .help = "the client for people: name[pid], or address:port"},
	[C_TO] = {"to", "TO", COL_TEXT, UNIT_NONE, FIELD(to), 24,
		  COLUMN_SHOWN | COLUMN_EXTRA | COLUMN_SHRINKS,
		  .help = "the server for people: name:port[pid], or address:port"},
	[C_WHAT] = {"what", "REQUEST", COL_TEXT, UNIT_NONE, FIELD(what), 36,
		    COLUMN_SHOWN | COLUMN_EXTRA | COLUMN_GROWS,
		    .help = "the request for people: method, host and path, or how it starts"},
};

const struct schema call_schema = {columns, C_COLUMNS};

#define KNOW(row, column, field, value)                                                            \
	do {                                                                                       \
		(row)->field = (value);                                                            \
		(row)->row.known |= 1ull << (column);                                              \
	} while (0)

static void know_text(struct call_row *row, enum call_column c, struct text *field, struct text t)
{
	*field = t; /* those made for people are put together of it, known or not */
	if (t.p && t.len)
		row->row.known |= 1ull << c;
}

static struct text comm_of(const struct owner *o)
{
	return text_in(o->comm, sizeof(o->comm));
}

static struct text container_of(struct requests *r, const struct owner *o)
{
	return process_container(r->processes, o->pid, o->start_ns, o->cgroup_id, r->now_ns);
}

/* Whose the two ends are; zero: not known. *room is theirs where they are not in a record. */
static void find_owners(struct requests *r, const struct call *c, struct owner room[2],
			const struct owner **client, const struct owner **server)
{
	const struct exchange *a = c->requester, *b = c->responder;

	memset(room, 0, 2 * sizeof(*room));
	*client = a ? &a->owner : &room[0];
	*server = b ? &b->owner : &room[1];
	if (!r->tap->owner || !(r->wanted & OWNER_COLUMNS))
		return;
	r->tap->owner(r, c->x, true, &room[0]);
	r->tap->owner(r, c->x, false, &room[1]);
	*client = &room[0];
	*server = &room[1];
}

/* Which ends are on this host, as an index of side_names; -1: not known of either. */
static int side_of(const struct requests *r, const struct call *c, bool client, bool server)
{
	if (!r->tap->owner) {
		client = c->requester;
		server = c->responder;
	}
	return client && server ? 2 : client ? 0 : server ? 1 : -1;
}

static void fill_ends(struct requests *r, const struct call *c, struct call_row *row)
{
	const struct exchange *a = c->requester, *b = c->responder;
	const struct owner *client, *server;
	int side;

	find_owners(r, c, row->owners, &client, &server);
	memcpy(row->client.b, a ? a->local : b->remote, sizeof(row->client.b));
	memcpy(row->server.b, b ? b->local : a->remote, sizeof(row->server.b));
	row->row.known |= 1ull << C_CLIENT | 1ull << C_SERVER;
	KNOW(row, C_CLIENT_PORT, client_port, a ? a->local_port : b->remote_port);
	KNOW(row, C_SERVER_PORT, server_port, b ? b->local_port : a->remote_port);
	side = side_of(r, c, client->pid, server->pid);
	if (side >= 0)
		KNOW(row, C_SIDE, side, (uint64_t)side);
	if (client->pid) {
		KNOW(row, C_CLIENT_PID, client_pid, client->pid);
		know_text(row, C_CLIENT_COMM, &row->client_comm, comm_of(client));
		if (r->wanted & 1ull << C_CLIENT_CONTAINER)
			know_text(row, C_CLIENT_CONTAINER, &row->client_container,
				  container_of(r, client));
	}
	if (server->pid) {
		KNOW(row, C_SERVER_PID, server_pid, server->pid);
		know_text(row, C_SERVER_COMM, &row->server_comm, comm_of(server));
		if (r->wanted & 1ull << C_SERVER_CONTAINER)
			know_text(row, C_SERVER_CONTAINER, &row->server_container,
				  container_of(r, server));
	}
}

static uint64_t us_between(uint64_t from, uint64_t to)
{
	return to > from ? (to - from) / 1000 : 0;
}

/* Until when nothing had come: the client's own end knows best, unless all it sent is a snapshot.
 */
static uint64_t waited_until(const struct call *c)
{
	const struct exchange *a = c->requester, *b = c->responder;

	if (!a || !b || a->end != END_SWEEP)
		return a ? a->now_ns : b->now_ns;
	return MAX(a->now_ns, b->now_ns);
}

static void fill_times(struct requests *r, const struct call *c, struct call_row *row)
{
	const struct exchange *a = c->requester, *b = c->responder;
	const struct exchange *opened = a ? a : b; /* only the wire tells it for a responder */
	uint64_t first = c->request_first_ns ? c->request_first_ns : c->response_first_ns;

	if (first)
		KNOW(row, C_TIME, time, session_wall(r->session, first));
	if (opened->connect_us && !opened->number)
		KNOW(row, C_CONNECT_US, connect_us, opened->connect_us);
	if (c->request_last_ns && c->response_first_ns && !c->crossed)
		KNOW(row, C_TTFB_US, ttfb_us, us_between(c->request_last_ns, c->response_first_ns));
	if (c->request_first_ns && c->response_last_ns)
		KNOW(row, C_TOTAL_US, total_us,
		     us_between(c->request_first_ns, c->response_last_ns));
	else if (c->request_first_ns && c->quality & QUALITY_UNANSWERED)
		KNOW(row, C_TOTAL_US, total_us, us_between(c->request_first_ns, waited_until(c)));
	if (b && b->request_first_ns && b->read_ns >= b->request_first_ns) {
		KNOW(row, C_SERVER_QUEUE_US, server_queue_us,
		     us_between(b->request_first_ns, b->read_ns));
		if (b->response_first_ns)
			KNOW(row, C_SERVER_US, server_us,
			     us_between(b->read_ns, b->response_first_ns));
	}
	/* On the way, what is sent again looks like what was overtaken. */
	if (!r->tap->owner)
		KNOW(row, C_RETRANSMITS, retransmits,
		     (a ? a->retransmits : 0) + (b ? b->retransmits : 0));
	if ((a && a->srtt_us) || (b && b->srtt_us))
		KNOW(row, C_SRTT_US, srtt_us, a && a->srtt_us ? a->srtt_us : b->srtt_us);
}

/* The printable start of bytes that no protocol knows: one line, other bytes as dots. A header
 * field with a secret name is masked, as this may be the middle of an HTTP head. */
static struct text printable_start(struct requests *r, struct text head, struct buf *scratch)
{
	struct text t = {scratch->p + scratch->len, 0}, name = {head.p, 0};

	for (uint32_t i = 0; i < MIN(head.len, 64u); i++, t.len++) {
		char ch = head.p[i];

		if (ch == '\r' || ch == '\n')
			break;
		buf_char(scratch, ch >= ' ' && ch < 0x7f ? ch : '.');
		name.len = i;
		if (ch == ':' && !r->conf->show_secrets && secret_name(name)) {
			buf_str(scratch, " ***");
			t.len += 5;
			break;
		}
	}
	return t;
}

static struct text shown_path(struct requests *r, struct text path, struct buf *scratch)
{
	struct text t = {scratch->p + scratch->len, 0};
	size_t before = scratch->len;

	if (r->conf->show_secrets || !path.p || !secret_mask_path(path, scratch))
		return path;
	t.len = (uint32_t)(scratch->len - before);
	return t;
}

static struct text shown_head(struct requests *r, struct text head, struct buf *scratch)
{
	struct text t = {scratch->p + scratch->len, 0};
	size_t before = scratch->len;

	if (r->conf->show_secrets || !head.p)
		return head;
	secret_mask_head(head, scratch);
	t.len = (uint32_t)(scratch->len - before);
	return t;
}

static void fill_message(struct requests *r, const struct call *c, struct call_row *row,
			 struct buf *scratch)
{
	bool midway = c->quality & QUALITY_MIDWAY;

	know_text(row, C_PROTOCOL, &row->protocol,
		  c->protocol ? text_of(c->protocol->name) : TEXT("tcp"));
	know_text(row, C_METHOD, &row->method, c->request.method);
	know_text(row, C_HOST, &row->host, c->host);
	know_text(row, C_PATH, &row->path, shown_path(r, c->request.path, scratch));
	if (c->response.status)
		KNOW(row, C_STATUS, status, c->response.status);
	if (!c->protocol && c->request_head.len)
		know_text(row, C_REQUEST, &row->request,
			  printable_start(r, c->request_head, scratch));
	if (c->request_bytes || !midway)
		KNOW(row, C_REQUEST_BYTES, request_bytes, c->request_bytes);
	if (c->response_bytes || !(c->quality & QUALITY_PIPELINED))
		KNOW(row, C_RESPONSE_BYTES, response_bytes, c->response_bytes);
	if (r->wanted & 1ull << C_REQUEST_HEAD && c->protocol) {
		know_text(row, C_REQUEST_HEAD, &row->request_head,
			  shown_head(r, c->request_head, scratch));
		know_text(row, C_RESPONSE_HEAD, &row->response_head,
			  shown_head(r, c->response_head, scratch));
	}
}

static void name_end(struct buf *b, bool known, struct text comm, uint64_t pid,
		     const struct addr *addr, uint64_t port, bool server)
{
	if (known) {
		buf_bytes(b, comm.p, comm.len);
		if (server)
			buf_printf(b, ":%llu", (unsigned long long)port);
		buf_printf(b, "[%llu]", (unsigned long long)pid);
		return;
	}
	if (!addr_is_v4(addr))
		buf_char(b, '[');
	buf_addr(b, addr);
	if (!addr_is_v4(addr))
		buf_char(b, ']');
	buf_printf(b, ":%llu", (unsigned long long)port);
}

/* An address or localhost says no more than the server's column does. */
static bool host_says_more(struct text host)
{
	return host.len && !(host.p[0] >= '0' && host.p[0] <= '9') && host.p[0] != '[' &&
	       !(host.len >= 9 && !memcmp(host.p, "localhost", 9));
}

/* The columns made for people, out of the others. */
static void fill_names(struct call_row *row, struct buf *scratch)
{
	size_t at = scratch->len;

	name_end(scratch, row->row.known & 1ull << C_CLIENT_PID, row->client_comm, row->client_pid,
		 &row->client, row->client_port, false);
	know_text(row, C_FROM, &row->from,
		  (struct text){scratch->p + at, (uint32_t)(scratch->len - at)});
	at = scratch->len;
	name_end(scratch, row->row.known & 1ull << C_SERVER_PID, row->server_comm, row->server_pid,
		 &row->server, row->server_port, true);
	know_text(row, C_TO, &row->to,
		  (struct text){scratch->p + at, (uint32_t)(scratch->len - at)});
	at = scratch->len;
	if (row->row.known & 1ull << C_METHOD) {
		buf_bytes(scratch, row->method.p, row->method.len);
		buf_char(scratch, ' ');
	}
	if (row->row.known & 1ull << C_HOST && host_says_more(row->host)) {
		if (!(row->row.known & 1ull << C_METHOD))
			buf_str(scratch, "tls ");
		buf_bytes(scratch, row->host.p, row->host.len);
	}
	if (row->row.known & 1ull << C_PATH)
		buf_bytes(scratch, row->path.p, row->path.len);
	if (row->row.known & 1ull << C_REQUEST)
		buf_bytes(scratch, row->request.p, row->request.len);
	if (scratch->len == at)
		buf_bytes(scratch, row->protocol.p, row->protocol.len);
	know_text(row, C_WHAT, &row->what,
		  (struct text){scratch->p + at, (uint32_t)(scratch->len - at)});
}

void row_of_call(struct requests *r, const struct call *c, struct call_row *row)
{
	struct buf scratch = BUF_ON(r->scratch);

	row->row = (struct row){0};
	fill_ends(r, c, row);
	fill_times(r, c, row);
	fill_message(r, c, row, &scratch);
	KNOW(row, C_QUALITY, quality, c->quality);
	if (r->conf->in_flight && c->request_first_ns)
		KNOW(row, C_AGE_US, age_us, us_between(c->request_first_ns, r->now_ns));
	if (r->wanted & (1ull << C_FROM | 1ull << C_TO | 1ull << C_WHAT))
		fill_names(row, &scratch);
}
