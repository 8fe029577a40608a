/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LRU stack distances: from which size on an LRU cache would have hit.
 *
 * LRU caches hold the blocks that were used last, the larger the more (R. L.
 * Mattson and others, Evaluation techniques for storage hierarchies, IBM Systems
 * Journal 9(2), 1970): all of them are one stack. Its positions lie in a bitmap
 * in the order of their last use; how many bits are set from a block's
 * position on is its depth (the structure of B. T. Bennett, V. J. Kruskal, LRU stack
 * processing, IBM Journal of R&D 19(4), 1975, with a Fenwick tree over cache lines
 * of bits). Where the bitmap ends, positions are numbered anew.
 *
 * A removed block leaves a hole, which is free room in every cache that is deep
 * enough to reach it: what comes to the top moves those above the hole down into
 * it, and those below stay where they are.
 */
#ifndef SKY_LRU_STACK_H
#define SKY_LRU_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/prefetch.h"

/* Open addressing with linear probing, half full at most. */
struct stack_entry {
	uint64_t block;
	uint32_t position; /* of its bit; STACK_EMPTY, STACK_ABSENT */
};

#define STACK_EMPTY  0		/* no entry */
#define STACK_ABSENT UINT32_MAX /* a block that was removed */

struct lru_stack {
	struct stack_entry *entry;
	uint64_t places;
	unsigned int shift; /* 64 - log2(places) */
	uint64_t distinct;  /* blocks that were ever used, and not forgotten */

	uint64_t *bits;		  /* a position each, set where a block or a hole is */
	uint32_t *tree;		  /* Fenwick's, over the lines before that of `next` */
	uint32_t window;	  /* positions */
	uint32_t next, next_line; /* the position of the next use, of a multiple of a line */
	uint32_t occupied;	  /* bits that are set */
	uint32_t *hole;		  /* a heap of positions, the latest first */
	uint32_t holes, holes_room;
};

/* 0 or -ENOMEM; fini may follow a failure. */
int lru_stack_init(struct lru_stack *stack);
void lru_stack_fini(struct lru_stack *stack);

/*
 * Uses blocks in their order; depth[i] is the smallest number of blocks that a
 * cache needs to hit the ith, or 0 if none would. 0, -ENOMEM, or
 * -EOVERFLOW where there are more than 2^30 blocks.
 */
int lru_stack_use(struct lru_stack *stack, const uint64_t *block, size_t count, uint32_t *depth);

/* The blocks leave all caches; 0 or -ENOMEM. */
int lru_stack_remove(struct lru_stack *stack, uint64_t first, uint64_t count);

/* As if there had never been other blocks than those that it says to keep; 0 or -ENOMEM. */
int lru_stack_keep(struct lru_stack *stack, bool (*keep)(const void *context, uint64_t block),
		   const void *context);

/* What it has allocated. */
uint64_t lru_stack_bytes(const struct lru_stack *stack);

#endif
