// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What this kernel and these privileges allow, found by trying.
 * Version numbers lie (distributions backport, vendors lock down), so each answer is a probe. */
#pragma once

#include "base/buf.h"
#include "loader/tool.h"

/* The first ones in the order of enum need: FEATURE_X is the bit number of NEED_X. */
enum feature {
	FEATURE_ROOT,
	FEATURE_BTF,
	FEATURE_RINGBUF,
	FEATURE_CGROUP2,
	FEATURE_STORAGE,
	FEATURE_NET_RAW,
	FEATURE_PERF,
	FEATURE_ATOMICS,
	FEATURE_TRACEFS,
	FEATURE_KPROBE,
	FEATURE_JIT,
	FEATURES,
};

struct feature_text {
	const char *name;
	const char *missing; /* a sentence: what is missing and since which kernel it exists */
	const char *instead; /* a sentence: what tapline does without it, and what to change */
};

extern const struct feature_text feature_texts[FEATURES];

/* 0: there; -EPERM or -EACCES: these privileges do not allow it, or do not allow to find out; other
 * -errno: missing. Probed once a run, then remembered. Nothing stays loaded. */
int feature_check(enum feature f);

/* The first of a tool's needs (enum need) that is missing, or NULL when it can run. */
const struct feature_text *feature_missing(unsigned needs);

/* Appends the names of the capabilities that loading takes and this process lacks ("CAP_BPF,
 * CAP_PERFMON"); nothing when all are there. CAP_SYS_ADMIN stands for all but CAP_NET_ADMIN. */
void feature_lacking_caps(struct buf *out);

/*
 * Whether a tracing program of kind ("tp_btf", "fentry", "fexit", "iter") on target loads, by
 * loading the smallest one. 0; -ENOENT: this kernel has no such target; -EPERM: refused, by
 * privileges or by the vendor; -ENOTSUP: unknown kind, or no BTF. Remembered like feature_check.
 */
int feature_tracing(const char *kind, const char *target);

/* The same for a hook as ladders name it: also "kprobe/FUNCTION" and "tracepoint/GROUP/NAME". */
int feature_hook(const char *hook);

/* How many arguments a function of the kernel has, or -errno. */
int feature_args(const char *function);

/* Frees the kernel's BTF that the probes share (several MB); later probes load it again. */
void feature_done(void);

enum lockdown { LOCKDOWN_UNKNOWN, LOCKDOWN_NONE, LOCKDOWN_INTEGRITY, LOCKDOWN_CONFIDENTIALITY };

/* kernel_lockdown(7), read from securityfs even where that is not mounted. */
enum lockdown feature_lockdown(void);
