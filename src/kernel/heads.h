// SPDX-License-Identifier: GPL-2.0-only
/* First bytes of turns out of packets: what is loaded where, which bytes were not seen, and whether
 * a request is more than one. Sizes are constants wherever a verifier has to follow them. */
#pragma once

#include "kernel/bytes.h"
#include "kernel/http.h"
#include "kernel/turn.h"

/* Bytes from..to of the heads are loaded, which so far ended at `length`: is there a hole now?
 * Two holes count as one, with what lies between: that is rare, and errs towards EX_GAP. */
ALWAYS_INLINE bool heads_hole(struct heads *h, bool hole, u32 length, u32 from, u32 to)
{
	u32 begin = hole ? h->hole : 0, end = hole ? h->hole_end : 0;

	if (from > length) {
		begin = begin == end ? length : begin;
		end = from;
	} else {
		if (from <= begin && to > begin)
			begin = to < end ? to : end;
		if (to >= end && from < end)
			end = from > begin ? from : begin;
	}
	h->hole = begin;
	h->hole_end = end;
	return begin != end;
}

/* size, a constant, bytes to offset `at` of the heads: 0, or not 0 where they do not fit or are not
 * there. */
ALWAYS_INLINE int heads_load(packet_bytes *b, u32 from, struct heads *h, u32 at, const u32 size)
{
	asm volatile("" : "+r"(at));
	return at > HEADS_MAX - size ? -1 : packet_copy(b, from, h->b + at, size);
}

/* n bytes of the packet, from `from` on, to `at`: in constant pieces, whose bounds every verifier
 * can follow. Returns as heads_load. */
ALWAYS_INLINE int heads_load_pieces(packet_bytes *b, u32 from, struct heads *h, u32 at, u32 n)
{
	u32 done = 0;

	for (int i = 0; i < REQUEST_HEAD_MAX / 16; i++) {
		if (done + 16 > n)
			break;
		if (heads_load(b, from + done, h, at + done, 16))
			return -1;
		done += 16;
	}
	if (n >= 16) /* the last piece overlaps the one before */
		return heads_load(b, from + n - 16, h, at + n - 16, 16);
	for (u32 i = 0; i < 15; i++) {
		/* Or the compiler makes a bound of both, and a verifier tries each value of it. */
		asm volatile("" : "+r"(n));
		if (i >= n)
			break;
		if (heads_load(b, from + i, h, at + i, 1))
			return -1;
	}
	return 0;
}

/*
 * A head in several segments, or filled out of order: *n bytes of the segment go to `offset` of the
 * request's or the response's head. True: so many did, as *n then says; *to is where they begin in
 * h->b. (Not a number that is 0 for none: to ask it would make a verifier follow each length
 * apart.)
 */
ALWAYS_INLINE bool heads_piece(packet_bytes *b, const struct conn *c, struct heads *h, u32 from,
			       u32 *n, u32 offset, bool response, u32 *to)
{
	u32 room = REQUEST_HEAD_MAX, have;

	if (!response && c->phase == PHASE_RESPONSE)
		return false;
	if (response)
		room = c->response_base <= HEADS_MAX - RESPONSE_HEAD_MAX
			       ? RESPONSE_HEAD_MAX
			       : HEADS_MAX - REQUEST_HEAD_MAX;
	if (offset >= room)
		return false;
	*n = *n > room - offset ? room - offset : *n;
	have = response ? c->response_head : h->request;
	if (offset + *n <= have && !(c->mode & CONN_HOLE))
		return false; /* a duplicate */
	*to = offset + (response ? c->response_base : 0);
	return !heads_load_pieces(b, from, h, *to, *n);
}

/* The start of the request's head; returns the bytes that were loaded. Not in the response phase: a
 * head of the response stands where the rest would go. */
