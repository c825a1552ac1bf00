// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Between a tool's packets and the writer: interfaces get numbers, files follow one another, and
 * an error becomes one sentence and the end of the run. */
#include "loader/capture_out.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "capture/pcapng.h"
#include "loader/opener.h"
#include "loader/state.h"

/* Who reads the file while it is written waits no longer than this for what there is. */
#define FLUSH_NS 250000000

/* What a pipe's reader is waited for: forever, in steps, and 2 s once the run is told to end. */
#define STEP_MS    100
#define PATIENT_NS 2000000000

struct known_interface {
	uint32_t index, snaplen;
	int in_file; /* its number there, or -1: not yet */
	uint64_t received;
	uint16_t link;
	uint8_t name_len;
	char name[PCAPNG_NAME_MAX];
};

struct capture_out {
	struct session *session;
	const struct capture_out_conf *conf;
	struct pcapng *writer; /* NULL once it has ended */
	struct pcapng_options options;
	char os[256];
	struct opener opener;
	unsigned file; /* the number of the one that is written, or could not be begun */
	bool failed;
	bool progress;    /* standard error is a terminal, and shows nothing else */
	uint64_t taken;   /* packets that were to go to the file */
	uint64_t written; /* of them, those that are in one */
	uint64_t told_written, left_out;
	uint64_t flushed_ns; /* CLOCK_MONOTONIC */
	unsigned last;       /* of interfaces: that of the packet before */
	unsigned n_interfaces;
	struct known_interface interfaces[PCAPNG_INTERFACES];
};

/* ---- errors ---- */

static void name_of(const struct capture_out *o, unsigned n, char *out, size_t size)
{
	if (strcmp(o->conf->path, "-") == 0)
		(void)snprintf(out, size, "standard output");
	else if (pcapng_name(o->conf->path, n, out, size))
		(void)snprintf(out, size, "%s", o->conf->path);
}

/* The run ends as Ctrl-C would end it: what was held is shown, then comes the sentence. */
static int fail(struct capture_out *o, int error)
{
	char name[300];

	if (o->writer)
		o->written = pcapng_written(o->writer);
	if (!o->failed && error != -EPIPE) { /* a reader that left is a quiet end */
		name_of(o, o->file, name, sizeof(name));
		session_fail_late(
			o->session, error,
			"cannot write '%s': %s; the %llu packets before that are written", name,
			error == -ECHILD ? "the process that opens the next file has ended"
					 : strerror(-error),
			(unsigned long long)o->written);
	}
	o->failed = true;
	session_stop(o->session);
	return -ECANCELED;
}

/* ---- files ---- */

static int open_first(const struct capture_out *o)
{
	const char *path = o->conf->path;
	int fd;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	else
		fd = open(path, opener_flags(0), 0666);
	return fd < 0 ? -errno : fd;
}

static int open_next(void *ctx, unsigned n)
{
	struct capture_out *o = ctx;

	o->file = n;
	return opener_next(&o->opener, n);
}

/* Waits until a pipe takes something, which may be long. */
static int ready(void *ctx, int fd)
{
	struct capture_out *o = ctx;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	uint64_t until = 0;

	while (poll(&p, 1, STEP_MS) <= 0) {
		uint64_t now = clock_mono_ns();

		if (!session_told(o->session))
			continue;
		if (!until)
			until = now + PATIENT_NS;
		if (now >= until)
			return -ETIMEDOUT;
	}
	return 0;
}

