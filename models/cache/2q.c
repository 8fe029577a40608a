/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 2q: the full version of the source (section 3, figure 2), with its Kin and Kout as percent of
 * the cache.
 *
 * A block comes into A1in, which is first in, first out. When it leaves that it is
 * remembered in A1out; if it is asked for while it is remembered, it comes into Am, which is
 * lru. Hits in A1in do nothing. Room is made from A1in if that has more than Kin
 * blocks, otherwise from Am, whose blocks are not remembered. As in the
 * source, room is made before the block is taken off A1out, so that it may be forgotten
 * by that; it comes into Am all the same.
 */
#include "cache_slots.h"

enum twoq_list { A1IN, AM, CACHED_LISTS, A1OUT = CACHED_LISTS, LISTS };

struct twoq {
	struct cache_slots slots;
	uint64_t in_percent, out_percent;
	uint32_t in_capacity;
	uint64_t out_capacity;
};

static inline void twoq_hit(struct twoq *q, uint32_t slot)
{
	if (q->slots.slot[slot].list == AM)
		slots_refresh(&q->slots, slot);
}

static inline uint32_t twoq_make_room(struct twoq *q)
{
	struct cache_slots *s = &q->slots;
	uint32_t victim;

	if (slots_length(s, A1IN) <= q->in_capacity && slots_length(s, AM))
		return slots_release_oldest(s, AM);
	victim = slots_oldest(s, A1IN);
	slots_remember(s, A1OUT, victim);
	if (slots_length(s, A1OUT) > q->out_capacity)
		slots_release_oldest(s, A1OUT);
	slots_expect(s, slots_oldest(s, A1IN));
	return victim;
}

static inline void twoq_miss(struct twoq *q, const struct block_ref *ref, uint32_t remembered)
{
	struct cache_slots *s = &q->slots;
	uint32_t list = remembered ? AM : A1IN;

	if (s->used == s->capacity) {
		twoq_make_room(q);
		if (remembered)
			remembered = slots_find(s, ref->block);
	}
	if (remembered)
		slots_return(s, list, remembered, ref);
	else
		slots_link_newest(s, list, slots_take(s, ref));
}

static inline void twoq_forget(struct twoq *q, uint32_t slot)
{
	slots_unlink(&q->slots, slot);
}
CACHE_SLOTS_POLICY(twoq)

static uint64_t out_capacity(const struct twoq *q, uint32_t capacity)
{
	return capacity * q->out_percent / 100;
}

static int twoq_init(void *state, uint32_t capacity)
{
	struct twoq *q = state;

	q->in_capacity = capacity * q->in_percent / 100;
	q->out_capacity = out_capacity(q, capacity);
	return cache_slots_init_remembering(&q->slots, capacity, CACHED_LISTS, q->out_capacity,
					    LISTS);
}

static uint64_t twoq_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes(capacity, out_capacity(state, capacity), LISTS);
}

static const struct parameter twoq_parameters[] = {
	{"in", "Kin, percent of the cache for blocks that were asked for once", 0, 100, 25,
	 offsetof(struct twoq, in_percent)},
	{"out", "Kout, how many of these are remembered, percent of the cache", 0, 1000, 50,
	 offsetof(struct twoq, out_percent)},
	{0}};

CACHE_MODEL(twoq){
	.head =
		{
			.kind = "cache",
			.name = "2q",
			.summary = "fifo for new blocks, lru for those asked for again after it",
			.source = "T. Johnson, D. Shasha, 2Q: a low overhead high performance "
				  "buffer management replacement algorithm, VLDB 1994",
			.parameters = twoq_parameters,
		},
	.state_bytes = sizeof(struct twoq),
	.init = twoq_init,
	.fini = cache_slots_fini,
	.bytes = twoq_bytes,
	CACHE_SLOTS_OPS(twoq),
};
