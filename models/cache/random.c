/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * random: each cached block is as likely to leave as any other (RAND in the source).
 *
 * The slots of cached blocks stand in a row, and a slot knows its place. When one
 * leaves, the last of the row takes its place; when several leave at once,
 * places are filled from the lowest on, so that the row doesn't depend on
 * the order in which a discard's blocks are found. The number that
 * the next victim is drawn by is drawn early, so that it can be fetched.
 */
#include "cache_random.h"
#include "cache_slots.h"

struct random {
	struct cache_slots slots; /* in no list: `newer` is the place in the row */
	uint64_t seed;
	uint32_t *row; /* 0: a hole, until the discard is over */
	uint32_t length, holes, lowest_hole;
	uint64_t state;
	uint32_t drawn;
};

static inline void random_hit(struct random *r, uint32_t slot)
{
}

static inline void set_place(struct random *r, uint32_t place, uint32_t slot)
{
	r->row[place] = slot;
	r->slots.slot[slot].newer = place;
}

static inline void random_insert(struct random *r, uint32_t slot)
{
	set_place(r, r->length++, slot);
}

static inline uint32_t random_victim(struct random *r)
{
	uint32_t place = cache_random_below(r->drawn, r->length), victim = r->row[place];

	set_place(r, place, r->row[--r->length]);
	r->drawn = cache_random(&r->state);
	__builtin_prefetch(&r->slots.slot[r->row[cache_random_below(r->drawn, r->length)]]);
	return victim;
}

static inline void random_forget(struct random *r, uint32_t slot)
{
	uint32_t place = r->slots.slot[slot].newer;

	r->row[place] = 0;
	if (!r->holes++ || place < r->lowest_hole)
		r->lowest_hole = place;
}
CACHE_SLOTS_MODEL(random)

static void drop_holes_at_end(struct random *r)
{
	while (r->holes && !r->row[r->length - 1]) {
		r->length--;
		r->holes--;
	}
}

static void fill_holes(struct random *r)
{
	drop_holes_at_end(r);
	for (uint32_t place = r->lowest_hole; r->holes; place++) {
		if (r->row[place])
			continue;
		set_place(r, place, r->row[--r->length]);
		r->holes--;
		drop_holes_at_end(r);
	}
}

static uint32_t random_discard(void *state, uint64_t first, uint64_t count)
{
	uint32_t left = random_remove(state, first, count);

	fill_holes(state);
	return left;
}

static void random_fini(void *state)
{
	struct random *r = state;

	free(r->row);
	cache_slots_fini(r);
}

static int random_init(void *state, uint32_t capacity)
{
	struct random *r = state;

	r->state = cache_random_seed(r->seed);
	r->drawn = cache_random(&r->state);
	r->row = calloc(capacity, sizeof(*r->row));
	return r->row ? cache_slots_init_one_list(r, capacity) : -ENOMEM;
}

static uint64_t random_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes_one_list(state, capacity) + capacity * sizeof(uint32_t);
}

static const struct parameter random_parameters[] = {
	{"seed", "of the random numbers", 0, UINT64_MAX, 1, offsetof(struct random, seed)}, {0}};

CACHE_MODEL(random){
	.head =
		{
			.kind = "cache",
			.name = "random",
			.summary = "any block, all being equally likely",
			.source = "L. A. Belady, A study of replacement algorithms for a "
				  "virtual-storage computer, IBM Systems Journal 5(2), 1966: RAND",
			.parameters = random_parameters,
		},
	.state_bytes = sizeof(struct random),
	.init = random_init,
	.fini = random_fini,
	.bytes = random_bytes,
	.access = random_access,
	.contains = cache_slots_contains,
	.remove = random_discard,
	.set_class = cache_slots_set_class,
	.evict = random_evict,
	.contents = cache_slots_contents,
};
