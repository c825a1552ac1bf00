// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Where an HTTP/1 message ends (RFC 9112 6 and 7): walked byte by byte in a followed connection,
 * or judged from sizes and last bytes when only the heads were kept. */
#pragma once

#include "protocol/protocol.h"

/* A body being walked through. Fill with http1_body_start; the fields are private. */
struct http1_body {
	enum body kind;
	uint8_t state;
	bool digits;   /* the size of this chunk has some */
	uint64_t left; /* bytes of the body or chunk to go */
};

/* The body that follows the head of m: kind and length are taken from it, m is not kept. */
void http1_body_start(struct http1_body *b, const struct message *m);

/* Walks through the next run of the connection: total bytes, of which the first captured are at p.
 * Bytes that only need counting need not be captured; the lines of a chunked body must be.
 * *used (<= total) is how many bytes of the run belong to this body.
 * 1: the body ended there; 0: the whole run belongs to it and it goes on (to close and upgraded:
 * always, so the caller ends those with the connection).
 * -ENODATA: a byte that decides was not captured, or the head never told how the body ends;
 * -EBADMSG: not a chunked body. After an error *used is untouched and the walk is over. */
int http1_body_feed(struct http1_body *b, const uint8_t *p, size_t captured, size_t total,
		    size_t *used);

/* Is a response whole that has gone quiet? response_bytes: TCP payload of the response turn, all of
 * it this response; tail: the last tail_len bytes of the turn.
 *
 * By kind of body; the first rule where the head is whole, the second where it was cut:
 * - none, upgrade, length 0: yes; when the tail is a blank line, which only ends a head.
 * - length: when response_bytes reach head + body; when they reach the bytes seen of the head and
 *   one more + body. The second can be early by the part of the head that was not seen.
 * - chunked: when the tail is the last chunk without trailers, CRLF "0" CRLF CRLF. A head
 *   cannot end in that; chunk data can only if it ends in CRLF "0" CRLF. A tail of 5 or 6 bytes
 *   must be the end of that; a tail of 4 shows two line ends only, which is what a chunk looks
 *   like whose data ends in CRLF too. Tails under 7 bytes say yes only where the head is whole.
 * - to close and unknown, and interim responses: no. */
bool http1_response_complete(const struct message *response, uint64_t response_bytes,
			     const uint8_t *tail, unsigned tail_len);
