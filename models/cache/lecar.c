/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lecar: two experts, lru and lfu. Chance decides by their weights whose victim
 * leaves, and that expert's history remembers it. A block that is asked for while it
 * is remembered was a mistake: its expert's weight is multiplied by exp(-rate * r),
 * where r is the discount to the power of the references since it left; the
 * weights then are scaled to a sum of 1.
 *
 * Algorithms 1 and 2 of the paper (there the other's weight is multiplied by exp(rate
 * * r), which is the same). Where it doesn't say: as in the authors' implementation
 * a victim of both experts is not remembered, a history has half as many blocks as
 * the cache, a block that comes back has its old count and one more, and weights stay
 * between 0.01 and 0.99. Of blocks asked for equally often, the one that has been
 * for the longest is lfu's.
 */
#include <math.h>

#include "cache_random.h"
#include "count_order.h"

enum lecar_list { RECENCY, CACHED_LISTS, LRU_HISTORY = CACHED_LISTS, LFU_HISTORY, LISTS };

#define WEIGHT_MIN 0.01

struct lecar {
	struct cache_slots slots;
	struct count_order order; /* other: when a remembered block left */
	uint64_t rate_1000, discount_1000, history_percent, seed;
	uint64_t history_capacity; /* of each */
	double lru_weight, log_discount;
	uint64_t now, random;
};

static inline void lecar_hit(struct lecar *l, uint32_t slot)
{
	l->now++;
	slots_refresh(&l->slots, slot);
	count_increment(&l->order, &l->slots, slot);
}

static inline void lecar_forget(struct lecar *l, uint32_t slot)
{
	if (slots_is_cached(&l->slots, slot))
		count_remove(&l->order, &l->slots, slot);
	slots_unlink(&l->slots, slot);
}

static inline void lecar_drop(struct lecar *l, uint32_t slot)
{
	slots_unlink(&l->slots, slot);
	slots_release(&l->slots, slot);
}

static inline void lecar_remember(struct lecar *l, uint32_t history, uint32_t slot)
{
	struct cache_slots *s = &l->slots;

	if (slots_length(s, history) == l->history_capacity)
		lecar_drop(l, slots_oldest(s, history));
	slots_remember(s, history, slot);
	l->order.link[slot].other = l->now;
	slots_expect(s, slots_oldest(s, history));
}

static inline uint32_t lecar_make_room(struct lecar *l)
{
	struct cache_slots *s = &l->slots;
	uint32_t oldest = slots_oldest(s, RECENCY);
	uint32_t rarest = l->order.oldest[count_least(&l->order)];
	bool is_lru = cache_random(&l->random) * 0x1p-32 < l->lru_weight;
	uint32_t victim = is_lru ? oldest : rarest;

	count_remove(&l->order, s, victim);
	if (oldest == rarest || !l->history_capacity)
		lecar_drop(l, victim);
	else
		lecar_remember(l, is_lru ? LRU_HISTORY : LFU_HISTORY, victim);
	slots_expect(s, slots_oldest(s, RECENCY));
	return victim;
}

/* The block in a slot was a mistake of the expert whose history it is in. */
static inline void lecar_learn(struct lecar *l, uint32_t slot)
{
	double r = exp(l->log_discount * (l->now - l->order.link[slot].other));
	double factor = exp(-(l->rate_1000 / 1000.) * r);
	double lru = l->lru_weight, lfu = 1 - lru;

	if (l->slots.slot[slot].list == LRU_HISTORY)
		lru *= factor;
	else
		lfu *= factor;
	l->lru_weight = fmin(fmax(lru / (lru + lfu), WEIGHT_MIN), 1 - WEIGHT_MIN);
}

static inline void lecar_miss(struct lecar *l, const struct block_ref *ref, uint32_t remembered)
{
	struct cache_slots *s = &l->slots;
	uint32_t count = 1, slot;

	l->now++;
	if (remembered) {
		count += count_of(s, remembered);
		lecar_learn(l, remembered);
		lecar_drop(l, remembered);
	}
	if (s->used == s->capacity)
		lecar_make_room(l);
	slot = slots_take(s, ref);
	slots_link_newest(s, RECENCY, slot);
	count_add(&l->order, s, slot, count);
}

PREFETCHING void lecar_fetch_ahead(const struct lecar *l, const struct block_ref *ref, size_t left)
{
	count_fetch_ahead(&l->order, &l->slots, ref, left);
}

CACHE_SLOTS_STEPS(lecar)
CACHE_SLOTS_LOOP(lecar, lecar_fetch_ahead)

static void lecar_fini(void *state)
{
	struct lecar *l = state;

	free(l->order.link);
	cache_slots_fini(l);
}

static uint64_t lecar_history(const struct lecar *l, uint32_t capacity)
{
	return capacity * l->history_percent / 100;
}

static int lecar_init(void *state, uint32_t capacity)
{
	struct lecar *l = state;

	l->history_capacity = lecar_history(l, capacity);
	l->lru_weight = 0.5;
	l->log_discount = log(l->discount_1000 / 1000.) / capacity;
	l->random = cache_random_seed(l->seed);
	if (count_order_init(&l->order, LISTS + capacity + 2 * l->history_capacity))
		return -ENOMEM;
	return cache_slots_init_remembering(&l->slots, capacity, CACHED_LISTS,
					    2 * l->history_capacity, LISTS);
}

static uint64_t lecar_bytes(const void *state, uint32_t capacity)
{
	uint64_t remembered = 2 * lecar_history(state, capacity);

	return cache_slots_bytes(capacity, remembered, LISTS) +
	       (LISTS + capacity + remembered) * sizeof(union count_link);
}

static const struct parameter lecar_parameters[] = {
	{"rate", "of learning, in thousandths", 0, 1000, 450, offsetof(struct lecar, rate_1000)},
	{"discount", "of a mistake as many references old as the cache has blocks, in thousandths",
	 1, 1000, 5, offsetof(struct lecar, discount_1000)},
	{"history", "blocks that each history remembers, percent of the cache", 0, 400, 50,
	 offsetof(struct lecar, history_percent)},
	{"seed", "of the random numbers", 0, UINT64_MAX, 1, offsetof(struct lecar, seed)},
	{0}};

CACHE_MODEL(lecar){
	.head =
		{
			.kind = "cache",
			.name = "lecar",
			.summary = "lru and lfu as experts whose weights are learned",
			.source = "G. Vietri, L. V. Rodriguez, W. A. Martinez, S. Lyons, J. Liu, "
				  "R. Rangaswami, M. Zhao, G. Narasimhan, Driving cache "
				  "replacement with ML-based LeCaR, HotStorage 2018",
			.parameters = lecar_parameters,
		},
	.state_bytes = sizeof(struct lecar),
	.init = lecar_init,
	.fini = lecar_fini,
	.bytes = lecar_bytes,
	CACHE_SLOTS_OPS(lecar),
};
