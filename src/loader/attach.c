// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The session's contact with the kernel: load an object, choose rungs, attach, detach.
 * Whatever is attached is a link held by a descriptor, so a killed tapline leaves nothing behind.
 */
#include <bpf/bpf.h>

#include "base/log.h"
#include "host/cgroup.h"
#include "host/tracefs.h"
#include "loader/feature.h"
#include "loader/kfunc.h"
#include "loader/state.h"

/* The last program that the kernel refused, for which libbpf has nothing but its words. */
static char refused_program[64];

static void note_refusal(const char *format, va_list args)
{
	va_list copy;

	if (!strstr(format, "prog '%s': BPF program load failed"))
		return;
	va_copy(copy, args);
	(void)snprintf(refused_program, sizeof(refused_program), "%s", va_arg(copy, const char *));
	va_end(copy);
}

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	note_refusal(format, args);
	if (!log_verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

int session_check_needs(struct session *s)
{
	const struct tool *t = s->tool;
	const struct feature_text *missing =
		feature_missing(t->needs_for ? t->needs_for(s->conf) : t->needs);
	char lacking[128];
	struct buf b = BUF_ON(lacking);

	libbpf_set_print(on_libbpf);
	kfunc_register();
	if (!missing)
		return 0;
	feature_lacking_caps(&b);
	if (b.len && missing == &feature_texts[FEATURE_ROOT])
		return session_fail(s, -EPERM, "this needs %.*s: run it with sudo", (int)b.len,
				    b.p);
	return session_fail(s, -ENOTSUP, "%s; %s", missing->missing, missing->instead);
}

/* It was written on another CPU: its later lines are fetched while the first are looked at. */
static void prefetch_rest(const char *record)
{
	for (unsigned line = 192; line < 512; line += 64)
		__builtin_prefetch(record + line);
}

static int on_record(void *arg, void *data, size_t size)
{
	struct session *s = arg;
	const struct record *r = data;
	const struct tool *t = s->tool;

	if (size < sizeof(*r) || r->size > size || r->kind >= t->n_records ||
	    r->size < t->records[r->kind].min_size) {
		s->malformed++;
		return 0;
	}
	prefetch_rest(data);
	s->records++;
	s->handled = t->records[r->kind].handle(s, r);
	return s->handled ? -1 : 0; /* libbpf stops at a negative value */
}

int session_drain(struct session *s)
{
	int r;

	if (!s->transport)
		return 0;
	s->handled = 0;
	r = transport_drain(s->transport);
	return s->handled ? s->handled : r;
}

/* For -v, which then says what a verifier went through, by how much a program may still grow. Known
 * from 5.16 on. */
static void log_programs(const struct bpf_object *obj)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, obj)
	{
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (bpf_program__fd(p) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size) &&
		    info.verified_insns)
			log_info("loaded %s: %u instructions verified", bpf_program__name(p),
				 info.verified_insns);
	}
}

static bool is_refused(const struct session *s, const char *program)
{
	for (unsigned i = 0; i < s->n_refused; i++)
		if (!strcmp(s->refused[i], program))
			return true;
	return false;
}

/* Was it a rung of a ladder that the kernel refused? Then there is one less, and the tool opens
 * anew: of an object that failed nothing can be loaded again. */
static bool refuse_rung(struct session *s)
{
	for (unsigned i = 0; i < s->n_taken && s->n_refused < SESSION_RUNGS; i++) {
		if (strcmp(s->taken[i], refused_program) != 0)
			continue;
		log_info("the kernel refused %s: going on without it", refused_program);
		s->refused[s->n_refused++] = s->taken[i];
		return true;
	}
	return false;
}

/* -EINVAL is a command line that is wrong, which this is not. */
static int of_kernel(int error)
{
	return error == -EINVAL ? -ENOTSUP : error;
}

static int make_room(struct session *s)
{
	int cpus = libbpf_num_possible_cpus();

	if (cpus > 0)
		s->counter_values = calloc((size_t)cpus, sizeof(*s->counter_values));
	return s->counter_values ? 0 : session_fail(s, -ENOMEM, "no memory");
}

int session_load(struct session *s, struct bpf_object_skeleton *skeleton, void *skel,
		 void (*destroy)(void *skel))
{
	struct bpf_object *obj = *skeleton->obj;
	struct bpf_map *ring = bpf_object__find_map_by_name(obj, "ring");
	int r;

	s->skeleton = skeleton;
	s->skel = skel;
	s->destroy = destroy;
	r = make_room(s);
	if (r)
		return r;
	*refused_program = '\0';
	r = bpf_object__load_skeleton(skeleton);
	if (r && refuse_rung(s))
		return r;
	if (r)
		return session_fail(
			s, of_kernel(r),
			"the kernel refused the BPF programs (%s): run 'tapline doctor', or "
			"again with -v for the verifier's log",
			strerror(-r));
	if (s->common.verbose)
		log_programs(obj);
	s->counters_fd = bpf_object__find_map_fd_by_name(obj, "counters");
	if (!ring || !bpf_map__autocreate(ring))
		return 0;
	r = transport_new(&s->transport, ring, on_record, s);
	return r ? session_fail(s, r, "cannot map the buffer for records: %s", strerror(-r)) : 0;
}

