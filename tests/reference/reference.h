/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cache policies as slowly and obviously as can be, for comparison with the
 * models: an array of blocks with numbers that the policy gives them (when a block
 * came, how often it was asked for); everything is found by looking at all of them.
 *
 * A reference is written from the publication, not from the model. It defines
 * what a hit and a miss do and who leaves; tests/unit/cache_models.c does the
 * rest, and compares it with the model at every step, alone and under icache.
 */
#ifndef SKY_REFERENCE_H
#define SKY_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "models/cache/cache_model.h"

#define REFERENCE_BLOCKS  512
#define REFERENCE_NUMBERS 8
#define REFERENCE_TABLE	  2048

struct reference_block {
	uint64_t block;
	uint64_t next_use; /* as the model is told it */
	bool cached;	   /* or only remembered */
	uint8_t io_class;
	int list;			    /* the policy's, as the rest */
	uint64_t moment;		    /* that the oldest of a list is found by */
	uint64_t number[REFERENCE_NUMBERS]; /* 0 in a new block */
};

struct reference {
	const struct reference_policy *policy;
	uint32_t capacity;
	uint64_t moment;		    /* reference_now() */
	uint64_t number[REFERENCE_NUMBERS]; /* the policy's; all 0 at first */
	uint64_t table[REFERENCE_TABLE];    /* the same, for those that count much */
	uint32_t blocks;
	struct reference_block at[REFERENCE_BLOCKS];
};

struct reference_policy {
	const char *spec;		   /* of the model that must do the same */
	void (*init)(struct reference *r); /* may be NULL */

	/* A cached block is asked for; its class and next use are set already. */
	void (*hit)(struct reference *r, struct reference_block *b);

	/*
	 * One that is not cached is asked for; b is what is remembered of it, or NULL. It
	 * comes in by reference_add() or reference_return(), unless the policy declines.
	 */
	void (*miss)(struct reference *r, const struct block_ref *ref, struct reference_block *b);

	/* One cached block leaves; returns its number. There is at least one. */
	uint64_t (*evict)(struct reference *r);

	/* A block, cached or remembered, is about to be taken away by others; may be NULL. */
	void (*forget)(struct reference *r, struct reference_block *b);
};

#define REFERENCE_POLICY(identifier)                                                     \
	static const struct reference_policy identifier##_policy;                        \
	static const struct reference_policy *const identifier##_entry                   \
		__attribute__((used, section("sky_references"))) = &identifier##_policy; \
	static const struct reference_policy identifier##_policy =

static inline uint64_t reference_now(struct reference *r)
{
	return ++r->moment;
}

/* Cached or remembered; NULL if neither. */
static inline struct reference_block *reference_find(struct reference *r, uint64_t block)
{
	for (uint32_t i = 0; i < r->blocks; i++)
		if (r->at[i].block == block)
			return &r->at[i];
	return NULL;
}

static inline uint32_t reference_used(const struct reference *r)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < r->blocks; i++)
		used += r->at[i].cached;
	return used;
}

static inline bool reference_is_full(const struct reference *r)
{
	return reference_used(r) == r->capacity;
}

static inline uint32_t reference_length(const struct reference *r, int list)
{
	uint32_t length = 0;

	for (uint32_t i = 0; i < r->blocks; i++)
		length += r->at[i].list == list;
	return length;
}

/* The block of a list whose moment is the earliest, or NULL. */
static inline struct reference_block *reference_oldest(struct reference *r, int list)
{
	struct reference_block *oldest = NULL;

	for (uint32_t i = 0; i < r->blocks; i++)
		if (r->at[i].list == list && (!oldest || r->at[i].moment < oldest->moment))
			oldest = &r->at[i];
	return oldest;
}

/* A new block, cached, as the newest of a list. */
static inline struct reference_block *reference_add(struct reference *r,
						    const struct block_ref *ref, int list)
{
	struct reference_block *b = &r->at[r->blocks++];

	if (r->blocks > REFERENCE_BLOCKS)
		abort();
	*b = (struct reference_block){.block = ref->block,
				      .cached = true,
				      .io_class = ref->io_class,
				      .list = list,
				      .moment = reference_now(r)};
	return b;
}

/* A cached block leaves but is remembered; a remembered one comes back: as the newest of a list. */
static inline void reference_remember(struct reference *r, struct reference_block *b, int list)
{
	b->cached = false;
	b->list = list;
	b->moment = reference_now(r);
}

static inline void reference_return(struct reference *r, struct reference_block *b,
				    const struct block_ref *ref, int list)
{
	b->cached = true;
	b->io_class = ref->io_class;
	b->list = list;
	b->moment = reference_now(r);
}

/* Leaves without a trace; returns its number. Pointers to other blocks are void then. */
static inline uint64_t reference_drop(struct reference *r, struct reference_block *b)
{
	uint64_t block = b->block;

	*b = r->at[--r->blocks];
	return block;
}

#endif
