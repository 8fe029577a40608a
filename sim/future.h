/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which reference asks for the same block next: for models that know what comes.
 *
 * A pass before the simulation tells the references in their order; 4 bytes
 * each are kept, and while they are told 16 to 32 a distinct block.
 */
#ifndef SKY_FUTURE_H
#define SKY_FUTURE_H

#include <stddef.h>
#include <stdint.h>

#include "common/prefetch.h"

/* Open addressing with linear probing, half full at most. */
struct last_use {
	uint64_t block;
	uint64_t reference; /* its number + 1; 0: an empty place */
};

struct future {
	uint32_t *next; /* of each reference; FUTURE_NEVER */
	size_t count, room;
	struct last_use *last; /* of each block, until the end */
	uint64_t blocks, places;
	unsigned int shift; /* 64 - log2(places) */
};

#define FUTURE_NEVER UINT32_MAX
/* References that can be told apart. */
#define FUTURE_MAX   UINT32_MAX

/* 0 or -ENOMEM. */
int future_init(struct future *future);
void future_fini(struct future *future);

/* The next reference is to that block: 0, -ENOMEM, or -EOVERFLOW at the FUTURE_MAXth. */
int future_add(struct future *future, uint64_t block);

/* There are no more: gives back what only building needed. */
void future_end(struct future *future);

/* How the batch of references that begins with `first` goes on, for struct cache_batch. */
void future_next_uses(const struct future *future, uint64_t first, size_t count, uint64_t *next);

/* The block's place, where the search for it begins. */
static inline uint64_t future_home(const struct future *future, uint64_t block)
{
	return (block ^ block >> 32) * 0x9e3779b97f4a7c15u >> future->shift;
}

/* The block will be added soon. */
PREFETCHING void future_expect(const struct future *future, uint64_t block)
{
	__builtin_prefetch(&future->last[future_home(future, block)]);
}

#endif
