/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>

#include "workloads/prng.h"

#define GAMMA_SHAPE 1.5

uint64_t prng_next(struct prng *prng)
{
	uint64_t x = prng->state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

void prng_seed(struct prng *prng, uint64_t seed, uint64_t stream)
{
	struct prng origin = {.state = seed};

	prng->state = prng_next(&origin) + stream;
	prng->state = prng_next(prng);
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
	return (unsigned __int128)prng_next(prng) * bound >> 64;
}

/* Above 0, at most 1: its logarithm is finite. */
static double unit(struct prng *prng)
{
	return ((prng_next(prng) >> 11) + 1) * 0x1p-53;
}

/*
 * A gamma variable of shape 1.5 is one of shape 1, which is exponential, plus
 * one of shape 0.5, which is half the square of a normal one (Box and Muller).
 */
double prng_gamma(struct prng *prng, double mean)
{
	double exponential = -log(unit(prng));
	double radius = -log(unit(prng));
	double cosine = cos(2 * M_PI * unit(prng));

	return mean / GAMMA_SHAPE * (exponential + radius * cosine * cosine);
}
