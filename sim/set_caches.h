/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far off a sampled curve of LRU is: caches of small sets as its control variate.
 *
 * Whether some of the hottest blocks are in a sample decides how many misses the sample
 * promises, most of all for caches of a few blocks of it. LRU itself costs too much
 * to be simulated with all references, which would tell; caches of 4-way sets do not.
 * They are simulated twice, with all references and, with as much fewer sets, with the
 * sample: by how much the two differ, the curve is taken to be off. It is not biased
 * by that, as a block finds any other in its set as likely in the sample as in the
 * whole. (B. Lavenberg, P. Welch, A perspective on the use of control variables to
 * increase the efficiency of Monte Carlo simulations, Management Science 27(3), 1981.)
 *
 * A set that is LRU holds in its first ways what smaller sets would hold, so caches of 1 to 4
 * ways are one (M. Hill, A. Smith, Evaluating associativity in CPU caches, IEEE
 * Transactions on Computers 38(12), 1989). Discards are ignored, in both.
 */
#ifndef SKY_SET_CACHES_H
#define SKY_SET_CACHES_H

#include "cache_feed.h"

#define SET_WAYS   4u
#define SET_LEVELS 2u
/* A sample's sets by so many hashes, of which the mean is taken: hot blocks may share one. */
#define SET_HASHES 4u

/* The blocks of a set as tags, the latest first. */
typedef uint32_t cache_set __attribute__((vector_size(SET_WAYS * sizeof(uint32_t))));

struct set_level {
	cache_set *set;
	uint32_t sets;
};

struct set_caches {
	struct consumer consumer; /* of all references */
	unsigned int hashes;
	double weight; /* of what is counted */
	struct set_level level[SET_HASHES][SET_LEVELS];
	/* References by the number of blocks above; SET_WAYS: it was not in. */
	struct tally by_class[CLASS_VALUES][SET_LEVELS][SET_WAYS + 1];
	uint64_t *undecided; /* by place: where it was found, each way; 0: not counted */
};

/* References and sectors, as estimated for the whole trace. */
struct amount {
	double references, sectors;
};

/* Below, their tables would be so large that they were as slow as LRU. */
#define SET_RATE_LEAST 1e-5

/* Those of a sample at that rate: 0, or -1 after saying what is wrong; fini may follow. */
int set_caches_of_sample(struct set_caches *caches, double rate);
/* Those to compare them with, which listen to a feed. */
int set_caches_of_all(struct set_caches *caches, double rate, struct cache_feed *feed);
void set_caches_fini(struct set_caches *caches);

/* Which references of a part of the batch are in the sample. */
void set_caches_use(struct set_caches *caches, const struct batch *batch, size_t begin, size_t end,
		    const uint32_t *at, size_t count);
/* A class became known. */
void set_caches_decide(struct set_caches *caches, const struct edit *edit);

/* By how much a sample's misses are more than the whole's in caches of a size. */
struct amount set_caches_off(const struct set_caches *sample, const struct set_caches *whole,
			     uint8_t io_class, uint32_t entries);

#endif
