// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* -r: the packets of a capture file, counted by the code that counts in the kernel.
 * Its clock is that of the packets: an interval is over when one comes that is behind it. */
#include "loader/capture_in.h"
#include "tools/count/key.h"
#include "tools/count/state.h"

struct file {
	struct capture_in *in;
	bool began;       /* there was a packet */
	uint64_t time_ns; /* of the last one */
	uint64_t end_ns;  /* of the interval */
};

int file_open(struct count *c)
{
	struct wire_tap tap = count_tap(c);

	if (c->conf->by == BY_PROCESS)
		return session_fail(c->session, -EINVAL,
				    "--by process: a capture file does not say whose packets are; "
				    "give another");
	c->file = calloc(1, sizeof(*c->file));
	if (!c->file)
		return session_fail(c->session, -ENOMEM, "no memory");
	return capture_in_open(c->session, c->conf->read, &tap, &c->file->in);
}

uint64_t file_time(const struct count *c)
{
	return c->file->time_ns;
}

bool file_has_nothing(const struct count *c)
{
	return capture_in_nothing(c->file->in);
}

static int add(struct count *c, const struct frame *f, const struct link *l)
{
	packet_bytes bytes = {f->bytes, f->captured, f->length};
	const struct count_sum sum = {1, f->length};
	struct count_key key = {.known = 0};
	struct packet p;

	packet_walk_captured(&bytes, f->link == LINK_ETHERNET, l->offset, l->ethertype, &p);
	if (!packet_wanted(session_filter(c->session), &p))
		return 0;
	count_key_of(&p, (u32)c->conf->by, l->direction == FRAME_DIRECTION_OUT, f->length, &key);
	return lines_add(c, &key, NULL, &sum);
}

/* Prints what a packet of this time ends. Where none came there is no block: a file may have a gap
 * of years. */
static int advance(struct count *c, uint64_t now_ns)
{
	uint64_t interval_ns = c->interval_s * 1000000000;
	struct file *f = c->file;
	int r = 0;

	if (!f->began) {
		f->began = true;
		c->printed_ns = now_ns;
		f->end_ns = now_ns + interval_ns;
	} else if (interval_ns && (int64_t)(now_ns - f->end_ns) >= 0) {
		r = count_block(c, f->end_ns);
		f->end_ns += ((now_ns - f->end_ns) / interval_ns + 1) * interval_ns;
	}
	if ((int64_t)(now_ns - f->time_ns) > 0)
		f->time_ns = now_ns;
	return r;
}

int file_tick(struct count *c)
{
	int r = 0;

	for (unsigned i = 0; !r && i < CAPTURE_IN_BATCH; i++) {
		struct frame f;
		struct link l;

		r = capture_in_next(c->file->in, &f, &l);
		if (r <= 0)
			return r ? r : -ECANCELED;
		r = advance(c, (uint64_t)f.time_ns);
		if (!r)
			r = add(c, &f, &l);
	}
	return r;
}

void file_ledger(const struct count *c, struct buf *out)
{
	capture_in_ledger(c->file->in, out);
}

void file_close(struct count *c)
{
	if (c->file)
		capture_in_free(c->file->in);
	free(c->file);
	c->file = NULL;
}
