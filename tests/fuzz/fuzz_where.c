// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* --where with any expression on rows of every type.
 * Besides memory errors it checks what a filter promises: places inside the expression, and == with
 * != dividing the known cells in two. */
#include <assert.h>
#include <stdio.h>

#include "../unit/output_sample.h"
#include "output/where.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* glibc's regcomp takes memory without bound for nested repeats; the user types the expression, so
 * that is his own, and no finding. */
static bool is_costly(const char *expr)
{
	return strcspn(expr, "{(*+?") != strlen(expr) && strpbrk(expr, "~");
}

static bool apply(const char *expr, bool *matches, const struct sample *rows, unsigned n)
{
	struct where w;
	size_t at = SIZE_MAX;
	const char *why = NULL;
	int r = where_parse(&w, &sample_schema, expr, &at, &why);

	if (r) {
		assert(r == -EINVAL || r == -ENOMEM);
		assert(r == -ENOMEM || (at <= strlen(expr) && why && *why));
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		matches[i] = where_match(&w, &rows[i].row);
		bool known = schema_cell(w.schema, w.column, &rows[i].row).known;
		assert(known || !matches[i] || w.null);
	}
	where_free(&w);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char expr[256], other[256];
	bool matches[3], differs[3];
	struct sample rows[3] = {sample_row(), sample_row(), sample_row()};

	if (size >= sizeof(expr))
		return 0;
	memcpy(expr, data, size);
	expr[size] = '\0';
	if (is_costly(expr))
		return 0;
	rows[1].row.known = 0;
	rows[2].path = (struct text){(const char *)data, (uint32_t)size};
	rows[2].quality = 5;
	if (!apply(expr, matches, rows, 3))
		return 0;
	size_t op = strcspn(expr, "=!<>~");
	if (strncmp(expr + op, "==", 2) != 0)
		return 0;
	memcpy(other, expr, sizeof(other));
	other[op] = '!';
	assert(apply(other, differs, rows, 3));
	assert(matches[0] != differs[0] && matches[2] != differs[2]);
	return 0;
}