static bool is_source(const struct session *s, const char *path)
{
	struct stat here, there;

	return s->offline && !stat(path, &here) && !fstat(s->source_fd, &there) &&
	       S_ISREG(here.st_mode) && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int refuse(struct session *s, const struct capture_out_conf *conf)
{
	const char *path = conf->path;

	if (!path && (conf->megabytes || conf->files))
		return session_fail(s, -EINVAL, "%s wants -w FILE",
				    conf->megabytes ? "--file-size" : "--file-count");
	if (conf->files && !conf->megabytes)
		return session_fail(s, -EINVAL, "--file-count wants --file-size");
	if (!path || strcmp(path, "-") != 0)
		return 0;
	if (conf->megabytes)
		return session_fail(s, -EINVAL, "--file-size wants a file, not standard output");
	if (isatty(STDOUT_FILENO))
		return session_fail(s, -EINVAL,
				    "-w -: standard output is a terminal; name a file or a pipe");
	if (session_common(s)->rows_asked)
		return session_fail(s, -EINVAL,
				    "-w - takes standard output: rows cannot go there, too");
	return 0;
}

static int cannot(struct capture_out *o, int error)
{
	char name[300];

	name_of(o, 0, name, sizeof(name));
	return session_fail(o->session, error, "cannot write '%s': %s", name, strerror(-error));
}

static int begin(struct capture_out *o)
{
	const struct capture_out_conf *conf = o->conf;
	_cleanup_close_ int fd = open_first(o);
	struct utsname host;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (!uname(&host))
		(void)snprintf(o->os, sizeof(o->os), "%s %s", host.sysname, host.release);
	o->options = (struct pcapng_options){
		.os = o->os,
		.application = "tapline " VERSION,
		.file_bytes = conf->megabytes * 1000000,
		.files = (unsigned)conf->files,
		.open = open_next,
		.ctx = o,
		.start_ns = clock_wall_offset_ns() + (int64_t)clock_mono_ns(),
	};
	if (!fstat(fd, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		o->options.ready = ready;
	r = pcapng_new(fd, &o->options, &o->writer);
	if (!r)
		(void)TAKE_FD(fd);
	return r;
}

int capture_out_open(struct session *s, const struct capture_out_conf *conf,
		     struct capture_out **out)
{
	struct capture_out *o;
	int r = refuse(s, conf);

	*out = NULL;
	if (r || !conf->path)
		return r;
	o = calloc(1, sizeof(*o));
	if (!o)
		return session_fail(s, -ENOMEM, "no memory");
	s->capture = o;
	o->session = s;
	o->conf = conf;
	o->opener.socket = -1;
	(void)signal(SIGPIPE, SIG_IGN);
	if (conf->megabytes)
		r = opener_start(conf->path, &o->opener);
	if (r)
		return cannot(o, r);
	s->quiet = !s->common.rows_asked;
	o->progress = s->quiet && isatty(STDERR_FILENO);
	*out = o;
	return 0;
}

int capture_out_begin(struct capture_out *o)
{
	int r;

	if (is_source(o->session, o->conf->path))
		return session_fail(o->session, -EINVAL,
				    "-w '%.300s' is the file that -r reads, and would empty it: "
				    "name another",
				    o->conf->path);
	r = begin(o);
	return r ? cannot(o, r) : 0;
}

/* ---- packets ---- */

static bool is(const struct known_interface *k, const struct capture_out_interface *i)
{
	return k->index == i->index && k->link == i->link &&
	       k->name_len == MIN(i->name.len, sizeof(k->name)) &&
	       memcmp(k->name, i->name.p, k->name_len) == 0;
}

static bool is_number(const struct capture_out *o, int number)
{
	return number >= 0 && (unsigned)number < o->n_interfaces;
}

int capture_out_number(struct capture_out *o, const struct capture_out_interface *i)
{
	struct known_interface *k = &o->interfaces[o->n_interfaces];

	if (o->last < o->n_interfaces && is(&o->interfaces[o->last], i))
		return (int)o->last;
	for (o->last = 0; o->last < o->n_interfaces; o->last++)
		if (is(&o->interfaces[o->last], i))
			return (int)o->last;
	if (o->n_interfaces == ARRAY_SIZE(o->interfaces))
		return -ENOSPC;
	*k = (struct known_interface){
		.index = i->index,
		.snaplen = i->snaplen,
		.in_file = -1,
		.link = i->link,
		.name_len = (uint8_t)MIN(i->name.len, sizeof(k->name)),
	};
	if (k->name_len)
		memcpy(k->name, i->name.p, k->name_len);
	return (int)o->n_interfaces++;
}

void capture_out_received(struct capture_out *o, int number)
{
	if (is_number(o, number))
		o->interfaces[number].received++;
}

/* Its number in the file, where it is described from now on; or -errno. */
static int describe(struct capture_out *o, int number)
{
	struct known_interface *k = &o->interfaces[number];

	if (k->in_file < 0)
		k->in_file = pcapng_interface(o->writer, (struct text){k->name, k->name_len},
					      k->link, k->snaplen);
	return k->in_file;
}

int capture_out_frame(struct capture_out *o, int number, const struct frame *f)
{
	struct frame numbered = *f;
	int r;

	if (!is_number(o, number)) {
		o->left_out++;
		return o->failed ? -ECANCELED : 0;
	}
	o->taken++;
	if (o->failed)
		return -ECANCELED;
	r = describe(o, number);
	numbered.interface = (uint32_t)r;
	if (r >= 0)
		r = pcapng_packet(o->writer, &numbered);
	return r ? fail(o, r) : 0;
}

int capture_out_finish(struct capture_out *o,
		       void (*count)(void *ctx, uint32_t index, struct capture_out_counts *c),
		       void *ctx)
{
	int64_t now = clock_wall_offset_ns() + (int64_t)clock_mono_ns();

	for (unsigned i = 0; !o->failed && i < o->n_interfaces; i++) {
		const struct known_interface *k = &o->interfaces[i];
		struct capture_out_counts c = {.received = k->received};
		int r;

		if (!k->received)
			continue;
		count(ctx, k->index, &c);
		r = describe(o, (int)i);
		if (r < 0)
			return fail(o, r);
		pcapng_counts(o->writer, (unsigned)r, c.received, c.dropped, now);
	}
	return o->failed ? -ECANCELED : 0;
}

/* ---- what the session calls ---- */

static void show_progress(struct capture_out *o)
{
	if (!o->progress || o->written == o->told_written)
		return;
	(void)fprintf(stderr, "\r%llu packets written", (unsigned long long)o->written);
	o->told_written = o->written;
}

/* What is in the writer's memory may never reach the file, and is not counted before it has. */
static int flush(struct capture_out *o)
{
	int r = pcapng_flush(o->writer);

	o->written = pcapng_written(o->writer);
	return r;
}

int capture_out_turn(struct capture_out *o, uint64_t now_ns)
{
	int r;

	if (o->failed || now_ns - o->flushed_ns < FLUSH_NS)
		return 0;
	o->flushed_ns = now_ns;
	r = flush(o);
	show_progress(o);
	return r ? fail(o, r) : 0;
}

void capture_out_end(struct capture_out *o)
{
	int r = 0;

	if (o->writer) {
		(void)flush(o); /* close says so again */
		r = pcapng_close(o->writer);
	}
	o->writer = NULL;
	if (r)
		(void)fail(o, r);
	show_progress(o);
	if (o->told_written)
		(void)fputc('\n', stderr);
	o->told_written = 0;
	o->progress = false;
	opener_end(&o->opener);
}

uint64_t capture_out_lost(const struct capture_out *o)
{
	return o->taken - o->written;
}

void capture_out_ledger(const struct capture_out *o, struct buf *b)
{
	ledger_line(b, "written", o->written, "packets written to the capture file");
	ledger_line(b, "lost_write", capture_out_lost(o),
		    "packets lost: the file could not be written");
	if (o->left_out)
		ledger_line(b, "not_written", o->left_out,
			    "packets of interfaces that the file had no room for");
}

void capture_out_free(struct capture_out *o)
{
	if (!o)
		return;
	capture_out_end(o);
	free(o);
}
