// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* One run from argv to exit status: options, needs, open, drop privileges, loop, account.
 * Every subcommand goes this way, so none can forget a part of it. */
#include "loader/session.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/cgroup.h"
#include "loader/feature.h"
#include "loader/privilege.h"
#include "loader/state.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define NOT_SAID UINT64_MAX /* what -o is until it is given */

void *session_conf(struct session *s)
{
	return s->conf;
}

char *const *session_operands(const struct session *s, unsigned *n)
{
	*n = s->n_operands;
	return s->operands;
}

const struct common *session_common(const struct session *s)
{
	return &s->common;
}

void session_set_state(struct session *s, void *state)
{
	s->state = state;
}

void *session_state(struct session *s)
{
	return s->state;
}

const struct filter *session_filter(const struct session *s)
{
	return &s->common.filter;
}

const char *session_owner_option(const struct session *s)
{
	const struct filter *f = &s->common.filter;

	if (!filter_has_owner(f))
		return NULL;
	return f->pid ? "--pid" : f->by_comm ? "--comm" : "--container";
}

struct output *session_output(struct session *s)
{
	return s->output;
}

void session_set_tick(struct session *s, unsigned ms)
{
	s->tick_ms = ms;
	s->next_tick_ns = clock_mono_ns() + ms * 1000000ull;
}

void session_ends_itself(struct session *s)
{
	s->brief = true;
}

void session_stop(struct session *s)
{
	s->stop = true;
}

uint64_t session_started(const struct session *s)
{
	return s->started_ns;
}

int64_t session_wall(const struct session *s, uint64_t mono_ns)
{
	return (int64_t)mono_ns + s->wall_offset;
}

int session_fail(struct session *s, int error, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!s->error)
		log_error("%s", text); /* the first cause; what follows from it is noise */
	s->error = error;
	return error;
}

void session_fail_late(struct session *s, int error, const char *format, ...)
{
	va_list args;

	if (s->late_error)
		return;
	va_start(args, format);
	(void)vsnprintf(s->late_text, sizeof(s->late_text), format, args);
	va_end(args);
	s->late_error = error;
}

void session_set_offline(struct session *s, int fd)
{
	s->offline = true;
	s->source_fd = fd;
}

uint64_t session_where_columns(const struct session *s)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < s->n_where; i++)
		mask |= 1ull << s->where[i].column;
	return mask;
}

uint64_t session_columns(const struct session *s)
{
	const uint8_t *fields;
	unsigned n = output_fields(s->output, &fields);
	uint64_t mask = session_where_columns(s);

	if (s->quiet)
		return mask;
	for (unsigned i = 0; i < n; i++)
		mask |= 1ull << fields[i];
	return mask;
}

bool session_where(const struct session *s, const struct row *row)
{
	for (unsigned i = 0; i < s->n_where; i++)
		if (!where_match(&s->where[i], row))
			return false;
	return true;
}

int session_row(struct session *s, const struct row *row)
{
	if (s->common.rows && s->rows >= s->common.rows)
		return -ECANCELED;
	if (!session_where(s, row))
		return 0;
	if (!s->quiet && output_row(s->output, row))
		return 0; /* dropped and counted by the output */
	s->rows++;
	return s->common.rows && s->rows >= s->common.rows ? -ECANCELED : 0;
}

int session_group(struct session *s, const struct row *row)
{
	if (s->quiet || !output_row(s->output, row))
		s->rows++;
	return 0;
}

size_t session_block_rows(const struct session *s)
{
	size_t fit = output_lines(s->output), limit = s->common.rows;

	return fit && limit ? MIN(fit, limit) : MAX(fit, limit);
}

/* The columns to show: --fields, else what the table shows, else all. 0 or -EINVAL, said. */
static int choose_fields(struct session *s, const struct schema *schema, uint64_t extra,
			 uint64_t hidden, uint8_t *fields, unsigned *n)
{
	const struct opt_list *asked = &s->common.fields;
	bool table = output_kinds[s->common.format] == output_kinds[0];

	*n = 0;
	for (unsigned i = 0; i < asked->n; i++) {
		int c = schema_find(schema, text_of(asked->v[i]));
		const char *names[64], *near;

		for (unsigned k = 0; k < schema->n; k++)
			names[k] = schema->columns[k].name;
		near = opt_nearest(asked->v[i], names, schema->n);
		if (c < 0)
			return session_fail(
				s, -EINVAL,
				"--fields: there is no column '%s'%s%s%s; --help lists them",
				asked->v[i], near ? ", did you mean '" : "", near ? near : "",
				near ? "'" : "");
		fields[(*n)++] = (uint8_t)c;
	}
	for (unsigned i = 0; !asked->n && i < schema->n; i++) {
		unsigned flags = schema->columns[i].flags;
		bool shown = table ? flags & COLUMN_SHOWN : !(flags & COLUMN_EXTRA);

		if ((shown && !(hidden & 1ull << i)) || extra & 1ull << i)
			fields[(*n)++] = (uint8_t)i;
	}
	return 0;
}

