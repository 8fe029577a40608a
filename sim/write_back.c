/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "block_set.h"
#include "device_time.h"
#include "write_back.h"

struct write_back {
	struct block_set written; /* and neither seen to have left nor discarded */
	uint64_t gone;		  /* to the device, as far as it is counted */
	uint64_t cached;	  /* of them, at the end */
	const struct cache *cache;
	struct device_time *device;
	int error;
};

struct write_back *write_back_new(struct device_time *device)
{
	struct write_back *w = calloc(1, sizeof(*w));

	if (!w || block_set_init(&w->written)) {
		free(w);
		return NULL;
	}
	w->device = device;
	return w;
}

void write_back_free(struct write_back *w)
{
	if (!w)
		return;
	block_set_fini(&w->written);
	free(w);
}

static void write_to_device(struct write_back *w, uint64_t block, bool counts)
{
	w->gone += counts;
	if (w->device)
		device_time_write_back(w->device, block, counts);
}

static void forget(void *context, uint64_t block)
{
}

static void take(struct write_back *w, const struct block_ref *ref, unsigned int side, bool hit)
{
	bool left = !hit && block_set_has(&w->written, ref->block);

	if (left)
		write_to_device(w, ref->block, !(side & SIDE_WARM_UP));
	if (ref->op == BLOCK_WRITE)
		w->error = block_set_add(&w->written, ref->block, 1);
	else if (left)
		block_set_remove(&w->written, ref->block, 1, forget, NULL);
}

void write_back_take(struct write_back *w, const struct cache_batch *batch, const uint16_t *tag,
		     const uint64_t *hits)
{
	for (size_t i = 0; i < batch->count && !w->error; i++)
		take(w, &batch->ref[i], side_of_tag(tag[i]), hits[i / 64] >> i % 64 & 1);
}

static void settle(void *context, uint64_t block)
{
	struct write_back *w = context;
	bool cached = w->cache->model->contains(w->cache->state, block);

	w->cached += cached;
	if (!cached)
		write_to_device(w, block, true);
}

/* What is cached and worthless now need never be written. */
void write_back_discard(struct write_back *w, const struct cache *cache, uint64_t first,
			uint64_t count)
{
	w->cache = cache;
	block_set_remove(&w->written, first, count, settle, w);
}

int write_back_end(struct write_back *w, const struct cache *cache, uint64_t *written,
		   uint64_t *dirty)
{
	w->cache = cache;
	w->cached = 0;
	block_set_remove(&w->written, 0, UINT64_MAX, settle, w);
	*written = w->gone;
	*dirty = w->cached;
	return w->error;
}
