// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* doctor: what this kernel and these privileges allow, and the one thing to change where they do
 * not. It asks the same probes and ladders as a run does, so it cannot say something else. */
#include "tools/doctor/doctor.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "host/cgroup.h"
#include "loader/feature.h"
#include "loader/ladder.h"

static const char *const state_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_LIMITED] = "limited",
	[DOCTOR_MISSING] = "missing",
	[DOCTOR_OFF] = "off",
	NULL,
};

struct doctor_row {
	struct row row;
	struct text check, finding, advice;
	uint64_t state;
};

enum { CHECK, STATE, FINDING, ADVICE };

static const struct column columns[] = {
	[CHECK] = {"check", "CHECK", COL_TEXT, UNIT_NONE, offsetof(struct doctor_row, check), 15,
		   COLUMN_SHOWN, .help = "what was looked at"},
	[STATE] = {"state", "STATE", COL_ENUM, UNIT_NONE, offsetof(struct doctor_row, state), 7,
		   COLUMN_SHOWN, state_names,
		   "ok; limited: works, but something stays invisible; missing: needed and not "
		   "there; off: not there, and not needed"},
	[FINDING] = {"finding", "FINDING", COL_TEXT, UNIT_NONE,
		     offsetof(struct doctor_row, finding), 40, COLUMN_SHOWN | COLUMN_GROWS,
		     .help = "what was found"},
	[ADVICE] = {"advice", "ADVICE", COL_TEXT, UNIT_NONE, offsetof(struct doctor_row, advice),
		    40, COLUMN_SHOWN | COLUMN_GROWS,
		    .help = "what stays invisible, and what to change; null when there is nothing"},
};

static const struct schema schema = {columns, ARRAY_SIZE(columns)};

/* ---- one check ---- */

#define PIPE_WIDTH 140
#define INDENT     24

/* Words of t, wrapped at width, each line but the first indented. */
static void wrap(struct buf *b, struct text t, size_t at, size_t width)
{
	while (t.len) {
		const char *space = memchr(t.p, ' ', t.len);
		uint32_t n = space ? (uint32_t)(space - t.p) : t.len;

		if (at > INDENT && at + 1 + n > width) {
			buf_char(b, '\n');
			buf_fill(b, ' ', INDENT);
			at = INDENT;
		} else if (at > INDENT) {
			buf_char(b, ' ');
			at++;
		}
		buf_escaped(b, (struct text){t.p, n});
		at += n;
		t = (struct text){t.p + n, t.len - n};
		while (t.len && t.p[0] == ' ')
			t = (struct text){t.p + 1, t.len - 1};
	}
	buf_char(b, '\n');
}

/* Sentences do not fit columns: for people they are wrapped below their check instead. */
static void report_text(struct session *s, const struct doctor_row *r)
{
	const struct output_style *style = output_style(session_output(s));
	size_t width = style->terminal && style->width > 2 * INDENT ? style->width : PIPE_WIDTH;
	char text[2048];
	struct buf b = BUF_ON(text);

	buf_printf(&b, "%-15.*s %-7s ", (int)r->check.len, r->check.p, state_names[r->state]);
	wrap(&b, r->finding, INDENT, width);
	if (r->advice.len) {
		buf_fill(&b, ' ', INDENT);
		wrap(&b, r->advice, INDENT, width);
	}
	(void)output_text(session_output(s), (struct text){b.p, (uint32_t)b.len});
}

void doctor_report(struct session *s, const char *check, enum doctor_state state,
		   const char *finding, const char *advice)
{
	const struct doctor_row row = {
		.row.known = 1 << CHECK | 1 << STATE | 1 << FINDING | (advice ? 1 << ADVICE : 0),
		.check = text_of(check),
		.state = state,
		.finding = text_of(finding),
		.advice = text_of(advice),
	};
	const struct common *c = session_common(s);

	if (output_kinds[c->format]->people && !c->fields.n && !c->rows)
		report_text(s, &row);
	else
		(void)session_row(s, &row.row);
}

/* ---- the kernel and the privileges ---- */