int session_set_schema(struct session *s, const struct schema *schema, uint64_t extra,
		       uint64_t hidden)
{
	uint8_t fields[OPT_LIST_MAX > 64 ? OPT_LIST_MAX : 64];
	struct output *o = NULL;
	unsigned n;
	int r = choose_fields(s, schema, extra, hidden, fields, &n);

	if (r)
		return r;
	r = output_new(&o, output_kinds[s->common.format], schema, fields, n, STDOUT_FILENO,
		       output_style_of(STDOUT_FILENO));
	if (r)
		return session_fail(s, r, "cannot use the output: %s", strerror(-r));
	output_free(s->output);
	s->output = o;
	s->schema = schema;
	return 0;
}

int session_hide(struct session *s, uint64_t hidden)
{
	uint8_t fields[OPT_LIST_MAX > 64 ? OPT_LIST_MAX : 64];
	unsigned n;
	int r = choose_fields(s, s->schema, 0, hidden, fields, &n);

	return r ? r : output_set_fields(s->output, fields, n);
}

bool session_hears_keys(const struct session *s)
{
	return s->keyboard.held;
}

static int parse_where(struct session *s)
{
	const struct opt_list *list = &s->common.where;

	for (unsigned i = 0; i < list->n; i++) {
		const char *why = "";
		size_t at = 0;
		int r = where_parse(&s->where[i], s->schema, list->v[i], &at, &why);

		if (r)
			return session_fail(s, -EINVAL, "--where: %s\n  %s\n  %*s^", why,
					    list->v[i], (int)at, "");
		s->n_where++;
	}
	return 0;
}

/* --pid and --container become part of the filter that the kernel side gets. */
static int resolve_filter(struct session *s)
{
	struct common *c = &s->common;
	const char *why = "";
	unsigned level;
	int r;

	c->filter.pid = (uint32_t)c->pid;
	if (!c->container)
		return 0;
	r = cgroup_of_container(c->container, &c->filter.cgroup_id, &level, &why);
	if (r)
		return session_fail(s, r, "--container: '%s' %s", c->container, why);
	c->filter.cgroup_level = level;
	c->filter.by_cgroup = 1;
	return 0;
}

static int parse_options(struct session *s, int argc, char **argv)
{
	const struct tool *t = s->tool;
	struct opt_set sets[] = {{t->manual.opts, s->conf, NULL}, {common_opts, &s->common, NULL}};
	bool own = t->manual.opts != NULL;
	char text[512];
	struct buf err = BUF_ON(text);
	int operands = 0;
	int r = opt_parse(argc, argv, own ? sets : sets + 1, own ? 2 : 1, &operands, &err);

	if (!r && operands && !*t->manual.operands) {
		bool command = false;

		for (size_t i = 0; tools[i]; i++)
			command |= !strcmp(tools[i]->manual.name, argv[1]);
		if (command)
			buf_printf(&err, "put the subcommand first: tapline %s ...", argv[1]);
		else
			buf_printf(&err, "'%s' is not an option; see 'tapline %s --help'", argv[1],
				   t->manual.name);
		r = -EINVAL;
	}
	if (r)
		return session_fail(s, r, "%.*s", (int)err.len, err.p);
	s->operands = argv + 1;
	s->n_operands = (unsigned)operands;
	s->common.rows_asked = s->common.json || s->common.fields.n || s->common.format != NOT_SAID;
	if (s->common.json)
		s->common.format = 1;
	else if (s->common.format == NOT_SAID)
		s->common.format = 0;
	log_verbose = s->common.verbose;
	return 0;
}

