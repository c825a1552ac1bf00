// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Reader, filter, window: in this order, so that what does not match is not even copied.
 * A filter is compiled for every link type before a byte is read, as privileges are there only
 * then.
 */
#include "loader/capture_in.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "capture/order.h"
#include "capture/reader.h"
#include "filter/run.h"
#include "loader/state.h"
#include "loader/wire_filter.h"

/* So many packets in a row that are not wanted are gone through in one call. */
#define UNWANTED_MAX 4096

/* A link type that is read. */
struct kind {
	uint16_t link;
	struct filter_program program;
	char unfit[256]; /* why the filter makes no sense there; empty: it does */
};

struct capture_in {
	struct session *session;
	const char *name;
	char *expression;   /* or NULL: everything matches */
	uint64_t direction; /* enum wire_direction */
	struct reader *reader;
	struct order *order;
	struct kind kinds[LINK_TYPES];
	unsigned last; /* of kinds: that of the packet before */
	uint64_t read, filtered, unread, handed_on;
	bool nothing;         /* was read before an error */
	char unread_why[384]; /* of the first */
	uint64_t taken;       /* into the window ever, when a pipe had nothing */
	uint64_t quiet_ns;    /* since when none came; CLOCK_MONOTONIC */
};

static void link_of(const struct frame *f, struct link *l)
{
	if (link_parse(f, l))
		*l = (struct link){
			.offset = f->captured, .type = f->type, .direction = f->direction};
}

/* ---- what is wanted ---- */

/* An expression is wrong where it fits no link type; what the first one says of it is told. */
static int compile(struct capture_in *c)
{
	struct filter_error first = {.at = -1};
	bool fits = false;
	int first_error = 0;

	for (unsigned i = 0; i < LINK_TYPES; i++) {
		struct kind *k = &c->kinds[i];
		struct filter_link link = {.type = k->link, .snaplen = FRAME_MAX};
		struct filter_error error = {.at = -1};
		int r = filter_compile(c->expression, &link, &k->program, &error);

		fits |= !r;
		if (r)
			(void)snprintf(k->unfit, sizeof(k->unfit), "%s", error.message);
		if (r && !i) {
			first_error = r;
			first = error;
		}
	}
	return fits ? 0 : wire_expression_fail(c->session, first_error, c->expression, &first);
}

static struct kind *kind_of(struct capture_in *c, uint16_t link)
{
	if (c->kinds[c->last].link == link)
		return &c->kinds[c->last];
	for (unsigned i = 0; i < LINK_TYPES; i++)
		if (c->kinds[i].link == link) {
			c->last = i;
			return &c->kinds[i];
		}
	return NULL;
}

static bool filtered(struct capture_in *c)
{
	c->filtered++;
	return false;
}

static bool PRINTF_LIKE(2, 3) unread(struct capture_in *c, const char *format, ...)
{
	va_list args;

	if (c->unread++)
		return false;
	va_start(args, format);
	(void)vsnprintf(c->unread_why, sizeof(c->unread_why), format, args);
	va_end(args);
	return false;
}

static bool goes(struct capture_in *c, const struct frame *f)
{
	struct link l;

	if (c->direction == DIRECTION_BOTH)
		return true;
	link_of(f, &l);
	if (l.direction == FRAME_DIRECTION_UNKNOWN)
		return unread(c, "which way they went, as --direction asks, is not in the file");
	if ((l.direction == FRAME_DIRECTION_OUT) != (c->direction == DIRECTION_OUT))
		return filtered(c);
	return true;
}

/* Counts it, too. */
static bool wanted(struct capture_in *c, const struct frame *f)
{
	const struct kind *k = kind_of(c, f->link);
	char refusal[LINK_ERROR_MAX];

	c->read++;
	if (!k) {
		link_refusal(f->link, refusal);
		return unread(c, "%s", refusal);
	}
	if (k->unfit[0])
		return unread(c, "the filter does not fit link type %u: %s", f->link, k->unfit);
	if (c->expression && !filter_match(&k->program, f->bytes, f->length, f->captured))
		return filtered(c);
	return goes(c, f);
}

/* The window's source. */
static int next_wanted(void *from, struct frame *out)
{
	struct capture_in *c = from;

	for (unsigned i = 0; i < UNWANTED_MAX; i++) {
		int r = reader_next(c->reader, out);

		if (r <= 0 || wanted(c, out))
			return r;
	}
	return -EINTR;
}

/* ---- packets ---- */

