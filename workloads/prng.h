/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers that are the same on every machine for the same seed.
 *
 * splitmix64 (G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom
 * number generators, OOPSLA 2014): eight bytes of state, good enough to pick
 * files and sizes.
 */
#ifndef SKY_PRNG_H
#define SKY_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t state;
};

/* The streams of one seed don't overlap for any practical length. */
void prng_seed(struct prng *prng, uint64_t seed, uint64_t stream);

uint64_t prng_next(struct prng *prng);

/* Evenly from 0 to bound - 1. */
uint64_t prng_below(struct prng *prng, uint64_t bound);

/* Gamma-distributed with shape 1.5, which Filebench gives its file sizes, and that mean. */
double prng_gamma(struct prng *prng, double mean);

#endif
