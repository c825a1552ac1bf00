// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The queue between rows and a descriptor, and the register of formats.
 * Writing never blocks the run: a reader that stalls fills the queue, then costs whole rows. */
#include "output/output.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum {
	QUEUE_SIZE = 16 << 20,  /* of address space: memory comes with a backlog and goes with it */
	QUEUE_KEPT = 1 << 20,   /* what stays of it when the reader has caught up */
	WRITE_AT = 64 << 10,    /* queued bytes from which a row writes at once */
	RETRY_AFTER = 16 << 10, /* more queued bytes before a stalled reader is tried again */
	WAIT_MS = 2000,
	ASK_MS = 100, /* between two questions whether the run was told to end */
	FIELDS_MAX = 64,
};

extern const struct output_kind output_table, output_json, output_csv;

const struct output_kind *const output_kinds[] = {&output_table, &output_json, &output_csv, NULL};

/* How a write is kept from blocking. */
enum sink {
	SINK_FILE,     /* never blocks for a reader */
	SINK_NONBLOCK, /* a description of our own that has O_NONBLOCK */
	SINK_POLLED,   /* shared flags: poll, then no more than POLLOUT promises */
};

struct output {
	const struct output_kind *kind;
	const struct schema *schema;
	uint8_t fields[FIELDS_MAX];
	unsigned n;
	struct output_style style;
	void *state;
	enum sink sink;
	int fd;     /* written to */
	int own_fd; /* the same when it is ours to close, else -1 */
	int error;  /* of the reader, for good */
	bool header_due;
	bool titled; /* this block has a title */
	uint64_t dropped;
	char *queue; /* [start, end) is to be written */
	size_t start, end;
	size_t write_at;         /* queued bytes from which output_row writes */
	bool (*told)(void *ctx); /* of a patient output, else NULL */
	void *told_ctx;
};

static unsigned terminal_lines(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 2 ? size.ws_row : 24;
}

static unsigned terminal_width(int fd)
{
	struct winsize size;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	uint64_t columns;
	const char *env = getenv("COLUMNS");
	if (env && text_to_u64(text_of(env), &columns) == 0 && columns > 0 && columns <= UINT16_MAX)
		return (unsigned)columns;
	return 80;
}

struct output_style output_style_of(int fd)
{
	struct output_style style = {0};

	if (!isatty(fd))
		return style;
	const char *no_color = getenv("NO_COLOR"); /* no-color.org: present and not empty */
	const char *term = getenv("TERM");
	style.terminal = true;
	style.color = !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
	style.width = terminal_width(fd);
	style.lines = terminal_lines(fd);
	return style;
}

/*
 * O_NONBLOCK belongs to the open file description, which the shell and other programs share: it is
 * set on a description of our own. A pty's master is left alone, as opening it makes a new pty.
 */
static int open_sink(struct output *o, int fd)
{
	struct stat st;
	int pty;
	char path[32];

	if (fstat(fd, &st))
		return -errno;
	o->fd = fd;
	bool terminal = isatty(fd);
	if (S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && !terminal)) {
		o->sink = SINK_FILE;
		return 0;
	}
	o->sink = SINK_POLLED;
	if (!S_ISFIFO(st.st_mode) && !(terminal && ioctl(fd, TIOCGPTN, &pty) != 0))
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	o->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (o->own_fd >= 0) {
		o->fd = o->own_fd;
		o->sink = SINK_NONBLOCK;
	}
	return 0;
}

