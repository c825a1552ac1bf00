// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which exchanges were handed on already, so that a record of one that comes afterwards is not
 * taken for another call. Of bounded size: the oldest memory goes first. */
#pragma once

#include "abi/types.h"
#include "base/def.h"

struct past;

/* remembered: exchanges handed on before their final record (1 to 2^20), 24 bytes each.
 * 0, -EINVAL or -ENOMEM. */
int past_new(u32 remembered, u64 seed, struct past **out);
void past_free(struct past *p);

/* An exchange is handed on though its final record is still to come. */
void past_remember(struct past *p, u64 cookie, u32 number);

/* Its final record, or that of a later exchange of the socket, is here: true if it was handed on
 * before. What was remembered of the socket up to this exchange is forgotten. */
bool past_final(struct past *p, u64 cookie, u32 number);

/* For a snapshot: was this exchange, or a later one of the socket, handed on or ended? */
bool past_has(const struct past *p, u64 cookie, u32 number);

/* Exchange numbers wrap, so "later" is by distance. */
static inline bool past_later(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}
