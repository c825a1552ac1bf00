// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of a packet under one name: a __sk_buff in the kernel, captured bytes elsewhere.
 * What reads packets through it compiles for BPF and natively, and is tested and fuzzed as it is.
 */
#pragma once

#include "abi/types.h"

/* Before a loop of few rounds. Verifiers before 6.3 take no loop that is entered in its middle and
 * falls through to its head, and what compilers make of a loop cannot be known. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

/* BYTES_OF_SKB: native, and helpers of BPF are there all the same (tests/unit/turn_env.h). */
#if defined(__bpf__) || defined(BYTES_OF_SKB)
#ifdef __bpf__
#include "kernel/direct.bpf.h"
#endif
#include "kernel/load.bpf.h"

typedef struct __sk_buff packet_bytes;

/* Global, so that it is verified once, however often it is called. */
#define PACKET_FUNCTION __noinline

ALWAYS_INLINE u32 packet_length(const packet_bytes *b)
{
	return b->len;
}

ALWAYS_INLINE u32 packet_captured(const packet_bytes *b)
{
	return b->len;
}

/* n, a constant, bytes, by a call: less to verify than packet_load, for what is seldom done. 0, or
 * not 0 where they are not there. */
ALWAYS_INLINE int packet_copy(packet_bytes *b, u32 at, void *to, const u32 n)
{
	return (int)bpf_skb_load_bytes(b, at, to, n);
}

ALWAYS_INLINE bool packet_load(packet_bytes *b, u32 at, void *to, const u32 n)
{
#ifdef __bpf__
	if (direct_load(b, at, to, n))
		return true;
#endif
	return !bpf_skb_load_bytes(b, at, to, n);
}
#else
#include <string.h>

#ifndef ALWAYS_INLINE
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

#define PACKET_FUNCTION static inline

/* length is what was on the wire, captured what is at p: at most as much. */
typedef struct packet_bytes {
	const u8 *p;
	u32 captured, length;
} packet_bytes;

ALWAYS_INLINE u32 packet_length(const packet_bytes *b)
{
	return b->length;
}

ALWAYS_INLINE u32 packet_captured(const packet_bytes *b)
{
	return b->captured;
}

ALWAYS_INLINE bool packet_load(const packet_bytes *b, u32 at, void *to, const u32 n)
{
	if (n > b->captured || at > b->captured - n)
		return false;
	memcpy(to, b->p + at, n);
	return true;
}

ALWAYS_INLINE int packet_copy(const packet_bytes *b, u32 at, void *to, const u32 n)
{
	return packet_load(b, at, to, n) ? 0 : -1;
}

/* Loads 1 to max bytes. */
ALWAYS_INLINE bool load_bytes(const packet_bytes *b, u32 from, void *to, u32 n, const u32 max)
{
	return n && n <= max && packet_load(b, from, to, n);
}
#endif
