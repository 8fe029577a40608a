/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sieve: a hand goes from the oldest block to the newest and round again. It takes
 * the mark off each block that was asked for since it came by, and evicts the
 * first that was not; there it waits. Unlike clock's, blocks keep their
 * places, so that new ones are sifted soon.
 */
#include "cache_slots.h"

#define ARRIVAL 0 /* the only list; as a place of the hand: before the oldest */

struct sieve {
	struct cache_slots slots;
	uint32_t hand; /* the next slot to be looked at */
};

static inline void sieve_hit(struct sieve *s, uint32_t slot)
{
	s->slots.slot[slot].mark = 1;
}

static inline void sieve_insert(struct sieve *s, uint32_t slot)
{
	slots_link_newest(&s->slots, ARRIVAL, slot);
}

static inline void sieve_forget(struct sieve *s, uint32_t slot)
{
	if (slot == s->hand)
		s->hand = s->slots.slot[slot].newer;
	slots_unlink(&s->slots, slot);
}

static inline uint32_t sieve_victim(struct sieve *s)
{
	const struct cache_slot *slot = s->slots.slot;
	uint32_t victim;

	if (s->hand == ARRIVAL)
		s->hand = slots_oldest(&s->slots, ARRIVAL);
	while (slot[s->hand].mark) {
		s->slots.slot[s->hand].mark = 0;
		s->hand = slot[s->hand].newer;
		if (s->hand == ARRIVAL)
			s->hand = slots_oldest(&s->slots, ARRIVAL);
	}
	victim = s->hand;
	sieve_forget(s, victim);
	slots_expect(&s->slots, s->hand);
	return victim;
}
CACHE_SLOTS_MODEL(sieve)

CACHE_MODEL(sieve){
	.head =
		{
			.kind = "cache",
			.name = "sieve",
			.summary = "fifo whose hand leaves blocks that were hit where they are",
			.source = "Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson, K. V. Rashmi, SIEVE is "
				  "simpler than LRU, NSDI 2024",
		},
	.state_bytes = sizeof(struct sieve),
	.init = cache_slots_init_one_list,
	.fini = cache_slots_fini,
	.bytes = cache_slots_bytes_one_list,
	CACHE_SLOTS_OPS(sieve),
};
