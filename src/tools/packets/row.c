// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A packet as a row: columns, and the words that people know from tcpdump.
 * Its bytes are anybody's: they are never read past what was captured, and escaped by the output.
 */
#include "base/hex.h"
#include "host/protocol_name.h"
#include "tools/packets/state.h"

struct packets_row {
	struct row row;
	int64_t time;
	struct text interface, ends, owner, protocol, flags, payload, comm;
	struct addr source, destination;
	uint64_t direction, type, source_port, destination_port, payload_length, pid;
	char flags_text[16], word[PROTOCOL_WORD];
};

enum {
	TIME,
	INTERFACE,
	DIRECTION,
	PKT_TYPE,
	ENDS,
	OWNER,
	SRC,
	SRC_PORT,
	DST,
	DST_PORT,
	PROTOCOL,
	FLAGS,
	PAYLOAD_LENGTH,
	PAYLOAD,
	PID,
	COMM,
	COLUMNS
};

#define C(field)    offsetof(struct packets_row, field)
#define BIT(column) (1ull << (column))

/* By enum frame_direction and enum frame_type; of what is not known the column is null. */
static const char *const directions[] = {"", "in", "out", NULL};
static const char *const types[] = {"",          "host",     "broadcast", "multicast",
				    "otherhost", "outgoing", NULL};

/* On a narrow terminal it is when, who and what that stay; two thirds of the ends' width are enough
 * for those of IPv4. For people the two ends are one word, and the owner is another, as
 * they are read together; programs get them apart. */
static const struct column columns[COLUMNS] = {
	[TIME] = {"time", "TIME", COL_TIME, UNIT_NONE, C(time), 12, COLUMN_SHOWN | COLUMN_SPARE,
		  .help = "when the packet passed"},
	[INTERFACE] = {"interface", "IF", COL_TEXT, UNIT_NONE, C(interface), 6,
		       COLUMN_SHOWN | COLUMN_SPARE_FIRST, .help = "the interface it passed"},
	[DIRECTION] = {"direction", "DIR", COL_ENUM, UNIT_NONE, C(direction), 3,
		       COLUMN_SHOWN | COLUMN_EXTRA | COLUMN_SPARE_FIRST, directions,
		       "in or out of this host, as seen from the interface"},
	[PKT_TYPE] = {"pkt_type", "TYPE", COL_ENUM, UNIT_NONE, C(type), 9, 0, types,
		      "whom it is for, as the kernel tells: host (this one), broadcast, multicast, "
		      "otherhost (seen by the way), outgoing"},
	[ENDS] = {"ends", "SOURCE > DESTINATION", COL_TEXT, UNIT_NONE, C(ends), 48,
		  COLUMN_SHOWN | COLUMN_EXTRA | COLUMN_SHRINKS,
		  .help = "source and destination, each address:port, in one text"},
	[OWNER] = {"owner", "OWNER", COL_TEXT, UNIT_NONE, C(owner), 15,
		   COLUMN_SHOWN | COLUMN_EXTRA | COLUMN_SPARE, .help = "comm[pid], in one text"},
	[SRC] = {"src", "SRC", COL_ADDR, UNIT_NONE, C(source), 15, 0,
		 .help = "address of the sender, as the packet says; null: not IP"},
	[SRC_PORT] = {"src_port", "SPORT", COL_UINT, UNIT_NONE, C(source_port), 5, 0,
		      .help = "its port; null in fragments and without ports"},
	[DST] = {"dst", "DST", COL_ADDR, UNIT_NONE, C(destination), 15, 0,
		 .help = "address of the receiver"},
	[DST_PORT] = {"dst_port", "DPORT", COL_UINT, UNIT_NONE, C(destination_port), 5, 0,
		      .help = "its port"},
	[PROTOCOL] =
		{"protocol", "PROTO", COL_TEXT, UNIT_NONE, C(protocol), 6,
		 COLUMN_SHOWN | COLUMN_SPARE_FIRST,
		 .help = "the IP protocol behind IPv6's extension headers; what is not IP, or "
			 "has no whole IP header, by its EtherType; a number where there is no "
			 "name"},
	[FLAGS] =
		{"flags", "FLAGS", COL_TEXT, UNIT_NONE, C(flags), 5,
		 COLUMN_SHOWN | COLUMN_SPARE_FIRST,
		 .help = "TCP's flags as tcpdump writes them: F (FIN), S (SYN), R (RST), P (PSH), "
			 ". (ACK), U (URG), E (ECE), W (CWR), or none; null: not TCP"},
	[PAYLOAD_LENGTH] =
		{"payload_length", "LENGTH", COL_UINT, UNIT_NONE, C(payload_length), 6,
		 COLUMN_SHOWN | COLUMN_SPARE,
		 .help = "bytes of payload in the packet: behind the header of TCP or UDP, else "
			 "behind those of IP; null in fragments, and where there is no IP"},
	[PAYLOAD] = {"payload", "PAYLOAD", COL_TEXT, UNIT_NONE, C(payload), 16,
		     COLUMN_SHOWN | COLUMN_GROWS,
		     .help = "its first bytes, as many as -s says; null where none were copied"},
	[PID] = {"pid", "PID", COL_UINT, UNIT_NONE, C(pid), 8, 0,
		 .help = "whose socket of this host sent it or gets it; null: no one's that is "
			 "known"},
	[COMM] = {"comm", "COMM", COL_TEXT, UNIT_NONE, C(comm), 16, 0, .help = "its name"},
};

