/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage for blocks, shared by all policies that order them in lists.
 *
 * A block has a slot: its number, class, neighbours in a list, and the
 * next slot of its hash bucket, 24 bytes in one place, so that a hit touches
 * one bucket and one slot before the list's neighbours. Buckets are chained,
 * because an eviction then touches nothing but the victim (open addressing
 * would have to look at the blocks behind it); with at most 4/3 blocks a
 * bucket a cached block costs at most 30 bytes in all.
 *
 * Memory comes zeroed from calloc() and slots are taken from the bottom up:
 * what was never used was never touched, so a large cache that stays empty
 * costs nothing.
 *
 * Lists are circular through heads, which are the first slots; slot 0 is
 * always a head, so that 0 also means "no slot". A slot knows its list, a
 * list its length. Lists come in two kinds: first those of cached blocks, then
 * those of blocks that only are remembered, which have left.
 */
#ifndef SKY_CACHE_SLOTS_H
#define SKY_CACHE_SLOTS_H

#include <errno.h>
#include <stdlib.h>

#include "cache_model.h"
#include "common/prefetch.h"

struct cache_slot {
	uint64_t block;	       /* of a list's head: how many slots the list has */
	uint32_t newer, older; /* in its list */
	uint32_t chain;	       /* in its bucket; in the free list while unused */
	uint8_t io_class;
	uint8_t list;
	uint16_t mark; /* the policy's; 0 in a slot that was just taken */
};

/* The first member of a model's state. */
struct cache_slots {
	struct cache_slot *slot;
	uint32_t *bucket;
	unsigned int bucket_shift;
	uint32_t capacity, used;       /* of cached blocks */
	uint32_t cached_lists;	       /* the lists from here on are of remembered ones */
	uint32_t fresh;		       /* the lowest slot that was never used */
	uint32_t released;	       /* the first of those that became free */
	uint32_t blocks[CLASS_VALUES]; /* of each class but CLASS_UNDECIDED: the rest of used */
};

/* A list of its own for each number below `lists`. */
#define SLOT_LISTS_MAX 255

/* `lists` of cached blocks, 1 or more, and no others. 0 or -ENOMEM. */
int cache_slots_init(struct cache_slots *s, uint32_t capacity, uint32_t lists);

/* The lists from `cached_lists` to `lists` - 1 together remember up to `remembered` blocks. */
int cache_slots_init_remembering(struct cache_slots *s, uint32_t capacity, uint32_t cached_lists,
				 uint64_t remembered, uint32_t lists);

/* What that allocates. */
uint64_t cache_slots_bytes(uint32_t capacity, uint64_t remembered, uint32_t lists);

/* Ops that serve every model on slots; state begins with its struct cache_slots. */
int cache_slots_init_one_list(void *state, uint32_t capacity);
uint64_t cache_slots_bytes_one_list(const void *state, uint32_t capacity);
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

/* 0 if the block is neither cached nor remembered. */
static inline uint32_t slots_find(const struct cache_slots *s, uint64_t block)
{
	uint32_t slot = *slots_bucket(s, block);

	while (slot && s->slot[slot].block != block)
		slot = s->slot[slot].chain;
	return slot;
}

/* Or only remembered? By the list that it is in, or was in last. */
static inline bool slots_is_cached(const struct cache_slots *s, uint32_t slot)
{
	return s->slot[slot].list < s->cached_lists;
}

/* Without hints every block is undecided, and counting them would take a tenth of the time. */
static inline void slots_count(struct cache_slots *s, uint8_t io_class, int change)
{
	if (io_class != CLASS_UNDECIDED)
		s->blocks[io_class] += change;
}

/* Of a cached block. */
static inline void slots_set_class(struct cache_slots *s, uint32_t slot, uint8_t io_class)
{
	slots_count(s, s->slot[slot].io_class, -1);
	slots_count(s, io_class, 1);
	s->slot[slot].io_class = io_class;
}

/*
 * A slot for a block that is neither cached nor remembered; there must be room.
 * It counts as cached and is in no list yet.
 */
static inline uint32_t slots_take(struct cache_slots *s, const struct block_ref *ref)
{
	uint32_t *bucket = slots_bucket(s, ref->block);
	uint32_t slot = s->released;

	if (slot)
		s->released = s->slot[slot].chain;
	else
		slot = s->fresh++;
	s->slot[slot].block = ref->block;
	s->slot[slot].chain = *bucket;
	s->slot[slot].io_class = ref->io_class;
	s->slot[slot].list = 0;
	s->slot[slot].mark = 0;
	*bucket = slot;
	slots_count(s, ref->io_class, 1);
	s->used++;
	return slot;
}

