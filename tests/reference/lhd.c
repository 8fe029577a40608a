/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The random numbers are the model's, and so is the row in which blocks stand: the last
 * takes the place of one that leaves, as in the reference's own array. Sums are of floats,
 * too, and begin with the oldest age, so that they are rounded in the same way.
 */
#include <string.h>

#include "models/cache/cache_random.h"
#include "reference.h"

/* of the numbers of a block */
#define LAST_REFERENCE	0
#define LAST_AGE	1 /* at its last hit, and at the one before it */
#define AGE_BEFORE	2
#define EXPLORER	3
#define RECENT		4 /* the number of its arrival among those of low density */
/* of the policy's */
#define SAMPLES		0
#define EXPLORERS	1 /* percent of the capacity */
#define SAMPLE_RANDOM	2
#define EXPLORE_RANDOM	3
#define NOW		4
#define RECENT_ARRIVALS 5

#define CLASSES_MAX 16
#define AGES_MAX    64

struct tables {
	uint32_t classes, ages, period;
	float hits[CLASSES_MAX][AGES_MAX], evictions[CLASSES_MAX][AGES_MAX];
	float density[CLASSES_MAX][AGES_MAX];
	float victim_density;
};
_Static_assert(sizeof(struct tables) <= REFERENCE_TABLE * sizeof(uint64_t), "no room");

static struct tables *tables(struct reference *r)
{
	return (struct tables *)r->table;
}

/* In units that let `ages` of them reach 20 times the capacity. */
static uint32_t age(struct reference *r, const struct reference_block *b)
{
	const struct tables *t = tables(r);
	uint64_t unit = 1, units;

	while (t->ages * unit < 20 * r->capacity)
		unit *= 2;
	units = (r->number[NOW] - b->number[LAST_REFERENCE]) / unit;
	return units < t->ages ? units : t->ages - 1;
}

/* By the sum of its last two ages, each class half of the one before; a new block is old. */
static uint32_t class(struct reference *r, const struct reference_block *b)
{
	const struct tables *t = tables(r);
	uint64_t sum = b->number[LAST_AGE] + b->number[AGE_BEFORE];

	for (uint32_t c = 0; c < t->classes; c++)
		if (sum << c >= t->ages)
			return c;
	return t->classes - 1;
}

static float rank(struct reference *r, const struct reference_block *b)
{
	return tables(r)->density[class(r, b)][age(r, b)] + (b->number[EXPLORER] ? 1 : 0);
}

static float density(const struct tables *t, uint32_t class, uint32_t age)
{
	float hits = 0, events = 0, lifetime = 0;

	if (age == t->ages - 1)
		return 0;
	for (uint32_t a = t->ages; a-- > age;) {
		hits += t->hits[class][a];
		events += t->hits[class][a] + t->evictions[class][a];
		lifetime += events;
	}
	return lifetime > 0 ? hits / lifetime : 0;
}

static void tick(struct reference *r)
{
	struct tables *t = tables(r);
	uint64_t every = r->capacity * t->period;

	if (every < t->classes * t->ages)
		every = t->classes * t->ages;
	if (++r->number[NOW] % every)
		return;
	for (uint32_t c = 0; c < t->classes; c++) {
		for (uint32_t a = 0; a < t->ages; a++) {
			t->hits[c][a] *= 0.9f;
			t->evictions[c][a] *= 0.9f;
		}
		for (uint32_t a = 0; a < t->ages; a++)
			t->density[c][a] = density(t, c, a);
	}
}

static void maybe_explore(struct reference *r, struct reference_block *b)
{
	uint32_t explorers = 0;

	for (uint32_t i = 0; i < r->blocks; i++)
		explorers += r->at[i].number[EXPLORER];
	if (cache_random(&r->number[EXPLORE_RANDOM]) < 1u << 27)
		b->number[EXPLORER] = explorers < r->capacity * r->number[EXPLORERS] / 100;
}

static void hit(struct reference *r, struct reference_block *b)
{
	uint32_t now;

	tick(r);
	now = age(r, b);
	tables(r)->hits[class(r, b)][now]++;
	b->number[AGE_BEFORE] = b->number[LAST_AGE];
	b->number[LAST_AGE] = now;
	b->number[LAST_REFERENCE] = r->number[NOW];
	b->number[EXPLORER] = 0;
	maybe_explore(r, b);
}

/* One of the last 8 arrivals of low density, if it is still there. */
static struct reference_block *recent(struct reference *r, uint32_t place)
{
	for (uint32_t i = 0; i < r->blocks; i++) {
		uint64_t number = r->at[i].number[RECENT];

		if (number && number + 8 > r->number[RECENT_ARRIVALS] && (number - 1) % 8 == place)
			return &r->at[i];
	}
	return NULL;
}

static uint64_t evict(struct reference *r)
{
	struct tables *t = tables(r);
	struct reference_block *victim = NULL;

	for (uint64_t i = 0; i < r->number[SAMPLES]; i++) {
		uint32_t random = cache_random(&r->number[SAMPLE_RANDOM]);
		struct reference_block *b = &r->at[cache_random_below(random, r->blocks)];

		if (!victim || rank(r, b) < rank(r, victim))
			victim = b;
	}
	for (uint32_t place = 0; place < 8; place++) {
		struct reference_block *b = recent(r, place);

		if (b && rank(r, b) < rank(r, victim))
			victim = b;
	}
	t->victim_density = 0.9f * t->victim_density + (1 - 0.9f) * rank(r, victim);
	t->evictions[class(r, victim)][age(r, victim)]++;
	return reference_drop(r, victim);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	tick(r);
	if (reference_is_full(r))
		evict(r);
	b = reference_add(r, ref, 0);
	b->number[AGE_BEFORE] = tables(r)->ages;
	b->number[LAST_REFERENCE] = r->number[NOW];
	maybe_explore(r, b);
	if (rank(r, b) < tables(r)->victim_density)
		b->number[RECENT] = ++r->number[RECENT_ARRIVALS];
}

static void init(struct reference *r, uint64_t seed, uint32_t classes, uint32_t ages)
{
	struct tables *t = tables(r);

	r->number[SAMPLE_RANDOM] = cache_random_seed(seed);
	r->number[EXPLORE_RANDOM] = cache_random_seed(~seed);
	t->classes = classes;
	t->ages = ages;
	for (uint32_t c = 0; c < classes; c++)
		for (uint32_t a = 0; a + 1 < ages; a++)
			t->density[c][a] = (c + 1.f) / (a + 1.f);
}

static void init_16_classes(struct reference *r)
{
	init(r, 1, 16, 32);
	r->number[SAMPLES] = 32;
	r->number[EXPLORERS] = 20;
	tables(r)->period = 10;
}

static void init_4_classes(struct reference *r)
{
	init(r, 77, 4, 16);
	r->number[SAMPLES] = 3;
	r->number[EXPLORERS] = 50;
	tables(r)->period = 2;
}

REFERENCE_POLICY(lhd_16){.spec = "lhd:ages=32,explorers=20",
			 .init = init_16_classes,
			 .hit = hit,
			 .miss = miss,
			 .evict = evict};
REFERENCE_POLICY(lhd_4){.spec = "lhd:ages=16,classes=4,samples=3,period=2,explorers=50,seed=77",
			.init = init_4_classes,
			.hit = hit,
			.miss = miss,
			.evict = evict};
