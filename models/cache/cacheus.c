/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cacheus: lecar with two better experts and a rate of learning that adapts.
 *
 * sr-lru withstands scans: R has blocks that were asked for again, SR new ones
 * and those that R had no room for (demoted), and its victim is the oldest of SR. A demoted
 * block that is asked for makes R's share larger, a new one that comes back from
 * the expert's history SR's. cr-lfu withstands churn: of blocks asked for
 * equally often it gives up the newest. Chance decides by the experts' weights, and a
 * block in an expert's history was its mistake, as in lecar, but without a discount.
 *
 * After each period, of as many references as the cache has blocks, the rate of learning goes on
 * in the direction that raised the hit ratio, or back; where it did not move, a hit ratio that
 * falls moves it at random, and ten falls or ten times none it back to its first value.
 *
 * The paper's section 4 leaves much open. Sizes, first values and the order of things
 * are those of the authors' implementation (sylab/cacheus) with two corrections: a
 * block from a history has its count and one more, and R keeps to its share in the same
 * way wherever a block joins it. Ratios and rates are compared in thousandths, as there.
 * libCacheSim's variant begins with half of the cache for SR (scanned=50 here).
 */
#include <math.h>

#include "cache_random.h"
#include "count_order.h"

enum cacheus_list { REUSED, SCANNED, CACHED_LISTS, LRU_HISTORY = CACHED_LISTS, LFU_HISTORY, LISTS };

/* In a slot's mark, above the count. */
#define IS_NEW	   (COUNT_MAX + 1)
#define IS_DEMOTED (IS_NEW << 1)

#define WEIGHT_MIN  0.01
#define RATE_MIN    0.001
#define RESET_AFTER 10

struct cacheus {
	struct cache_slots slots;
	struct count_order order;
	uint64_t scanned_percent, history_percent, seed;
	uint64_t history_capacity; /* of each */
	uint32_t reused_capacity, demoted, new_in_history;
	double lru_weight, rate, last_rate, first_rate;
	uint64_t random;
	uint32_t references, hits; /* of this period */
	uint32_t last_hits_1000, flat_periods, falls;
};

/* 0.9 and 0.005 are ways out of the extremes. */
static void move_at_random(struct cacheus *c)
{
	if (c->rate >= 1)
		c->rate = 0.9;
	else if (c->rate <= RATE_MIN)
		c->rate = 0.005;
	else if (cache_random(&c->random) & 1)
		c->rate = fmin(c->rate * 1.25, 1);
	else
		c->rate = fmax(c->rate * 0.75, RATE_MIN);
}

static void adapt_unmoved_rate(struct cacheus *c, uint32_t hits_1000, int rise)
{
	if (rise > 0)
		return;
	c->flat_periods += rise < 0 || !hits_1000;
	c->falls += rise < 0;
	if (c->flat_periods >= RESET_AFTER || c->falls >= RESET_AFTER) {
		c->rate = c->first_rate;
		c->flat_periods = c->falls = 0;
	} else if (rise < 0) {
		move_at_random(c);
	}
}

static void adapt_rate(struct cacheus *c)
{
	uint32_t hits_1000 = lround(c->hits * 1000. / c->slots.capacity);
	int rise = (int)hits_1000 - (int)c->last_hits_1000;
	double moved = (lround(c->rate * 1000) - lround(c->last_rate * 1000)) / 1000.;
	double rate = c->rate;

	if (moved * rise != 0) {
		c->rate += copysign(rate * moved, moved * rise);
		c->rate = fmin(fmax(c->rate, RATE_MIN), 1);
		c->flat_periods = c->falls = 0;
	} else {
		adapt_unmoved_rate(c, hits_1000, rise);
	}
	c->last_rate = rate;
	c->last_hits_1000 = hits_1000;
	c->references = c->hits = 0;
}

static inline void count_time(struct cacheus *c)
{
	if (++c->references == c->slots.capacity)
		adapt_rate(c);
}

static inline bool has(const struct cacheus *c, uint32_t slot, uint16_t flag)
{
	return c->slots.slot[slot].mark & flag;
}

static inline void set(struct cacheus *c, uint32_t slot, uint16_t flag)
{
	c->slots.slot[slot].mark |= flag;
}

static inline void clear(struct cacheus *c, uint32_t slot, uint16_t flag)
{
	c->slots.slot[slot].mark &= ~flag;
}

