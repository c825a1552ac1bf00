// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* [INTERVAL [COUNT]], read from the operands: leading numbers, in seconds and in blocks. */
#include "loader/interval.h"

#define INTERVAL_MAX 86400

int interval_parse(struct session *s, unsigned from, struct interval *out)
{
	uint64_t numbers[2] = {1, 0};
	unsigned n, at = 0;
	char *const *words = session_operands(s, &n) + from;

	n -= from;
	while (at < n && at < ARRAY_SIZE(numbers) && !text_to_u64(text_of(words[at]), &numbers[at]))
		at++;
	if (at && (!numbers[0] || numbers[0] > INTERVAL_MAX))
		return session_fail(s, -EINVAL,
				    "the interval '%s' is not possible, give 1 to %d seconds",
				    words[0], INTERVAL_MAX);
	if (at == 2 && !numbers[1])
		return session_fail(s, -EINVAL,
				    "the count '0' is not possible, give 1 or more intervals");
	*out = (struct interval){at ? numbers[0] : 0, numbers[1], at};
	session_set_tick(s, (unsigned)numbers[0] * 1000);
	return 0;
}
