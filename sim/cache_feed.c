/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cache_feed.h"

void feed_flush(struct cache_feed *feed)
{
	for (size_t i = 0; i < feed->run_count; i++)
		cache_run_batch(&feed->runs[i], &feed->batch);
	feed->batch.refs = feed->batch.edits = 0;
	feed->batch.has_undecided = false;
}

static void add_edit(struct cache_feed *feed, struct edit edit)
{
	struct batch *b = &feed->batch;

	edit.at = b->refs;
	b->edit[b->edits] = edit;
	if (++b->edits == BATCH_EDITS)
		feed_flush(feed);
}

void feed_remove(struct cache_feed *feed, uint64_t first, uint64_t count)
{
	add_edit(feed, (struct edit){.kind = EDIT_REMOVE, .remove = {first, count}});
}

void feed_decide(struct cache_feed *feed, const struct decided *decided, uint8_t io_class)
{
	uint16_t from = decided->tag, to = tag_of(from >= CLASS_VALUES, io_class);

	feed->references[from].references--;
	feed->references[from].sectors -= decided->sectors;
	feed->references[to].references++;
	feed->references[to].sectors += decided->sectors;
	add_edit(feed, (struct edit){.kind = EDIT_DECIDE,
				     .decide = {.block = decided->block,
						.place = decided->place,
						.sectors = decided->sectors,
						.from = from,
						.to = to,
						.io_class = io_class,
						.reaches_cache = decided->newest}});
}

void feed_sample(struct cache_feed *feed, uint32_t sample)
{
	add_edit(feed, (struct edit){.kind = EDIT_SAMPLE, .sample = sample});
}