static void check_kernel(struct session *s)
{
	struct utsname name;
	char finding[256];

	if (uname(&name))
		return;
	(void)snprintf(finding, sizeof(finding), "%.64s %.64s %.64s", name.sysname, name.release,
		       name.machine);
	doctor_report(s, "kernel", DOCTOR_OK, finding, NULL);
}

static bool privileged(void)
{
	return feature_check(FEATURE_ROOT) == 0;
}

static void check_privileges(struct session *s)
{
	char finding[256];
	struct buf b = BUF_ON(finding);

	if (privileged()) {
		doctor_report(s, "privileges", DOCTOR_OK,
			      "programs can be loaded; given up once they are attached", NULL);
		return;
	}
	buf_str(&b, "this process lacks ");
	size_t start = b.len;

	feature_lacking_caps(&b);
	if (b.len == start) {
		buf_clear(&b);
		buf_str(&b, "the capabilities are there, but loading is refused: a user namespace, "
			    "or a security policy");
	}
	buf_char(&b, 0);
	doctor_report(s, "privileges", DOCTOR_MISSING, finding,
		      feature_texts[FEATURE_ROOT].instead);
}

/* What was found when a probe failed: for lack of privileges, nothing is known. */
static void report_failure(struct session *s, const char *check, int err, enum doctor_state state,
			   const char *missing, const char *instead)
{
	if ((err == -EPERM || err == -EACCES) && !privileged())
		doctor_report(s, check, DOCTOR_LIMITED, "not known without root", NULL);
	else
		doctor_report(s, check, state, missing, instead);
}

static void check_feature(struct session *s, enum feature f, enum doctor_state without,
			  const char *there)
{
	const struct feature_text *t = &feature_texts[f];
	int err = feature_check(f);

	if (!err)
		doctor_report(s, t->name, DOCTOR_OK, there, NULL);
	else
		report_failure(s, t->name, err, without, t->missing, t->instead);
}

static void check_cgroup2(struct session *s)
{
	const struct feature_text *t = &feature_texts[FEATURE_CGROUP2];
	_cleanup_close_ int fd = cgroup_root_open();
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		report_failure(s, t->name, fd, DOCTOR_MISSING, t->missing, t->instead);
	else if (st.st_ino != CGROUP_ROOT_INODE)
		doctor_report(s, t->name, DOCTOR_LIMITED,
			      "this is a cgroup namespace: sockets outside it are not seen",
			      "run it on the host, or with its cgroup namespace (docker run "
			      "--cgroupns=host)");
	else
		doctor_report(s, t->name, DOCTOR_OK, cgroup_root_where(), NULL);
}

static void check_lockdown(struct session *s)
{
	switch (feature_lockdown()) {
	case LOCKDOWN_NONE:
		doctor_report(s, "lockdown", DOCTOR_OK, "none", NULL);
		break;
	case LOCKDOWN_INTEGRITY:
		doctor_report(s, "lockdown", DOCTOR_OK,
			      "integrity: it refuses nothing that tapline needs", NULL);
		break;
	case LOCKDOWN_CONFIDENTIALITY:
		doctor_report(s, "lockdown", DOCTOR_MISSING,
			      "confidentiality: programs may not read kernel memory",
			      "boot with lockdown=integrity, or without Secure Boot");
		break;
	default:
		doctor_report(s, "lockdown", DOCTOR_LIMITED, "not known without root", NULL);
	}
}

static void check_fentry(struct session *s)
{
	int err = feature_tracing("fentry", "tcp_sendmsg");

	if (!err)
		doctor_report(s, "fentry", DOCTOR_OK, "fentry and fexit programs load", NULL);
	else
		report_failure(s, "fentry", err, DOCTOR_OFF,
			       err == -EPERM
				       ? "this kernel refuses fentry and fexit programs (EPERM)"
				       : "this kernel has no fentry and fexit (Linux 5.5 on)",
			       "tp_btf is used where it has the same hook");
}

/* ---- the hooks ---- */

static const char *reason(int err)
{
	return err == -ENOENT    ? "not in this kernel"
	       : err == -EPERM   ? "refused"
	       : err == -ENOTSUP ? "no BTF"
				 : "does not load";
}

