// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Messages on standard error, escaped line by line.
 * A message may quote names that others chose; they must not steer the terminal. */
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"

bool log_verbose;

/* Cut into pieces that fit the buffer even when each byte is escaped. */
static void put_line(struct text line)
{
	char out[2048];
	struct buf b = BUF_ON(out);

	while (line.len > 0) {
		struct text piece = {line.p, MIN(line.len, (uint32_t)sizeof(out) / 4 - 16)};

		buf_clear(&b);
		buf_escaped(&b, piece);
		(void)fwrite(out, 1, b.len, stderr);
		line.p += piece.len;
		line.len -= piece.len;
	}
	(void)fputc('\n', stderr);
}

/* On the stack: what is to be said may be that there is no memory. */
static void put_message(const char *format, va_list ap)
{
	char message[4096];
	char *at, *line;

	if (vsnprintf(message, sizeof(message), format, ap) < 0)
		return;
	(void)fputs("tapline: ", stderr);
	for (at = message; (line = strsep(&at, "\n"));)
		if (*line || line == message)
			put_line(text_of(line));
}

void log_error(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_message(format, ap);
	va_end(ap);
}

void log_info(const char *format, ...)
{
	va_list ap;

	if (!log_verbose)
		return;
	va_start(ap, format);
	put_message(format, ap);
	va_end(ap);
}