/* A pipe has nothing now. What waits in the window for something younger waits no longer than the
 * window is wide. */
static int next_held(struct capture_in *c, struct frame *f)
{
	uint64_t taken = c->read - c->filtered - c->unread, now = clock_mono_ns();

	if (taken != c->taken) {
		c->taken = taken;
		c->quiet_ns = now;
	}
	if (now - c->quiet_ns < ORDER_NS)
		return -EAGAIN;
	return order_next_held(c->order, f) ? 1 : -EAGAIN;
}

static int end(struct capture_in *c, int error)
{
	c->nothing = error && !c->read;
	if (error)
		session_fail_late(c->session, error, "%.300s: %s%s", c->name,
				  reader_error(c->reader),
				  c->nothing ? "" : "; what came before is all that was read");
	else if (c->unread)
		session_fail_late(c->session, -EPROTONOSUPPORT,
				  "%.300s: %llu of %llu packets were left out: %s", c->name,
				  (unsigned long long)c->unread, (unsigned long long)c->read,
				  c->unread_why);
	return 0;
}

int capture_in_next(struct capture_in *c, struct frame *f, struct link *l)
{
	int r;

	if (c->session->told) { /* to end: what was read is all there is */
		r = order_next_held(c->order, f);
		if (!r)
			return 0;
	} else {
		r = order_next(c->order, f);
	}
	if (r == -EAGAIN)
		r = next_held(c, f);
	if (r == -EAGAIN || r == -EINTR)
		return r;
	if (r <= 0)
		return end(c, r);
	link_of(f, l);
	c->handed_on++;
	return 1;
}

bool capture_in_nothing(const struct capture_in *c)
{
	return c->nothing;
}

void capture_in_ledger(const struct capture_in *c, struct buf *b)
{
	/* What waits in the window when a run is told to end has not been looked at. */
	ledger_line(b, "file_packets", c->handed_on + c->filtered + c->unread,
		    "read from the file");
	ledger_line(b, "file_filtered", c->filtered, "of these, left out by filter or --direction");
	ledger_line(b, "file_unread", c->unread, "of these, of a kind that is not read");
	ledger_line(b, "file_late", order_late(c->order),
		    "of these, too late to be put in the order of their times");
}

/* ---- the run ---- */

static int refuse(struct session *s, const struct wire_tap *t)
{
	const char *owner = session_owner_option(s);

	if (t->interfaces && t->interfaces->n)
		return session_fail(s, -EINVAL,
				    "-i is for an interface that is watched and -r for a file: "
				    "give one of them");
	if (t->dump_filter)
		return session_fail(s, -EINVAL,
				    "--dump-filter shows what the kernel runs, and with -r it "
				    "runs nothing: give one of them");
	if (owner)
		return session_fail(s, -EINVAL,
				    "%s cannot be known of a packet in a file: leave it out",
				    owner);
	return 0;
}

static int open_filter(struct capture_in *c, const struct wire_tap *t)
{
	c->direction = t->direction;
	for (unsigned i = 0; i < LINK_TYPES; i++)
		c->kinds[i].link = link_types[i];
	if (!t->n_words)
		return 0;
	c->expression = wire_expression(t->words, t->n_words);
	return c->expression ? compile(c) : session_fail(c->session, -ENOMEM, "no memory");
}

static int open_file(struct capture_in *c, const char *path)
{
	int r = reader_open(path, &c->reader);

	c->name = strcmp(path, "-") == 0 ? "standard input" : path;
	if (r)
		return session_fail(c->session, r, "cannot read '%.300s': %s", c->name,
				    strerror(-r));
	reader_set_polled(c->reader);
	session_set_offline(c->session, reader_fd(c->reader));
	r = order_new(next_wanted, c, &c->order);
	return r ? session_fail(c->session, r, "no memory") : 0;
}

int capture_in_open(struct session *s, const char *path, const struct wire_tap *t,
		    struct capture_in **out)
{
	struct capture_in *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return session_fail(s, -ENOMEM, "no memory");
	c->session = s;
	r = refuse(s, t);
	if (!r)
		r = open_filter(c, t);
	if (!r)
		r = open_file(c, path);
	if (r)
		capture_in_free(c);
	else
		*out = c;
	return r;
}

void capture_in_free(struct capture_in *c)
{
	if (!c)
		return;
	order_free(c->order);
	reader_close(c->reader);
	for (unsigned i = 0; i < LINK_TYPES; i++)
		filter_program_free(&c->kinds[i].program);
	free(c->expression);
	free(c);
}
