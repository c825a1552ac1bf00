// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* -w: the packets that are shown go to a capture file, with their owner as a comment.
 * What each interface has received and lost is counted, and ends up in the file, too. */
#include <bpf/bpf.h>

#include "capture/link.h"
#include "capture/pcapng.h"
#include "packets.skel.h"
#include "tools/packets/state.h"

struct writing {
	struct capture_out *out;
	struct processes *processes;
};

int packets_write_open(struct packets *k)
{
	struct capture_out *out;
	int r = capture_out_open(k->session, &k->conf->out, &out);

	if (r || !out)
		return r;
	k->writing = calloc(1, sizeof(*k->writing));
	if (!k->writing || processes_new(&k->writing->processes))
		return session_fail(k->session, -ENOMEM, "no memory");
	k->writing->out = out;
	return 0;
}

void packets_write_close(struct packets *k)
{
	if (k->writing)
		processes_free(k->writing->processes);
	free(k->writing);
	k->writing = NULL;
}

static int number_of(const struct packets *k, const struct frame *f)
{
	struct capture_out_interface from = {
		.index = f->interface,
		.link = f->link,
		.snaplen = k->file ? 0 : k->snap,
		.name = f->name,
	};

	return capture_out_number(k->writing->out, &from);
}

void packets_write_received(struct packets *k, const struct frame *f)
{
	if (k->writing)
		capture_out_received(k->writing->out, number_of(k, f));
}

static struct text comment_of(const struct writing *w, const struct packets_seen *seen,
			      struct buf *b)
{
	const struct owner *o = seen->owner;
	struct text container;

	if (!o)
		return seen->frame.comment;
	container =
		process_container(w->processes, o->pid, o->start_ns, o->cgroup_id, seen->now_ns);
	buf_bytes(b, o->comm, strnlen(o->comm, sizeof(o->comm)));
	buf_printf(b, "[%u]", o->pid);
	if (container.len) {
		buf_str(b, " in ");
		buf_bytes(b, container.p, container.len);
	}
	return buf_text(b);
}

int packets_write_frame(struct packets *k, const struct packets_seen *seen)
{
	struct frame f = seen->frame;
	char text[PCAPNG_COMMENT_MAX];
	struct buf b = BUF_ON(text);

	if (!k->writing)
		return 0;
	f.comment = comment_of(k->writing, seen, &b);
	return capture_out_frame(k->writing->out, number_of(k, &f), &f);
}

static void count(void *ctx, uint32_t index, struct capture_out_counts *c)
{
	const struct packets *k = ctx;

	(void)bpf_map_lookup_elem(bpf_map__fd(k->kernel->maps.lost), &index, &c->dropped);
	c->received += c->dropped;
}

/* Of a file no packets are counted: it does not tell what its interfaces lost. */
int packets_write_finish(struct packets *k)
{
	return k->writing ? capture_out_finish(k->writing->out, count, k) : 0;
}
