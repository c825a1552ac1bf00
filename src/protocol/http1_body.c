// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Where an HTTP/1 body ends: counted, or walked chunk by chunk (RFC 9112 7.1).
 * Bytes that need only counting may be missing, since captures keep the start of each run. */
#include "protocol/http1.h"

enum state {
	SIZE,      /* in the hexadecimal size of a chunk */
	EXTENSION, /* behind the size, until its line ends */
	DATA,      /* left bytes of a chunk */
	DATA_CR,   /* the line end behind the data */
	DATA_LF,
	TRAILER,    /* at the start of a trailer line; an empty one ends the body */
	TRAILER_CR, /* behind a CR there */
	TRAILER_IN, /* inside a trailer line */
	DONE,
};

void http1_body_start(struct http1_body *b, const struct message *m)
{
	*b = (struct http1_body){.kind = m->body, .state = SIZE};
	if (m->body == BODY_LENGTH)
		b->left = m->body_length;
}

static bool hex(uint8_t c, unsigned *digit)
{
	if (c >= '0' && c <= '9')
		*digit = c - '0';
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		*digit = (c | 0x20) - 'a' + 10U;
	else
		return false;
	return true;
}

/* Behind the size line. */
static enum state size_done(struct http1_body *b)
{
	b->digits = false;
	return b->left ? DATA : TRAILER;
}

static int size_byte(struct http1_body *b, uint8_t c)
{
	unsigned digit;

	if (hex(c, &digit)) {
		if (b->left >> 60)
			return -EBADMSG;
		b->left = b->left << 4 | digit;
		b->digits = true;
		return SIZE;
	}
	if (!b->digits)
		return -EBADMSG;
	if (c == '\n')
		return size_done(b);
	return c == ';' || c == '\r' || c == ' ' || c == '\t' ? EXTENSION : -EBADMSG;
}

/* The state after one more byte, or -EBADMSG. */
static int step(struct http1_body *b, uint8_t c)
{
	switch (b->state) {
	case SIZE:
		return size_byte(b, c);
	case EXTENSION:
		return c == '\n' ? (int)size_done(b) : EXTENSION;
	case DATA_CR:
		return c == '\r' ? DATA_LF : c == '\n' ? SIZE : -EBADMSG;
	case DATA_LF:
		return c == '\n' ? SIZE : -EBADMSG;
	case TRAILER:
		return c == '\n' ? DONE : c == '\r' ? TRAILER_CR : TRAILER_IN;
	case TRAILER_CR:
		return c == '\n' ? DONE : TRAILER_IN;
	case TRAILER_IN:
		return c == '\n' ? TRAILER : TRAILER_IN;
	default:
		return -EBADMSG;
	}
}

/* Counts off what is left of the body or chunk in a run of n bytes. */
static size_t count(struct http1_body *b, size_t n)
{
	size_t take = b->left < n ? (size_t)b->left : n;

	b->left -= take;
	return take;
}

static int chunked(struct http1_body *b, const uint8_t *p, size_t captured, size_t total,
		   size_t *used)
{
	size_t at = 0;

	while (at < total && b->state != DONE) {
		int next;

		if (b->state == DATA) {
			at += count(b, total - at);
			if (b->left == 0)
				b->state = DATA_CR;
			continue;
		}
		if (at >= captured)
			return -ENODATA;
		next = step(b, p[at++]);
		if (next < 0)
			return next;
		b->state = (uint8_t)next;
	}
	*used = at;
	return b->state == DONE;
}

int http1_body_feed(struct http1_body *b, const uint8_t *p, size_t captured, size_t total,
		    size_t *used)
{
	switch (b->kind) {
	case BODY_NONE:
		*used = 0;
		return 1;
	case BODY_LENGTH:
		*used = count(b, total);
		return b->left == 0;
	case BODY_CHUNKED:
		return chunked(b, p, MIN(captured, total), total, used);
	case BODY_TO_CLOSE:
	case BODY_UPGRADE:
		*used = total;
		return 0;
	case BODY_UNKNOWN:
		break;
	}
	return -ENODATA;
}

static bool ends_in(const uint8_t *tail, unsigned tail_len, const char *end, unsigned n)
{
	unsigned have = MIN(tail_len, n);

	return memcmp(tail + tail_len - have, end + n - have, have) == 0;
}

/* An empty line, with or without CRs; only tails that hold all of it tell. */
static bool blank_line(const uint8_t *tail, unsigned n)
{
	return (n >= 4 && ends_in(tail, n, "\r\n\r\n", 4)) ||
	       (n >= 2 && ends_in(tail, n, "\n\n", 2));
}

bool http1_response_complete(const struct message *m, uint64_t bytes, const uint8_t *tail,
			     unsigned tail_len)
{
	static const char last_chunk[] = "\r\n0\r\n\r\n";
	const unsigned last = sizeof(last_chunk) - 1;
	uint64_t head = m->head_whole ? m->head_length : (uint64_t)m->head_seen + 1;

	if (!m->status || m->interim || bytes < head)
		return false;
	switch (m->body) {
	case BODY_LENGTH:
		if (m->body_length)
			return bytes - head >= m->body_length;
		return m->head_whole || blank_line(tail, tail_len);
	case BODY_NONE:
	case BODY_UPGRADE:
		return m->head_whole || blank_line(tail, tail_len);
	case BODY_CHUNKED:
		/* An empty body is the last chunk alone, whose first CRLF is the head's. */
		return tail_len >= (m->head_whole ? 4 : last) && bytes - head >= last - 2 &&
		       ends_in(tail, tail_len, last_chunk, last);
	default:
		return false;
	}
}
