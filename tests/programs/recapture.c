// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A subcommand of its own that reads a capture file and writes another, a row a packet: what the
 * session does for tools with -r and -w, and nothing of what a tool adds.
 * usage: recapture -r FILE [--direction WORD] [-w FILE] [common options] [FILTER] */
#include "loader/capture_in.h"
#include "loader/capture_out.h"

struct recapture_conf {
	const char *path;
	uint64_t direction;
	struct capture_out_conf out;
};

struct recapture {
	struct capture_in *in;
	struct capture_out *out; /* or NULL */
	uint64_t packets;
};

struct recapture_row {
	struct row row;
	int64_t time;
	uint64_t length, offset, ethertype;
	struct text name, comment;
};

#define C(field) offsetof(struct recapture_row, field)

static const struct column columns[] = {
	{"time", "TIME", COL_TIME, UNIT_NONE, C(time), 12, COLUMN_SHOWN, .help = "of the packet"},
	{"length", "LENGTH", COL_UINT, UNIT_NONE, C(length), 8, COLUMN_SHOWN, .help = "of it"},
	{"offset", "OFFSET", COL_UINT, UNIT_NONE, C(offset), 8, COLUMN_SHOWN, .help = "of its IP"},
	{"ethertype", "TYPE", COL_UINT, UNIT_NONE, C(ethertype), 8, COLUMN_SHOWN, .help = "of it"},
	{"name", "NAME", COL_TEXT, UNIT_NONE, C(name), 8, COLUMN_SHOWN, .help = "its interface"},
	{"comment", "COMMENT", COL_TEXT, UNIT_NONE, C(comment), 8, COLUMN_SHOWN, .help = "on it"},
};

static const struct schema schema = {columns, ARRAY_SIZE(columns)};

static int recapture_open(struct session *s, void *conf_ptr)
{
	const struct recapture_conf *conf = conf_ptr;
	struct recapture *c = calloc(1, sizeof(*c));
	struct wire_tap tap = {.direction = conf->direction};
	int r;

	if (!c)
		return -ENOMEM;
	session_set_state(s, c);
	tap.words = session_operands(s, &tap.n_words);
	r = capture_in_open(s, conf->path ? conf->path : "-", &tap, &c->in);
	return r ? r : capture_out_open(s, &conf->out, &c->out);
}

static int write_frame(struct recapture *c, const struct frame *f)
{
	struct capture_out_interface i = {.index = f->interface, .link = f->link, .name = f->name};

	return c->out ? capture_out_frame(c->out, capture_out_number(c->out, &i), f) : 0;
}

static int recapture_tick(struct session *s, uint64_t now_ns UNUSED)
{
	struct recapture *c = session_state(s);
	int r = 0;

	for (unsigned n = 0; !r && n < CAPTURE_IN_BATCH; n++) {
		struct frame f;
		struct link l;

		r = capture_in_next(c->in, &f, &l);
		if (r <= 0)
			return r ? r : -ECANCELED;
		struct recapture_row row = {
			.row.known = (1 << ARRAY_SIZE(columns)) - 1,
			.time = session_wall(s, (uint64_t)f.time_ns),
			.length = f.length,
			.offset = l.offset,
			.ethertype = l.ethertype,
			.name = f.name,
			.comment = f.comment,
		};
		c->packets++;
		r = write_frame(c, &f);
		if (!r)
			r = session_row(s, &row.row);
	}
	return r;
}

static void count(void *ctx, uint32_t index UNUSED, struct capture_out_counts *c)
{
	c->received = ((const struct recapture *)ctx)->packets;
	c->dropped = 7;
}

static int recapture_finish(struct session *s)
{
	struct recapture *c = session_state(s);
	struct capture_out_interface i = {.link = 1, .name = TEXT("counted")};

	if (!c->out)
		return 0;
	capture_out_received(c->out, capture_out_number(c->out, &i));
	return capture_out_finish(c->out, count, c);
}

static void recapture_ledger(struct session *s, struct buf *b)
{
	const struct recapture *c = session_state(s);

	capture_in_ledger(c->in, b);
}

static void recapture_close(struct session *s)
{
	struct recapture *c = session_state(s);

	if (c)
		capture_in_free(c->in);
	free(c);
}

static unsigned needs_for(const void *conf UNUSED)
{
	return 0;
}

static const struct opt opts[] = {
	{'r', "read", "FILE", OPT_TEXT, 0, offsetof(struct recapture_conf, path), .help = "this"},
	{0, "direction", NULL, OPT_CHOICE, 0, offsetof(struct recapture_conf, direction),
	 .choices = wire_directions, .help = "only these"},
	CAPTURE_OUT_OPTS(offsetof(struct recapture_conf, out)),
	{0},
};

static const struct tool recapture = {
	.manual = {.name = "recapture",
		   .brief = "copy a capture file",
		   .operands = "[FILTER ...]",
		   .about = "For tests.",
		   .opts = opts,
		   .schema = &schema},
	.needs = NEED_ROOT | NEED_BTF,
	.needs_for = needs_for,
	.conf_size = sizeof(struct recapture_conf),
	.open = recapture_open,
	.tick = recapture_tick,
	.finish = recapture_finish,
	.ledger = recapture_ledger,
	.close = recapture_close,
};

const struct tool *const tools[] = {&recapture, NULL};

int main(int argc, char **argv)
{
	return session_run(&recapture, argc, argv);
}
