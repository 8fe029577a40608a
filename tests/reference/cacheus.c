/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The random numbers are the model's. */
#include <math.h>
#include <string.h>

#include "models/cache/cache_random.h"
#include "reference.h"

enum { R, SR, LRU_HISTORY, LFU_HISTORY };

/* of the numbers of a block; its moment is that when it came into its list or was hit there */
#define COUNT	0
#define REACHED 1 /* the moment when its count became what it is */
#define NEW	2
#define DEMOTED 3

/* of the policy's table */
enum { RANDOM, HISTORY, R_SIZE, TIME, HITS, LAST_RATIO, ZEROES, FALLS, DOUBLES };
/* and, as bits of doubles, behind DOUBLES */
enum { LRU_WEIGHT, RATE, LAST_RATE, FIRST_RATE };

static double get(const struct reference *r, int which)
{
	double d;

	memcpy(&d, &r->table[DOUBLES + which], sizeof(d));
	return d;
}

static void set(struct reference *r, int which, double d)
{
	memcpy(&r->table[DOUBLES + which], &d, sizeof(d));
}

static double limited(double d, double least, double most)
{
	return d < least ? least : d > most ? most : d;
}

/* C_demoted: demoted blocks in SR. C_new: new ones in the history of sr-lru. */
static uint32_t how_many(const struct reference *r, int list, int number)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < r->blocks; i++)
		sum += r->at[i].list == list && r->at[i].number[number];
	return sum;
}

static int ratio(uint32_t a, uint32_t b)
{
	int rounded = a / (b ? (double)b : 1.) + 0.5;

	return rounded > 1 ? rounded : 1;
}

/* The share of R changes by so many blocks; it and that of SR have at least one, if they can. */
static void resize(struct reference *r, int by)
{
	int size = (int)r->table[R_SIZE] + by;

	if (size > (int)r->capacity - 1)
		size = r->capacity - 1;
	if (size < 1)
		size = r->capacity > 1 ? 1 : 0;
	r->table[R_SIZE] = size;
}

static void enter(struct reference *r, struct reference_block *b, int list)
{
	b->list = list;
	b->moment = reference_now(r);
}

static void demote_from_r(struct reference *r)
{
	while (reference_length(r, R) > r->table[R_SIZE]) {
		struct reference_block *b = reference_oldest(r, R);

		b->number[DEMOTED] = 1;
		enter(r, b, SR);
	}
}

static void move_rate_at_random(struct reference *r)
{
	double rate = get(r, RATE);

	if (rate >= 1)
		set(r, RATE, 0.9);
	else if (rate <= 0.001)
		set(r, RATE, 0.005);
	else if (cache_random(&r->table[RANDOM]) % 2)
		set(r, RATE, limited(rate * 1.25, 0.001, 1));
	else
		set(r, RATE, limited(rate * 0.75, 0.001, 1));
}

static void update_rate(struct reference *r)
{
	int hit_ratio = floor(r->table[HITS] * 1000. / r->capacity + 0.5);
	int rise = hit_ratio - (int)r->table[LAST_RATIO];
	double rate = get(r, RATE);
	double moved = (floor(rate * 1000 + 0.5) - floor(get(r, LAST_RATE) * 1000 + 0.5)) / 1000;

	if (moved * rise > 0)
		set(r, RATE, limited(rate + rate * fabs(moved), 0.001, 1));
	if (moved * rise < 0)
		set(r, RATE, limited(rate - rate * fabs(moved), 0.001, 1));
	if (moved * rise != 0)
		r->table[ZEROES] = r->table[FALLS] = 0;
	if (moved * rise == 0 && rise <= 0) {
		if (rise < 0)
			r->table[FALLS]++;
		if (rise < 0 || hit_ratio == 0)
			r->table[ZEROES]++;
		if (r->table[ZEROES] >= 10 || r->table[FALLS] >= 10) {
			set(r, RATE, get(r, FIRST_RATE));
			r->table[ZEROES] = r->table[FALLS] = 0;
		} else if (rise < 0) {
			move_rate_at_random(r);
		}
	}
	set(r, LAST_RATE, rate);
	r->table[LAST_RATIO] = hit_ratio;
	r->table[HITS] = 0;
}

static void tick(struct reference *r)
{
	r->table[TIME]++;
	if (r->table[TIME] % r->capacity == 0)
		update_rate(r);
}

