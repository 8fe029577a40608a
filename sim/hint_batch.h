/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hints on their way from whoever found them out to whoever uses them.
 */
#ifndef SKY_HINT_BATCH_H
#define SKY_HINT_BATCH_H

#include <stddef.h>

#include "capture/event.h"

#define HINT_BATCH 256

/* Takes a batch of hints (kind EVENT_HINT, seq and time_ns set). */
typedef void (*hint_sink)(void *context, const struct event *hints, size_t count);

struct hint_batch {
	hint_sink sink; /* NULL: nobody listens */
	void *context;
	uint32_t count;
	struct hint_event blank;
	struct event hints[HINT_BATCH]; /* only their seq, time and hint ever change */
};

static inline void hint_batch_init(struct hint_batch *batch, hint_sink sink, void *context)
{
	batch->sink = sink;
	batch->context = context;
	batch->count = 0;
	for (uint32_t i = 0; i < HINT_BATCH; i++)
		event_init(&batch->hints[i], EVENT_HINT);
	batch->blank = batch->hints[0].hint;
}

static inline void hint_batch_flush(struct hint_batch *batch)
{
	if (batch->count && batch->sink)
		batch->sink(batch->context, batch->hints, batch->count);
	batch->count = 0;
}

/* A new hint to fill in, known at that event and time. */
static inline struct hint_event *hint_batch_next(struct hint_batch *batch, uint64_t seq,
						 uint64_t time_ns, uint32_t disk, uint64_t request,
						 uint32_t chunk)
{
	struct event *event;

	if (batch->count == HINT_BATCH)
		hint_batch_flush(batch);
	event = &batch->hints[batch->count++];
	event->hint = batch->blank;
	event->seq = seq;
	event->time_ns = time_ns;
	event->hint.disk = disk;
	event->hint.request = request;
	event->hint.chunk = chunk;
	return &event->hint;
}

/* A hint that is known when its request is issued. */
static inline struct hint_event *hint_at_issue(struct hint_batch *batch, const struct event *block,
					       uint32_t chunk)
{
	return hint_batch_next(batch, block->seq, block->time_ns, block->block.disk,
			       block->block.id, chunk);
}

static inline void hint_is_metadata(struct hint_event *hint, enum hint_reason reason)
{
	hint->what = CHUNK_METADATA;
	hint->reason = reason;
	hint->dedup = DEDUP_UNIQUE;
	hint->io_class = CLASS_METADATA;
}

static inline void hint_is_data(struct hint_event *hint, enum hint_reason reason, uint8_t io_class)
{
	hint->what = CHUNK_DATA;
	hint->reason = reason;
	hint->dedup = DEDUP_NONE;
	hint->io_class = io_class;
}

#endif
