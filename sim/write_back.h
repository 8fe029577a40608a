/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which blocks of a cache its device has not got yet.
 *
 * Models don't tell what leaves. But a block that was written and misses when it is asked
 * for again has left in between, and was written back then; so has one that is not
 * cached at the end. The same holds for writes that the cache never took.
 */
#ifndef SKY_WRITE_BACK_H
#define SKY_WRITE_BACK_H

#include <stdint.h>

#include "batch.h"

struct write_back;

struct device_time;

/* device: what is written back takes its time; NULL where nobody asks. NULL if out of memory. */
struct write_back *write_back_new(struct device_time *device);
void write_back_free(struct write_back *w);

/* Takes references, and which of them hit. */
void write_back_take(struct write_back *w, const struct cache_batch *batch, const uint16_t *tag,
		     const uint64_t *hits);

/* Before the blocks leave the cache, worthless. */
void write_back_discard(struct write_back *w, const struct cache *cache, uint64_t first,
			uint64_t count);

/*
 * After the trace: how many blocks the device got (not counted those of the warm-up)
 * and how many it still has to get. 0 or -ENOMEM.
 */
int write_back_end(struct write_back *w, const struct cache *cache, uint64_t *written,
		   uint64_t *dirty);

#endif
