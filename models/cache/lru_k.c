/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lru-k: the block leaves whose k-th last reference is the longest ago (section 2 and figure 2.1 of
 * the source). Blocks with fewer references go before all others, among
 * themselves by lru, the subsidiary policy that the source leaves open.
 *
 * Time counts references. What is known of a block is kept while it is cached, and as
 * long as its last reference is not older than the Retained Information Period; here that
 * is a parameter, of the cache's size. The Correlated Reference Period of the source is 0:
 * each reference counts.
 *
 * Blocks with fewer references are a list, the others in a heap by the times of their k-th
 * last reference, which only grow and are looked at again on top. A ring has the
 * slot of each recent reference, so that one finds at each whose period is over.
 */
#include <string.h>

#include "cache_heap.h"
#include "cache_slots.h"

/* HEAPED and REMEMBERED are in no order. */
enum lru_k_list { FEW, HEAPED, CACHED_LISTS, REMEMBERED = CACHED_LISTS, LISTS };

struct lru_k {
	struct cache_slots slots;
	uint64_t k, retained_percent;
	uint64_t retained; /* references */
	struct cache_heap heap;
	uint64_t *times; /* of each slot the last k references, the last first; 0: never */
	uint32_t *ring;	 /* the slot of each of the last references */
	uint64_t now, at;
};

static inline uint64_t *times_of(const struct lru_k *l, uint32_t slot)
{
	return l->times + slot * l->k;
}

static inline uint64_t last_time(const struct lru_k *l, uint32_t slot)
{
	return *times_of(l, slot);
}

static inline heap_key key_of(const struct lru_k *l, uint32_t slot)
{
	return heap_key_of(times_of(l, slot)[l->k - 1], last_time(l, slot));
}

/* The ring may still have the slot, of which it must not believe that its period is over. */
static inline void lru_k_forget(struct lru_k *l, uint32_t slot)
{
	if (l->slots.slot[slot].list == HEAPED)
		heap_remove(&l->heap, slot);
	slots_unlink(&l->slots, slot);
	*times_of(l, slot) = 0;
}

/* A reference begins: time goes on, and the block whose period is over now is forgotten. */
static inline void tick(struct lru_k *l)
{
	uint32_t slot;

	l->now++;
	l->at = l->at == l->retained ? 0 : l->at + 1;
	slot = l->ring[l->at];
	if (!slot || slots_is_cached(&l->slots, slot) ||
	    last_time(l, slot) + l->retained + 1 != l->now)
		return;
	lru_k_forget(l, slot);
	slots_release(&l->slots, slot);
}

static inline void note_reference(struct lru_k *l, uint32_t slot)
{
	uint64_t *times = times_of(l, slot);

	memmove(times + 1, times, (l->k - 1) * sizeof(*times));
	*times = l->now;
	l->ring[l->at] = slot;
}

static inline bool has_k(const struct lru_k *l, uint32_t slot)
{
	return times_of(l, slot)[l->k - 1] != 0;
}

static inline void lru_k_hit(struct lru_k *l, uint32_t slot)
{
	tick(l);
	note_reference(l, slot);
	if (l->slots.slot[slot].list == HEAPED)
		return;
	if (has_k(l, slot)) {
		slots_move_newest(&l->slots, HEAPED, slot);
		heap_add(&l->heap, key_of(l, slot), slot);
	} else {
		slots_refresh(&l->slots, slot);
	}
}

static inline uint32_t victim_of_heap(struct lru_k *l)
{
	uint32_t victim;

	while (heap_time(heap_top_key(&l->heap)) != last_time(l, heap_top(&l->heap)))
		heap_set_top(&l->heap, key_of(l, heap_top(&l->heap)));
	victim = heap_top(&l->heap);
	heap_remove(&l->heap, victim);
	return victim;
}

static inline uint32_t lru_k_make_room(struct lru_k *l)
{
	struct cache_slots *s = &l->slots;
	uint32_t victim = slots_length(s, FEW) ? slots_oldest(s, FEW) : victim_of_heap(l);

	if (l->now - last_time(l, victim) <= l->retained) {
		slots_remember(s, REMEMBERED, victim);
		return victim;
	}
	slots_unlink(s, victim);
	slots_release(s, victim);
	return victim;
}

static inline void lru_k_miss(struct lru_k *l, const struct block_ref *ref, uint32_t remembered)
{
	struct cache_slots *s = &l->slots;
	uint32_t slot = remembered;

	tick(l);
	if (remembered && l->now - last_time(l, remembered) > l->retained)
		slot = 0;
	if (s->used == s->capacity)
		lru_k_make_room(l);
	if (!slot) {
		slot = slots_take(s, ref);
		memset(times_of(l, slot), 0, l->k * sizeof(*l->times));
		slots_link_newest(s, FEW, slot);
	} else {
		slots_return(s, FEW, slot, ref);
	}
	note_reference(l, slot);
	if (has_k(l, slot)) {
		slots_move_newest(s, HEAPED, slot);
		heap_add(&l->heap, key_of(l, slot), slot);
	}
}

CACHE_SLOTS_POLICY(lru_k)

static void lru_k_fini(void *state)
{
	struct lru_k *l = state;

	heap_fini(&l->heap);
	free(l->times);
	free(l->ring);
	cache_slots_fini(l);
}

/* As many blocks can be remembered as references are in their period. */
static uint64_t retained(const struct lru_k *l, uint32_t capacity)
{
	return capacity * l->retained_percent / 100;
}

static uint64_t slots_of(const struct lru_k *l, uint32_t capacity)
{
	return LISTS + capacity + retained(l, capacity);
}

static int lru_k_init(void *state, uint32_t capacity)
{
	struct lru_k *l = state;
	uint64_t slots = slots_of(l, capacity);

	l->retained = retained(l, capacity);
	l->times = calloc(slots, l->k * sizeof(*l->times));
	l->ring = calloc(l->retained + 1, sizeof(*l->ring));
	if (!l->times || !l->ring || heap_init(&l->heap, capacity, slots))
		return -ENOMEM;
	return cache_slots_init_remembering(&l->slots, capacity, CACHED_LISTS, l->retained, LISTS);
}

static uint64_t lru_k_bytes(const void *state, uint32_t capacity)
{
	const struct lru_k *l = state;
	uint64_t slots = slots_of(l, capacity);

	return cache_slots_bytes(capacity, retained(l, capacity), LISTS) +
	       heap_bytes(capacity, slots) + slots * l->k * sizeof(*l->times) +
	       (retained(l, capacity) + 1) * sizeof(*l->ring);
}

static const struct parameter lru_k_parameters[] = {
	{"k", "which of the last references decides", 1, 8, 2, offsetof(struct lru_k, k)},
	{"retained", "references for which a block is remembered, percent of the cache", 0, 10000,
	 400, offsetof(struct lru_k, retained_percent)},
	{0}};

CACHE_MODEL(lru_k){
	.head =
		{
			.kind = "cache",
			.name = "lru-k",
			.summary = "the block whose k-th last reference is the longest ago",
			.source = "E. J. O'Neil, P. E. O'Neil, G. Weikum, The LRU-K page "
				  "replacement algorithm for database disk buffering, SIGMOD 1993",
			.parameters = lru_k_parameters,
		},
	.state_bytes = sizeof(struct lru_k),
	.init = lru_k_init,
	.fini = lru_k_fini,
	.bytes = lru_k_bytes,
	CACHE_SLOTS_OPS(lru_k),
};
