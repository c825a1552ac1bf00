// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Columns as data: name, type, offset, unit, width and help of each field of a row.
 * Every output, --fields, --by, --where and the man page's FIELDS read this one description. */
#pragma once

#include "base/addr.h"
#include "base/text.h"

enum column_type {
	COL_UINT, /* uint64_t */
	COL_REAL, /* double */
	COL_TEXT, /* struct text: hostile bytes */
	COL_ADDR, /* struct addr */
	COL_TIME, /* int64_t: ns since the epoch; JSON RFC 3339 in UTC, table local HH:MM:SS.mmm */
	COL_SET, /* uint64_t: bit i is names[i]; JSON array, table joined by a comma, "" if empty */
	COL_ENUM, /* uint64_t: index in names[] */
};

enum unit {
	UNIT_NONE,
	UNIT_US,    /* table: 12us 3.4ms 1.25s */
	UNIT_BYTES, /* table: 812 1.4K 3.0M (1024) */
	UNIT_RATE,  /* a second */
};

enum {
	COLUMN_SHOWN = 1 << 0,       /* in the table without --fields */
	COLUMN_GROWS = 1 << 1,       /* takes what width is left */
	COLUMN_ERROR = 1 << 2,       /* coloured when present: something to look at */
	COLUMN_EXTRA = 1 << 3,       /* in JSON and CSV only when asked for */
	COLUMN_SHRINKS = 1 << 4,     /* gives width before the columns that grow do */
	COLUMN_SPARE = 1 << 5,       /* left out where the terminal is too narrow for all */
	COLUMN_SPARE_FIRST = 1 << 6, /* before any of these */
};

struct column {
	const char *name;  /* JSON key and --fields word */
	const char *title; /* table header */
	enum column_type type;
	enum unit unit;
	uint16_t offset; /* in the row struct */
	uint8_t width;   /* in the table, in columns of the terminal */
	uint8_t flags;
	const char *const *names; /* COL_SET and COL_ENUM, NULL-terminated */
	const char *help;         /* one sentence for FIELDS */
};

/* Every row struct begins with this. */
struct row {
	uint64_t known;    /* bit i is set when column i is. Unknown is null */
	struct text below; /* lines under the row, in the table only: each begins with a tab and
			      ends with a newline, and they are safe for a terminal */
};

struct schema {
	const struct column *columns;
	unsigned n; /* at most 64 */
};

/* A view of one cell, whatever its type. */
struct cell {
	bool known;
	enum column_type type;
	union {
		uint64_t u;
		double real;
		int64_t time;
		struct text text;
		const struct addr *addr;
	};
};

/* Also unknown: a COL_REAL that is not finite, and a COL_ENUM without a name. */
struct cell schema_cell(const struct schema *s, unsigned column, const struct row *row);

/* The column of that name: its index, or -ENOENT. */
int schema_find(const struct schema *s, struct text name);

/* The name of value i of a COL_ENUM or of bit i of a COL_SET, or NULL. */
const char *column_word(const struct column *c, uint64_t i);

/* The cell as plain text without a unit (CSV, group keys, --where text): appended unescaped.
 * Unknown is nothing; a set is joined by commas; a COL_REAL has at most 3 decimals. */
struct buf;
void cell_plain(const struct column *c, struct cell v, struct buf *out);
