/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lhd: of some cached blocks drawn at random, the one with the least hit density
 * leaves: the hits to be expected of it for the time in the cache that they will
 * take. Blocks are of one class whose last two references were similarly far
 * from those before; of a class and an age, which is the time since the last
 * reference, the density is
 *
 *	sum of hits(b), b >= age  /  sum of events(c), c >= b >= age
 *
 * hits(b) and events(b) being how often a block of the class and age b was hit,
 * and either was hit or left. Both are counted, and `period` times for each block of capacity
 * the densities are computed anew and the counts decay.
 *
 * Sections 3 and 4 of the paper for blocks of equal size, with the authors' choices: 32
 * blocks are drawn, and the last 8 that came with a density below that of recent victims are
 * looked at, too. One of 32 references makes its block an explorer, whose density is
 * higher by 1 until its next one, if there are few of them. An age is in units of
 * a power of two, so that ages reach 20 times the capacity, in references; who is older has
 * density 0. Sizes being equal, the capacity tells the unit from the beginning.
 * At first the density is (class + 1) / (age + 1).
 */
#include "cache_random.h"
#include "cache_row.h"

#define SAMPLES_MAX    256
#define RECENT	       8
#define AGES_CAPACITY  20
#define DECAY	       0.9f
#define EXPLORE_SHIFT  27 /* one of 32 random numbers of 32 bits is 0 behind it */
#define EXPLORER_BONUS 1

/* A block's value in the row, from the lowest bits on; above, the time of its last reference. */
#define LAST_AGE_BITS 16
#define CLASS_BITS    5
#define TIME_SHIFT    (LAST_AGE_BITS + CLASS_BITS + 1)
#define EXPLORER      (1ull << (TIME_SHIFT - 1))
#define TIME_MASK     (UINT64_MAX >> TIME_SHIFT)

struct lhd {
	struct cache_slots slots; /* mark: place in recent, from 1, or 0 */
	struct cache_row row;
	uint64_t samples, ages, classes, period, explorers_percent, seed;
	float *hits, *evictions, *density; /* of each class and age */
	unsigned int age_shift;
	uint64_t now, references_left, sample_random, explore_random;
	uint32_t explorers_left, recent_next;
	uint32_t recent[RECENT];
	float victim_density; /* decaying mean */
	uint32_t drawn[SAMPLES_MAX];
};

static inline uint32_t class_of(uint64_t value)
{
	return value >> LAST_AGE_BITS & ((1u << CLASS_BITS) - 1);
}

static inline uint64_t age_of(const struct lhd *l, uint64_t value)
{
	uint64_t age = ((l->now - (value >> TIME_SHIFT)) & TIME_MASK) >> l->age_shift;

	return age < l->ages ? age : l->ages - 1;
}

/* Of the block's class and age, in each table. */
static inline size_t entry_of(const struct lhd *l, uint64_t value)
{
	return class_of(value) * l->ages + age_of(l, value);
}

static inline float rank_of(const struct lhd *l, uint64_t value)
{
	return l->density[entry_of(l, value)] + (value & EXPLORER ? EXPLORER_BONUS : 0);
}

/* The class after a hit: how often the sum of the two ages can be doubled. */
static inline uint64_t class_of_ages(const struct lhd *l, uint64_t sum)
{
	uint64_t class = 0;

	while (sum < l->ages && class < l->classes - 1) {
		sum *= 2;
		class ++;
	}
	return class;
}

static void compute_densities(struct lhd *l, float *hits, float *evictions, float *density)
{
	float hits_from = 0, events_from = 0, lifetime = 0;

	for (size_t age = l->ages; age-- > 0;) {
		hits[age] *= DECAY;
		evictions[age] *= DECAY;
		hits_from += hits[age];
		events_from += hits[age] + evictions[age];
		lifetime += events_from;
		density[age] = lifetime > 0 && age < l->ages - 1 ? hits_from / lifetime : 0;
	}
}

static void reconfigure(struct lhd *l)
{
	for (size_t i = 0; i < l->classes * l->ages; i += l->ages)
		compute_densities(l, l->hits + i, l->evictions + i, l->density + i);
}

