/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hyperbolic: of some cached blocks drawn at random, the one leaves that was
 * asked for least often for the time that it has been cached: n / t, n being
 * its references since it came, including the first, and t the number of all
 * references meanwhile. A block that left has no count any more.
 *
 * Section 3 of the paper for blocks of equal cost and size; blocks are drawn
 * with replacement, and of equals the one drawn first leaves. Misses with REF_NO_ALLOCATE
 * are no time. The next victim's candidates are drawn as soon as one has left, so that they
 * can be fetched.
 */
#include "cache_random.h"
#include "cache_row.h"

#define SAMPLES_MAX 256

/* A block's value in the row: when it came in the upper bits, its references in the others. */
#define COUNT_BITS 24
#define COUNT_MASK ((1ull << COUNT_BITS) - 1)
#define AGE_MASK   (UINT64_MAX >> COUNT_BITS)

struct hyperbolic {
	struct cache_slots slots;
	struct cache_row row;
	uint64_t samples, seed;
	uint64_t now, random;
	uint32_t drawn[SAMPLES_MAX];
};

static inline uint32_t candidate(const struct hyperbolic *h, uint32_t i)
{
	return cache_random_below(h->drawn[i], h->row.length);
}

static inline void hyperbolic_draw(struct hyperbolic *h)
{
	for (uint32_t i = 0; i < h->samples; i++) {
		h->drawn[i] = cache_random(&h->random);
		__builtin_prefetch(&h->row.value[candidate(h, i)]);
	}
}

static inline void hyperbolic_hit(struct hyperbolic *h, uint32_t slot)
{
	uint64_t *value = row_value(&h->row, &h->slots, slot);

	h->now++;
	*value += (*value & COUNT_MASK) < COUNT_MASK;
}

static inline void hyperbolic_forget(struct hyperbolic *h, uint32_t slot)
{
	row_leave_hole(&h->row, &h->slots, slot);
}

/* The place of the candidate with the least n / t: fractions are compared by their cross products. */
static inline uint32_t hyperbolic_choose(const struct hyperbolic *h)
{
	uint64_t count, age, least_count = 1, least_age = 0;
	uint32_t victim = 0;

	for (uint32_t i = 0; i < h->samples; i++) {
		uint32_t place = candidate(h, i);

		count = h->row.value[place] & COUNT_MASK;
		age = (h->now - (h->row.value[place] >> COUNT_BITS)) & AGE_MASK;
		if (i && count * least_age >= least_count * age)
			continue;
		victim = place;
		least_count = count;
		least_age = age;
	}
	return victim;
}

static inline uint32_t hyperbolic_make_room(struct hyperbolic *h)
{
	uint32_t place = hyperbolic_choose(h), slot = h->row.slot[place];

	row_move_last(&h->row, &h->slots, place);
	slots_release(&h->slots, slot);
	hyperbolic_draw(h);
	return slot;
}

static inline void hyperbolic_miss(struct hyperbolic *h, const struct block_ref *ref,
				   uint32_t remembered)
{
	h->now++;
	if (h->slots.used == h->slots.capacity)
		hyperbolic_make_room(h);
	row_add_value(&h->row, &h->slots, slots_take(&h->slots, ref), h->now << COUNT_BITS | 1);
}

PREFETCHING void hyperbolic_fetch_ahead(const struct hyperbolic *h, const struct block_ref *ref,
					size_t left)
{
	row_fetch_ahead(&h->row, &h->slots, ref, left);
}

CACHE_SLOTS_STEPS(hyperbolic)
CACHE_SLOTS_LOOP(hyperbolic, hyperbolic_fetch_ahead)

static uint32_t hyperbolic_discard(void *state, uint64_t first, uint64_t count)
{
	struct hyperbolic *h = state;
	uint32_t left = hyperbolic_remove(h, first, count);

	row_fill_holes(&h->row, &h->slots);
	return left;
}

static void hyperbolic_fini(void *state)
{
	struct hyperbolic *h = state;

	row_fini(&h->row);
	cache_slots_fini(h);
}

static int hyperbolic_init(void *state, uint32_t capacity)
{
	struct hyperbolic *h = state;

	h->random = cache_random_seed(h->seed);
	if (row_init_values(&h->row, capacity))
		return -ENOMEM;
	hyperbolic_draw(h);
	return cache_slots_init_one_list(h, capacity);
}

static uint64_t hyperbolic_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes_one_list(state, capacity) + row_bytes_values(capacity);
}

static const struct parameter hyperbolic_parameters[] = {
	{"samples", "blocks drawn for an eviction", 1, SAMPLES_MAX, 64,
	 offsetof(struct hyperbolic, samples)},
	{"seed", "of the random numbers", 0, UINT64_MAX, 1, offsetof(struct hyperbolic, seed)},
	{0}};

CACHE_MODEL(hyperbolic){
	.head =
		{
			.kind = "cache",
			.name = "hyperbolic",
			.summary = "least often for its time in the cache, of some drawn",
			.source = "A. Blankstein, S. Sen, M. J. Freedman, Hyperbolic caching: "
				  "flexible caching for web applications, USENIX ATC 2017, "
				  "section 3",
			.parameters = hyperbolic_parameters,
		},
	.state_bytes = sizeof(struct hyperbolic),
	.init = hyperbolic_init,
	.fini = hyperbolic_fini,
	.bytes = hyperbolic_bytes,
	.access = hyperbolic_access,
	.contains = cache_slots_contains,
	.remove = hyperbolic_discard,
	.set_class = cache_slots_set_class,
	.evict = hyperbolic_evict,
	.contents = cache_slots_contents,
};
