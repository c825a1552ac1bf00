// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A schema with one column of each type, and a row of it, for the tests of src/output.
 * Shared, so that every format is tried on the same cells. */
#pragma once

#include "output/schema.h"

struct sample {
	struct row row;
	int64_t time;
	struct text comm, path;
	struct addr client;
	uint64_t status, us, bytes, kind, quality;
	double rate;
};

enum {
	F_TIME,
	F_COMM,
	F_CLIENT,
	F_STATUS,
	F_US,
	F_BYTES,
	F_KIND,
	F_QUALITY,
	F_RATE,
	F_PATH,
	F_ALL,
};

static const char *const sample_kinds[] = {"tcp", "http", "tls", NULL};
static const char *const sample_quality[] = {"gap", "lost", "reset", NULL};

#define SAMPLE(member_, type_, width_, ...)                                                        \
	{                                                                                          \
		.name = #member_, .title = #member_, .type = type_, .width = width_,               \
		.offset = offsetof(struct sample, member_), __VA_ARGS__                            \
	}

static const struct column sample_columns[F_ALL] = {
	SAMPLE(time, COL_TIME, 12),
	SAMPLE(comm, COL_TEXT, 8),
	SAMPLE(client, COL_ADDR, 12),
	SAMPLE(status, COL_UINT, 6),
	SAMPLE(us, COL_UINT, 6, .unit = UNIT_US),
	SAMPLE(bytes, COL_UINT, 6, .unit = UNIT_BYTES),
	SAMPLE(kind, COL_ENUM, 4, .names = sample_kinds),
	SAMPLE(quality, COL_SET, 8, .names = sample_quality, .flags = COLUMN_ERROR),
	SAMPLE(rate, COL_REAL, 6, .unit = UNIT_RATE),
	SAMPLE(path, COL_TEXT, 12, .flags = COLUMN_GROWS),
};

static const struct schema sample_schema = {sample_columns, F_ALL};

static inline struct sample sample_row(void)
{
	return (struct sample){
		.row.known = (1 << F_ALL) - 1,
		.time = 1700000000123456789, /* 2023-11-14T22:13:20.123456Z */
		.comm = TEXT("nginx"),
		.path = TEXT("/a"),
		.client.b = {[10] = 0xff, 0xff, 10, 1, 2, 3},
		.status = 200,
		.us = 1500,
		.bytes = 2048,
		.kind = 1,
		.rate = 2.5,
	};
}