const struct schema packets_schema = {columns, COLUMNS};

bool packets_tell_owner(uint64_t columns_asked)
{
	return columns_asked & (BIT(OWNER) | BIT(PID) | BIT(COMM));
}

int packets_hide_payload(struct session *s)
{
	return session_set_schema(s, &packets_schema, 0, BIT(PAYLOAD));
}

/* 192.0.2.1:80 and [2001:db8::1]:80, RFC 3986 3.2.2. */
static void put_end(struct buf *b, const struct addr *a, bool has_port, uint64_t port)
{
	bool brackets = has_port && !addr_is_v4(a);

	if (brackets)
		buf_char(b, '[');
	buf_addr(b, a);
	if (brackets)
		buf_char(b, ']');
	if (!has_port)
		return;
	buf_char(b, ':');
	buf_u64(b, port);
}

static void set_addresses(const struct packet *p, struct packets_row *row)
{
	if (!p->version)
		return;
	memcpy(row->source.b, p->source, sizeof(row->source.b));
	memcpy(row->destination.b, p->destination, sizeof(row->destination.b));
	row->row.known |= BIT(SRC) | BIT(DST) | BIT(ENDS);
	if (!(p->flags & PACKET_PORTS))
		return;
	row->source_port = p->source_port;
	row->destination_port = p->destination_port;
	row->row.known |= BIT(SRC_PORT) | BIT(DST_PORT);
}

static void set_protocol(const struct packet *p, struct packets_row *row)
{
	row->protocol = protocol_word(p->version, p->protocol, p->type, row->word);
	if (row->protocol.len)
		row->row.known |= BIT(PROTOCOL);
}

/* The letters of tcpdump, in its order (tcp_flag_values in print-tcp.c). */
static void set_flags(const struct packet *p, struct packets_row *row)
{
	static const char letters[] = "FSRP.UEW"; /* from the lowest bit on, RFC 9293 3.1 */
	struct buf b = BUF_ON(row->flags_text);

	if (p->protocol != PROTO_TCP || !(p->flags & PACKET_PORTS))
		return;
	for (unsigned i = 0; letters[i]; i++)
		if (p->tcp_flags & 1u << i)
			buf_char(&b, letters[i]);
	row->flags = b.len ? buf_text(&b) : TEXT("none");
	row->row.known |= BIT(FLAGS);
}

/* Of a fragment neither length nor bytes: what is in it may be headers. */
static void set_payload(const struct packets_seen *seen, struct packets_row *row)
{
	const struct packet *p = seen->packet;

	if (!(p->flags & PACKET_PAYLOAD) || p->flags & PACKET_FRAGMENT)
		return;
	row->payload_length = p->payload_length;
	row->payload = (struct text){(const char *)seen->payload, seen->captured};
	row->row.known |= BIT(PAYLOAD_LENGTH);
	if (seen->captured || !p->payload_length)
		row->row.known |= BIT(PAYLOAD);
}

static void set_owner(const struct owner *o, struct packets_row *row)
{
	if (!o)
		return;
	row->pid = o->pid;
	row->comm = text_in(o->comm, sizeof(o->comm));
	row->row.known |= BIT(PID) | BIT(COMM) | BIT(OWNER);
}

/* The columns that are made of others; text is where they are kept. */
static void set_joined(uint64_t asked, struct packets_row *row, struct buf *ends, struct buf *owner)
{
	uint64_t wanted = asked & row->row.known;
	bool ports = row->row.known & BIT(SRC_PORT);

	if (wanted & BIT(ENDS)) {
		put_end(ends, &row->source, ports, row->source_port);
		buf_str(ends, " > ");
		put_end(ends, &row->destination, ports, row->destination_port);
		row->ends = buf_text(ends);
	}
	if (wanted & BIT(OWNER)) {
		buf_bytes(owner, row->comm.p, row->comm.len);
		buf_char(owner, '[');
		buf_u64(owner, row->pid);
		buf_char(owner, ']');
		row->owner = buf_text(owner);
	}
}

int packets_show(struct packets *k, const struct packets_seen *seen)
{
	struct packets_row row = {
		.row.known = BIT(TIME),
		.time = seen->frame.time_ns,
		.interface = seen->frame.name,
		.direction = seen->frame.direction,
		.type = seen->frame.type,
	};
	char ends_text[2 * ADDR_TEXT_MAX + sizeof("[]:65535 > []:65535")];
	char owner_text[COMM_LEN + sizeof("[4294967295]")];
	struct buf ends = BUF_ON(ends_text), owner = BUF_ON(owner_text);
	int r = 0;

	if (seen->frame.name.len)
		row.row.known |= BIT(INTERFACE);
	if (seen->frame.direction)
		row.row.known |= BIT(DIRECTION);
	if (seen->frame.type)
		row.row.known |= BIT(PKT_TYPE);
	set_addresses(seen->packet, &row);
	set_protocol(seen->packet, &row);
	set_flags(seen->packet, &row);
	set_payload(seen, &row);
	set_owner(seen->owner, &row);
	set_joined(k->columns, &row, &ends, &owner);
	if (k->conf->hex) {
		buf_clear(&k->hex);
		hex_dump(&k->hex, row.payload.p, row.payload.len);
		row.row.below = buf_text(&k->hex);
	}
	if (k->writing && session_where(k->session, &row.row))
		r = packets_write_frame(k, seen);
	return r ? r : session_row(k->session, &row.row);
}
