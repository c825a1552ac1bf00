// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A fast 64-bit hash over bytes for tables whose keys strangers choose (paths, host names).
 * Keyed by a secret seed of the run, so that nobody can prepare keys that collide. */
#pragma once

#include <sys/random.h>

#include "base/clock.h"

/* Once a run. */
static inline uint64_t hash_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = clock_mono_ns() ^ (uint64_t)(uintptr_t)&seed; /* early boot only */
	return seed;
}

/* Both halves of the 128-bit product: every bit of a and b reaches every bit of the result. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_load(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

/*
 * Not cryptographic, and differs between byte orders: never store or send it. The idea is wyhash's
 * folded multiply; here both factors of each product contain the seed, because a factor that a
 * stranger can make zero would erase the other.
 */
static inline uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
	const uint8_t *p = bytes;
	const uint64_t key = hash_fold(seed ^ 0x243f6a8885a308d3, 0x9e3779b97f4a7c15);
	uint64_t state = seed ^ 0x13198a2e03707344;
	uint64_t a, b;
	size_t left = n;

	for (; left > 16; left -= 16, p += 16)
		state = hash_fold(hash_load(p, 8) ^ key, hash_load(p + 8, 8) ^ state);
	if (left >= 8) { /* the two loads overlap below 16 bytes; the length tells them apart */
		a = hash_load(p, 8);
		b = hash_load(p + left - 8, 8);
	} else if (left >= 4) {
		a = hash_load(p, 4);
		b = hash_load(p + left - 4, 4);
	} else {
		a = left ? (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1] : 0;
		b = 0;
	}
	state = hash_fold(a ^ key, b ^ state);
	return hash_fold(state ^ n, key ^ 0xa4093822299f31d0);
}
