// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* One --where expression, FIELD OP VALUE, on any column of a schema.
 * Decided in user space after a row is complete, so it can ask for what the kernel does not know.
 */
#pragma once

#include <regex.h>

#include "output/schema.h"

enum where_op {
	WHERE_EQ,
	WHERE_NE,
	WHERE_LT,
	WHERE_LE,
	WHERE_GT,
	WHERE_GE,
	WHERE_LIKE,
	WHERE_UNLIKE
};

struct where {
	const struct schema *schema;
	unsigned column;
	enum where_op op;
	bool null;  /* VALUE is null: whether the cell is known */
	bool empty; /* VALUE is empty, on a COL_SET */
	union {
		uint64_t u; /* COL_UINT, COL_ENUM; COL_SET: the bit */
		double real;
		struct text text; /* inside the expression */
		struct {
			struct addr addr;
			unsigned prefix; /* of 128 */
		} net;
		regex_t regex;
	};
};

/*
 * Operators: == (or =) and != on every type; < <= > >= on numbers; ~ and !~ search the plain text
 * of the cell for an extended regular expression (POSIX). A number of microseconds may end in us,
 * ms or s, one of bytes in k, M or G (1024); an address may be a network. On a set == asks whether
 * it contains the word, and, with no word, whether it is empty. A COL_TIME is refused.
 *
 * expr must outlive *out, which where_free frees. 0; or -EINVAL with *at the offset in expr where
 * it is wrong and *why a sentence fragment, valid until the next call; or -ENOMEM.
 */
int where_parse(struct where *out, const struct schema *s, const char *expr, size_t *at,
		const char **why);
/* Unknown cells match FIELD==null and nothing else. */
bool where_match(const struct where *w, const struct row *row);
void where_free(struct where *w);
