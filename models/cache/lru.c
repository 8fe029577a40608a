/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lru: the block that was not asked for the longest leaves.
 */
#include "cache_slots.h"

#define RECENCY 0 /* the only list */

struct lru {
	struct cache_slots slots;
};

static inline void lru_hit(struct lru *l, uint32_t slot)
{
	slots_refresh(&l->slots, slot);
}

static inline void lru_insert(struct lru *l, uint32_t slot)
{
	slots_link_newest(&l->slots, RECENCY, slot);
}

static inline void lru_forget(struct lru *l, uint32_t slot)
{
	slots_unlink(&l->slots, slot);
}

static inline uint32_t lru_victim(struct lru *l)
{
	uint32_t victim = slots_oldest(&l->slots, RECENCY);

	slots_unlink(&l->slots, victim);
	slots_expect(&l->slots, slots_oldest(&l->slots, RECENCY));
	return victim;
}
CACHE_SLOTS_MODEL(lru)

CACHE_MODEL(lru){
	.head =
		{
			.kind = "cache",
			.name = "lru",
			.summary = "least recently used",
			.source =
				"R. L. Mattson, J. Gecsei, D. R. Slutz, I. L. Traiger, Evaluation "
				"techniques for storage hierarchies, IBM Systems Journal 9(2), "
				"1970",
		},
	.state_bytes = sizeof(struct lru),
	.init = cache_slots_init_one_list,
	.fini = cache_slots_fini,
	.bytes = cache_slots_bytes_one_list,
	CACHE_SLOTS_OPS(lru),
};
