/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the caches of one hint mode are fed with.
 *
 * Gathers references and edits in a batch. A full batch goes to the consumers
 * (the caches, and who else counts), each of which is a job of the crew and takes
 * the batches in their order, as far as there are any: then a cache's tables
 * stay near while it runs. Batches lie in a ring; who fills it waits, helping,
 * until all consumers have taken half of it, and leaves a consumer's job then: nobody else
 * can fill.
 */
#ifndef SKY_CACHE_FEED_H
#define SKY_CACHE_FEED_H

#include <stdatomic.h>

#include "batch.h"
#include "common/crew.h"
#include "future.h"
#include "undecided.h"

#define FEED_BATCHES 32

struct cache_feed;

struct consumer {
	struct crew_job job;
	const struct cache_feed *feed;
	void (*take)(struct consumer *consumer, const struct batch *batch);
	_Atomic uint64_t taken; /* batches */
};

struct cache_feed {
	struct crew *crew;
	struct consumer **consumers;
	size_t consumer_count;
	const struct future *future;   /* NULL: nobody asks for it */
	struct tally references[TAGS]; /* all of them; each run has its hits */
	_Atomic uint64_t published;    /* batches */
	_Atomic uint64_t awaited;      /* until all have taken so many, who fills waits */
	struct batch *batch;	       /* that is being filled; no consumer's business */
	struct batch *ring[FEED_BATCHES];
};

/* 0, or -1 after saying what is wrong; fini may follow a failure. */
int feed_init(struct cache_feed *feed, struct crew *crew);
void feed_fini(struct cache_feed *feed);

/* What it has allocated. */
uint64_t feed_bytes(void);

/* Adds one before the first batch. 0, or -1 after saying what is wrong. */
int feed_add_consumer(struct cache_feed *feed, struct consumer *consumer,
		      void (*take)(struct consumer *consumer, const struct batch *batch));

/* What the reference that is added next truly was. */
static inline void feed_group(struct cache_feed *feed, uint8_t group)
{
	feed->batch->group[feed->batch->refs] = group;
	feed->batch->has_groups = true;
}

/* Hands on what was gathered. */
void feed_flush(struct cache_feed *feed);

/* The same, and waits until all consumers are done. */
void feed_finish(struct cache_feed *feed);

static inline void feed_count(struct cache_feed *feed, uint16_t tag, uint64_t references,
			      uint64_t sectors)
{
	feed->references[tag].references += references;
	feed->references[tag].sectors += sectors;
}

/* A reference that the caller counts, by that tag; place: see struct batch. */
static inline void feed_add(struct cache_feed *feed, const struct block_ref *ref, uint16_t tag,
			    uint32_t place)
{
	batch_put(feed->batch, ref, tag, place);
	if (feed->batch->refs == BATCH_REFS)
		feed_flush(feed);
}

/*
 * The same for many at once, none of which may be undecided: the ith after those that
 * are in the batch, as long as that has room; then how many they were.
 */
static inline void feed_put(struct cache_feed *feed, size_t i, const struct block_ref *ref,
			    uint16_t tag)
{
	struct batch *b = feed->batch;

	b->is_mixed |= batch_set(b, b->refs + i, ref, tag);
}

static inline void feed_end_put(struct cache_feed *feed, size_t count)
{
	feed->batch->refs += count;
	if (feed->batch->refs == BATCH_REFS)
		feed_flush(feed);
}

/* A reference, counted by that tag; place is UNDECIDED_NONE unless its class may come later. */
static inline void feed_reference(struct cache_feed *feed, const struct block_ref *ref,
				  uint16_t tag, uint32_t place)
{
	feed->batch->has_undecided |= place != UNDECIDED_NONE;
	feed_count(feed, tag, 1, ref->sectors);
	feed_add(feed, ref, tag, place);
}

void feed_remove(struct cache_feed *feed, uint64_t first, uint64_t count);
void feed_decide(struct cache_feed *feed, const struct decided *decided, uint8_t io_class);
void feed_sample(struct cache_feed *feed, uint32_t sample);
void feed_thin_out(struct cache_feed *feed);

#endif
