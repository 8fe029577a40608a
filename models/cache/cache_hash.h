/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash of block numbers for policies that estimate: each bit of it depends on
 * each of the number's (the mixing step of SplitMix64; G. L. Steele, D. Lea,
 * C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014).
 */
#ifndef SKY_CACHE_HASH_H
#define SKY_CACHE_HASH_H

#include <stdint.h>

static inline uint64_t cache_hash(uint64_t block)
{
	block = (block ^ block >> 30) * 0xbf58476d1ce4e5b9u;
	block = (block ^ block >> 27) * 0x94d049bb133111ebu;
	return block ^ block >> 31;
}

#endif
