/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * skeleton: a policy to begin with. Copy this file to models/cache/NAME.c and
 * nothing else has to be touched, or keep it outside of Sky's tree:
 *
 *	gcc -O3 -shared -fPIC -DSKY_MODULE -I SKY skeleton.c -o skeleton.so
 *	sky sim TRACE --model ./skeleton.so --cache skeleton:protected=50 --size 10%
 *
 * This comment says in a few sentences what the policy does, and which variant
 * it is where publications differ. This one is lru in two lists: a block that
 * is hit goes to the protected list; when that has more than its share, its oldest
 * block goes back. A block that leaves is remembered for a while: if
 * it is asked for meanwhile it comes in protected.
 */
#include "models/cache/cache_slots.h"

/* Lists of cached blocks first, then those of blocks that only are remembered. */
enum skeleton_list { PROBATION, PROTECTED, CACHED_LISTS, REMEMBERED = CACHED_LISTS, LISTS };

/* One instance of the cache; zeroed, then the parameters are set, then init is called. */
struct skeleton {
	struct cache_slots slots;    /* always first */
	uint64_t protected_percent;  /* a parameter */
	uint32_t protected_capacity; /* the policy's own */
};

static inline void skeleton_demote(struct skeleton *k)
{
	struct cache_slots *s = &k->slots;

	if (slots_length(s, PROTECTED) > k->protected_capacity)
		slots_move_newest(s, PROBATION, slots_oldest(s, PROTECTED));
}

/* A cached block is asked for. */
static inline void skeleton_hit(struct skeleton *k, uint32_t slot)
{
	slots_move_newest(&k->slots, PROTECTED, slot);
	skeleton_demote(k);
}

/* One cached block leaves; returns its slot. There is at least one. */
static inline uint32_t skeleton_make_room(struct skeleton *k)
{
	struct cache_slots *s = &k->slots;
	uint32_t list = slots_length(s, PROBATION) ? PROBATION : PROTECTED;
	uint32_t victim = slots_oldest(s, list), forgotten = slots_oldest(s, REMEMBERED);

	if (slots_length(s, REMEMBERED) == s->capacity) {
		slots_unlink(s, forgotten);
		slots_release(s, forgotten);
	}
	slots_remember(s, REMEMBERED, victim);
	slots_expect(s, slots_oldest(s, list));
	return victim;
}

/* A block that is not cached is asked for: its slot if it is remembered, or 0. */
static inline void skeleton_miss(struct skeleton *k, const struct block_ref *ref,
				 uint32_t remembered)
{
	struct cache_slots *s = &k->slots;

	if (remembered) {
		/* off its list first: making room forgets the oldest */
		slots_unlink(s, remembered);
		slots_release(s, remembered);
	}
	if (s->used == s->capacity)
		skeleton_make_room(k);
	slots_link_newest(s, remembered ? PROTECTED : PROBATION, slots_take(s, ref));
	skeleton_demote(k);
}

/* A block, cached or remembered, goes for other reasons than the policy's. */
static inline void skeleton_forget(struct skeleton *k, uint32_t slot)
{
	slots_unlink(&k->slots, slot);
}

/*
 * Makes access, remove and evict of these four. A policy that takes every
 * block in and remembers none needs less: CACHE_SLOTS_MODEL(), as in clock.c.
 */
CACHE_SLOTS_POLICY(skeleton)

/* Parameters are set and checked. 0 or -errno; what it allocates is zeroed memory (calloc). */
static int skeleton_init(void *state, uint32_t capacity)
{
	struct skeleton *k = state;

	k->protected_capacity = capacity * k->protected_percent / 100;
	return cache_slots_init_remembering(&k->slots, capacity, CACHED_LISTS, capacity, LISTS);
}

/* How much that will be, for the prediction of a run's memory. */
static uint64_t skeleton_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes(capacity, capacity, LISTS);
}

/* Name, help, least, most, preset, where it is kept. */
static const struct parameter skeleton_parameters[] = {
	{"protected", "percent of the cache for blocks that were hit", 0, 100, 80,
	 offsetof(struct skeleton, protected_percent)},
	{0}};

CACHE_MODEL(skeleton){
	.head =
		{
			.kind = "cache",
			.name = "skeleton",
			.summary = "lru in two lists, the second for blocks that were hit",
			.source = "A. Author, Where it was published, 2026",
			.parameters = skeleton_parameters,
		},
	.state_bytes = sizeof(struct skeleton),
	.init = skeleton_init,
	.fini = cache_slots_fini,
	.bytes = skeleton_bytes,
	CACHE_SLOTS_OPS(skeleton),
};
