/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The random numbers are the model's. */
#include <math.h>
#include <string.h>

#include "models/cache/cache_random.h"
#include "reference.h"

enum { CACHE, LRU_HISTORY, LFU_HISTORY };

/* of the numbers of a block; its moment is that of its last reference */
#define COUNT	 0
#define REACHED	 1 /* the moment when its count became what it is */
#define LEFT	 2 /* the time when it did */
/* of the policy's */
#define RANDOM	 0
#define NOW	 1
#define RATE	 2
#define DISCOUNT 3
#define HISTORY	 4
#define WEIGHTS	 5 /* of lru, then of lfu: bits of a double */

static double weight(const struct reference *r, int list)
{
	double w;

	memcpy(&w, &r->number[WEIGHTS + list - LRU_HISTORY], sizeof(w));
	return w;
}

static void set_weight(struct reference *r, int list, double w)
{
	memcpy(&r->number[WEIGHTS + list - LRU_HISTORY], &w, sizeof(w));
}

static void hit(struct reference *r, struct reference_block *b)
{
	r->number[NOW]++;
	b->moment = reference_now(r);
	b->number[COUNT]++;
	b->number[REACHED] = reference_now(r);
}

static struct reference_block *least_counted(struct reference *r)
{
	struct reference_block *least = NULL;

	for (uint32_t i = 0; i < r->blocks; i++) {
		struct reference_block *b = &r->at[i];

		if (b->cached && (!least || b->number[COUNT] < least->number[COUNT] ||
				  (b->number[COUNT] == least->number[COUNT] &&
				   b->number[REACHED] < least->number[REACHED])))
			least = b;
	}
	return least;
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *lru = reference_oldest(r, CACHE), *lfu = least_counted(r);
	double chance = cache_random(&r->number[RANDOM]) / 4294967296.;
	int history = chance < weight(r, LRU_HISTORY) ? LRU_HISTORY : LFU_HISTORY;
	struct reference_block *victim = history == LRU_HISTORY ? lru : lfu;
	uint32_t room = r->capacity * r->number[HISTORY] / 100;
	uint64_t block = victim->block;

	if (lru == lfu)
		return reference_drop(r, victim);
	reference_remember(r, victim, history);
	victim->number[LEFT] = r->number[NOW];
	if (reference_length(r, history) > room)
		reference_drop(r, reference_oldest(r, history));
	return block;
}

/* Algorithm 2: the other expert's weight grows. */
static void update_weights(struct reference *r, const struct reference_block *b)
{
	int other = b->list == LRU_HISTORY ? LFU_HISTORY : LRU_HISTORY;
	double d = pow(r->number[DISCOUNT] / 1000., 1. / r->capacity);
	double reward = pow(d, r->number[NOW] - b->number[LEFT]);
	double sum, lru;

	set_weight(r, other, weight(r, other) * exp(r->number[RATE] / 1000. * reward));
	sum = weight(r, LRU_HISTORY) + weight(r, LFU_HISTORY);
	lru = weight(r, LRU_HISTORY) / sum;
	if (lru < 0.01)
		lru = 0.01;
	if (lru > 0.99)
		lru = 0.99;
	set_weight(r, LRU_HISTORY, lru);
	set_weight(r, LFU_HISTORY, 1 - lru);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	uint64_t count = 0;

	r->number[NOW]++;
	if (b) {
		count = b->number[COUNT];
		update_weights(r, b);
		reference_drop(r, b);
	}
	if (reference_is_full(r))
		evict(r);
	b = reference_add(r, ref, CACHE);
	b->number[COUNT] = count + 1;
	b->number[REACHED] = reference_now(r);
}

static void init(struct reference *r, uint64_t seed, uint64_t rate, uint64_t discount,
		 uint64_t history)
{
	r->number[RANDOM] = cache_random_seed(seed);
	r->number[RATE] = rate;
	r->number[DISCOUNT] = discount;
	r->number[HISTORY] = history;
	set_weight(r, LRU_HISTORY, 0.5);
	set_weight(r, LFU_HISTORY, 0.5);
}

static void init_preset(struct reference *r)
{
	init(r, 1, 450, 5, 50);
}

static void init_other(struct reference *r)
{
	init(r, 77, 900, 500, 130);
}

REFERENCE_POLICY(lecar){
	.spec = "lecar", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(lecar_other){.spec = "lecar:seed=77,rate=900,discount=500,history=130",
			      .init = init_other,
			      .hit = hit,
			      .miss = miss,
			      .evict = evict};
