/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers for policies: xorshift64* (S. Vigna, An experimental exploration
 * of Marsaglia's xorshift generators, scrambled, ACM TOMS 42(4), 2016). The same
 * seed gives the same numbers everywhere.
 */
#ifndef SKY_CACHE_RANDOM_H
#define SKY_CACHE_RANDOM_H

#include <stdint.h>

/* The state that a seed, any number, begins with; never 0, where the generator would stay. */
static inline uint64_t cache_random_seed(uint64_t seed)
{
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15u;

	return state ? state : 1;
}

/* 32 bits. */
static inline uint32_t cache_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du >> 32;
}

/* Such bits as a number below a bound (its bias is below bound / 2^32). */
static inline uint32_t cache_random_below(uint32_t random, uint32_t bound)
{
	return (uint64_t)random * bound >> 32;
}

#endif