static void count(struct reference *r, struct reference_block *b, uint64_t by)
{
	b->number[COUNT] += by;
	b->number[REACHED] = reference_now(r);
}

static void hit(struct reference *r, struct reference_block *b)
{
	tick(r);
	r->table[HITS]++;
	count(r, b, 1);
	if (b->list == SR && b->number[DEMOTED])
		resize(r, ratio(how_many(r, LRU_HISTORY, NEW), how_many(r, SR, DEMOTED)));
	b->number[DEMOTED] = 0;
	enter(r, b, R);
	demote_from_r(r);
}

/* cr-lfu's victim: of the least counts the one that reached it last. */
static struct reference_block *least_counted(struct reference *r)
{
	struct reference_block *least = NULL;

	for (uint32_t i = 0; i < r->blocks; i++) {
		struct reference_block *b = &r->at[i];

		if (b->cached && (!least || b->number[COUNT] < least->number[COUNT] ||
				  (b->number[COUNT] == least->number[COUNT] &&
				   b->number[REACHED] > least->number[REACHED])))
			least = b;
	}
	return least;
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *lru = reference_oldest(r, SR), *lfu = least_counted(r), *victim;
	double chance = cache_random(&r->table[RANDOM]) / 4294967296.;
	int history = chance < get(r, LRU_WEIGHT) ? LRU_HISTORY : LFU_HISTORY;
	uint64_t block;

	if (!lru)
		lru = reference_oldest(r, R);
	victim = history == LRU_HISTORY ? lru : lfu;
	block = victim->block;
	if (lru == lfu)
		return reference_drop(r, victim);
	victim->number[DEMOTED] = 0;
	reference_remember(r, victim, history);
	if (reference_length(r, history) > r->capacity * r->table[HISTORY] / 100)
		reference_drop(r, reference_oldest(r, history));
	return block;
}

static void update_weights(struct reference *r, int history)
{
	double lru = get(r, LRU_WEIGHT), lfu = 1 - lru;

	if (history == LRU_HISTORY)
		lru *= exp(-get(r, RATE));
	else
		lfu *= exp(-get(r, RATE));
	set(r, LRU_WEIGHT, limited(lru / (lru + lfu), 0.01, 0.99));
}

static void come_back(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	struct reference_block was = *b;

	reference_drop(r, b);
	if (was.list == LRU_HISTORY && was.number[NEW])
		resize(r, -ratio(how_many(r, SR, DEMOTED), how_many(r, LRU_HISTORY, NEW)));
	update_weights(r, was.list);
	if (reference_is_full(r))
		evict(r);
	count(r, reference_add(r, ref, R), was.number[COUNT] + 1);
}

static void come_new(struct reference *r, const struct block_ref *ref)
{
	uint32_t in_sr = reference_length(r, SR);
	bool full = reference_is_full(r);
	struct reference_block *b;

	if (full)
		evict(r);
	b = reference_add(r, ref, SR);
	count(r, b, 1);
	if (in_sr == 0 && reference_length(r, R) < r->table[R_SIZE] && !full)
		b->list = R;
	else
		b->number[NEW] = full || in_sr >= r->capacity - r->table[R_SIZE];
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	tick(r);
	if (b)
		come_back(r, ref, b);
	else
		come_new(r, ref);
	demote_from_r(r);
}

static void init(struct reference *r, uint64_t seed, uint64_t scanned, uint64_t history)
{
	uint32_t sr = r->capacity * scanned / 100. + 0.5;

	r->table[RANDOM] = cache_random_seed(seed);
	r->table[HISTORY] = history;
	r->table[R_SIZE] = r->capacity - (sr ? sr : 1);
	set(r, LRU_WEIGHT, 0.5);
	set(r, RATE, sqrt(2 * log(2) / r->capacity));
	set(r, FIRST_RATE, limited(get(r, RATE), 0.001, 1));
}

static void init_preset(struct reference *r)
{
	init(r, 1, 1, 50);
}

static void init_other(struct reference *r)
{
	init(r, 77, 40, 200);
}

REFERENCE_POLICY(cacheus){
	.spec = "cacheus", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(cacheus_other){.spec = "cacheus:seed=77,scanned=40,history=200",
				.init = init_other,
				.hit = hit,
				.miss = miss,
				.evict = evict};
