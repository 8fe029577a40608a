/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which blocks are looked at where not all are: those whose hash is below a
 * threshold, so that all references to a block are in or all are out (C. A.
 * Waldspurger and others, Efficient MRC construction with SHARDS, FAST 2015). A
 * seed names a hash; what is in at a rate is in at any higher one.
 */
#ifndef SKY_SAMPLE_H
#define SKY_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#define SAMPLE_ALL ((uint64_t)1 << 32)

struct sample {
	uint64_t salt;
	uint64_t threshold; /* of 32 bits of hash; SAMPLE_ALL: every block is in */
};

/* The finalizer of MurmurHash3, another hash than those that models use. */
static inline uint64_t sample_mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
	return x ^ x >> 33;
}

/* rate: above 0; from 1 on all are in. */
static inline struct sample sample_make(double rate, uint64_t seed)
{
	double threshold = rate * SAMPLE_ALL;

	return (struct sample){
		.salt = sample_mix(seed + 1),
		.threshold = threshold < 1	      ? 1
			     : threshold < SAMPLE_ALL ? (uint64_t)threshold
						      : SAMPLE_ALL,
	};
}

static inline double sample_rate(const struct sample *sample)
{
	return (double)sample->threshold / SAMPLE_ALL;
}

static inline bool sample_has(const struct sample *sample, uint64_t block)
{
	return sample_mix(block ^ sample->salt) >> 32 < sample->threshold;
}

#endif
