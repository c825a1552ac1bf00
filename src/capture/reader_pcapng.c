// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* pcapng: sections of blocks, each with its length in front and behind.
 * Source: draft-ietf-opsawg-pcapng-02; section numbers below are those of the draft. */
#include "capture/reader_state.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a, /* 4.1 */
	BLOCK_INTERFACE = 1,        /* 4.2 */
	BLOCK_OLD_PACKET = 2,       /* appendix A: obsolete, an enhanced one with other fields */
	BLOCK_SIMPLE_PACKET = 3,    /* 4.4 */
	BLOCK_ENHANCED_PACKET = 6,  /* 4.3 */
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d

/* Bytes of a block without options and packet: its head, its fixed fields, and its trailer. */
#define HEAD            8
#define TRAILER         4
#define SECTION_FIXED   (HEAD + 16)
#define INTERFACE_FIXED (HEAD + 8)
#define SIMPLE_FIXED    (HEAD + 4)
#define ENHANCED_FIXED  (HEAD + 20)

enum { OPTION_END = 0, OPTION_COMMENT = 1 };                              /* 3.5 */
enum { OPTION_NAME = 2, OPTION_RESOLUTION = 9, OPTION_TIME_OFFSET = 14 }; /* of interfaces */
enum { OPTION_FLAGS = 2 };                                                /* of packets */

#define PADDED(n) (((n) + 3) & ~(size_t)3)

/* A run of options, within one block. */
struct options {
	const uint8_t *p, *end;
	unsigned code, len; /* of the one that was found */
	const uint8_t *value;
};

/* 1: there is one more; 0: they end; -EBADMSG. */
static int options_next(struct reader *r, struct options *o)
{
	size_t left = (size_t)(o->end - o->p);

	if (left == 0)
		return 0;
	if (left < 4)
		return reader_fail(r, "a block's options end inside one");
	o->code = reader_u16(r, o->p);
	o->len = reader_u16(r, o->p + 2);
	if (o->code == OPTION_END)
		return 0;
	if (PADDED(o->len) > left - 4)
		return reader_fail(r, "option %u of %u bytes does not fit into its block", o->code,
				   o->len);
	o->value = o->p + 4;
	o->p += 4 + PADDED(o->len);
	return 1;
}

static int option_size(struct reader *r, const struct options *o, unsigned want)
{
	if (o->len == want)
		return 0;
	return reader_fail(r, "option %u has %u bytes, not %u", o->code, o->len, want);
}

/* 4.2, if_tsresol: the top bit says whether the rest is the negative power of 2 or of 10. */
static int clock_resolution(struct reader *r, struct reader_clock *c, uint8_t resolution)
{
	unsigned power = resolution & 0x7f;
	bool of_two = resolution & 0x80;

	if (power > (of_two ? 63 : 19))
		return reader_fail(r, "times in units of %u to the power of -%u s are not read",
				   of_two ? 2 : 10, power);
	c->per_second = of_two ? 1ULL << power : 1;
	for (unsigned i = 0; !of_two && i < power; i++)
		c->per_second *= 10;
	c->ns = 1000000000 % c->per_second ? 0 : 1000000000 / c->per_second;
	return 0;
}

static int clock_time(struct reader *r, const struct reader_clock *c, uint64_t units, int64_t *out)
{
	uint64_t seconds = units / c->per_second, rest = units % c->per_second;
	int64_t total;

	if (c->ns)
		rest *= c->ns;
	else
		rest = (uint64_t)((unsigned __int128)rest * 1000000000 / c->per_second);
	if (seconds > INT64_MAX || __builtin_add_overflow((int64_t)seconds, c->offset_s, &total) ||
	    __builtin_mul_overflow(total, 1000000000, &total) ||
	    __builtin_add_overflow(total, (int64_t)rest, &total))
		return reader_fail(r, "a packet's time is more than 292 years from 1970");
	*out = total;
	return 0;
}

/* The section's header tells the byte order, also that of its own length. */
static int section(struct reader *r)
{
	uint16_t major = reader_u16(r, reader_at(r) + 12), minor = reader_u16(r, reader_at(r) + 14);

	/* 4.1: some writers say 1.2, which is the same. */
	if (major != 1 || (minor != 0 && minor != 2))
		return reader_fail(r, "pcapng version %u.%u is not read, only 1.0", major, minor);
	r->n_interfaces = 0;
	r->last_ns = 0;
	return 0;
}

