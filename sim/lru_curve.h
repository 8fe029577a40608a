/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The misses of LRU caches of every size at once, from stack distances.
 *
 * Of all blocks the curve is exact. Of a sample (SHARDS: Waldspurger and others, FAST
 * 2015) distances are divided by the rate and each reference stands for 1 / rate
 * of them. Misses are what is estimated so, and put in relation to the references that
 * there really were: a sample that has more or fewer than the rate promises
 * owes that to a few blocks that are asked for all the time, that is to hits of even
 * the smallest cache (the paper's SHARDS-adj). Where the sample may have only so many
 * blocks, the rate falls by an eighth whenever it has more; the paper's leaves one by one.
 */
#ifndef SKY_LRU_CURVE_H
#define SKY_LRU_CURVE_H

#include "cache_feed.h"
#include "lru_stack.h"
#include "sample.h"
#include "set_caches.h"

/* Of a class: how much was used again at which distance. */
struct distances {
	struct amount *bin;
	uint32_t bins;
	struct amount all; /* with first uses */
};

struct lru_curve {
	struct consumer consumer;
	struct sample sample;
	uint32_t blocks_max; /* the rate falls so that no more are in; 0: it stays */
	struct lru_stack stack;
	struct distances by_class[CLASS_VALUES];
	struct counted *undecided;  /* by place */
	struct set_caches *control; /* of the sample; NULL: nobody asked for it */
	int failed;		    /* -errno */
};

/*
 * Listens to the feed from now on. 0, or -1 after saying what is wrong, as check; fini
 * may follow a failure.
 */
int lru_curve_init(struct lru_curve *curve, struct cache_feed *feed, struct sample sample,
		   uint32_t blocks_max);
void lru_curve_fini(struct lru_curve *curve);

/* The same sample goes through set caches, too, which tell how far off it is; the rate stays. */
int lru_curve_use_control(struct lru_curve *curve);

/* After the feed's end, once, before the misses are asked for. */
int lru_curve_end(struct lru_curve *curve);

/* Of the references of a class, that a cache of so many blocks wouldn't hit. */
struct amount lru_curve_misses(const struct lru_curve *curve, uint8_t io_class, uint32_t entries);

/* The same less what the sample owes to chance, by what the whole's set caches miss. */
struct amount lru_curve_controlled_misses(const struct lru_curve *curve,
					  const struct set_caches *whole, uint8_t io_class,
					  uint32_t entries);

/* Distinct blocks, as estimated for the whole trace. */
double lru_curve_distinct(const struct lru_curve *curve);

#endif