static uint64_t references_a_period(const struct lhd *l)
{
	uint64_t references = l->slots.capacity * l->period, entries = l->classes * l->ages;

	return references > entries ? references : entries;
}

static inline void count_time(struct lhd *l)
{
	l->now++;
	if (--l->references_left)
		return;
	reconfigure(l);
	l->references_left = references_a_period(l);
}

/* A referenced block's new value. */
static inline uint64_t value_now(struct lhd *l, uint64_t class, uint64_t last_age)
{
	uint64_t value = l->now << TIME_SHIFT | class << LAST_AGE_BITS | last_age;

	if (cache_random(&l->explore_random) >> EXPLORE_SHIFT || !l->explorers_left)
		return value;
	l->explorers_left--;
	return value | EXPLORER;
}

static inline void stop_exploring(struct lhd *l, uint64_t value)
{
	l->explorers_left += (value & EXPLORER) != 0;
}

static inline void lhd_hit(struct lhd *l, uint32_t slot)
{
	uint64_t *value = row_value(&l->row, &l->slots, slot), age, last_age;

	count_time(l);
	l->hits[entry_of(l, *value)]++;
	stop_exploring(l, *value);
	age = age_of(l, *value);
	last_age = *value & ((1u << LAST_AGE_BITS) - 1);
	*value = value_now(l, class_of_ages(l, age + last_age), age);
}

static inline void forget_recent(struct lhd *l, uint32_t slot)
{
	uint16_t *place = &l->slots.slot[slot].mark;

	if (*place)
		l->recent[*place - 1] = 0;
	*place = 0;
}

static inline void lhd_forget(struct lhd *l, uint32_t slot)
{
	stop_exploring(l, *row_value(&l->row, &l->slots, slot));
	forget_recent(l, slot);
	row_leave_hole(&l->row, &l->slots, slot);
}

static inline uint32_t candidate(const struct lhd *l, uint32_t i)
{
	return cache_random_below(l->drawn[i], l->row.length);
}

static inline void lhd_draw(struct lhd *l)
{
	for (uint32_t i = 0; i < l->samples; i++) {
		l->drawn[i] = cache_random(&l->sample_random);
		__builtin_prefetch(&l->row.value[candidate(l, i)]);
	}
}

/* The place in the row of the one with the least rank. */
static inline uint32_t lhd_choose(const struct lhd *l, float *least)
{
	uint32_t victim = candidate(l, 0);

	*least = rank_of(l, l->row.value[victim]);
	for (uint32_t i = 1; i < l->samples + RECENT; i++) {
		uint32_t recent = i < l->samples ? 0 : l->recent[i - l->samples], place;
		float rank;

		if (i >= l->samples && !recent)
			continue;
		place = recent ? l->slots.slot[recent].newer : candidate(l, i);
		rank = rank_of(l, l->row.value[place]);
		if (rank < *least) {
			*least = rank;
			victim = place;
		}
	}
	return victim;
}

static inline uint32_t lhd_make_room(struct lhd *l)
{
	float rank;
	uint32_t place = lhd_choose(l, &rank), slot = l->row.slot[place];
	uint64_t value = l->row.value[place];

	l->victim_density = DECAY * l->victim_density + (1 - DECAY) * rank;
	l->evictions[entry_of(l, value)]++;
	stop_exploring(l, value);
	forget_recent(l, slot);
	row_move_last(&l->row, &l->slots, place);
	slots_release(&l->slots, slot);
	lhd_draw(l);
	return slot;
}

static inline void remember_recent(struct lhd *l, uint32_t slot)
{
	uint32_t place = l->recent_next++ % RECENT;

	if (l->recent[place])
		l->slots.slot[l->recent[place]].mark = 0;
	l->recent[place] = slot;
	l->slots.slot[slot].mark = place + 1;
}

static inline void lhd_miss(struct lhd *l, const struct block_ref *ref, uint32_t remembered)
{
	uint32_t slot;
	uint64_t value;

	count_time(l);
	if (l->slots.used == l->slots.capacity)
		lhd_make_room(l);
	slot = slots_take(&l->slots, ref);
	value = value_now(l, 0, 0);
	row_add_value(&l->row, &l->slots, slot, value);
	if (rank_of(l, value) < l->victim_density)
		remember_recent(l, slot);
}

