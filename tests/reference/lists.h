/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lru, fifo and both under priority classes, as slowly and obviously as can be:
 * an array of blocks with the moment at which each took its place; everything
 * is found by looking at all of them.
 */
#ifndef SKY_REFERENCE_LISTS_H
#define SKY_REFERENCE_LISTS_H

#include <stdlib.h>
#include <string.h>

#include "models/cache/cache_model.h"

struct reference_block {
	uint64_t block, moment;
	uint8_t io_class;
};

struct reference {
	bool moves_on_hit; /* lru; otherwise fifo */
	bool by_class;	   /* icache */
	uint64_t moment;
	uint32_t capacity, used;
	struct reference_block at[64];
};

static inline struct reference_block *reference_find(struct reference *r, uint64_t block)
{
	for (uint32_t i = 0; i < r->used; i++)
		if (r->at[i].block == block)
			return &r->at[i];
	return NULL;
}

static inline void reference_drop(struct reference *r, struct reference_block *b)
{
	*b = r->at[--r->used];
}

static inline int reference_level(const struct reference *r, uint8_t io_class)
{
	return r->by_class && io_class < CLASS_COUNT ? io_class : 0;
}

static inline bool reference_leaves_before(const struct reference *r,
					   const struct reference_block *a,
					   const struct reference_block *b)
{
	int x = reference_level(r, a->io_class), y = reference_level(r, b->io_class);

	return x != y ? x < y : a->moment < b->moment;
}

static inline bool reference_evict(struct reference *r, uint64_t *block)
{
	struct reference_block *victim = r->at;

	if (!r->used)
		return false;
	for (uint32_t i = 1; i < r->used; i++)
		if (reference_leaves_before(r, &r->at[i], victim))
			victim = &r->at[i];
	*block = victim->block;
	reference_drop(r, victim);
	return true;
}

/* A new class is a new place, but within one level (0 and undecided) nothing moves. */
static inline bool reference_set_class(struct reference *r, uint64_t block, uint8_t io_class)
{
	struct reference_block *b = reference_find(r, block);

	if (!b)
		return false;
	if (reference_level(r, io_class) != reference_level(r, b->io_class))
		b->moment = ++r->moment;
	b->io_class = io_class;
	return true;
}

static inline bool reference_access(struct reference *r, const struct block_ref *ref)
{
	struct reference_block *b = reference_find(r, ref->block);
	uint64_t victim;

	if (b) {
		if (ref->io_class != CLASS_UNDECIDED)
			reference_set_class(r, ref->block, ref->io_class);
		if (r->moves_on_hit)
			b->moment = ++r->moment;
		return true;
	}
	if (r->used == r->capacity)
		reference_evict(r, &victim);
	r->at[r->used++] = (struct reference_block){ref->block, ++r->moment, ref->io_class};
	return false;
}

static inline uint32_t reference_remove(struct reference *r, uint64_t first, uint64_t count)
{
	uint32_t before = r->used;

	for (uint32_t i = 0; i < r->used;)
		if (r->at[i].block - first < count)
			reference_drop(r, &r->at[i]);
		else
			i++;
	return before - r->used;
}

#endif