/* The remembered block has come back into its slot. */
static inline void slots_count_in(struct cache_slots *s, uint32_t slot, const struct block_ref *ref)
{
	s->slot[slot].io_class = ref->io_class;
	slots_count(s, ref->io_class, 1);
	s->used++;
}

/* The cached block has left; its slot stays. */
static inline void slots_count_out(struct cache_slots *s, uint32_t slot)
{
	slots_count(s, s->slot[slot].io_class, -1);
	s->used--;
}

/*
 * Frees a slot that is in no list any more: a cached block leaves, a remembered
 * one is forgotten. Its number can be read until the next slots_take().
 */
static inline void slots_release(struct cache_slots *s, uint32_t slot)
{
	uint32_t *link = slots_bucket(s, s->slot[slot].block);

	while (*link != slot)
		link = &s->slot[*link].chain;
	*link = s->slot[slot].chain;
	s->slot[slot].chain = s->released;
	s->released = slot;
	if (slots_is_cached(s, slot))
		slots_count_out(s, slot);
}

/* Neighbours alone, for policies that keep count of their lists themselves. */
static inline void slots_detach(struct cache_slots *s, uint32_t slot)
{
	uint32_t newer = s->slot[slot].newer, older = s->slot[slot].older;

	s->slot[newer].older = older;
	s->slot[older].newer = newer;
}

static inline void slots_attach(struct cache_slots *s, uint32_t slot, uint32_t newer)
{
	uint32_t older = s->slot[newer].older;

	s->slot[slot].newer = newer;
	s->slot[slot].older = older;
	s->slot[older].newer = slot;
	s->slot[newer].older = slot;
}

static inline void slots_unlink(struct cache_slots *s, uint32_t slot)
{
	s->slot[s->slot[slot].list].block--;
	slots_detach(s, slot);
}

static inline void slots_link_newest(struct cache_slots *s, uint32_t list, uint32_t slot)
{
	s->slot[slot].list = list;
	s->slot[list].block++;
	slots_attach(s, slot, list);
}

static inline void slots_link_oldest(struct cache_slots *s, uint32_t list, uint32_t slot)
{
	s->slot[slot].list = list;
	s->slot[list].block++;
	slots_attach(s, slot, s->slot[list].newer);
}

/* The slot becomes the newest of the list that it is in. */
static inline void slots_refresh(struct cache_slots *s, uint32_t slot)
{
	slots_detach(s, slot);
	slots_attach(s, slot, s->slot[slot].list);
}

/* ... of any list of the same kind. */
static inline void slots_move_newest(struct cache_slots *s, uint32_t list, uint32_t slot)
{
	slots_unlink(s, slot);
	slots_link_newest(s, list, slot);
}

static inline uint32_t slots_length(const struct cache_slots *s, uint32_t list)
{
	return s->slot[list].block;
}

/* `list` itself if it is empty. */
static inline uint32_t slots_oldest(const struct cache_slots *s, uint32_t list)
{
	return s->slot[list].newer;
}

static inline uint32_t slots_newest(const struct cache_slots *s, uint32_t list)
{
	return s->slot[list].older;
}

/* A cached block, in its list, leaves and is remembered as the newest of a list. */
static inline void slots_remember(struct cache_slots *s, uint32_t list, uint32_t slot)
{
	slots_count_out(s, slot);
	slots_move_newest(s, list, slot);
}

/* A remembered block, in its list, comes back as the newest of a list; there must be room. */
static inline void slots_return(struct cache_slots *s, uint32_t list, uint32_t slot,
				const struct block_ref *ref)
{
	slots_count_in(s, slot, ref);
	slots_move_newest(s, list, slot);
}

/* The slot will be the next victim: what its eviction touches is fetched meanwhile. */
PREFETCHING void slots_expect(const struct cache_slots *s, uint32_t slot)
{
	__builtin_prefetch(slots_bucket(s, s->slot[slot].block));
	__builtin_prefetch(&s->slot[s->slot[slot].newer]);
}

