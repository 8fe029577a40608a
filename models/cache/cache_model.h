/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a cache model is, and all that it needs to know of its host.
 *
 * The host splits requests into blocks and hands them over in batches; the
 * model answers hit or miss for each. A model never sees files, traces or
 * options other than its own, and never prints. It has no globals: a run has
 * many instances of it, on several threads.
 *
 * Most models only order blocks: they stand on cache_slots.h, which brings
 * everything but that order. docs/adding-a-cache-model.md shows one.
 */
#ifndef SKY_CACHE_MODEL_H
#define SKY_CACHE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/event.h"
#include "common/component.h"

/* One block of one request. */
struct block_ref {
	uint64_t block;	  /* its key: any number */
	uint8_t io_class; /* below CLASS_COUNT, or CLASS_UNDECIDED: keeps what a cached block has */
	bool write;
};

/* Room for a counter of every value that io_class can have. */
#define CLASS_VALUES 256

struct cache_model {
	struct component head; /* kind "cache"; the parameters lie inside the state */
	size_t state_bytes;    /* zeroed before the parameters are set */

	/*
	 * Capacity in blocks, 1 .. CACHE_CAPACITY_MAX. 0 or -errno; -EINVAL only
	 * where component_set_parameters() said what is wrong. fini may follow a
	 * failure, or no init at all.
	 */
	int (*init)(void *state, uint32_t capacity);
	void (*fini)(void *state);

	/* Fills hit[0..n) in the order of the references; returns how many were hits. */
	size_t (*access)(void *state, const struct block_ref *ref, size_t n, bool *hit);

	bool (*contains)(const void *state, uint64_t block);

	/*
	 * The blocks first .. first + count - 1 are no longer worth anything (a
	 * discard): those that are cached leave without a trace, so no list of
	 * recently evicted blocks remembers them. Returns how many left.
	 */
	uint32_t (*remove)(void *state, uint64_t first, uint64_t count);

	/*
	 * The class of a block became known after its reference; no reference
	 * by itself. False if the block is not cached.
	 */
	bool (*set_class)(void *state, uint64_t block, uint8_t io_class);

	/* The policy's next victim leaves as if room were needed; false if the cache is empty. */
	bool (*evict)(void *state, uint64_t *block);

	/* Adds the number of cached blocks of each class to blocks[CLASS_VALUES]. */
	void (*contents)(const void *state, uint32_t *blocks);
};

#define CACHE_CAPACITY_MAX ((uint32_t)1 << 31)

/* Registers the ops struct that follows it. */
#define CACHE_MODEL(identifier)                                 \
	static const struct cache_model identifier##_model;     \
	COMPONENT(identifier##_model, identifier##_model.head); \
	static const struct cache_model identifier##_model =

/* A model with its state. */
struct cache {
	const struct cache_model *model;
	void *state;
	uint32_t capacity;
};

/*
 * Makes a cache from "name" or "name:parameter=value,...". 0, or -1 after
 * saying what is wrong.
 */
int cache_open(struct cache *cache, const char *spec, uint32_t capacity);
void cache_close(struct cache *cache);

#endif