/* --help and the man page need neither privileges nor a kernel. True: it was one of these. */
static bool show_manual(struct session *s)
{
	struct buf b = {.cap = 1 << 18};
	struct output_style style = output_style_of(STDOUT_FILENO);

	if (!s->common.help && !s->common.man)
		return false;
	b.p = malloc(b.cap);
	if (!b.p) {
		session_fail(s, -ENOMEM, "no memory");
		return true;
	}
	if (s->common.man)
		manual_man(&s->tool->manual, common_opts, &b);
	else
		manual_help(&s->tool->manual, common_opts, style.width ? style.width : 100, &b);
	if (fwrite(b.p, 1, b.len, stdout) != b.len || fflush(stdout))
		session_fail(s, -errno, "cannot write the output: %s", strerror(errno));
	free(b.p);
	return true;
}

/* Tells whoever waits (tests, supervisors) that everything is attached. */
static void say_ready(const struct session *s)
{
	const char *fd = getenv("TAPLINE_READY_FD");
	uint64_t n;

	if (fd && !text_to_u64(text_of(fd), &n) && n > STDERR_FILENO && n < 65536) {
		if (write((int)n, "ready\n", 6) != 6)
			log_info("nobody reads TAPLINE_READY_FD");
		close((int)n);
	}
	if (s->skel && !s->brief && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "tapline %s is watching; Ctrl-C ends it\n",
			      s->tool->manual.name);
}

static void close_tool(struct session *s)
{
	if (s->tool->close)
		s->tool->close(s);
	s->state = NULL;
	capture_out_free(s->capture);
	s->capture = NULL;
	session_detach(s);
}

/* Once more for each rung of a ladder that turned out to be none. */
static int open_tool(struct session *s)
{
	unsigned refused;
	int r;

	do {
		refused = s->n_refused;
		r = s->tool->open(s, s->conf);
		if (s->n_refused > refused)
			close_tool(s);
	} while (s->n_refused > refused);
	return r;
}

static int run(struct session *s)
{
	int r = s->tool->no_common_filter ? 0 : resolve_filter(s);

	if (!r)
		r = session_check_needs(s);
	if (!r && s->schema)
		r = session_set_schema(s, s->schema, 0, 0);
	if (!r && s->schema)
		r = parse_where(s);
	if (!r)
		r = open_tool(s);
	feature_done();
	if (r == -ECANCELED) /* all that was asked for has been printed */
		return output_flush(s->output, true) == -EPIPE ? 0 : s->error;
	if (r)
		return r;
	(void)malloc_trim(
		0); /* loading takes some MB for the kernel's types, and running does not */
	/* A reader that comes late loses records. It runs little, but when it is due. */
	if (!s->offline)
		(void)setpriority(PRIO_PROCESS, 0, -10);
	if (!s->transport && !s->tool->tick)
		return output_flush(s->output, true) == -EPIPE ? 0 : s->error;
	r = session_loop_open(s);
	if (r)
		return r;
	if (s->capture)
		r = capture_out_begin(s->capture);
	if (r)
		return r;
	r = privilege_drop((s->capture ? PRIVILEGE_CAPTURE : 0) |
			   (s->keyboard.wanted ? PRIVILEGE_KEYBOARD : 0));
	if (r)
		return session_fail(s, r, "cannot give up privileges (%s), so nothing is parsed",
				    strerror(-r));
	s->wall_offset = s->offline ? 0 : clock_wall_offset_ns();
	say_ready(s);
	r = session_loop(s);
	session_ledger(s);
	return r;
}

static void session_close(struct session *s)
{
	close_tool(s);
	for (unsigned i = 0; i < s->n_where; i++)
		where_free(&s->where[i]);
	output_free(s->output);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s->conf);
}

int session_run(const struct tool *tool, int argc, char **argv)
{
	struct session s = {.tool = tool,
			    .schema = tool->manual.schema,
			    .tick_ms = tool->tick_ms,
			    .counters_fd = -1,
			    .cgroup_fd = -1,
			    .epoll_fd = -1,
			    .signal_fd = -1,
			    .common.format = NOT_SAID};
	int r;

	s.conf = calloc(1, tool->conf_size + 1);
	if (!s.conf) {
		log_error("no memory");
		return EXIT_FAILED;
	}
	if (tool->conf_default)
		memcpy(s.conf, tool->conf_default, tool->conf_size);
	r = parse_options(&s, argc, argv);
	if (!r)
		r = show_manual(&s) ? s.error : run(&s);
	session_close(&s);
	if (r && !s.error) /* nobody is left without a word */
		r = session_fail(&s, r, "this run failed: %s", strerror(-r));
	if (!r && s.late_error)
		r = session_fail(&s, s.late_error, "%s", s.late_text);
	if (!r)
		return EXIT_OK;
	return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}
