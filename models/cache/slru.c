/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slru: segmented lru. A block comes into the probationary segment and goes to the
 * protected one when it is hit; each is in the order of recency. When the protected
 * segment has more than its share its oldest block becomes the newest of the
 * probationary one. The oldest of the probationary segment leaves.
 *
 * The two segments are those of the source, which leaves the share open; the preset is
 * the one that later policies with such a segment use (w-tinylfu).
 */
#include "cache_slots.h"

enum slru_list { PROBATION, PROTECTED, LISTS };

struct slru {
	struct cache_slots slots;
	uint64_t protected_percent;
	uint32_t protected_capacity;
};

static inline void slru_hit(struct slru *l, uint32_t slot)
{
	struct cache_slots *s = &l->slots;

	if (s->slot[slot].list == PROTECTED) {
		slots_refresh(s, slot);
		return;
	}
	slots_move_newest(s, PROTECTED, slot);
	if (slots_length(s, PROTECTED) > l->protected_capacity)
		slots_move_newest(s, PROBATION, slots_oldest(s, PROTECTED));
}

static inline void slru_insert(struct slru *l, uint32_t slot)
{
	slots_link_newest(&l->slots, PROBATION, slot);
}

static inline void slru_forget(struct slru *l, uint32_t slot)
{
	slots_unlink(&l->slots, slot);
}

static inline uint32_t slru_victim(struct slru *l)
{
	struct cache_slots *s = &l->slots;
	uint32_t list = slots_length(s, PROBATION) ? PROBATION : PROTECTED;
	uint32_t victim = slots_oldest(s, list);

	slots_unlink(s, victim);
	slots_expect(s, slots_oldest(s, list));
	return victim;
}
CACHE_SLOTS_MODEL(slru)

static int slru_init(void *state, uint32_t capacity)
{
	struct slru *l = state;

	l->protected_capacity = capacity * l->protected_percent / 100;
	return cache_slots_init(&l->slots, capacity, LISTS);
}

static uint64_t slru_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes(capacity, 0, LISTS);
}

static const struct parameter slru_parameters[] = {
	{"protected", "percent of the cache for blocks that were hit", 0, 100, 80,
	 offsetof(struct slru, protected_percent)},
	{0}};

CACHE_MODEL(slru){
	.head =
		{
			.kind = "cache",
			.name = "slru",
			.summary = "lru in two segments, the second for blocks that were hit",
			.source = "R. Karedla, J. S. Love, B. G. Wherry, Caching strategies to "
				  "improve disk system performance, IEEE Computer 27(3), 1994",
			.parameters = slru_parameters,
		},
	.state_bytes = sizeof(struct slru),
	.init = slru_init,
	.fini = cache_slots_fini,
	.bytes = slru_bytes,
	CACHE_SLOTS_OPS(slru),
};
