/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of all references together: how many distinct blocks there
 * are, and when each is asked for again. Both listen to a feed as caches do.
 */
#ifndef SKY_CENSUS_H
#define SKY_CENSUS_H

#include "block_set.h"
#include "cache_feed.h"

struct census {
	struct consumer counts, foresees;
	struct block_set distinct;
	struct future future;
	int counting, foreseeing; /* -errno of what failed */
};

/* 0, or -1 after saying what is wrong, as all that follow; fini may follow a failure. */
int census_init(struct census *census);
void census_fini(struct census *census);

/* Counts distinct blocks; looks into the future. */
int census_count(struct census *census, struct cache_feed *feed);
int census_foresee(struct census *census, struct cache_feed *feed);

/*
 * Counts without listening: a cache tells what missed, since a hit was counted when the block
 * came. All references must go through that cache.
 */
void census_count_misses(struct census *census, const struct cache_batch *batch,
			 const uint64_t *hits);

/* What it has allocated by now. */
uint64_t census_bytes(const struct census *census);

/* After the feed's end: was there room for all? */
int census_check(struct census *census);

#endif
