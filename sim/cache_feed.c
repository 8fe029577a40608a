/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "cache_feed.h"
#include "common/component.h"
#include "common/error.h"
#include "common/far_copy.h"

static void begin_batch(struct cache_feed *feed, uint64_t first)
{
	struct batch *b = feed->batch;

	b->refs = b->edits = 0;
	b->first = first;
	b->has_undecided = b->has_groups = b->is_mixed = false;
}

int feed_init(struct cache_feed *feed, struct crew *crew)
{
	feed->crew = crew;
	atomic_init(&feed->awaited, UINT64_MAX);
	feed->batch = malloc(sizeof(*feed->batch));
	if (!feed->batch)
		return fail("out of memory for the simulation");
	for (size_t i = 0; i < FEED_BATCHES; i++)
		if (!(feed->ring[i] = malloc(sizeof(*feed->ring[i]))))
			return fail("out of memory for the simulation");
	begin_batch(feed, 0);
	return 0;
}

/* The slowest consumer's batches. */
static uint64_t taken_by_all(const struct cache_feed *feed)
{
	uint64_t taken = atomic_load_explicit(&feed->published, memory_order_relaxed);

	for (size_t i = 0; i < feed->consumer_count; i++) {
		uint64_t by_one =
			atomic_load_explicit(&feed->consumers[i]->taken, memory_order_acquire);

		taken = by_one < taken ? by_one : taken;
	}
	return taken;
}

static bool has_room(const void *context)
{
	const struct cache_feed *feed = context;

	return taken_by_all(feed) >= atomic_load(&feed->awaited);
}

/* Half of the ring: with less, consumers would take few batches at a time. */
static void make_room(struct cache_feed *feed)
{
	uint64_t published = atomic_load_explicit(&feed->published, memory_order_relaxed);

	if (taken_by_all(feed) + FEED_BATCHES > published)
		return;
	atomic_store(&feed->awaited, published - FEED_BATCHES / 2);
	crew_help_until(feed->crew, has_room, feed);
	atomic_store(&feed->awaited, UINT64_MAX);
}

void feed_fini(struct cache_feed *feed)
{
	if (feed->crew)
		crew_settle(feed->crew);
	for (size_t i = 0; i < FEED_BATCHES; i++)
		free(feed->ring[i]);
	free(feed->batch);
	free(feed->consumers);
}

uint64_t feed_bytes(void)
{
	return (FEED_BATCHES + 1) * sizeof(struct batch);
}

static void consume(struct crew_job *job)
{
	struct consumer *c = container_of(job, struct consumer, job);
	const struct cache_feed *feed = c->feed;
	uint64_t taken = atomic_load_explicit(&c->taken, memory_order_relaxed);

	while (taken < atomic_load_explicit(&feed->published, memory_order_acquire)) {
		c->take(c, feed->ring[taken % FEED_BATCHES]);
		atomic_store(&c->taken, ++taken);
		if (taken < atomic_load(&feed->awaited) || !has_room(feed))
			continue;
		if (crew_is_helped(feed->crew)) {
			crew_submit(feed->crew, job);
			return;
		}
		crew_nudge(feed->crew);
	}
}

int feed_add_consumer(struct cache_feed *feed, struct consumer *consumer,
		      void (*take)(struct consumer *consumer, const struct batch *batch))
{
	struct consumer **more =
		reallocarray(feed->consumers, feed->consumer_count + 1, sizeof(*more));

	if (!more)
		return fail("out of memory for the caches");
	*consumer = (struct consumer){.job.work = consume, .feed = feed, .take = take};
	feed->consumers = more;
	feed->consumers[feed->consumer_count++] = consumer;
	return 0;
}

/* What there is of the batch. */
static void copy(struct batch *to, const struct batch *b)
{
	memcpy(to, b, offsetof(struct batch, ref));
	far_copy(to->ref, b->ref, b->refs * sizeof(*b->ref));
	far_copy(to->tag, b->tag, b->refs * sizeof(*b->tag));
	far_copy(to->edit, b->edit, b->edits * sizeof(*b->edit));
	if (b->has_future)
		far_copy(to->next_use, b->next_use, b->refs * sizeof(*b->next_use));
	if (b->has_undecided)
		far_copy(to->undecided, b->undecided, b->refs * sizeof(*b->undecided));
	if (b->has_groups)
		far_copy(to->group, b->group, b->refs * sizeof(*b->group));
}

static void publish(struct cache_feed *feed)
{
	uint64_t published = atomic_load_explicit(&feed->published, memory_order_relaxed);
	struct batch *to = feed->ring[published++ % FEED_BATCHES];

	copy(to, feed->batch);
	atomic_store_explicit(&feed->published, published, memory_order_release);
	for (size_t i = 0; i < feed->consumer_count; i++)
		crew_submit(feed->crew, &feed->consumers[i]->job);
}

void feed_flush(struct cache_feed *feed)
{
	struct batch *b = feed->batch;

	if (!b->refs && !b->edits)
		return;
	batch_end(b);
	b->has_future = feed->future != NULL;
	if (b->has_future)
		future_next_uses(feed->future, b->first, b->refs, b->next_use);
	make_room(feed);
	publish(feed);
	begin_batch(feed, b->first + b->refs);
}

void feed_finish(struct cache_feed *feed)
{
	feed_flush(feed);
	crew_settle(feed->crew);
}

static void add_edit(struct cache_feed *feed, struct edit edit)
{
	struct batch *b = feed->batch;

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
	uint16_t from = decided->tag, to = tag_of(side_of_tag(from), io_class);

	feed->references[from].references--;
	feed->references[from].sectors -= decided->sectors;
	feed_count(feed, to, 1, decided->sectors);
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

void feed_thin_out(struct cache_feed *feed)
{
	add_edit(feed, (struct edit){.kind = EDIT_THIN_OUT});
}
