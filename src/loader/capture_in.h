// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A capture file as a source of packets: -r of every tool that looks at an interface otherwise.
 * Packets come in the order of their times, filtered, with their link layer told. */
#pragma once

#include "capture/link.h"
#include "loader/wire.h"

/* How many packets a tool should take in one tick, so that signals and outputs have their turn. */
#define CAPTURE_IN_BATCH 1024

struct capture_in;

/*
 * In open, instead of wire_watch: the run is from file path from now on ("-": standard input;
 * session_set_offline), from those of its packets that match the filter of t and go its direction.
 * Interfaces and dump_filter are refused, as are --pid, --comm and --container, which a packet in a
 * file cannot tell. Nothing is read yet. Path must stay; names in the filter may be asked of a name
 * server. *out is the caller's, for capture_in_free. 0 or -errno, said.
 */
int capture_in_open(struct session *s, const char *path, const struct wire_tap *t,
		    struct capture_in **out);
void capture_in_free(struct capture_in *c); /* NULL too */

/*
 * In tick: 1: the next packet that is wanted, and its link layer; valid until the next call. Where
 * its bytes end before the network packet, l->offset is f->captured and l->ethertype 0.
 *
 * 0: there are no more. Where that is because the file is damaged, or because some of its packets
 * cannot be read, the session says so at the very end (session_fail_late): the caller ends as ever.
 *
 * -EAGAIN: a pipe has nothing now; -EINTR: many in a row were not wanted, and it is others' turn.
 * For both, tick returns it, and the loop calls again.
 */
int capture_in_next(struct capture_in *c, struct frame *f, struct link *l);

/* After the end: was an error all that the file had? Then a sum of it says nothing. */
bool capture_in_nothing(const struct capture_in *c);

/* Lines of the ledger: what was read and what was not handed on. */
void capture_in_ledger(const struct capture_in *c, struct buf *b);
