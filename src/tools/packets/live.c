// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Packets of interfaces: what the kernel side has found of them, joined with what only user space
 * knows, names and owners. */
#include "capture/link.h"
#include "packets.skel.h"
#include "tools/packets/state.h"

/* A capture file has whole packets, and they come faster than they are written. */
#define RING_WHOLE (8 << 20)

/* Whose the local end of a packet is. False: nobody's that is known. */
static bool find_owner(struct packets *k, const struct packet *p, bool outgoing, struct owner *out)
{
	struct wire_socket socket = {
		.local_port = outgoing ? p->source_port : p->destination_port,
		.remote_port = outgoing ? p->destination_port : p->source_port,
		.protocol = p->protocol,
	};

	if (!k->owners || !(p->flags & PACKET_PORTS))
		return false;
	memcpy(socket.local, outgoing ? p->source : p->destination, sizeof(socket.local));
	memcpy(socket.remote, outgoing ? p->destination : p->source, sizeof(socket.remote));
	return wire_owners_seek(k->owners, &socket, out);
}

static struct frame frame_of(struct packets *k, const struct packets_record *r, uint32_t captured)
{
	bool outgoing = frame_type_of(r->type) == FRAME_TYPE_OUTGOING;
	struct frame f = {
		.time_ns = session_wall(k->session, r->now_ns),
		.length = r->length,
		.interface = r->ifindex,
		.link = r->ethernet ? LINK_ETHERNET : LINK_RAW,
		.direction = outgoing ? FRAME_DIRECTION_OUT : FRAME_DIRECTION_IN,
		.type = frame_type_of(r->type),
		.name = text_of(wire_names_of(k->names, r->ifindex, r->now_ns)),
	};

	if (k->writing) {
		f.captured = MIN(captured, r->length);
		f.bytes = (const uint8_t *)(r + 1);
	}
	return f;
}

/* Where the payload lies in what follows the record. */
static void set_payload(const struct packets *k, const struct packets_record *r, uint32_t captured,
			struct packets_seen *seen)
{
	uint32_t at = k->writing ? r->packet.payload - r->from + r->tag : 0;

	if (at >= captured)
		return;
	seen->payload = (const uint8_t *)(r + 1) + at;
	seen->captured = MIN(captured - at, MIN(r->packet.payload_length, k->shown));
}

int packets_live_record(struct session *s, const struct record *rec)
{
	const struct packets_record *r = (const struct packets_record *)rec;
	uint32_t captured = MIN(r->captured, rec->size - (uint32_t)sizeof(*r));
	struct packets *k = session_state(s);
	struct packets_seen seen = {
		.frame = frame_of(k, r, captured),
		.packet = &r->packet,
		.now_ns = r->now_ns,
	};
	struct owner owner;

	set_payload(k, r, captured, &seen);
	packets_write_received(k, &seen.frame);
	if (find_owner(k, &r->packet, seen.frame.direction == FRAME_DIRECTION_OUT, &owner))
		seen.owner = &owner;
	return packets_show(k, &seen);
}

/* ---- the kernel side ---- */

static bool wants_owners(const struct packets *k)
{
	return packets_tell_owner(k->columns) || k->writing;
}

static int set_up(struct packets *k, const struct wire_tap *tap)
{
	struct packets_bpf *b = k->kernel;
	int r = 0;

	b->rodata->filter = *session_filter(k->session);
	b->rodata->wire_direction = (uint32_t)k->conf->direction;
	b->rodata->show_all = k->conf->all;
	b->rodata->only_http = k->conf->http;
	b->rodata->snap = k->snap;
	b->rodata->whole = k->writing != NULL;
	b->rodata->ssh_shown = wire_asks_for(k->session, tap, SSH_PORT);
	if (k->writing)
		r = bpf_map__set_max_entries(b->maps.ring, RING_WHOLE);
	if (r)
		return session_fail(k->session, r, "cannot make the ring larger: %s", strerror(-r));
	if (wants_owners(k))
		return wire_owners_prepare(k->session, b->obj, &b->rodata->network_namespace);
	wire_owners_disable(b->obj);
	return 0;
}

static int load(struct packets *k, const struct wire_tap *tap)
{
	int r;

	k->kernel = packets_bpf__open();
	if (!k->kernel)
		return session_fail(k->session, -errno, "cannot open the BPF object: %s",
				    strerror(errno));
	r = set_up(k, tap);
	if (r) {
		packets_bpf__destroy(k->kernel);
		return r;
	}
	r = SESSION_LOAD(k->session, k->kernel, packets_bpf);
	if (!r)
		r = session_attach(k->session);
	if (!r && wants_owners(k))
		r = wire_owners_open(k->session, k->kernel->obj, &k->owners);
	return r;
}

int packets_live_open(struct packets *k)
{
	struct wire_tap tap = packets_tap(k);
	int r = wire_refuse_owner(k->session, "pid==N");

	if (!r)
		r = wire_names_open(k->session, &k->names);
	if (!r)
		r = load(k, &tap);
	return r ? r
		 : wire_watch(k->session, &tap, k->kernel->obj, k->kernel->progs.packets_filter);
}

void packets_live_ledger(const struct packets *k, struct buf *out)
{
	ledger_line(out, "fragments", session_counter(k->session, COUNT_FRAGMENTS),
		    "IP fragments left out: they have no ports (--all shows them)");
}

void packets_live_close(struct packets *k)
{
	wire_owners_free(k->owners);
	wire_names_free(k->names);
}
