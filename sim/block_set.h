/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exactly how many distinct blocks there were.
 *
 * A set of 64-bit numbers as bitmaps of 64 neighbours each in an open-addressed
 * table, since requests come in runs: below a byte a block for dense traces,
 * 32 for the most scattered.
 */
#ifndef SKY_BLOCK_SET_H
#define SKY_BLOCK_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/prefetch.h"

struct region {
	uint64_t name; /* number of its first block / 64 + 1; 0: empty place */
	uint64_t members;
};

struct block_set {
	struct region *region;
	size_t regions, room; /* room: a power of two, at most half used */
	unsigned int shift;   /* 64 - log2(room) */
	uint64_t count;
};

#define REGION_BLOCKS 64

/* The table's place where the search for a region begins. */
static inline size_t region_home(const struct block_set *set, uint64_t name)
{
	return (name ^ name >> 32) * 0x9e3779b97f4a7c15u >> set->shift;
}

/* The block will be added soon. */
PREFETCHING void block_set_expect(const struct block_set *set, uint64_t block)
{
	__builtin_prefetch(&set->region[region_home(set, block / REGION_BLOCKS + 1)]);
}

/* Was the block added? */
static inline bool block_set_has(const struct block_set *set, uint64_t block)
{
	uint64_t name = block / REGION_BLOCKS + 1;
	size_t i = region_home(set, name);

	while (set->region[i].name && set->region[i].name != name)
		i = (i + 1) & (set->room - 1);
	return set->region[i].name && set->region[i].members >> block % REGION_BLOCKS & 1;
}

/* 0 or -ENOMEM. */
int block_set_init(struct block_set *set);
void block_set_fini(struct block_set *set);

/* Adds blocks first .. first + count - 1; 0 or -ENOMEM. */
int block_set_add(struct block_set *set, uint64_t first, uint64_t count);

/* Removes those of the blocks first .. first + count - 1 that are in it; tells each before. */
void block_set_remove(struct block_set *set, uint64_t first, uint64_t count,
		      void (*leaves)(void *context, uint64_t block), void *context);

#endif