PREFETCHING void lhd_fetch_ahead(const struct lhd *l, const struct block_ref *ref, size_t left)
{
	row_fetch_ahead(&l->row, &l->slots, ref, left);
}

CACHE_SLOTS_STEPS(lhd)
CACHE_SLOTS_LOOP(lhd, lhd_fetch_ahead)

static uint32_t lhd_discard(void *state, uint64_t first, uint64_t count)
{
	struct lhd *l = state;
	uint32_t left = lhd_remove(l, first, count);

	row_fill_holes(&l->row, &l->slots);
	return left;
}

static void lhd_fini(void *state)
{
	struct lhd *l = state;

	free(l->hits);
	free(l->evictions);
	free(l->density);
	row_fini(&l->row);
	cache_slots_fini(l);
}

static int lhd_init_tables(struct lhd *l)
{
	size_t entries = l->classes * l->ages;

	l->hits = calloc(entries, sizeof(*l->hits));
	l->evictions = calloc(entries, sizeof(*l->evictions));
	l->density = calloc(entries, sizeof(*l->density));
	if (!l->hits || !l->evictions || !l->density)
		return -ENOMEM;
	for (size_t i = 0; i < entries; i++)
		if (i % l->ages < l->ages - 1)
			l->density[i] = (i / l->ages + 1.f) / (i % l->ages + 1.f);
	return 0;
}

static int lhd_init(void *state, uint32_t capacity)
{
	struct lhd *l = state;
	int rc = cache_slots_init_one_list(l, capacity);

	while (l->ages << l->age_shift < (uint64_t)capacity * AGES_CAPACITY)
		l->age_shift++;
	l->references_left = references_a_period(l);
	l->explorers_left = capacity * l->explorers_percent / 100;
	l->sample_random = cache_random_seed(l->seed);
	l->explore_random = cache_random_seed(~l->seed);
	if (rc || row_init_values(&l->row, capacity) || lhd_init_tables(l))
		return -ENOMEM;
	lhd_draw(l);
	return 0;
}

static uint64_t lhd_bytes(const void *state, uint32_t capacity)
{
	const struct lhd *l = state;

	return cache_slots_bytes_one_list(l, capacity) + row_bytes_values(capacity) +
	       l->classes * l->ages *
		       (sizeof(*l->hits) + sizeof(*l->evictions) + sizeof(*l->density));
}

static const struct parameter lhd_parameters[] = {
	{"samples", "blocks drawn for an eviction", 1, SAMPLES_MAX, 32,
	 offsetof(struct lhd, samples)},
	{"ages", "that are told apart", 2, 1 << LAST_AGE_BITS, 4096, offsetof(struct lhd, ages)},
	{"classes", "of blocks by their last two ages", 1, (1 << CLASS_BITS) - 1, 16,
	 offsetof(struct lhd, classes)},
	{"period",
	 "references a block of capacity after which densities are computed; at least "
	 "classes times ages in all",
	 1, 1000, 10, offsetof(struct lhd, period)},
	{"explorers", "most explorers, percent of the cache", 0, 50, 1,
	 offsetof(struct lhd, explorers_percent)},
	{"seed", "of the random numbers", 0, UINT64_MAX, 1, offsetof(struct lhd, seed)},
	{0}};

CACHE_MODEL(lhd){
	.head =
		{
			.kind = "cache",
			.name = "lhd",
			.summary = "least hit density, of some drawn",
			.source =
				"N. Beckmann, H. Chen, A. Cidon, LHD: improving cache hit rate by "
				"maximizing hit density, NSDI 2018, sections 3 and 4",
			.parameters = lhd_parameters,
		},
	.state_bytes = sizeof(struct lhd),
	.init = lhd_init,
	.fini = lhd_fini,
	.bytes = lhd_bytes,
	.access = lhd_access,
	.contains = cache_slots_contains,
	.remove = lhd_discard,
	.set_class = cache_slots_set_class,
	.evict = lhd_evict,
	.contents = cache_slots_contents,
};