static int interface(struct reader *r, uint32_t size)
{
	const uint8_t *p = reader_at(r);
	struct options o = {.p = p + INTERFACE_FIXED, .end = p + size - TRAILER};
	struct reader_interface *i = &r->interfaces[r->n_interfaces];
	int err;

	if (r->n_interfaces == READER_INTERFACES)
		return reader_fail(r, "a section with more than %u interfaces", READER_INTERFACES);
	*i = (struct reader_interface){
		.clock = {.per_second = 1000000, .ns = 1000},
		.link = reader_u16(r, p + 8),
		.snaplen = reader_u32(r, p + 12),
	};
	while ((err = options_next(r, &o)) > 0) {
		if (o.code == OPTION_NAME) {
			i->name_len = (uint8_t)MIN(o.len, sizeof(i->name));
			memcpy(i->name, o.value, i->name_len);
		} else if (o.code == OPTION_RESOLUTION) {
			err = option_size(r, &o, 1);
			if (!err)
				err = clock_resolution(r, &i->clock, o.value[0]);
		} else if (o.code == OPTION_TIME_OFFSET) {
			err = option_size(r, &o, 8);
			if (!err)
				i->clock.offset_s = (int64_t)reader_u64(r, o.value);
		}
		if (err < 0)
			return err;
	}
	if (!err)
		r->n_interfaces++;
	return err;
}

/* 4.3.1: direction, and whom the packet was for. */
static void packet_flags(struct frame *p, uint32_t flags)
{
	static const uint8_t types[8] = {
		[1] = FRAME_TYPE_HOST,
		[2] = FRAME_TYPE_MULTICAST,
		[3] = FRAME_TYPE_BROADCAST,
		[4] = FRAME_TYPE_OTHERHOST,
	};
	static const uint8_t directions[4] = {[1] = FRAME_DIRECTION_IN, [2] = FRAME_DIRECTION_OUT};

	p->direction = directions[flags & 3];
	p->type = p->direction == FRAME_DIRECTION_OUT ? FRAME_TYPE_OUTGOING : types[flags >> 2 & 7];
}

static int packet_options(struct reader *r, struct options *o, struct frame *out)
{
	int err;

	while ((err = options_next(r, o)) > 0) {
		if (o->code == OPTION_COMMENT && !out->comment.p) {
			out->comment = (struct text){(const char *)o->value, o->len};
		} else if (o->code == OPTION_FLAGS) {
			err = option_size(r, o, 4);
			if (err)
				return err;
			packet_flags(out, reader_u32(r, o->value));
		}
	}
	return err;
}

/* Fills in what the block's interface says. */
static int packet_on(struct reader *r, uint32_t number, struct frame *out)
{
	const struct reader_interface *i;

	if (number >= r->n_interfaces)
		return reader_fail(r, "a packet of interface number %u, and the section has %u",
				   number, r->n_interfaces);
	i = &r->interfaces[number];
	out->interface = number;
	out->link = i->link;
	out->name = (struct text){i->name, i->name_len};
	return 0;
}

/* Is there room for the bytes of the packet behind fixed ones, and are they so few as can be? */
static int packet_bytes(struct reader *r, size_t fixed, uint32_t size, struct frame *out)
{
	if (out->captured > FRAME_MAX)
		return reader_fail(r, "a packet of %u bytes, more than the %u there can be",
				   out->captured, FRAME_MAX);
	if (PADDED(out->captured) > size - fixed - TRAILER)
		return reader_fail(r, "a packet of %u bytes in a block of %u", out->captured, size);
	out->bytes = reader_at(r) + fixed;
	out->length = MAX(out->length, out->captured);
	return 0;
}

static int enhanced(struct reader *r, uint32_t type, uint32_t size, struct frame *out)
{
	const uint8_t *p = reader_at(r);
	uint32_t on = type == BLOCK_OLD_PACKET ? reader_u16(r, p + 8) : reader_u32(r, p + 8);
	struct frame found = {
		.captured = reader_u32(r, p + 20),
		.length = reader_u32(r, p + 24),
	};
	struct options o = {.end = p + size - TRAILER};
	int err = packet_on(r, on, &found);

	if (!err)
		err = packet_bytes(r, ENHANCED_FIXED, size, &found);
	if (!err)
		err = clock_time(r, &r->interfaces[on].clock,
				 (uint64_t)reader_u32(r, p + 12) << 32 | reader_u32(r, p + 16),
				 &found.time_ns);
	if (err)
		return err;
	o.p = p + ENHANCED_FIXED + PADDED(found.captured);
	err = packet_options(r, &o, &found);
	if (err)
		return err;
	r->last_ns = found.time_ns;
	*out = found;
	return 1;
}