int output_new(struct output **out, const struct output_kind *kind, const struct schema *schema,
	       const uint8_t *fields, unsigned n, int fd, struct output_style style)
{
	if (n == 0 || n > FIELDS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++)
		if (fields[i] >= schema->n)
			return -EINVAL;

	struct output *o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	*o = (struct output){.kind = kind,
			     .schema = schema,
			     .n = n,
			     .style = style,
			     .own_fd = -1,
			     .header_due = kind->header != NULL,
			     .write_at = WRITE_AT};
	memcpy(o->fields, fields, n);
	o->queue = mmap(NULL, QUEUE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (o->queue == MAP_FAILED) {
		free(o);
		return -ENOMEM;
	}
	int r = open_sink(o, fd);
	if (r == 0 && kind->prepare)
		r = kind->prepare(o, &o->state);
	if (r) {
		output_free(o);
		return r;
	}
	*out = o;
	return 0;
}

void output_free(struct output *o)
{
	if (!o)
		return;
	close_fd_(&o->own_fd);
	free(o->state);
	(void)munmap(o->queue, QUEUE_SIZE);
	free(o);
}

/* POLLOUT promises room for PIPE_BUF bytes in a pipe (pipe(7)), so no more is written after it. */
static ssize_t write_some(struct output *o)
{
	size_t n = o->end - o->start;

	if (o->sink == SINK_POLLED) {
		struct pollfd p = {.fd = o->fd, .events = POLLOUT};
		if (poll(&p, 1, 0) == 0)
			return -EAGAIN;
		n = MIN(n, (size_t)PIPE_BUF);
	}
	ssize_t w = write(o->fd, o->queue + o->start, n);
	return w < 0 ? -errno : w;
}

static int drain(struct output *o)
{
	while (!o->error && o->start < o->end) {
		ssize_t w = write_some(o);
		if (w == -EINTR)
			continue;
		if (w == -EAGAIN || w == 0) {
			o->write_at = o->end - o->start + RETRY_AFTER;
			return -EAGAIN;
		}
		if (w < 0)
			o->error = (int)w;
		else
			o->start += (size_t)w;
	}
	if (o->end > QUEUE_KEPT)
		(void)madvise(o->queue + QUEUE_KEPT, QUEUE_SIZE - QUEUE_KEPT, MADV_DONTNEED);
	o->start = o->end = 0;
	o->write_at = WRITE_AT;
	return o->error;
}

/* Whether there is more room at the end of the queue than there was. */
static bool make_room(struct output *o)
{
	size_t end = o->end;

	(void)drain(o);
	if (o->start > QUEUE_SIZE / 2) { /* seldom, as it moves all that waits */
		memmove(o->queue, o->queue + o->start, o->end - o->start);
		o->end -= o->start;
		o->start = 0;
	}
	return o->end < end;
}

/* Waits a little until the reader takes something. False: the output is not patient, or was told
 * to end. */
static bool wait_for_reader(struct output *o)
{
	struct pollfd p = {.fd = o->fd, .events = POLLOUT};

	if (o->told && o->told(o->told_ctx))
		o->told = NULL;
	if (!o->told)
		return false;
	(void)poll(&p, 1, ASK_MS);
	return true;
}

/* Rows are rendered in place, after what is queued; what does not fit never counts as queued. */
static bool render(struct output *o, const struct row *row)
{
	struct buf b = {o->queue + o->end, 0, QUEUE_SIZE - o->end, false};

	if (o->header_due)
		o->kind->header(o, &b);
	o->kind->row(o, row, &b);
	if (b.over)
		return false;
	o->end += b.len;
	o->header_due = false;
	return true;
}

int output_row(struct output *o, const struct row *row)
{
	if (o->error)
		return o->error;
	while (!render(o, row)) {
		if (make_room(o) || (o->end && wait_for_reader(o)))
			continue;
		o->dropped++;
		return -ENOBUFS;
	}
	if (o->end - o->start >= o->write_at)
		(void)drain(o);
	return 0;
}

int output_text(struct output *o, struct text t)
{
	if (!o->kind->people || t.len == 0)
		return 0;
	if (o->error)
		return o->error;
	if (t.len > QUEUE_SIZE - o->end && !(make_room(o) && t.len <= QUEUE_SIZE - o->end))
		return -ENOBUFS;
	memcpy(o->queue + o->end, t.p, t.len);
	o->end += t.len;
	return 0;
}

void output_repeat_header(struct output *o)
{
	if (o->kind->people && o->kind->header)
		o->header_due = true;
}

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Every row is one line in every format, but for lines below it. */
static void give_up(struct output *o)
{
	for (size_t i = o->start; i < o->end; i++)
		o->dropped += o->queue[i] == '\n' && (i + 1 == o->end || o->queue[i + 1] != '\t');
	o->start = o->end = 0;
}

int output_flush(struct output *o, bool wait)
{
	int r = drain(o);
	while (wait && r == -EAGAIN && wait_for_reader(o))
		r = drain(o);
	if (!wait || r != -EAGAIN)
		return r;

	int64_t until = now_ms() + WAIT_MS;
	for (int64_t left = WAIT_MS; r == -EAGAIN && left > 0; left = until - now_ms()) {
		struct pollfd p = {.fd = o->fd, .events = POLLOUT};
		size_t before = o->start;

		(void)poll(&p, 1, (int)left);
		r = drain(o);
		if (o->start != before) /* it reads: it gets all the time it takes */
			until = now_ms() + WAIT_MS;
	}
	if (r == -EAGAIN)
		give_up(o);
	return r;
}

void output_set_patient(struct output *o, bool (*told)(void *ctx), void *ctx)
{
	o->told = told;
	o->told_ctx = ctx;
}

uint64_t output_dropped(const struct output *o)
{
	return o->dropped;
}

const struct output_style *output_style(const struct output *o)
{
	return &o->style;
}

void *output_state(const struct output *o)
{
	return o->state;
}

const struct schema *output_schema(const struct output *o)
{
	return o->schema;
}

unsigned output_fields(const struct output *o, const uint8_t **fields)
{
	*fields = o->fields;
	return o->n;
}

/* Everything is worked out anew for the columns, and for the terminal as it is now. */
static int prepare_again(struct output *o)
{
	void *state = NULL;
	int r = o->kind->prepare ? o->kind->prepare(o, &state) : 0;

	if (r)
		return r;
	free(o->state);
	o->state = state;
	output_repeat_header(o);
	return 0;
}

int output_set_fields(struct output *o, const uint8_t *fields, unsigned n)
{
	uint8_t before[FIELDS_MAX];
	unsigned n_before = o->n;
	int r;

	if (n == 0 || n > FIELDS_MAX)
		return -EINVAL;
	memcpy(before, o->fields, sizeof(before));
	memcpy(o->fields, fields, n);
	o->n = n;
	r = prepare_again(o);
	if (r) {
		memcpy(o->fields, before, sizeof(before));
		o->n = n_before;
	}
	return r;
}

static void fit_terminal(struct output *o)
{
	struct winsize size;

	if (ioctl(o->fd, TIOCGWINSZ, &size) || size.ws_row <= 2 || !size.ws_col)
		return;
	o->style.lines = size.ws_row;
	if (size.ws_col == o->style.width)
		return;
	o->style.width = size.ws_col;
	(void)prepare_again(o); /* without memory it stays as wide as it was */
}

void output_title(struct output *o, struct text t)
{
	if (!o->kind->people || !o->style.terminal)
		return;
	if (o->style.width)
		t.len = (uint32_t)text_fit(t, o->style.width);
	(void)output_text(o, t);
	(void)output_text(o, TEXT("\n"));
	o->titled = true;
}

void output_new_block(struct output *o)
{
	if (!o->kind->people)
		return;
	o->titled = false;
	if (o->style.terminal) {
		fit_terminal(o);
		(void)output_text(o, TEXT("\033[H\033[2J"));
	} else if (!o->header_due) {
		(void)output_text(o, TEXT("\n"));
	}
	output_repeat_header(o);
}

bool output_for_people(const struct output *o)
{
	return o->kind->people;
}

unsigned output_lines(const struct output *o)
{
	unsigned others = 2 + o->titled; /* the header, and where the cursor ends */

	if (!o->kind->people || !o->style.lines)
		return 0;
	return o->style.lines > others ? o->style.lines - others : 1;
}
