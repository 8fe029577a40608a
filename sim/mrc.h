/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Miss-ratio curves: how many references caches of each size would not have served.
 *
 * LRU's comes from stack distances (sim/lru_curve.h), of all blocks or of samples; that of
 * any other policy from caches scaled down to samples (sim/scaled_caches.h).
 * Several samples, each by a hash of its own, say how far off their mean may be.
 */
#ifndef SKY_MRC_H
#define SKY_MRC_H

#include "cache_sim.h"

struct mrc_options {
	/* caches are the policies; no sizes = MRC_SIZES */
	struct cache_sim_options sim;
	/*
	 * The share of the blocks that is looked at, from 1 on all. 0: LRU looks at all blocks,
	 * others at sample_blocks of them.
	 */
	double rate;
	/*
	 * About so many blocks are looked at instead of a share; LRU's sample never has more.
	 * 0: MRC_SAMPLE_BLOCKS, and LRU looks at all.
	 */
	uint32_t sample_blocks;
	unsigned int samples; /* 0: MRC_SAMPLES; one where a sample has all blocks */
	uint64_t seed;	      /* of the first sample's hash; the next ones' follow */
};

#define MRC_SAMPLE_BLOCKS 16384
#define MRC_SAMPLES	  8
#define MRC_SAMPLES_MAX	  256
#define MRC_SIZES_MAX	  64

/*
 * The curves, in the order of the policies, then the hints; the object's members are
 * documented in docs/cache-simulation.md. NULL after saying what is wrong.
 */
json_t *mrc_trace(const char *path, const struct mrc_options *options);

#endif
