// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What packets' user side keeps, and the one form of a packet that a row is made from.
 * Where the packet came from is of no concern to the row. */
#pragma once

#include "host/process.h"
#include "loader/capture_in.h"
#include "loader/capture_out.h"
#include "loader/wire_name.h"
#include "loader/wire_owner.h"
#include "tools/packets/packets.h"

struct packets_conf {
	struct opt_list interfaces;
	uint64_t direction;
	uint64_t snap; /* PACKETS_SNAP_DEFAULT: not given */
	bool all, http, hex, dump_filter;
	const char *file; /* that is read, or NULL */
	struct capture_out_conf out;
};

#define PACKETS_SNAP_DEFAULT UINT64_MAX

struct packets {
	struct session *session;
	const struct packets_conf *conf;
	struct packets_bpf *kernel; /* or: */
	struct file *file;
	struct writing *writing; /* NULL: no capture file is written */
	struct wire_names *names;
	struct wire_owners *owners; /* NULL: nobody asks for one */
	uint64_t columns;           /* that are asked for, as a mask */
	uint32_t snap, shown;       /* bytes of a packet or payload: copied, and in a row */
	struct buf hex;             /* of one packet; no memory without -X */
};

/* All of it is borrowed for the call. */
struct packets_seen {
	struct frame frame; /* bytes are there if a capture file is written */
	const struct packet *packet;
	const uint8_t *payload; /* of which captured bytes are there */
	uint32_t captured;
	const struct owner *owner; /* NULL: not known */
	uint64_t now_ns;           /* CLOCK_MONOTONIC; of a file the time of the packet */
};

extern const struct schema packets_schema;
/* Do these columns tell the owner? */
bool packets_tell_owner(uint64_t columns);
/* Takes the payload out of the table, unless --fields asks for it. 0 or -errno, said. */
int packets_hide_payload(struct session *s);
/* Shows the packet as a row and writes it, if --where lets it: as session_row. */
int packets_show(struct packets *k, const struct packets_seen *seen);
/* What to watch or to read. */
struct wire_tap packets_tap(const struct packets *k);

/* Packets come from the kernel, by records. */
int packets_live_open(struct packets *k);
int packets_live_record(struct session *s, const struct record *rec);
void packets_live_ledger(const struct packets *k, struct buf *out);
void packets_live_close(struct packets *k);

/* -r: packets come from a file, by ticks. Each returns as the callback of struct tool. */
int packets_file_open(struct packets *k);
int packets_file_tick(struct packets *k);
void packets_file_ledger(const struct packets *k, struct buf *out);
void packets_file_close(struct packets *k);

/* -w: packets go to a file. Nothing happens where none is asked for. */
int packets_write_open(struct packets *k);
/* A packet came from the kernel, shown or not: for the statistics. */
void packets_write_received(struct packets *k, const struct frame *f);
int packets_write_frame(struct packets *k, const struct packets_seen *seen);
int packets_write_finish(struct packets *k);
void packets_write_close(struct packets *k);
