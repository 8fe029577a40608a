/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage for cached blocks, shared by all policies that order them in lists.
 *
 * A cached block has a slot: its number, class, neighbours in a list, and the
 * next slot of its hash bucket, 24 bytes in one place, so that a hit touches
 * one bucket and one slot before the list's neighbours. Buckets are chained,
 * because an eviction then touches nothing but the victim (open addressing
 * would have to look at the blocks behind it); with at most 4/3 blocks a
 * bucket a cached block costs less than 30 bytes in all.
 *
 * Memory comes zeroed from calloc() and slots are taken from the bottom up:
 * what was never used was never touched, so a large cache that stays empty
 * costs nothing.
 *
 * Lists are circular through heads, which are the first slots; slot 0 is
 * always a head, so that 0 also means "no slot".
 */
#ifndef SKY_CACHE_SLOTS_H
#define SKY_CACHE_SLOTS_H

#include <errno.h>
#include <stdlib.h>

#include "cache_model.h"
#include "common/prefetch.h"

struct cache_slot {
	uint64_t block;
	uint32_t newer, older; /* in its list */
	uint32_t chain;	       /* in its bucket; in the free list while unused */
	uint8_t io_class;
};

/* The first member of a model's state. */
struct cache_slots {
	struct cache_slot *slot;
	uint32_t *bucket;
	unsigned int bucket_shift;
	uint32_t capacity, used;
	uint32_t fresh;		       /* the lowest slot that was never used */
	uint32_t released;	       /* the first of those that became free */
	uint32_t blocks[CLASS_VALUES]; /* of each class but CLASS_UNDECIDED: the rest of used */
};

/* lists: how many heads there are, 1 or more. 0 or -ENOMEM. */
int cache_slots_init(struct cache_slots *s, uint32_t capacity, uint32_t lists);

/* Ops that serve every model on slots; state begins with its struct cache_slots. */
int cache_slots_init_one_list(void *state, uint32_t capacity);
void cache_slots_fini(void *state);
bool cache_slots_contains(const void *state, uint64_t block);
bool cache_slots_set_class(void *state, uint64_t block, uint8_t io_class);
void cache_slots_contents(const void *state, uint32_t *blocks);
uint32_t cache_slots_remove(void *state, uint64_t first, uint64_t count,
			    void (*forget)(void *state, uint32_t slot));

/* Multiplication by 2^64 / golden ratio (Knuth, TAOCP 3, 6.4); the top bits are the best mixed. */
static inline uint32_t *slots_bucket(const struct cache_slots *s, uint64_t block)
{
	return &s->bucket[(block ^ block >> 32) * 0x9e3779b97f4a7c15u >> s->bucket_shift];
}

/* 0 if the block is not cached. */
static inline uint32_t slots_find(const struct cache_slots *s, uint64_t block)
{
	uint32_t slot = *slots_bucket(s, block);

	while (slot && s->slot[slot].block != block)
		slot = s->slot[slot].chain;
	return slot;
}

/* Without hints every block is undecided, and counting them would take a tenth of the time. */
static inline void slots_count(struct cache_slots *s, uint8_t io_class, int change)
{
	if (io_class != CLASS_UNDECIDED)
		s->blocks[io_class] += change;
}

static inline void slots_set_class(struct cache_slots *s, uint32_t slot, uint8_t io_class)
{
	slots_count(s, s->slot[slot].io_class, -1);
	slots_count(s, io_class, 1);
	s->slot[slot].io_class = io_class;
}

/* A slot for a block that is not cached; there must be room. It is in no list yet. */
static inline uint32_t slots_take(struct cache_slots *s, const struct block_ref *ref)
{
	uint32_t *bucket = slots_bucket(s, ref->block);
	uint32_t slot = s->released;

	if (slot)
		s->released = s->slot[slot].chain;
	else
		slot = s->fresh++;
	s->slot[slot].block = ref->block;
	s->slot[slot].io_class = ref->io_class;
	s->slot[slot].chain = *bucket;
	*bucket = slot;
	slots_count(s, ref->io_class, 1);
	s->used++;
	return slot;
}

/* Frees a slot that is in no list any more. */
static inline void slots_release(struct cache_slots *s, uint32_t slot)
{
	uint32_t *link = slots_bucket(s, s->slot[slot].block);

	while (*link != slot)
		link = &s->slot[*link].chain;
	*link = s->slot[slot].chain;
	s->slot[slot].chain = s->released;
	s->released = slot;
	slots_count(s, s->slot[slot].io_class, -1);
	s->used--;
}

static inline void slots_unlink(struct cache_slots *s, uint32_t slot)
{
	uint32_t newer = s->slot[slot].newer, older = s->slot[slot].older;

	s->slot[newer].older = older;
	s->slot[older].newer = newer;
}

