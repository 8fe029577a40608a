/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Caches scaled down: of a sample of the blocks, and as much smaller (C. A. Waldspurger,
 * T. Saemundsson, I. Ahmad, N. Park, Cache modeling and optimization using
 * miniature simulations, USENIX ATC 2017).
 *
 * Listens to a feed, picks the references of the sample and feeds caches with them, all
 * in one job. A miss stands for 1 / rate misses of the whole trace.
 */
#ifndef SKY_SCALED_CACHES_H
#define SKY_SCALED_CACHES_H

#include "cache_run.h"
#include "sample.h"

struct scaled_caches {
	struct consumer consumer;
	struct sample sample;
	struct batch *batch; /* of the sample, that is being filled */
	struct tally references[TAGS];
	const struct future *future; /* of the sample; NULL: nobody asks for it */
	struct cache_run *runs;
	size_t count, room;
};

/* Room for so many caches: 0, or -1 after saying what is wrong, as all that follow. */
int scaled_caches_init(struct scaled_caches *scaled, struct sample sample, size_t room);
/* The feed first, whose jobs use them. */
void scaled_caches_fini(struct scaled_caches *scaled);

/* A cache that stands for one of so many entries. */
int scaled_caches_add(struct scaled_caches *scaled, const char *spec, uint32_t entries);
int scaled_caches_listen(struct scaled_caches *scaled, struct cache_feed *feed);

/* After the feed's end: what was gathered goes to the caches. */
void scaled_caches_end(struct scaled_caches *scaled);

/* What they will have allocated at their end. */
uint64_t scaled_caches_bytes(const struct scaled_caches *scaled);

/* Of the references of a class, that the ith missed. */
struct tally scaled_caches_misses(const struct scaled_caches *scaled, size_t i, uint8_t io_class);

#endif
