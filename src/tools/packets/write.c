// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* -w: the packets that are shown go to a capture file, with their owner as a comment.
 * What each interface has received and lost is counted, and ends up in the file, too. */
#include <bpf/bpf.h>

#include "capture/link.h"
#include "capture/pcapng.h"
#include "packets.skel.h"
#include "tools/packets/state.h"

struct source {
	uint32_t index; /* of the interface */
	uint16_t link;
	char name[IF_NAMESIZE];
	uint64_t received;
};

struct writing {
	struct capture_out *out;
	struct processes *processes;
	unsigned n, last; /* of sources; last: that of the packet before */
	struct source sources[PCAPNG_INTERFACES];
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

static bool is(const struct source *s, const struct frame *f)
{
	return s->index == f->interface && s->link == f->link && strlen(s->name) == f->name.len &&
	       memcmp(s->name, f->name.p, f->name.len) == 0;
}

void packets_write_received(struct packets *k, const struct frame *f)
{
	struct writing *w = k->writing;
	struct source *s;

	if (!w)
		return;
	if (w->last >= w->n || !is(&w->sources[w->last], f))
		for (w->last = 0; w->last < w->n; w->last++)
			if (is(&w->sources[w->last], f))
				break;
	if (w->last == ARRAY_SIZE(w->sources))
		return;
	s = &w->sources[w->last];
	if (w->last == w->n) {
		*s = (struct source){.index = f->interface, .link = f->link};
		memcpy(s->name, f->name.p, MIN(f->name.len, sizeof(s->name) - 1));
		w->n++;
	}
	s->received++;
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
	struct capture_out_interface from = {
		.index = seen->frame.interface,
		.link = seen->frame.link,
		.snaplen = k->file ? 0 : k->snap,
		.name = seen->frame.name,
	};
	struct frame f = seen->frame;
	char text[PCAPNG_COMMENT_MAX];
	struct buf b = BUF_ON(text);

	if (!k->writing)
		return 0;
	f.comment = comment_of(k->writing, seen, &b);
	return capture_out_frame(k->writing->out, &from, &f);
}

/* A file does not tell what its interfaces lost. */
int packets_write_finish(struct packets *k)
{
	struct writing *w = k->writing;
	int r = 0;

	for (unsigned i = 0; w && !k->file && !r && i < w->n; i++) {
		const struct source *s = &w->sources[i];
		struct capture_out_interface from = {s->index, s->link, k->snap, text_of(s->name)};
		uint64_t lost = 0;

		(void)bpf_map_lookup_elem(bpf_map__fd(k->kernel->maps.lost), &s->index, &lost);
		r = capture_out_counts(w->out, &from, s->received + lost, lost);
	}
	return r;
}