/* a / b, at least 1 each, rounded. */
static inline uint32_t step(uint32_t a, uint32_t b)
{
	uint64_t divisor = b ? b : 1, ratio = (2ull * a + divisor) / (2 * divisor);

	return ratio ? ratio : 1;
}

/* Each part keeps one block, if there are two. */
static inline void enlarge_reused(struct cacheus *c)
{
	uint64_t capacity = (uint64_t)c->reused_capacity + step(c->new_in_history, c->demoted);

	c->reused_capacity = capacity < c->slots.capacity ? capacity : c->slots.capacity - 1;
}

static inline void enlarge_scanned(struct cacheus *c)
{
	uint32_t by = step(c->demoted, c->new_in_history);

	if (c->reused_capacity > by)
		c->reused_capacity -= by;
	else
		c->reused_capacity = c->slots.capacity > 1;
}

static inline void limit_reused(struct cacheus *c)
{
	struct cache_slots *s = &c->slots;

	while (slots_length(s, REUSED) > c->reused_capacity) {
		uint32_t oldest = slots_oldest(s, REUSED);

		set(c, oldest, IS_DEMOTED);
		c->demoted++;
		slots_move_newest(s, SCANNED, oldest);
	}
}

static inline void lose_demoted(struct cacheus *c, uint32_t slot)
{
	if (!has(c, slot, IS_DEMOTED))
		return;
	clear(c, slot, IS_DEMOTED);
	c->demoted--;
}

static inline void cacheus_hit(struct cacheus *c, uint32_t slot)
{
	count_time(c);
	c->hits++;
	count_increment(&c->order, &c->slots, slot);
	if (c->slots.slot[slot].list == REUSED) {
		slots_refresh(&c->slots, slot);
		return;
	}
	if (has(c, slot, IS_DEMOTED))
		enlarge_reused(c);
	lose_demoted(c, slot);
	slots_move_newest(&c->slots, REUSED, slot);
	limit_reused(c);
}

static inline void leave_history(struct cacheus *c, uint32_t slot)
{
	if (c->slots.slot[slot].list == LRU_HISTORY && has(c, slot, IS_NEW))
		c->new_in_history--;
	slots_unlink(&c->slots, slot);
}

static inline void cacheus_forget(struct cacheus *c, uint32_t slot)
{
	if (!slots_is_cached(&c->slots, slot)) {
		leave_history(c, slot);
		return;
	}
	lose_demoted(c, slot);
	count_remove(&c->order, &c->slots, slot);
	slots_unlink(&c->slots, slot);
}

static inline void cacheus_remember(struct cacheus *c, uint32_t history, uint32_t slot)
{
	struct cache_slots *s = &c->slots;
	uint32_t oldest = slots_oldest(s, history);

	if (slots_length(s, history) == c->history_capacity) {
		leave_history(c, oldest);
		slots_release(s, oldest);
	}
	slots_remember(s, history, slot);
	if (history == LRU_HISTORY && has(c, slot, IS_NEW))
		c->new_in_history++;
	slots_expect(s, slots_oldest(s, history));
}

/* What the experts agree on is nobody's mistake. */
static inline uint32_t cacheus_make_room(struct cacheus *c)
{
	struct cache_slots *s = &c->slots;
	uint32_t lru = slots_oldest(s, slots_length(s, SCANNED) ? SCANNED : REUSED);
	uint32_t lfu = c->order.newest[count_least(&c->order)];
	bool is_lru = cache_random(&c->random) * 0x1p-32 < c->lru_weight;
	uint32_t victim = is_lru ? lru : lfu;

	lose_demoted(c, victim);
	count_remove(&c->order, s, victim);
	if (lru == lfu || !c->history_capacity) {
		slots_unlink(s, victim);
		slots_release(s, victim);
	} else {
		cacheus_remember(c, is_lru ? LRU_HISTORY : LFU_HISTORY, victim);
	}
	slots_expect(s, slots_oldest(s, SCANNED));
	return victim;
}

static inline void learn(struct cacheus *c, uint32_t slot)
{
	double lru = c->lru_weight, lfu = 1 - lru, factor = exp(-c->rate);

	if (c->slots.slot[slot].list == LRU_HISTORY)
		lru *= factor;
	else
		lfu *= factor;
	c->lru_weight = fmin(fmax(lru / (lru + lfu), WEIGHT_MIN), 1 - WEIGHT_MIN);
}

