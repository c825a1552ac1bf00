// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The blocks: a row for each line, with its running totals and the rates since the last block.
 * Which columns there are depends on what is counted by; the rest of them is hidden. */
#include "base/clock.h"
#include "host/protocol_name.h"
#include "kernel/packet.h"
#include "tools/count/state.h"

uint64_t count_seed;

struct count_row {
	struct row row;
	int64_t time;
	struct text protocol, comm;
	struct addr host, client, server;
	uint64_t port, client_port, server_port, from, to, pid;
	uint64_t packets, bytes;
	double packet_rate, byte_rate;
	char word[PROTOCOL_WORD];
};

enum {
	TIME,
	HOST,
	CLIENT,
	CLIENT_PORT,
	SERVER,
	SERVER_PORT,
	PROTOCOL,
	PORT,
	FROM,
	TO,
	PID,
	COMM,
	PACKETS,
	BYTES,
	PACKET_RATE,
	BYTE_RATE,
	COLUMNS
};

#define C(field) offsetof(struct count_row, field)

static const struct column columns[COLUMNS] = {
	[TIME] = {"time", "TIME", COL_TIME, UNIT_NONE, C(time), 12, 0,
		  .help = "when the counters were read"},
	[HOST] = {"host", "HOST", COL_ADDR, UNIT_NONE, C(host), 39, COLUMN_SHOWN,
		  .help = "by host: the far end, which is the source of what comes in and the "
			  "destination of what goes out; null: not IP"},
	[CLIENT] = {"client", "CLIENT", COL_ADDR, UNIT_NONE, C(client), 15,
		    COLUMN_SHOWN | COLUMN_GROWS,
		    .help = "by connection: the end with the higher port"},
	[CLIENT_PORT] = {"client_port", "PORT", COL_UINT, UNIT_NONE, C(client_port), 5,
			 COLUMN_SHOWN, .help = "its port; null in fragments and without ports"},
	[SERVER] = {"server", "SERVER", COL_ADDR, UNIT_NONE, C(server), 15,
		    COLUMN_SHOWN | COLUMN_GROWS, .help = "the other end"},
	[SERVER_PORT] = {"server_port", "PORT", COL_UINT, UNIT_NONE, C(server_port), 5,
			 COLUMN_SHOWN, .help = "its port"},
	[PROTOCOL] =
		{"protocol", "PROTOCOL", COL_TEXT, UNIT_NONE, C(protocol), 15, COLUMN_SHOWN,
		 .help = "by protocol, port and connection: the IP protocol behind IPv6's "
			 "extension headers; what is not IP, or has no whole IP header, by its "
			 "EtherType; a number where there is no name"},
	[PORT] = {"port", "PORT", COL_UINT, UNIT_NONE, C(port), 5, COLUMN_SHOWN,
		  .help = "by port: the lower one of the two, which is the server's nearly always"},
	[FROM] = {"from", "FROM", COL_UINT, UNIT_NONE, C(from), 10, COLUMN_SHOWN,
		  .help = "by size: packets of so many bytes"},
	[TO] = {"to", "TO", COL_UINT, UNIT_NONE, C(to), 10, COLUMN_SHOWN, .help = "up to so many"},
	[PID] = {"pid", "PID", COL_UINT, UNIT_NONE, C(pid), 8, COLUMN_SHOWN,
		 .help = "by process: whose socket of this host has the packets; null: no one's"},
	[COMM] = {"comm", "COMM", COL_TEXT, UNIT_NONE, C(comm), 16, COLUMN_SHOWN,
		  .help = "its name"},
	[PACKETS] = {"packets", "PACKETS", COL_UINT, UNIT_NONE, C(packets), 10, COLUMN_SHOWN,
		     .help = "packets since the start"},
	[BYTES] = {"bytes", "BYTES", COL_UINT, UNIT_BYTES, C(bytes), 8, COLUMN_SHOWN,
		   .help = "their bytes, link header and VLAN tags included"},
	[PACKET_RATE] = {"packet_rate", "PACKETS/S", COL_REAL, UNIT_RATE, C(packet_rate), 10,
			 COLUMN_SHOWN, .help = "packets a second, since the block before"},
	[BYTE_RATE] = {"byte_rate", "BYTES/S", COL_REAL, UNIT_RATE, C(byte_rate), 12, COLUMN_SHOWN,
		       .help = "bytes a second, since the block before"},
};

const struct schema count_schema = {columns, COLUMNS};

#define BIT(column) (1ull << (column))
#define CONNECTION  (BIT(CLIENT) | BIT(CLIENT_PORT) | BIT(SERVER) | BIT(SERVER_PORT) | BIT(PROTOCOL))
#define SUMS        (BIT(TIME) | BIT(PACKETS) | BIT(BYTES) | BIT(PACKET_RATE) | BIT(BYTE_RATE))

static const uint64_t columns_by[] = {
	[BY_PROTOCOL] = SUMS | BIT(PROTOCOL),         [BY_HOST] = SUMS | BIT(HOST),
	[BY_PORT] = SUMS | BIT(PROTOCOL) | BIT(PORT), [BY_CONNECTION] = SUMS | CONNECTION,
	[BY_SIZE] = SUMS | BIT(FROM) | BIT(TO),       [BY_PROCESS] = SUMS | BIT(PID) | BIT(COMM),
};

/* Always shown, also at 0, and first. */
static const uint8_t always[] = {PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_ICMPV6};

int lines_set_schema(struct count *c)
{
	int r;

	count_seed = hash_seed();
	r = session_set_schema(c->session, &count_schema, 0, ~columns_by[c->conf->by]);
	for (size_t i = 0; !r && c->conf->by == BY_PROTOCOL && i < ARRAY_SIZE(always); i++) {
		struct count_key key = {.protocol = always[i], .known = KEY_IP};
		struct count_sum none = {0, 0};

		r = lines_add(c, &key, NULL, &none);
	}
	return r;
}

