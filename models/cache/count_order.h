/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks in the order of their counts, beside the lists that their slots are in.
 *
 * Those of each count have a list, in the order in which they reached it, and a
 * bitmap of two levels tells the least count that has any: every step is a
 * few links. Counts stop at COUNT_MAX, since who was asked for so often is not the least
 * for long. A block's count is the lower 12 bits of its slot's mark; the others are the policy's.
 */
#ifndef SKY_COUNT_ORDER_H
#define SKY_COUNT_ORDER_H

#include "cache_slots.h"

#define COUNT_MAX 0xfffu

/* Of a block that is not in the order, the policy may keep something else. */
union count_link {
	struct {
		uint32_t newer, older; /* of the same count; 0 at the ends */
	};
	uint64_t other;
};

struct count_order {
	union count_link *link; /* of each slot */
	uint32_t newest[COUNT_MAX + 1], oldest[COUNT_MAX + 1];
	uint64_t used[(COUNT_MAX + 1) / 64]; /* bit i: count i has blocks */
	uint64_t words_used;		     /* bit i: used[i] is not 0 */
};

static inline uint32_t count_of(const struct cache_slots *s, uint32_t slot)
{
	return s->slot[slot].mark & COUNT_MAX;
}

/* For slots with numbers below `slots`. 0 or -ENOMEM. */
static inline int count_order_init(struct count_order *o, uint64_t slots)
{
	o->link = calloc(slots, sizeof(*o->link));
	return o->link ? 0 : -ENOMEM;
}

/* The least count of all; there must be a block. */
static inline uint32_t count_least(const struct count_order *o)
{
	uint32_t word = __builtin_ctzll(o->words_used);

	return word * 64 + __builtin_ctzll(o->used[word]);
}

static inline void count_add(struct count_order *o, struct cache_slots *s, uint32_t slot,
			     uint32_t count)
{
	uint32_t older;

	count = count < COUNT_MAX ? count : COUNT_MAX;
	older = o->newest[count];
	s->slot[slot].mark = (s->slot[slot].mark & ~COUNT_MAX) | count;
	o->link[slot].newer = 0;
	o->link[slot].older = older;
	o->newest[count] = slot;
	if (older) {
		o->link[older].newer = slot;
		return;
	}
	o->oldest[count] = slot;
	o->used[count / 64] |= 1ull << count % 64;
	o->words_used |= 1ull << count / 64;
}

static inline void count_remove(struct count_order *o, const struct cache_slots *s, uint32_t slot)
{
	uint32_t count = count_of(s, slot);
	uint32_t newer = o->link[slot].newer, older = o->link[slot].older;

	if (newer)
		o->link[newer].older = older;
	else
		o->newest[count] = older;
	if (older)
		o->link[older].newer = newer;
	else
		o->oldest[count] = newer;
	if (newer || older)
		return;
	o->used[count / 64] &= ~(1ull << count % 64);
	if (!o->used[count / 64])
		o->words_used &= ~(1ull << count / 64);
}

static inline void count_increment(struct count_order *o, struct cache_slots *s, uint32_t slot)
{
	count_remove(o, s, slot);
	count_add(o, s, slot, count_of(s, slot) + 1);
}

/* How many references early a block's link is fetched: behind its slot. */
#define FETCH_LINK_AHEAD 2

PREFETCHING void count_fetch_ahead(const struct count_order *o, const struct cache_slots *s,
				   const struct block_ref *ref, size_t left)
{
	slots_fetch_ahead(s, ref, left);
	if (left > FETCH_LINK_AHEAD)
		__builtin_prefetch(&o->link[*slots_bucket(s, ref[FETCH_LINK_AHEAD].block)]);
}

#endif