static inline void slots_link_newest(struct cache_slots *s, uint32_t list, uint32_t slot)
{
	uint32_t older = s->slot[list].older;

	s->slot[slot].newer = list;
	s->slot[slot].older = older;
	s->slot[older].newer = slot;
	s->slot[list].older = slot;
}

/* `list` itself if it is empty. */
static inline uint32_t slots_oldest(const struct cache_slots *s, uint32_t list)
{
	return s->slot[list].newer;
}

/* The slot will be the next victim: what its eviction touches is fetched meanwhile. */
PREFETCHING void slots_expect(const struct cache_slots *s, uint32_t slot)
{
	__builtin_prefetch(slots_bucket(s, s->slot[slot].block));
	__builtin_prefetch(&s->slot[s->slot[slot].newer]);
}

/* How many references early a bucket and its first slot are fetched; measured. */
#define FETCH_BUCKET_AHEAD 8
#define FETCH_SLOT_AHEAD   4

PREFETCHING void slots_fetch_ahead(const struct cache_slots *s, const struct block_ref *ref,
				   size_t left)
{
	if (left > FETCH_BUCKET_AHEAD)
		__builtin_prefetch(slots_bucket(s, ref[FETCH_BUCKET_AHEAD].block));
	if (left > FETCH_SLOT_AHEAD)
		__builtin_prefetch(&s->slot[*slots_bucket(s, ref[FETCH_SLOT_AHEAD].block)]);
}

/*
 * Everything but the order of blocks. The model, struct NAME with its slots
 * first, defines
 *
 *	void NAME_hit(struct NAME *, uint32_t slot)	  a cached block is asked for
 *	void NAME_insert(struct NAME *, uint32_t slot)	  a block comes in
 *	uint32_t NAME_victim(struct NAME *)		  chooses a block and takes it off its list;
 *							  there is at least one
 *	void NAME_forget(struct NAME *, uint32_t slot)	  takes a given block off its list
 *
 * as static inline functions, which this turns into loops without calls.
 */
#define CACHE_SLOTS_MODEL(name)                                                                    \
	static inline bool name##_access_one(struct name *m, const struct block_ref *ref)          \
	{                                                                                          \
		uint32_t slot = slots_find(&m->slots, ref->block);                                 \
                                                                                                   \
		if (slot) {                                                                        \
			if (ref->io_class != CLASS_UNDECIDED)                                      \
				slots_set_class(&m->slots, slot, ref->io_class);                   \
			name##_hit(m, slot);                                                       \
			return true;                                                               \
		}                                                                                  \
		if (m->slots.used == m->slots.capacity)                                            \
			slots_release(&m->slots, name##_victim(m));                                \
		name##_insert(m, slots_take(&m->slots, ref));                                      \
		return false;                                                                      \
	}                                                                                          \
                                                                                                   \
	static size_t name##_access(void *state, const struct block_ref *ref, size_t n, bool *hit) \
	{                                                                                          \
		struct name *m = state;                                                            \
		size_t hits = 0;                                                                   \
                                                                                                   \
		for (size_t i = 0; i < n; i++) {                                                   \
			slots_fetch_ahead(&m->slots, &ref[i], n - i);                              \
			hits += hit[i] = name##_access_one(m, &ref[i]);                            \
		}                                                                                  \
		return hits;                                                                       \
	}                                                                                          \
                                                                                                   \
	static void name##_forget_slot(void *state, uint32_t slot)                                 \
	{                                                                                          \
		name##_forget(state, slot);                                                        \
	}                                                                                          \
                                                                                                   \
	static uint32_t name##_remove(void *state, uint64_t first, uint64_t count)                 \
	{                                                                                          \
		return cache_slots_remove(state, first, count, name##_forget_slot);                \
	}                                                                                          \
                                                                                                   \
	static bool name##_evict(void *state, uint64_t *block)                                     \
	{                                                                                          \
		struct name *m = state;                                                            \
		uint32_t slot;                                                                     \
                                                                                                   \
		if (!m->slots.used)                                                                \
			return false;                                                              \
		slot = name##_victim(m);                                                           \
		*block = m->slots.slot[slot].block;                                                \
		slots_release(&m->slots, slot);                                                    \
		return true;                                                                       \
	}

/* The ops that CACHE_SLOTS_MODEL() made, and those that need no making. */
#define CACHE_SLOTS_OPS(name)                                                    \
	.access = name##_access, .remove = name##_remove, .evict = name##_evict, \
	.contains = cache_slots_contains, .set_class = cache_slots_set_class,    \
	.contents = cache_slots_contents

#endif