ALWAYS_INLINE u32 heads_request(packet_bytes *b, const struct conn *c, struct heads *h, u32 from,
				u32 n)
{
	n = n > REQUEST_HEAD_MAX ? REQUEST_HEAD_MAX : n;
	if (c->phase == PHASE_RESPONSE || !load_bytes(b, from, h->b, n, REQUEST_HEAD_MAX))
		return 0;
	return n;
}

/* The start of the response's head, which follows the request's: 432 bytes serve both. */
ALWAYS_INLINE u32 heads_response(packet_bytes *b, const struct conn *c, struct heads *h, u32 from,
				 u32 n)
{
	u32 base = c->response_base;

	if (base <= HEADS_MAX - RESPONSE_HEAD_MAX) {
		n = n > RESPONSE_HEAD_MAX ? RESPONSE_HEAD_MAX : n;
		return load_bytes(b, from, h->b + base, n, RESPONSE_HEAD_MAX) ? n : 0;
	}
	if (base > REQUEST_HEAD_MAX)
		return 0;
	n = n > HEADS_MAX - REQUEST_HEAD_MAX ? HEADS_MAX - REQUEST_HEAD_MAX : n;
	return load_bytes(b, from, h->b + base, n, HEADS_MAX - REQUEST_HEAD_MAX) ? n : 0;
}

/* 1 where these four bytes (little-endian) are CRLF CRLF. Without a branch, which would double the
 * verifier's paths at each of them. */
ALWAYS_INLINE u32 ends_head(u32 word)
{
	u32 differs = word ^ 0x0a0d0a0d, negative = -differs;

	asm volatile(
		""
		: "+r"(negative)); /* or the compiler makes it the branch that it must not be */
	return 1 - ((differs | negative) >> 31);
}

/*
 * The start of a request of len bytes, which differs from that of the last one found single
 * (clients repeat lengths): is it HTTP, and is it more than one request? The end of a head that is
 * not the end of the segment says so, and then the connection is followed from this segment on.
 */
ALWAYS_INLINE void heads_look(struct conn *c, const struct heads *h, u32 len)
{
	int method = h->request >= 4 ? http_method(h->b) : 0;
	u32 ends = 0, n;

	if (!method) {
		c->mode &= ~CONN_HTTP;
		return;
	}
	c->mode |= CONN_HTTP;
	c->single_len = len;
	if (method != 1)
		return;
	n = h->request < len ? h->request : len - 1; /* the last byte may end the only head */
	for (u32 i = 0; i + 8 <= HEADS_MAX && i < REQUEST_HEAD_MAX; i += 4) {
		u64 word;

		/* All four places lie before the end; what fits into the rest is no request. */
		if (i + 7 > n)
			break;
		__builtin_memcpy(&word, h->b + i, sizeof(word));
		ends += ends_head(word) + ends_head(word >> 8) + ends_head(word >> 16) +
			ends_head(word >> 24);
	}
	if (ends) {
		c->mode |= CONN_FOLLOW;
		c->single_len = 0;
	}
}

/* Of the response to a bodiless HTTP request, which is over since the next one has come, only the
 * status line is read. */
#define STATUS_MAX 64

/* How much of the response's head is told. All of it, unless nobody asked to see it (all) and it is
 * known to say no more: its request was captured whole, so a second one behind it would be seen
 * there, and it is final, not a 1xx before another. */
ALWAYS_INLINE u32 heads_told(const struct ended *e, const struct heads *h, bool all)
{
	u32 base = e->response_base, n = e->response_head;

	if (base != h->request)
		return 0;
	if (all || e->end != END_NEXT || n <= STATUS_MAX || e->request_bytes != base ||
	    http_method(h->b) != 1)
		return n;
	/* A bound right before it is used: verifiers before 6.5 forget it when it is spilled. */
	asm volatile("" : "+r"(base));
	if (base > REQUEST_HEAD_MAX)
		return 0;
	if (h->b[base] != 'H' || h->b[base + 9] < '2')
		return n;
	return STATUS_MAX;
}
