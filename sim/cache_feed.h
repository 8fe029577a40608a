/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the caches of one hint mode are fed with.
 *
 * Gathers references and edits in a batch; a full batch goes through every
 * cache, one after the other, so that a cache's tables stay near while it runs.
 */
#ifndef SKY_CACHE_FEED_H
#define SKY_CACHE_FEED_H

#include "cache_run.h"
#include "cache_sim.h"
#include "undecided.h"

struct cache_feed {
	struct cache_run *runs;
	size_t run_count;
	struct tally references[TAGS]; /* all of them; each run has its hits */
	struct batch batch;
};

/* Puts what was gathered through the caches. */
void feed_flush(struct cache_feed *feed);

/*
 * A reference, counted under its class now; `known` is what is known of its
 * class, place is UNDECIDED_NONE unless the class may come later.
 */
static inline void feed_reference(struct cache_feed *feed, const struct block_ref *ref,
				  uint8_t known, uint32_t place)
{
	struct batch *b = &feed->batch;
	uint16_t tag = tag_of(ref->op == BLOCK_WRITE, known);

	b->ref[b->refs] = *ref;
	b->tag[b->refs] = tag;
	b->undecided[b->refs] = place;
	b->has_undecided |= place != UNDECIDED_NONE;
	feed->references[tag].references++;
	feed->references[tag].sectors += ref->sectors;
	if (++b->refs == BATCH_REFS)
		feed_flush(feed);
}

void feed_remove(struct cache_feed *feed, uint64_t first, uint64_t count);
void feed_decide(struct cache_feed *feed, const struct decided *decided, uint8_t io_class);
void feed_sample(struct cache_feed *feed, uint32_t sample);

#endif
