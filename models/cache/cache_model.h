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
 * everything but that order. skeleton.c is one to begin with;
 * docs/adding-a-cache-model.md explains it.
 */
#ifndef SKY_CACHE_MODEL_H
#define SKY_CACHE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/event.h"
#include "common/component.h"

/*
 * Of all that this header and cache_slots.h say. A model in a shared object
 * that was compiled against another number is refused.
 */
#define CACHE_INTERFACE_VERSION 2

/* A miss doesn't bring the block in, and is nothing that the policy learns from. */
#define REF_NO_ALLOCATE 1u
/* The block belongs to the same request as that of the reference before. */
#define REF_CONTINUES	2u
/* Hints say that it is a write to a file system's journal. */
#define REF_JOURNAL	4u

/* A block's key: the disk above, its number on the disk below. */
#define CACHE_DISK_SHIFT 52

/* One block of one request. */
struct block_ref {
	uint64_t block;	  /* its key: any number */
	uint32_t sectors; /* of the request, that lie in this block */
	uint8_t op;	  /* BLOCK_READ or BLOCK_WRITE */
	uint8_t io_class; /* below CLASS_COUNT, or CLASS_UNDECIDED: keeps what a cached block has */
	uint8_t flags;	  /* REF_* */
};

/* No later reference to the block. */
#define NEVER UINT64_MAX

struct cache_batch {
	size_t count;
	const struct block_ref *ref;
	/*
	 * For models that need the future, otherwise NULL: the number of the next reference
	 * to the same block, or NEVER. References are numbered from 0, all in
	 * the order of the trace; the first of this batch has the number `first`.
	 */
	const uint64_t *next_use;
	uint64_t first;
};

/* Words of a bitmap with a bit for each reference of a batch. */
#define HIT_WORDS(count) (((count) + 63) / 64)

/* Room for a counter of every value that io_class can have. */
#define CLASS_VALUES 256

/* What a batch has only for those who need it. */
#define NEEDS_FUTURE 1u /* next_use, for policies that know what comes */

struct cache_model {
	struct component head; /* kind "cache"; the parameters lie inside the state */
	size_t state_bytes;    /* zeroed before the parameters are set */
	unsigned int needs;    /* NEEDS_* */
	/* The same where it depends on the parameters, which are set; otherwise NULL. */
	unsigned int (*needs_of)(const void *state);

	/*
	 * Capacity in blocks, 1 .. CACHE_CAPACITY_MAX. 0 or -errno; -EINVAL only
	 * where component_set_parameters() said what is wrong. fini may follow a
	 * failure, or no init at all.
	 */
	int (*init)(void *state, uint32_t capacity);
	void (*fini)(void *state);

	/* What init will allocate besides the state, once all of it is in use; parameters are set. */
	uint64_t (*bytes)(const void *state, uint32_t capacity);

	/*
	 * Takes the references in their order: bit i % 64 of hits[i / 64] says whether
	 * reference i was a hit; bits behind the last are 0. Returns how many were.
	 */
	size_t (*access)(void *state, const struct cache_batch *batch, uint64_t *hits);

	bool (*contains)(const void *state, uint64_t block);

	/*
	 * The blocks first .. first + count - 1 are no longer worth anything (a
	 * discard): those that are cached leave without a trace, and nobody
	 * remembers that they, or earlier ones of these numbers, were cached.
	 * Returns how many left.
	 */
	uint32_t (*remove)(void *state, uint64_t first, uint64_t count);

	/*
	 * The class of a block became known after its reference; no reference
	 * by itself. False if the block is not cached.
	 */
	bool (*set_class)(void *state, uint64_t block, uint8_t io_class);

	/*
	 * Of models that need the future, otherwise NULL: what a cached block's last
	 * reference said of its next.
	 */
	uint64_t (*next_use)(const void *state, uint64_t block);

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

/* The batch of only its reference i. */
static inline struct cache_batch cache_batch_at(const struct cache_batch *batch, size_t i)
{
	return (struct cache_batch){
		.count = 1,
		.ref = batch->ref + i,
		.next_use = batch->next_use ? batch->next_use + i : NULL,
		.first = batch->first + i,
	};
}

/* What a shared object with models shows: where its components are. */
struct cache_module {
	uint32_t version;
	const struct component *const *begin, *const *end;
};

/* A model's own file, compiled with -DSKY_MODULE, needs nothing more to be one. */
#ifdef SKY_MODULE
extern const struct cache_module sky_cache_module;
const struct cache_module sky_cache_module __attribute__((weak, visibility("default"))) = {
	CACHE_INTERFACE_VERSION, __start_sky_components, __stop_sky_components};
#endif

/*
 * Adds the models of a shared object to those that cache_open() finds. 0, or -1
 * after saying what is wrong with it.
 */
int cache_module_load(const char *path);

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

/* What the cache will have allocated once it is full. */
uint64_t cache_bytes(const struct cache *cache);

/* NEEDS_* of its model with its parameters. */
unsigned int cache_needs(const struct cache *cache);

#endif
