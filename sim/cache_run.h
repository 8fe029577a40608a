/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One cache under simulation: its hits, and its contents over time. It takes
 * the batches of a feed.
 */
#ifndef SKY_CACHE_RUN_H
#define SKY_CACHE_RUN_H

#include "cache_feed.h"
#include "census.h"
#include "device_time.h"
#include "write_back.h"

/* When contents are sampled: so often at most, or at the ends of windows that the user chose. */
#define SAMPLES_MAX	256
#define WINDOWS_MAX	4096
/* Contents are sampled for each class and, last, for the undecided. */
#define CONTENT_CLASSES (CLASS_COUNT + 1)

struct cache_run {
	struct consumer consumer;
	struct cache cache;
	struct census *census; /* NULL, or who counts the distinct blocks by what misses here */
	struct breakdown *breakdown;   /* of the hits; NULL: nobody asks for it */
	struct device_time *device;    /* the same */
	struct write_back *write_back; /* NULL: the device gets writes at once */
	struct tally hits[TAGS];
	uint64_t request_misses[SIDES]; /* requests of which a block missed */
	bool is_whole;			/* the request under way has missed no block */
	uint64_t *undecided_hits;	/* a bit each place */
	uint32_t samples;
	uint32_t (*contents)[CONTENT_CLASSES]; /* at each sample */
	struct tally (*hits_until)[2];	       /* the same: counted reads and writes so far */
};

/*
 * Listens to the feed from now on; without one the caller hands batches to
 * consumer.take(). 0, or -1 after saying what is wrong; fini may follow a failure.
 */
int cache_run_init(struct cache_run *run, struct cache_feed *feed, const char *spec,
		   uint32_t capacity);
/* Before the first batch: samples come at the ends of windows; writes go back. As cache_run_init(). */
int cache_run_use_windows(struct cache_run *run);
int cache_run_use_breakdown(struct cache_run *run, bool by_truth, bool by_disk);
/* After the breakdown. */
int cache_run_use_device(struct cache_run *run, const char *spec, uint32_t sectors_per_key,
			 bool writes_at_once);
int cache_run_use_write_back(struct cache_run *run); /* after the device */
void cache_run_fini(struct cache_run *run);

/* What it will have allocated at its end. */
uint64_t cache_run_bytes(const struct cache_run *run);

#endif
