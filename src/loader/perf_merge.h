// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Records from the perf buffers of all CPUs as one stream, in order of time.
 * libbpf takes one CPU after the other, which would show an answer before its question. */
#pragma once

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>

/* What samples are made of: perf_merge reads PERF_SAMPLE_TIME, then PERF_SAMPLE_RAW. */
#define PERF_MERGE_SAMPLE (PERF_SAMPLE_TIME | PERF_SAMPLE_RAW)

/* The longest record: it was built on a BPF stack, which has so many bytes. */
#define PERF_MERGE_MAX 512

/* The buffer of one CPU, mapped. */
struct perf_pages {
	struct perf_event_mmap_page *control;
	const char *data;
	size_t size; /* of data: a power of two */
	/* While it is taken from: */
	uint64_t tail, head;
	uint64_t time_ns; /* of the sample at tail; */
	uint64_t length;  /* the whole of it, */
	size_t bytes;     /* and its record; 0: damaged */
};

/*
 * Takes what is in the n buffers when it is called, the earliest first. rec is aligned and valid
 * only during the call; a sample that is damaged or too long comes with size 0. What the kernel
 * says of lost samples is passed over: it says so only with the next one that fits, so they are
 * counted where they are lost. take returns nonzero to end it, behind that record. Returns that.
 */
int perf_merge(struct perf_pages *p, unsigned n, int (*take)(void *arg, void *rec, size_t size),
	       void *arg);