/* Comes in reused, with the count that it left with and one more. */
static inline void come_back(struct cacheus *c, const struct block_ref *ref, uint32_t remembered)
{
	struct cache_slots *s = &c->slots;
	uint32_t count = count_of(s, remembered) + 1, slot;
	bool was_new = s->slot[remembered].list == LRU_HISTORY && has(c, remembered, IS_NEW);

	leave_history(c, remembered);
	if (was_new)
		enlarge_scanned(c);
	learn(c, remembered);
	slots_release(s, remembered);
	if (s->used == s->capacity)
		cacheus_make_room(c);
	slot = slots_take(s, ref);
	count_add(&c->order, s, slot, count);
	slots_link_newest(s, REUSED, slot);
}

/* Before the cache is full for the first time, nothing tells new blocks from others. */
static inline void come_new(struct cacheus *c, const struct block_ref *ref)
{
	struct cache_slots *s = &c->slots;
	uint32_t scanned = slots_length(s, SCANNED), slot;
	bool fills_reused = !scanned && slots_length(s, REUSED) < c->reused_capacity;
	bool fills = s->used < s->capacity && scanned < s->capacity - c->reused_capacity;

	if (s->used == s->capacity)
		cacheus_make_room(c);
	slot = slots_take(s, ref);
	count_add(&c->order, s, slot, 1);
	slots_link_newest(s, fills_reused ? REUSED : SCANNED, slot);
	if (!fills_reused && !fills)
		set(c, slot, IS_NEW);
}

static inline void cacheus_miss(struct cacheus *c, const struct block_ref *ref, uint32_t remembered)
{
	count_time(c);
	if (remembered)
		come_back(c, ref, remembered);
	else
		come_new(c, ref);
	limit_reused(c);
}

PREFETCHING void cacheus_fetch_ahead(const struct cacheus *c, const struct block_ref *ref,
				     size_t left)
{
	count_fetch_ahead(&c->order, &c->slots, ref, left);
}

CACHE_SLOTS_STEPS(cacheus)
CACHE_SLOTS_LOOP(cacheus, cacheus_fetch_ahead)

static void cacheus_fini(void *state)
{
	struct cacheus *c = state;

	free(c->order.link);
	cache_slots_fini(c);
}

static uint64_t cacheus_history(const struct cacheus *c, uint32_t capacity)
{
	return capacity * c->history_percent / 100;
}

/* The first rate is that of the regret bound. */
static int cacheus_init(void *state, uint32_t capacity)
{
	struct cacheus *c = state;
	uint32_t scanned = (capacity * c->scanned_percent + 50) / 100;

	c->reused_capacity = capacity - (scanned ? scanned : 1);
	c->history_capacity = cacheus_history(c, capacity);
	c->lru_weight = 0.5;
	c->rate = sqrt(2 * M_LN2 / capacity);
	c->first_rate = fmin(fmax(c->rate, RATE_MIN), 1);
	c->random = cache_random_seed(c->seed);
	if (count_order_init(&c->order, LISTS + capacity + 2 * c->history_capacity))
		return -ENOMEM;
	return cache_slots_init_remembering(&c->slots, capacity, CACHED_LISTS,
					    2 * c->history_capacity, LISTS);
}

static uint64_t cacheus_bytes(const void *state, uint32_t capacity)
{
	uint64_t remembered = 2 * cacheus_history(state, capacity);

	return cache_slots_bytes(capacity, remembered, LISTS) +
	       (LISTS + capacity + remembered) * sizeof(union count_link);
}

static const struct parameter cacheus_parameters[] = {
	{"scanned", "percent of the cache that SR begins with", 0, 99, 1,
	 offsetof(struct cacheus, scanned_percent)},
	{"history", "blocks that each history remembers, percent of the cache", 0, 400, 50,
	 offsetof(struct cacheus, history_percent)},
	{"seed", "of the random numbers", 0, UINT64_MAX, 1, offsetof(struct cacheus, seed)},
	{0}};

CACHE_MODEL(cacheus){
	.head =
		{
			.kind = "cache",
			.name = "cacheus",
			.summary = "lecar with scan- and churn-resistant experts, and no fixed "
				   "rate",
			.source = "L. V. Rodriguez, F. Yusuf, S. Lyons, E. Paz, R. Rangaswami, "
				  "J. Liu, M. Zhao, G. Narasimhan, Learning cache replacement with "
				  "CACHEUS, FAST 2021, section 4",
			.parameters = cacheus_parameters,
		},
	.state_bytes = sizeof(struct cacheus),
	.init = cacheus_init,
	.fini = cacheus_fini,
	.bytes = cacheus_bytes,
	CACHE_SLOTS_OPS(cacheus),
};
