/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "common/component.h"
#include "common/error.h"
#include "scaled_caches.h"

static void hand_on(struct scaled_caches *s)
{
	struct batch *b = s->batch;
	uint64_t next_first = b->first + b->refs;

	batch_end(b);
	b->has_future = s->future != NULL;
	if (b->has_future)
		future_next_uses(s->future, b->first, b->refs, b->next_use);
	for (size_t i = 0; i < s->count; i++)
		s->runs[i].consumer.take(&s->runs[i].consumer, b);
	b->refs = b->edits = 0;
	b->has_undecided = b->is_mixed = false;
	b->first = next_first;
}

static void count(struct scaled_caches *s, uint16_t tag, uint64_t references, uint64_t sectors)
{
	s->references[tag].references += references;
	s->references[tag].sectors += sectors;
}

static void add_reference(struct scaled_caches *s, const struct batch *from, size_t i)
{
	struct batch *b = s->batch;
	uint32_t place = from->has_undecided ? from->undecided[i] : UNDECIDED_NONE;

	batch_put(b, &from->ref[i], from->tag[i], place);
	b->has_undecided |= place != UNDECIDED_NONE;
	count(s, from->tag[i], 1, from->ref[i].sectors);
	if (b->refs == BATCH_REFS)
		hand_on(s);
}

/* Of no consequence for a sample are samples of contents, and classes of blocks that are not in. */
static bool concerns(const struct scaled_caches *s, const struct edit *edit)
{
	return edit->kind == EDIT_REMOVE ||
	       (edit->kind == EDIT_DECIDE && sample_has(&s->sample, edit->decide.block));
}

static void add_edit(struct scaled_caches *s, const struct edit *edit)
{
	struct batch *b = s->batch;

	if (!concerns(s, edit))
		return;
	b->edit[b->edits] = *edit;
	b->edit[b->edits].at = b->refs;
	if (edit->kind == EDIT_DECIDE) {
		count(s, edit->decide.from, -1, -(uint64_t)edit->decide.sectors);
		count(s, edit->decide.to, 1, edit->decide.sectors);
	}
	if (++b->edits == BATCH_EDITS)
		hand_on(s);
}

static void add_references(struct scaled_caches *s, const struct batch *batch, size_t begin,
			   size_t end)
{
	for (size_t i = begin; i < end; i++)
		if (sample_has(&s->sample, batch->ref[i].block))
			add_reference(s, batch, i);
}

static void take(struct consumer *consumer, const struct batch *batch)
{
	struct scaled_caches *s = container_of(consumer, struct scaled_caches, consumer);
	size_t begin = 0;

	for (size_t i = 0; i < batch->edits; i++) {
		add_references(s, batch, begin, batch->edit[i].at);
		begin = batch->edit[i].at;
		add_edit(s, &batch->edit[i]);
	}
	add_references(s, batch, begin, batch->refs);
}

int scaled_caches_init(struct scaled_caches *s, struct sample sample, size_t room)
{
	*s = (struct scaled_caches){.sample = sample, .room = room};
	s->batch = malloc(sizeof(*s->batch));
	s->runs = calloc(room, sizeof(*s->runs));
	if (!s->batch || !s->runs)
		return fail("out of memory for scaled-down caches");
	s->batch->refs = s->batch->edits = s->batch->first = 0;
	s->batch->has_undecided = s->batch->is_mixed = false;
	return 0;
}

void scaled_caches_fini(struct scaled_caches *s)
{
	for (size_t i = 0; i < s->count; i++)
		cache_run_fini(&s->runs[i]);
	free(s->runs);
	free(s->batch);
}

int scaled_caches_add(struct scaled_caches *s, const char *spec, uint32_t entries)
{
	double scaled = round(entries * sample_rate(&s->sample));

	return cache_run_init(&s->runs[s->count++], NULL, spec, scaled < 1 ? 1 : scaled);
}

int scaled_caches_listen(struct scaled_caches *s, struct cache_feed *feed)
{
	return feed_add_consumer(feed, &s->consumer, take);
}

void scaled_caches_end(struct scaled_caches *s)
{
	hand_on(s);
}

uint64_t scaled_caches_bytes(const struct scaled_caches *s)
{
	uint64_t bytes = sizeof(*s) + sizeof(*s->batch);

	for (size_t i = 0; i < s->count; i++)
		bytes += cache_run_bytes(&s->runs[i]);
	return bytes;
}

struct tally scaled_caches_misses(const struct scaled_caches *s, size_t i, uint8_t io_class)
{
	struct tally misses = {0};

	for (unsigned int write = 0; write < 2; write++) {
		uint16_t tag = tag_of(write, io_class);

		misses.references +=
			s->references[tag].references - s->runs[i].hits[tag].references;
		misses.sectors += s->references[tag].sectors - s->runs[i].hits[tag].sectors;
	}
	return misses;
}