/* The oldest of a list, of either kind, leaves or is forgotten; the next is expected to follow. */
static inline uint32_t slots_release_oldest(struct cache_slots *s, uint32_t list)
{
	uint32_t slot = slots_oldest(s, list);

	slots_unlink(s, slot);
	slots_release(s, slot);
	slots_expect(s, slots_oldest(s, list));
	return slot;
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
 * The ops of a policy that keeps blocks in lists, of remembered ones, too. The
 * model, struct NAME with its slots first, defines
 *
 *	void NAME_hit(struct NAME *, uint32_t slot)
 *		a cached block is asked for
 *	void NAME_miss(struct NAME *, const struct block_ref *, uint32_t remembered)
 *		one that is not cached is asked for; the slot if it is remembered,
 *		or 0. It comes in, unless the policy declines.
 *	uint32_t NAME_make_room(struct NAME *)
 *		one cached block leaves (slots_release() or slots_remember()), whose
 *		slot this returns; there is at least one
 *	void NAME_forget(struct NAME *, uint32_t slot)
 *		takes a given block, cached or remembered, off its list
 *
 * as static inline functions, which CACHE_SLOTS_POLICY() turns into loops without
 * calls. A model that fetches more than its slots writes CACHE_SLOTS_STEPS() and
 * CACHE_SLOTS_LOOP() instead; one that does more for a reference than that writes its own
 * NAME_access() around NAME_access_one().
 */
#define CACHE_SLOTS_STEPS(name)                                                           \
	static inline bool name##_access_one(struct name *m, const struct block_ref *ref) \
	{                                                                                 \
		uint32_t slot = slots_find(&m->slots, ref->block);                        \
                                                                                          \
		if (slot && slots_is_cached(&m->slots, slot)) {                           \
			if (ref->io_class != CLASS_UNDECIDED)                             \
				slots_set_class(&m->slots, slot, ref->io_class);          \
			name##_hit(m, slot);                                              \
			return true;                                                      \
		}                                                                         \
		if (!(ref->flags & REF_NO_ALLOCATE))                                      \
			name##_miss(m, ref, slot);                                        \
		return false;                                                             \
	}                                                                                 \
                                                                                          \
	static void name##_forget_slot(void *state, uint32_t slot)                        \
	{                                                                                 \
		name##_forget(state, slot);                                               \
	}                                                                                 \
                                                                                          \
	static uint32_t name##_remove(void *state, uint64_t first, uint64_t count)        \
	{                                                                                 \
		return cache_slots_remove(state, first, count, name##_forget_slot);       \
	}                                                                                 \
                                                                                          \
	static bool name##_evict(void *state, uint64_t *block)                            \
	{                                                                                 \
		struct name *m = state;                                                   \
                                                                                          \
		if (!m->slots.used)                                                       \
			return false;                                                     \
		*block = m->slots.slot[name##_make_room(m)].block;                        \
		return true;                                                              \
	}

/*
 * The loop over a batch, with what the next references touch fetched early by
 * fetch(m, &ref[i], how many are left from i on).
 */
#define CACHE_SLOTS_LOOP(name, fetch)                                                          \
	static size_t name##_access(void *state, const struct cache_batch *b, uint64_t *hits)  \
	{                                                                                      \
		struct name *m = state;                                                        \
		size_t sum = 0;                                                                \
                                                                                               \
		for (size_t begin = 0; begin < b->count; begin += 64) {                        \
			size_t left = b->count - begin, end = begin + (left < 64 ? left : 64); \
			uint64_t word = 0;                                                     \
                                                                                               \
			for (size_t i = begin; i < end; i++) {                                 \
				fetch((const void *)m, &b->ref[i], b->count - i);              \
				word |= (uint64_t)name##_access_one(m, &b->ref[i]) << i % 64;  \
			}                                                                      \
			hits[begin / 64] = word;                                               \
			sum += __builtin_popcountll(word);                                     \
		}                                                                              \
		return sum;                                                                    \
	}

#define CACHE_SLOTS_POLICY(name) \
	CACHE_SLOTS_STEPS(name)  \
	CACHE_SLOTS_LOOP(name, slots_fetch_ahead)

/*
 * The same for a policy that takes every block in and remembers none, which
 * only defines, besides NAME_hit() and NAME_forget(),
 *
 *	void NAME_insert(struct NAME *, uint32_t slot)
 *		a block comes in
 *	uint32_t NAME_victim(struct NAME *)
 *		chooses a block and takes it off its list; there is at least one
 */
#define CACHE_SLOTS_MODEL(name)                                                     \
	static inline uint32_t name##_make_room(struct name *m)                     \
	{                                                                           \
		uint32_t slot = name##_victim(m);                                   \
                                                                                    \
		slots_release(&m->slots, slot);                                     \
		return slot;                                                        \
	}                                                                           \
                                                                                    \
	static inline void name##_miss(struct name *m, const struct block_ref *ref, \
				       uint32_t remembered)                         \
	{                                                                           \
		if (m->slots.used == m->slots.capacity)                             \
			name##_make_room(m);                                        \
		name##_insert(m, slots_take(&m->slots, ref));                       \
	}                                                                           \
	CACHE_SLOTS_POLICY(name)

/* The ops that these make, and those that need no making. */
#define CACHE_SLOTS_OPS(name)                                                    \
	.access = name##_access, .remove = name##_remove, .evict = name##_evict, \
	.contains = cache_slots_contains, .set_class = cache_slots_set_class,    \
	.contents = cache_slots_contents

#endif
