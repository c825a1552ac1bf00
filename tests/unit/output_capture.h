// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What an output writes, as a string: through a file, as in `tapline > file`.
 * The formats are tested by what a user gets, not by their functions. */
#pragma once

#include <stdio.h>
#include <sys/mman.h>

#include "output/output.h"
#include "output_sample.h"

static inline const struct output_kind *kind_named(const char *name)
{
	for (unsigned i = 0; output_kinds[i]; i++)
		if (strcmp(output_kinds[i]->name, name) == 0)
			return output_kinds[i];
	return NULL;
}

/* The rows in a format, with these columns: valid until the next call; NULL when it failed. */
static inline const char *capture(const char *kind, const uint8_t *fields, unsigned n,
				  struct output_style style, const struct sample *rows,
				  unsigned n_rows)
{
	static char out[1 << 17];
	_cleanup_close_ int fd = memfd_create("capture", MFD_CLOEXEC);
	struct output *o;

	if (fd < 0 || output_new(&o, kind_named(kind), &sample_schema, fields, n, fd, style))
		return NULL;
	int r = 0;
	for (unsigned i = 0; i < n_rows && r == 0; i++)
		r = output_row(o, &rows[i].row);
	if (r == 0)
		r = output_flush(o, false);
	output_free(o);
	ssize_t len = pread(fd, out, sizeof(out) - 1, 0);
	if (r || len < 0)
		return NULL;
	out[len] = '\0';
	return out;
}

#define FIELDS(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
