// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Appending numbers, times and words to a bounded buffer.
 * Rows are made of these, a hundred thousand a second, so none of them goes through printf. */
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"

void buf_fill(struct buf *b, char c, size_t n)
{
	if (n == 0 || !buf_room(b, n))
		return;
	memset(b->p + b->len, c, n);
	b->len += n;
}

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
				  "25262728293031323334353637383940414243444546474849"
				  "50515253545556575859606162636465666768697071727374"
				  "75767778798081828384858687888990919293949596979899";

/* Writes v so that it ends before end, and returns where it begins: at most 20 bytes. */
static char *digits_before(char *end, uint64_t v)
{
	while (v >= 100) {
		end -= 2;
		memcpy(end, digit_pairs + v % 100 * 2, 2);
		v /= 100;
	}
	if (v < 10) {
		*--end = (char)('0' + v);
		return end;
	}
	end -= 2;
	memcpy(end, digit_pairs + v * 2, 2);
	return end;
}

void buf_u64(struct buf *b, uint64_t v)
{
	char tmp[20];
	char *start = digits_before(tmp + sizeof(tmp), v);

	buf_bytes(b, start, (size_t)(tmp + sizeof(tmp) - start));
}

void buf_i64(struct buf *b, int64_t v)
{
	char tmp[21];
	char *start = digits_before(tmp + sizeof(tmp), v < 0 ? -(uint64_t)v : (uint64_t)v);

	if (v < 0)
		*--start = '-';
	buf_bytes(b, start, (size_t)(tmp + sizeof(tmp) - start));
}

void buf_addr(struct buf *b, const struct addr *a)
{
	char tmp[ADDR_TEXT_MAX];

	buf_bytes(b, tmp, addr_format(a, tmp));
}

static void put_pair(char *at, unsigned v)
{
	memcpy(at, digit_pairs + v * 2, 2);
}

/*
 * "2024-02-29T12:34:56" of seconds since the epoch. Days to a civil date by whole 400-year eras
 * that begin on 1 March (H. Hinnant, "chrono-compatible low-level date algorithms",
 * civil_from_days). Not gmtime_r: glibc's reads the time zone file, which a confined process may
 * not.
 */
static void date_text(int64_t sec, char out[19])
{
	int64_t days = sec / 86400 - (sec % 86400 < 0);
	unsigned in_day = (unsigned)(sec - days * 86400);
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	unsigned year = (unsigned)(yoe + era * 400 + (month <= 2)); /* int64 ns: 1677 to 2262 */

	put_pair(out, year / 100);
	put_pair(out + 2, year % 100);
	out[4] = '-';
	put_pair(out + 5, month);
	out[7] = '-';
	put_pair(out + 8, doy - (153 * mp + 2) / 5 + 1);
	out[10] = 'T';
	put_pair(out + 11, in_day / 3600);
	out[13] = ':';
	put_pair(out + 14, in_day / 60 % 60);
	out[16] = ':';
	put_pair(out + 17, in_day % 60);
}

void buf_time(struct buf *b, int64_t wall_ns)
{
	static char date[19] = "1970-01-01T00:00:00";
	static int64_t date_sec;
	int64_t sec = wall_ns / 1000000000 - (wall_ns % 1000000000 < 0);
	unsigned us = (unsigned)((wall_ns % 1000000000 + 1000000000) % 1000000000 / 1000);
	char *at;

	if (!buf_room(b, 27))
		return;
	if (sec != date_sec) {
		date_text(sec, date);
		date_sec = sec;
	}
	at = b->p + b->len;
	memcpy(at, date, sizeof(date));
	at[19] = '.';
	put_pair(at + 20, us / 10000);
	put_pair(at + 22, us / 100 % 100);
	put_pair(at + 24, us % 100);
	at[26] = 'Z';
	b->len += 27;
}

void buf_printf(struct buf *b, const char *format, ...)
{
	size_t room = b->over ? 0 : b->cap - b->len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(room ? b->p + b->len : NULL, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		b->over = true;
	else
		b->len += (size_t)n;
}

void buf_wrapped(struct buf *b, struct text t, unsigned column, unsigned indent, unsigned width)
{
	bool first = true;
	uint32_t i = 0;

	for (;;) {
		struct text word;
		size_t columns;

		while (i < t.len && (t.p[i] == ' ' || t.p[i] == '\n'))
			i++;
		if (i == t.len)
			return;
		word.p = t.p + i;
		while (i < t.len && t.p[i] != ' ' && t.p[i] != '\n')
			i++;
		word.len = (uint32_t)(t.p + i - word.p);
		columns = text_columns(word);
		if (!first && width && column + 1 + columns > width) {
			buf_char(b, '\n');
			buf_fill(b, ' ', indent);
			column = indent;
		} else if (!first) {
			buf_char(b, ' ');
			column++;
		}
		buf_escaped(b, word);
		column += (unsigned)columns;
		first = false;
	}
}