int lines_add(struct count *c, const struct count_key *key, const struct owner *owner,
	      const struct count_sum *sum)
{
	struct line *l;

	HASH_FIND(hh, c->lines, key, sizeof(*key), l);
	if (!l && c->file && HASH_COUNT(c->lines) >= COUNT_KEYS) {
		c->no_room.packets += sum->packets;
		c->no_room.bytes += sum->bytes;
		return 0;
	}
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return -ENOMEM;
		l->key = *key;
		if (owner)
			l->owner = *owner;
		HASH_ADD(hh, c->lines, key, sizeof(l->key), l);
		if (!l)
			return -ENOMEM;
	}
	l->now.packets += sum->packets;
	l->now.bytes += sum->bytes;
	return 0;
}

/* ---- rows ---- */

static void key_of_line(const struct line *l, struct count_row *row)
{
	const struct count_key *k = &l->key;

	row->protocol = protocol_word(k->known & KEY_IP, k->protocol, k->type, row->word);
	if (row->protocol.len)
		row->row.known |= BIT(PROTOCOL);
	memcpy(&row->host, k->server, sizeof(row->host));
	memcpy(&row->server, k->server, sizeof(row->server));
	memcpy(&row->client, k->client, sizeof(row->client));
	row->port = row->server_port = k->server_port;
	row->client_port = k->client_port;
	row->from = k->type ? 1ull << k->type : 0;
	row->to = (2ull << k->type) - 1;
	row->pid = l->owner.pid;
	row->comm = text_in(l->owner.comm, sizeof(l->owner.comm));
	row->row.known |= SUMS | BIT(FROM) | BIT(TO);
	if (k->known & KEY_HOST)
		row->row.known |= BIT(HOST) | BIT(CLIENT) | BIT(SERVER);
	if (k->known & KEY_PORTS)
		row->row.known |= BIT(PORT) | BIT(CLIENT_PORT) | BIT(SERVER_PORT);
	if (l->owner.pid)
		row->row.known |= BIT(PID) | BIT(COMM);
}

/* What was nobody's may turn out to be somebody's: a line can shrink. */
static double rate(uint64_t now, uint64_t before, uint64_t ns)
{
	return now > before && ns ? (double)(now - before) * 1e9 / (double)ns : 0;
}

static void row_of_line(struct count *c, const struct line *l, uint64_t now_ns,
			struct count_row *row)
{
	uint64_t since = c->file || c->printed_ns ? c->printed_ns : session_started(c->session);
	uint64_t ns = now_ns > since ? now_ns - since : 0;

	*row = (struct count_row){
		.time = session_wall(c->session, now_ns),
		.packets = l->now.packets,
		.bytes = l->now.bytes,
		.packet_rate = rate(l->now.packets, l->before.packets, ns),
		.byte_rate = rate(l->now.bytes, l->before.bytes, ns),
	};
	key_of_line(l, row);
	row->row.known &= columns_by[c->conf->by];
	if (c->file && !file_time(c))
		row->row.known &= ~BIT(TIME); /* of an empty file */
}

/* ---- blocks ---- */

static size_t place(const struct line *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (l->key.known == KEY_IP && l->key.protocol == always[i])
			return i;
	return ARRAY_SIZE(always);
}

static int by_packets(const void *a, const void *b)
{
	const struct line *x = *(struct line *const *)a, *y = *(struct line *const *)b;

	if (x->now.packets != y->now.packets)
		return x->now.packets < y->now.packets ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static int by_place(const void *a, const void *b)
{
	size_t x = place(*(struct line *const *)a), y = place(*(struct line *const *)b);

	return x != y ? (x > y ? 1 : -1) : by_packets(a, b);
}

static int by_size(const void *a, const void *b)
{
	const struct line *x = *(struct line *const *)a, *y = *(struct line *const *)b;

	return (int)x->key.type - (int)y->key.type;
}

static int show_all(struct count *c, uint64_t now_ns)
{
	size_t n = HASH_COUNT(c->lines), i = 0, most = session_block_rows(c->session), shown = 0;
	struct line **sorted, *l, *next;
	struct count_row row;
	int r = 0;

	if (!n)
		return 0;
	sorted = (struct line **)calloc(n, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	HASH_ITER(hh, c->lines, l, next)
	if (i < n && (l->now.packets || place(l) < ARRAY_SIZE(always)))
		sorted[i++] = l;
	qsort(sorted, i, sizeof(*sorted),
	      c->conf->by == BY_PROTOCOL ? by_place
	      : c->conf->by == BY_SIZE   ? by_size
					 : by_packets);
	n = i;
	for (i = 0; !r && i < n && (!most || shown < most); i++) {
		row_of_line(c, sorted[i], now_ns, &row);
		if (!session_where(c->session, &row.row))
			continue;
		r = session_group(c->session, &row.row);
		shown++;
	}
	free(sorted);
	return r;
}

int lines_show(struct count *c, uint64_t now_ns)
{
	struct line *l, *next;
	int r;

	r = c->file ? 0 : sums_read(c);
	if (r)
		return session_fail(c->session, r, "cannot read the counters: %s", strerror(-r));
	output_new_block(session_output(c->session));
	r = show_all(c, now_ns);
	HASH_ITER(hh, c->lines, l, next)
	l->before = l->now;
	c->printed_ns = now_ns;
	c->blocks++;
	return r;
}

void lines_free(struct count *c)
{
	struct line *l, *next;

	HASH_ITER(hh, c->lines, l, next)
	{
		HASH_DEL(c->lines, l);
		free(l);
	}
}
