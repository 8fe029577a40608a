/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One cache under simulation: its hits, and its contents over time. It takes
 * the batches of a feed.
 */
#ifndef SKY_CACHE_RUN_H
#define SKY_CACHE_RUN_H

#include "cache_feed.h"
#include "census.h"

#define SAMPLES_MAX	256
/* Contents are sampled for each class and, last, for the undecided. */
#define CONTENT_CLASSES (CLASS_COUNT + 1)

struct cache_run {
	struct consumer consumer;
	struct cache cache;
	struct census *census; /* NULL, or who counts the distinct blocks by what misses here */
	struct tally hits[TAGS];
	uint64_t *undecided_hits;	       /* a bit each place */
	uint32_t (*contents)[CONTENT_CLASSES]; /* SAMPLES_MAX of them */
};

/* Listens to the feed from now on. 0, or -1 after saying what is wrong; fini may follow a failure. */
int cache_run_init(struct cache_run *run, struct cache_feed *feed, const char *spec,
		   uint32_t capacity);
void cache_run_fini(struct cache_run *run);

/* What it will have allocated at its end. */
uint64_t cache_run_bytes(const struct cache_run *run);

#endif