/* 4.4: of the first interface; its snap length says how much of the packet was kept. */
static int simple(struct reader *r, uint32_t size, struct frame *out)
{
	struct frame found = {.length = reader_u32(r, reader_at(r) + 8), .time_ns = r->last_ns};
	int err = packet_on(r, 0, &found);
	uint32_t snaplen;

	if (err)
		return err;
	snaplen = r->interfaces[0].snaplen;
	found.captured = snaplen ? MIN(found.length, snaplen) : found.length;
	err = packet_bytes(r, SIMPLE_FIXED, size, &found);
	if (err)
		return err;
	*out = found;
	return 1;
}

/* How long a block must be at least; 0: it is of no interest. */
static uint32_t block_fixed(uint32_t type)
{
	switch (type) {
	case BLOCK_SECTION:
		return SECTION_FIXED;
	case BLOCK_INTERFACE:
		return INTERFACE_FIXED;
	case BLOCK_SIMPLE_PACKET:
		return SIMPLE_FIXED;
	case BLOCK_OLD_PACKET:
	case BLOCK_ENHANCED_PACKET:
		return ENHANCED_FIXED;
	default:
		return 0;
	}
}

/* The head of the block at hand: 1, or an error. A section's decides how its own length is read, so
 * for it four bytes more are looked at. */
static int block_head(struct reader *r, uint32_t *type, uint32_t *size)
{
	uint32_t magic, fixed, limit;
	int err = reader_must(r, HEAD, "a block's head", HEAD);

	if (err < 0)
		return err;
	*type = reader_u32(r, reader_at(r));
	if (*type == BLOCK_SECTION) {
		err = reader_must(r, HEAD + 4, "a section's head", SECTION_FIXED);
		if (err < 0)
			return err;
		memcpy(&magic, reader_at(r) + HEAD, sizeof(magic));
		if (magic != BYTE_ORDER_MAGIC && magic != bswap_32(BYTE_ORDER_MAGIC))
			return reader_fail(r, "a section in no byte order: %08x", magic);
		r->swapped = magic != BYTE_ORDER_MAGIC;
	}
	*size = reader_u32(r, reader_at(r) + 4);
	fixed = MAX(block_fixed(*type), HEAD);
	limit = block_fixed(*type) ? READER_HELD_MAX : READER_SKIP_MAX;
	if (*size < fixed + TRAILER || *size % 4)
		return reader_fail(r, "a block of type %u with an impossible length, %u", *type,
				   *size);
	if (*size > limit)
		return reader_fail(r,
				   "a block of type %u has %u bytes, more than the %u there can be",
				   *type, *size, limit);
	return 1;
}

/* Reads the block that is at hand and goes past it: 1: a packet; 0: another block; or an error. */
static int block(struct reader *r, struct frame *out)
{
	uint32_t type = 0, size = 0;
	int err = block_head(r, &type, &size);

	if (err < 0)
		return err;
	if (!block_fixed(type)) {
		r->skip = size;
		return 0;
	}
	err = reader_must(r, size, "a block", size);
	if (err < 0)
		return err;
	if (reader_u32(r, reader_at(r) + size - TRAILER) != size)
		return reader_fail(r, "a block of %u bytes whose end says that it has %u", size,
				   reader_u32(r, reader_at(r) + size - TRAILER));
	if (type == BLOCK_SECTION)
		err = section(r);
	else if (type == BLOCK_INTERFACE)
		err = interface(r, size);
	else if (type == BLOCK_SIMPLE_PACKET)
		err = simple(r, size, out);
	else
		err = enhanced(r, type, size, out);
	if (err >= 0)
		reader_use(r, size);
	return err;
}

int reader_pcapng(struct reader *r, struct frame *out)
{
	for (;;) {
		int err = reader_skip(r);

		if (!err)
			err = reader_need(r, 1);
		if (err <= 0)
			return err;
		err = block(r, out);
		if (err)
			return err;
	}
}
