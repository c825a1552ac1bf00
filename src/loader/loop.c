// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The one loop of a run: ring, timer, signals and outputs, in a single thread.
 * The ring is drained on a timer; the kernel wakes the loop early only when the ring is half full.
 */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "loader/state.h"

/* Long enough to batch, short enough that a person sees a row at once. Sooner where there is much:
 * a long batch keeps a CPU from those who are watched, and their peers idle meanwhile. */
#define DRAIN_MS      10
#define DRAIN_BUSY_MS 4
#define BUSY_RECORDS  100
/* How long a file is waited for, a pipe that is, until its tool is asked again. */
#define SOURCE_MS 100

bool session_told(struct session *s)
{
	struct signalfd_siginfo si;
	uint64_t limit = s->common.duration * 1000000000ull;

	if (read(s->signal_fd, &si, sizeof(si)) == sizeof(si) &&
	    !keyboard_signal(&s->keyboard, si.ssi_signo))
		s->told = true;
	if (limit && clock_mono_ns() - s->started_ns >= limit)
		s->told = true;
	/* A run from a file goes on until its tool has taken what it read. */
	s->stop |= s->told && !s->offline;
	return s->told;
}

static bool is_told(void *session)
{
	return session_told(session);
}

static int watch(struct session *s, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

int session_loop_open(struct session *s)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (s->tool->keys && output_for_people(s->output) && !s->quiet)
		keyboard_open(&s->keyboard);
	if (s->keyboard.wanted) {
		sigaddset(&set, SIGQUIT); /* it would end the run with the terminal taken */
		sigaddset(&set, SIGTSTP);
		sigaddset(&set, SIGCONT);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->signal_fd < 0 || s->epoll_fd < 0)
		return -errno;
	r = watch(s, s->signal_fd);
	if (!r && s->transport)
		r = watch(s, transport_epoll_fd(s->transport));
	if (!r && s->offline)
		r = watch(s, s->source_fd);
	if (r == -EPERM) /* a regular file, which always has what it has */
		r = 0;
	return r ? session_fail(s, r, "cannot wait for events: %s", strerror(-r)) : 0;
}

/* A reader that left is a quiet end; an output that fails is not. */
static int flush_output(struct session *s, bool wait)
{
	int r = output_flush(s->output, wait);

	if (!r || r == -EAGAIN)
		return 0;
	s->stop = true;
	if (r == -EPIPE) {
		s->reader_gone = true;
		return 0;
	}
	return session_fail(s, r, "cannot write the output: %s", strerror(-r));
}

static int turn_live(struct session *s)
{
	uint16_t keys[KEYBOARD_KEYS];
	uint64_t now;
	unsigned n;
	int r;

	s->wall_offset = clock_wall_offset_ns();
	r = session_drain(s);
	now = clock_mono_ns();
	wire_look(s, now);
	if (!r && s->tool->tick && now >= s->next_tick_ns) {
		s->next_tick_ns = now + s->tick_ms * 1000000ull;
		r = s->tool->tick(s, now);
	}
	n = keyboard_read(&s->keyboard, now, keys);
	return !r && n ? s->tool->keys(s, keys, n) : r;
}

static int turn_offline(struct session *s)
{
	int r = s->tool->tick(s, clock_mono_ns());

	/* -EAGAIN: nothing now; -EINTR: there is more, when others had their turn. */
	s->waiting = r == -EAGAIN;
	return r == -EAGAIN || r == -EINTR ? 0 : r;
}

static int turn(struct session *s)
{
	int r = s->offline ? turn_offline(s) : turn_live(s);

	if (!r && s->capture)
		r = capture_out_turn(s->capture, clock_mono_ns());
	(void)session_told(s);
	if (r == -ECANCELED) {
		s->stop = true;
		r = 0;
	}
	return r ? r : flush_output(s, false);
}

/* ms until the next turn, unless something comes before. */
static int until_next(const struct session *s, uint64_t new_records)
{
	if (s->offline)
		return s->waiting ? SOURCE_MS : 0;
	return new_records > BUSY_RECORDS ? DRAIN_BUSY_MS : DRAIN_MS;
}

int session_loop(struct session *s)
{
	struct epoll_event e[4];
	int r = 0, wait = s->offline ? 0 : DRAIN_MS;

	s->started_ns = clock_mono_ns();
	s->next_tick_ns = s->started_ns + s->tick_ms * 1000000ull;
	if (s->offline)
		output_set_patient(s->output, is_told, s);
	keyboard_hold(&s->keyboard);
	while (!s->stop && !r) {
		uint64_t before = s->records;

		(void)epoll_wait(s->epoll_fd, e, ARRAY_SIZE(e), wait);
		r = turn(s);
		wait = until_next(s, s->records - before);
	}
	keyboard_release(&s->keyboard);
	if (!r && !s->reader_gone && s->tool->finish) {
		r = s->tool->finish(s);
		if (r == -ECANCELED)
			r = 0;
	}
	if (s->capture)
		capture_out_end(s->capture);
	return r || s->reader_gone ? r : flush_output(s, true);
}