/* The rung that a run takes, and why not the better ones. Without privileges a hook that is there
 * is refused: root would take it. */
static void check_ladder(struct session *s, const char *check, const struct rung *ladder,
			 const char *without_all)
{
	char finding[512], advice[256];
	struct buf b = BUF_ON(finding);
	const struct rung *taken = NULL;
	bool as_root = false;

	for (const struct rung *r = ladder; r->program && !taken; r++) {
		int err = feature_hook(r->hook);

		as_root = !privileged() && (err == -EPERM || err == -EACCES);
		if (b.len)
			buf_str(&b, "; ");
		if (err && !as_root) {
			buf_printf(&b, "%s: %s", r->hook, reason(err));
			continue;
		}
		buf_printf(&b, "%s%s%s", b.len ? "so " : "", r->hook, as_root ? ", as root" : "");
		taken = r;
	}
	buf_char(&b, 0);
	(void)snprintf(advice, sizeof(advice), "invisible: %s",
		       taken && taken->without ? taken->without : without_all);
	if (!taken)
		doctor_report(s, check, DOCTOR_MISSING, finding, advice);
	else if (taken->without)
		doctor_report(s, check, DOCTOR_LIMITED, finding, advice);
	else
		doctor_report(s, check, as_root ? DOCTOR_LIMITED : DOCTOR_OK, finding, NULL);
}

static void check_hooks(struct session *s)
{
	check_ladder(s, "who sends", ladder_send, "which process sent, and when it began to");
	check_ladder(s, "who reads", ladder_read,
		     "which process only reads, and how long requests waited for it");
	check_ladder(s, "connections", ladder_state,
		     "how long connecting took, and first bytes that arrive on a listener");
	check_ladder(s, "in flight", ladder_sweep,
		     "requests without an answer, until their connection ends");
}

static int doctor_open(struct session *s, void *conf)
{
	(void)conf;
	check_kernel(s);
	check_privileges(s);
	check_feature(s, FEATURE_BTF, DOCTOR_MISSING, "/sys/kernel/btf/vmlinux");
	check_feature(s, FEATURE_RINGBUF, DOCTOR_MISSING, "it can be made");
	check_feature(s, FEATURE_PERF, DOCTOR_OFF, "tapline conns can do with them instead");
	check_cgroup2(s);
	check_feature(s, FEATURE_STORAGE, DOCTOR_MISSING, "tracing programs reach it");
	check_feature(s, FEATURE_NET_RAW, DOCTOR_OFF,
		      "interfaces can be watched (tapline packets)");
	check_lockdown(s);
	check_feature(s, FEATURE_ATOMICS, DOCTOR_MISSING, "instructions that return a value");
	check_feature(s, FEATURE_JIT, DOCTOR_LIMITED, "programs are compiled");
	check_feature(s, FEATURE_TRACEFS, DOCTOR_OFF, "plain tracepoints can be attached");
	check_feature(s, FEATURE_KPROBE, DOCTOR_OFF, "they can be attached");
	check_fentry(s);
	check_hooks(s);
	doctor_bypasses(s);
	return 0;
}

const struct tool tool_doctor = {
	.manual =
		{
			.name = "doctor",
			.brief = "say what this kernel and these privileges allow",
			.operands = "",
			.about = "Checks what tapline needs of this host, each by trying it: "
				 "privileges, "
				 "kernel features, which hook of each ladder a run of requests "
				 "would "
				 "take, and what will be invisible because of it. Where something "
				 "can be "
				 "changed, it says what.\n\n"
				 "It changes nothing, and works without root too, where it says "
				 "what "
				 "root would add.",
			.schema = &schema,
			.examples =
				(const struct example[]){
					{"sudo tapline doctor", "everything, in sentences"},
					{"sudo tapline doctor --json", "one object for each check"},
					{NULL, NULL},
				},
			.overhead =
				"It loads a dozen programs of a few instructions and takes them "
				"away again, in less than 0.1 s; nothing is attached.",
			.limits = "It sees its own privileges, network namespace and mounts: run "
				  "it the "
				  "way tapline will run.",
		},
	.no_common_filter = true,
	.open = doctor_open,
};
