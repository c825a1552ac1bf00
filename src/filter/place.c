// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The place of an error in a filter expression.
 * The wrong word is the first one after the longest beginning that can still become an expression:
 * beginnings are tried, longest first, each with words that may complete it. */
#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "filter/libpcap.h"
#include "filter/place.h"

enum {
	EXPR_MAX = 2048, /* longer ones get no place */
	WORDS_MAX = 512,
	DEPTH_MAX = 16,
	GIVE_UP_MS = 200, /* a name server may be asked at each try */
};

/* What can follow some beginning of an expression (pcap-filter(7)). */
static const char *const endings[] = {
	"",        "ip",           "1",
	"1.2.3.4", "= 1",          "1 = 1",
	"port 1",  "host 1.2.3.4", "255.255.255.0",
	"tcp",     "::1",          "00:00:00:00:00:01",
	"1-2",     "[0] = 1",
};

struct search {
	const char *expr;
	const struct filter_link *link;
	struct timespec end;
	char closers[DEPTH_MAX + 1]; /* of the brackets that are open, innermost first */
	unsigned depth;
};

static bool is_over(const struct search *s)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > s->end.tv_sec ||
	       (now.tv_sec == s->end.tv_sec && now.tv_nsec >= s->end.tv_nsec);
}

/* Characters of names, numbers, addresses and ranges; in brackets : and - are operators, but for
 * the
 * - of names such as tcp-syn. */
static bool in_word(const char *p, bool bracket, bool has_letter)
{
	unsigned char c = (unsigned char)*p;

	if (isalnum(c) || c == '.' || c == '_' || c == '\\' || c >= 0x80)
		return true;
	if (c == '-' || c == ':' || c == '/')
		return !bracket || (c == '-' && has_letter);
	return false;
}

/* Where words begin and end; how many. An operator is a word. */
static unsigned split(const char *expr, uint16_t *from, uint16_t *to)
{
	unsigned n = 0, bracket = 0;
	const char *p = expr;

	while (n < WORDS_MAX) {
		bool letter = false;

		while (isspace((unsigned char)*p))
			p++;
		if (!*p)
			break;
		from[n] = (uint16_t)(p - expr);
		while (*p && in_word(p, bracket, letter))
			letter |= isalpha((unsigned char)*p++) != 0;
		if (p == expr + from[n]) {
			bracket += *p == '[';
			bracket -= *p == ']' && bracket;
			p += p[1] && strchr("<>=!&|", *p) && (p[1] == '=' || p[1] == *p) ? 2 : 1;
		}
		to[n++] = (uint16_t)(p - expr);
	}
	return n;
}

/* Brackets that are open after len bytes; false if one closes what is not open. */
static bool open_brackets(struct search *s, size_t len)
{
	s->depth = 0;
	for (size_t i = 0; i < len; i++) {
		char c = s->expr[i];

		if (c == '(' || c == '[') {
			if (s->depth == DEPTH_MAX)
				return false;
			memmove(s->closers + 1, s->closers, s->depth++);
			s->closers[0] = c == '(' ? ')' : ']';
		} else if (c == ')' || c == ']') {
			if (!s->depth || s->closers[0] != c)
				return false;
			memmove(s->closers, s->closers + 1, --s->depth);
		}
	}
	s->closers[s->depth] = '\0';
	return true;
}

/* Whether the first len bytes can become an expression: an ending, and what closes the brackets,
 * with a comparison before any of them, as what is in them may be a number. */
static bool is_viable(struct search *s, size_t len)
{
	char text[EXPR_MAX + 2 * DEPTH_MAX + 64];

	if (!open_brackets(s, len))
		return false;
	for (unsigned e = 0; e < ARRAY_SIZE(endings); e++) {
		for (unsigned k = 0; k <= s->depth + 1 && !is_over(s); k++) {
			unsigned before = MIN(k, s->depth);

			(void)snprintf(text, sizeof(text), "%.*s %s%.*s%s%s", (int)len, s->expr,
				       endings[e], (int)before, s->closers,
				       k <= s->depth ? " = 1" : "", s->closers + before);
			if (libpcap_accepts(text, s->link))
				return true;
		}
	}
	return false;
}

/* A word that the message quotes: unknown port 'foo'. */
static int quoted_place(const char *expr, const char *message)
{
	const char *from = strchr(message, '\'');
	const char *to = from ? strchr(from + 1, '\'') : NULL;
	char word[128];
	const char *at;

	if (!to || to == from + 1 || (size_t)(to - from) > sizeof(word))
		return -1;
	(void)snprintf(word, sizeof(word), "%.*s", (int)(to - from - 1), from + 1);
	for (at = strstr(expr, word); at; at = strstr(at + 1, word)) {
		char next = at[strlen(word)];

		if ((at == expr || !isalnum((unsigned char)at[-1])) &&
		    !isalnum((unsigned char)next))
			return (int)(at - expr);
	}
	return -1;
}

int filter_place(const char *expr, const struct filter_link *link, const char *message)
{
	struct search s = {.expr = expr, .link = link};
	uint16_t from[WORDS_MAX], to[WORDS_MAX];
	int at = quoted_place(expr, message);
	unsigned n;

	if (at >= 0 || strlen(expr) >= EXPR_MAX || !libpcap_accepts("", link))
		return at;
	(void)clock_gettime(CLOCK_MONOTONIC, &s.end);
	s.end.tv_nsec += GIVE_UP_MS * 1000000L;
	s.end.tv_sec += s.end.tv_nsec / 1000000000;
	s.end.tv_nsec %= 1000000000;
	n = split(expr, from, to);
	if (n == WORDS_MAX)
		return -1;
	for (unsigned i = n; i; i--) {
		bool viable = is_viable(&s, to[i - 1]);

		if (is_over(&s))
			return -1;
		if (viable)
			return i == n ? (int)strlen(expr) : from[i];
	}
	return n ? from[0] : 0;
}
