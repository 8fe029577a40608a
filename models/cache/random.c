/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * random: each cached block is as likely to leave as any other (RAND in the source).
 *
 * The number that the next victim is drawn by is drawn early, so that it can be fetched.
 */
#include "cache_random.h"
#include "cache_row.h"

struct random {
	struct cache_slots slots;
	uint64_t seed;
	struct cache_row row;
	uint64_t state;
	uint32_t drawn;
};

static inline void random_hit(struct random *r, uint32_t slot)
{
}

static inline void random_insert(struct random *r, uint32_t slot)
{
	row_add(&r->row, &r->slots, slot);
}

static inline uint32_t random_place(const struct random *r)
{
	return cache_random_below(r->drawn, r->row.length);
}

static inline uint32_t random_victim(struct random *r)
{
	uint32_t place = random_place(r), victim = r->row.slot[place];

	row_move_last(&r->row, &r->slots, place);
	r->drawn = cache_random(&r->state);
	__builtin_prefetch(&r->slots.slot[r->row.slot[random_place(r)]]);
	return victim;
}

static inline void random_forget(struct random *r, uint32_t slot)
{
	row_leave_hole(&r->row, &r->slots, slot);
}
CACHE_SLOTS_MODEL(random)

static uint32_t random_discard(void *state, uint64_t first, uint64_t count)
{
	struct random *r = state;
	uint32_t left = random_remove(r, first, count);

	row_fill_holes(&r->row, &r->slots);
	return left;
}

static void random_fini(void *state)
{
	struct random *r = state;

	row_fini(&r->row);
	cache_slots_fini(r);
}

static int random_init(void *state, uint32_t capacity)
{
	struct random *r = state;

	r->state = cache_random_seed(r->seed);
	r->drawn = cache_random(&r->state);
	if (row_init(&r->row, capacity))
		return -ENOMEM;
	return cache_slots_init_one_list(r, capacity);
}

static uint64_t random_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes_one_list(state, capacity) + row_bytes(capacity);
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
