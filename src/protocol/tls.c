// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* TLS records and the ClientHello (RFC 8446 4.1.2 and 5.1), for the host name that it asks for.
 * All else is ciphertext: a turn of TLS has a name at most, no method, path or status. */
#include "protocol/protocol.h"

enum { CHANGE_CIPHER_SPEC = 20, ALERT = 21, HANDSHAKE = 22, APPLICATION_DATA = 23 };

#define CLIENT_HELLO  1
#define RECORD_HEADER 5
#define RECORD_MAX    (16384 + 2048) /* RFC 5246 6.2.3; less in TLS 1.3 */

/* Bytes not read yet. A read past their end leaves them empty and marks them short. */
struct cursor {
	const uint8_t *p;
	size_t n;
	bool cut;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (n > c->n) {
		*c = (struct cursor){c->p, 0, true};
		return NULL;
	}
	c->p += n;
	c->n -= n;
	return p;
}

/* A big-endian number of so many bytes; 0 when cut. */
static size_t number(struct cursor *c, size_t bytes)
{
	const uint8_t *p = take(c, bytes);
	size_t v = 0;

	for (size_t i = 0; p && i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

/* A vector: its length in that many bytes, then its content. Cut content is handed out as far as
 * it goes, so that a name at its start is still found. */
static struct cursor vector(struct cursor *c, size_t bytes)
{
	bool cut = bytes > c->n;
	size_t n = number(c, bytes);
	struct cursor v = {c->p, MIN(n, c->n), cut || n > c->n};

	(void)take(c, n);
	return v;
}

/* RFC 6066 3: the one host_name in a ServerNameList. */
static struct text server_name(struct cursor extension)
{
	struct cursor list = vector(&extension, 2);

	while (list.n) {
		size_t type = number(&list, 1);
		struct cursor name = vector(&list, 2);

		if (type == 0 && name.n && !name.cut)
			return (struct text){(const char *)name.p, (uint32_t)name.n};
	}
	return (struct text){NULL, 0};
}

/* A ClientHello behind its type. True when all that could name a host was among the bytes; one
 * longer than its record goes on in the next, which is not followed. */
static bool client_hello(struct cursor handshake, struct message *m)
{
	struct cursor c = vector(&handshake, 3), extensions;

	take(&c, 2 + 32); /* version, random */
	vector(&c, 1);    /* session id */
	vector(&c, 2);    /* cipher suites */
	vector(&c, 1);    /* compression methods */
	if (c.n == 0)
		return !c.cut;
	extensions = vector(&c, 2);
	while (extensions.n) {
		size_t type = number(&extensions, 2);
		struct cursor extension = vector(&extensions, 2);

		if (type != 0)
			continue;
		m->host = server_name(extension);
		return m->host.p || !extension.cut;
	}
	return !extensions.cut;
}

/* The payload length of a record whose header is at p, or -EBADMSG. n < RECORD_HEADER: as far as
 * the bytes go, 0. */
static int record_length(const uint8_t *p, size_t n)
{
	unsigned length;

	if (p[0] < CHANGE_CIPHER_SPEC || p[0] > APPLICATION_DATA)
		return -EBADMSG;
	if ((n > 1 && p[1] != 3) || (n > 2 && p[2] > 4))
		return -EBADMSG;
	if (n < RECORD_HEADER)
		return 0;
	length = p[3] << 8U | p[4];
	return length && length <= RECORD_MAX ? (int)length : -EBADMSG;
}

/* What both ways share: the first record is the head, of which no more is needed unless it is a
 * ClientHello. */
static int first_record(const uint8_t *p, size_t n, struct message *m)
{
	int length = n ? record_length(p, n) : 0;

	if (length < 0)
		return length;
	m->head_seen = (uint32_t)MIN(n, RECORD_HEADER + (size_t)length);
	m->head_whole = length > 0;
	m->head_length = m->head_whole ? m->head_seen : 0;
	return length;
}

static int tls_request(const uint8_t *p, size_t n, struct message *out)
{
	struct message m = {0};
	int length = first_record(p, n, &m);

	if (length < 0)
		return length;
	if (length && p[0] == HANDSHAKE) {
		struct cursor c = {p + RECORD_HEADER, m.head_seen - RECORD_HEADER, false};

		if (number(&c, 1) == CLIENT_HELLO)
			m.head_whole = client_hello(c, &m);
		else
			m.head_whole = !c.cut;
		m.head_length = m.head_whole ? m.head_seen : 0;
	}
	*out = m;
	return 0;
}

static int tls_response(const uint8_t *p, size_t n, const struct message *asked UNUSED,
			struct message *out)
{
	struct message m = {0};
	int length = first_record(p, n, &m);

	if (length < 0)
		return length;
	*out = m;
	return 0;
}

/* Five bytes match other protocols by chance, so a handshake must also be one that clients send:
 * ClientHello, Certificate, CertificateVerify, ClientKeyExchange. Where a connection is joined
 * midway, the other records count as well. */
static bool tls_detect(const uint8_t *p, size_t n)
{
	int length = n > RECORD_HEADER ? record_length(p, n) : -EBADMSG;

	if (length < 0)
		return false;
	switch (p[0]) {
	case HANDSHAKE:
		return p[5] == CLIENT_HELLO || p[5] == 11 || p[5] == 15 || p[5] == 16;
	case CHANGE_CIPHER_SPEC:
		return length == 1 && p[5] == 1;
	case ALERT:
		return length == 2 ? p[5] == 1 || p[5] == 2 : length > 2;
	default:
		return true;
	}
}

/* A record header whose record, when its end is among the bytes, has another one behind it. */
static size_t tls_resync(const uint8_t *p, size_t n, bool request UNUSED)
{
	for (size_t i = 0; i + RECORD_HEADER <= n; i++) {
		int length = record_length(p + i, n - i);
		size_t next = i + RECORD_HEADER + (size_t)MAX(length, 0);

		if (length > 0 && (next >= n || record_length(p + next, n - next) >= 0))
			return i;
	}
	return n;
}

const struct protocol protocol_tls = {
	.name = "tls",
	.detect = tls_detect,
	.request = tls_request,
	.response = tls_response,
	.resync = tls_resync,
};
