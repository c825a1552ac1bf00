// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* -r: the packets of a capture file, walked and decided by the code that does it in the kernel.
 * A file does not tell whose packets are, and need not tell which way they went. */
#include "tools/packets/decide.h"
#include "tools/packets/state.h"

struct file {
	struct capture_in *in;
	struct packets_asked asked;
	uint64_t fragments, ssh_bytes;
};

int packets_file_open(struct packets *k)
{
	struct wire_tap tap = packets_tap(k);

	k->file = calloc(1, sizeof(*k->file));
	if (!k->file)
		return session_fail(k->session, -ENOMEM, "no memory");
	k->file->asked = (struct packets_asked){
		.all = k->conf->all,
		.http = k->conf->http,
		.ssh = wire_asks_for(k->session, &tap, SSH_PORT),
	};
	return capture_in_open(k->session, k->conf->file, &tap, &k->file->in);
}

static int show(struct packets *k, const struct frame *f, const struct packet *p)
{
	struct packets_seen seen = {.frame = *f, .packet = p, .now_ns = (uint64_t)f->time_ns};

	if (p->payload < f->captured) {
		seen.payload = f->bytes + p->payload;
		seen.captured = MIN(f->captured - p->payload, MIN(p->payload_length, k->shown));
	}
	seen.frame.captured = MIN(f->captured, k->snap);
	return packets_show(k, &seen);
}

static int take(struct packets *k, struct frame *f, const struct link *l)
{
	packet_bytes bytes = {f->bytes, f->captured, f->length};
	struct packet p;

	packet_walk_captured(&bytes, f->link == LINK_ETHERNET, l->offset, l->ethertype, &p);
	f->type = l->type;
	f->direction = l->direction;
	switch (packets_decide(&bytes, &p, session_filter(k->session), &k->file->asked)) {
	case PACKETS_SHOW:
		return show(k, f, &p);
	case PACKETS_FRAGMENT:
		k->file->fragments++;
		return 0;
	case PACKETS_SSH:
		k->file->ssh_bytes += p.payload_length;
		return 0;
	case PACKETS_LEAVE:
		break;
	}
	return 0;
}

int packets_file_tick(struct packets *k)
{
	int r = 0;

	for (unsigned i = 0; !r && i < CAPTURE_IN_BATCH; i++) {
		struct frame f;
		struct link l;

		r = capture_in_next(k->file->in, &f, &l);
		if (r <= 0)
			return r ? r : -ECANCELED;
		r = take(k, &f, &l);
	}
	return r;
}

void packets_file_ledger(const struct packets *k, struct buf *out)
{
	capture_in_ledger(k->file->in, out);
	if (k->file->ssh_bytes)
		ledger_line(out, "ssh_bytes", k->file->ssh_bytes,
			    "payload on port 22, left out (show with --port 22)");
	ledger_line(out, "fragments", k->file->fragments,
		    "IP fragments left out: they have no ports (--all shows them)");
}

void packets_file_close(struct packets *k)
{
	if (k->file)
		capture_in_free(k->file->in);
	free(k->file);
	k->file = NULL;
}