const char *const hook_kinds[] = {"best", "tp_btf", "fentry", "fexit", "tracepoint", NULL};

/* Is it of the kind that --hooks asks for? */
static bool is_asked(const struct session *s, const struct rung *r)
{
	const char *kind = hook_kinds[s->common.hooks];
	size_t n = strlen(kind);

	return strncmp(r->hook, kind, n) == 0 && r->hook[n] == '/';
}

/* True: --hooks asks for a kind that this ladder has, and the rung is of another. */
static bool is_unasked(const struct session *s, const struct rung *ladder, const struct rung *r)
{
	for (const struct rung *other = ladder; other->program; other++)
		if (is_asked(s, other))
			return !is_asked(s, r);
	return false;
}

int session_choose(struct session *s, struct bpf_object *obj, const struct rung *ladder)
{
	int chosen = -ENOTSUP;

	for (int i = 0; ladder[i].program; i++) {
		struct bpf_program *p = bpf_object__find_program_by_name(obj, ladder[i].program);

		if (!p)
			continue;
		if (chosen >= 0 || is_unasked(s, ladder, &ladder[i]) ||
		    is_refused(s, ladder[i].program) || feature_hook(ladder[i].hook)) {
			bpf_program__set_autoload(p, false);
			continue;
		}
		chosen = i;
		if (s->n_taken < SESSION_RUNGS)
			s->taken[s->n_taken++] = ladder[i].program;
		if (ladder[i].without)
			log_info("%s: without %s", ladder[i].hook, ladder[i].without);
	}
	return chosen;
}

int session_own_link(struct session *s, struct bpf_link *link)
{
	if (s->n_links == SESSION_LINKS) {
		bpf_link__destroy(link);
		return -ENOSPC;
	}
	s->links[s->n_links++] = link;
	return 0;
}

int session_own_fd(struct session *s, int fd)
{
	if (s->n_fds == SESSION_FDS) {
		close(fd);
		return -ENOSPC;
	}
	s->fds[s->n_fds++] = fd;
	return 0;
}

static struct bpf_link *attach_cgroup(struct session *s, struct bpf_program *p)
{
	if (s->cgroup_fd < 0)
		s->cgroup_fd = cgroup_root_open();
	if (s->cgroup_fd < 0) {
		errno = -s->cgroup_fd;
		return NULL;
	}
	return bpf_program__attach_cgroup(p, s->cgroup_fd);
}

int session_attach(struct session *s)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, *s->skeleton->obj)
	{
		struct bpf_link *link;

		/* Iterators and socket filters want an argument, which only the tool has. */
		if (!bpf_program__autoload(p) ||
		    bpf_program__type(p) == BPF_PROG_TYPE_SOCKET_FILTER ||
		    bpf_program__expected_attach_type(p) == BPF_TRACE_ITER)
			continue;
		if (bpf_program__type(p) == BPF_PROG_TYPE_TRACEPOINT)
			(void)tracefs_ensure(); /* without it the attach below says what is wrong */
		if (bpf_program__type(p) == BPF_PROG_TYPE_CGROUP_SKB)
			link = attach_cgroup(s, p);
		else
			link = bpf_program__attach(p);
		if (!link)
			return session_fail(s, of_kernel(-errno),
					    "cannot attach %s (%s): run 'tapline doctor'",
					    bpf_program__section_name(p), strerror(errno));
		log_info("attached %s to %s", bpf_program__name(p), bpf_program__section_name(p));
		if (session_own_link(s, link))
			return session_fail(s, -ENOSPC, "too many programs in one tool");
	}
	return 0;
}

void session_detach(struct session *s)
{
	for (unsigned i = 0; i < s->n_links; i++)
		bpf_link__destroy(s->links[i]);
	for (unsigned i = 0; i < s->n_fds; i++)
		close(s->fds[i]);
	transport_free(s->transport);
	free(s->counter_values);
	if (s->skel)
		s->destroy(s->skel);
	if (s->cgroup_fd >= 0)
		close(s->cgroup_fd);
	s->n_links = 0;
	s->n_fds = 0;
	s->n_watched = 0;
	s->n_taken = 0;
	s->transport = NULL;
	s->counter_values = NULL;
	s->counters_fd = -1;
	s->skel = NULL;
	s->cgroup_fd = -1;
}
