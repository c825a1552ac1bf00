// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What a protocol is to tapline: pure functions from the first bytes of a turn to a message.
 * Bytes in, message out; no clock, no allocation, no I/O. Bytes may be cut off anywhere. */
#pragma once

#include "base/text.h"

enum body {
	BODY_UNKNOWN,  /* head cut before it could be told, or the head contradicts itself */
	BODY_NONE,     /* the message ends with its head */
	BODY_LENGTH,   /* body_length bytes follow the head */
	BODY_CHUNKED,  /* until the last chunk */
	BODY_TO_CLOSE, /* until the connection closes */
	BODY_UPGRADE,  /* another protocol follows on this connection (101, CONNECT 2xx) */
};

/* One message, as much of it as the head shows. Texts point into the bytes given. */
struct message {
	bool head_whole;      /* the end of the head was among the bytes */
	uint32_t head_length; /* bytes of the head incl. its blank line; 0 while not head_whole */
	uint32_t head_seen; /* bytes of the head among those given: head_length once it is whole */
	enum body body;     /* of a cut head: by the fields seen so far */
	uint64_t body_length;
	struct text method, path, host; /* request; .p NULL: not seen */
	bool path_cut;                  /* the path runs past the bytes given */
	unsigned status;                /* response; 0: not seen */
	bool interim;                   /* 1xx other than 101: the final response follows */
	bool expect_continue;
};

struct protocol {
	const char *name;
	/* Is this the start of a request turn of this protocol? Looks at n >= 1 bytes. */
	bool (*detect)(const uint8_t *p, size_t n);
	/* 0: *m is filled as far as the bytes go; -EBADMSG: not a message of this protocol. */
	int (*request)(const uint8_t *p, size_t n, struct message *m);
	/* asked: the request that it answers (a HEAD or CONNECT changes the body), or NULL. */
	int (*response)(const uint8_t *p, size_t n, const struct message *asked, struct message *m);
	/* After a gap: offset of the first byte where a message may start, or n. */
	size_t (*resync)(const uint8_t *p, size_t n, bool request);
};

extern const struct protocol *const protocols[]; /* NULL-terminated, tried in order */
const struct protocol *protocol_detect(const uint8_t *p, size_t n); /* NULL: none */

extern const struct protocol protocol_http1;
extern const struct protocol protocol_tls; /* host is the SNI host name (RFC 6066 3) */
