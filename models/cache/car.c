/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * car: clock with adaptive replacement, CAR(c) of the source's figure 2, with its p as a real
 * number and no parameters.
 *
 * Two clocks: T1 has blocks that were not hit yet when its hand met them, T2 the
 * others; B1 and B2 remember what left them, in the order of leaving. p, the
 * share that T1 should have, grows when B1 would have had a block that is asked for, and
 * shrinks with B2. A hit only marks the block. T1 and B1 together have
 * at most c blocks, all four 2 c.
 *
 * In the source a cache that was full once stays so; where discards make it less than full, or
 * another one evicts, room is only made when there is none, the bounds are kept
 * all the same, and T1 gives way where T2 is empty.
 */
#include "cache_slots.h"

enum car_list { T1, T2, CACHED_LISTS, B1 = CACHED_LISTS, B2, LISTS };

struct car {
	struct cache_slots slots;
	double p;
};

static inline void car_hit(struct car *c, uint32_t slot)
{
	c->slots.slot[slot].mark = 1;
}

/* replace() of the figure. */
static inline uint32_t car_make_room(struct car *c)
{
	struct cache_slots *s = &c->slots;

	for (;;) {
		uint32_t t1 = slots_length(s, T1);
		bool from_t1 = (t1 >= 1 && t1 >= c->p) || t1 == s->used;
		uint32_t slot = slots_oldest(s, from_t1 ? T1 : T2);

		if (!s->slot[slot].mark) {
			slots_remember(s, from_t1 ? B1 : B2, slot);
			slots_expect(s, slots_oldest(s, from_t1 ? T1 : T2));
			return slot;
		}
		s->slot[slot].mark = 0;
		if (from_t1)
			slots_move_newest(s, T2, slot);
		else
			slots_refresh(s, slot);
	}
}

static inline void adapt(struct car *c, uint32_t list)
{
	double b1 = slots_length(&c->slots, B1), b2 = slots_length(&c->slots, B2);

	if (list == B1) {
		c->p += b2 > b1 ? b2 / b1 : 1;
		if (c->p > c->slots.capacity)
			c->p = c->slots.capacity;
	} else {
		c->p -= b1 > b2 ? b1 / b2 : 1;
		if (c->p < 0)
			c->p = 0;
	}
}

/* A new block will come into T1: the bounds must hold with it. */
static inline void forget_for_new(struct cache_slots *s)
{
	uint32_t b1 = slots_length(s, B1), b2 = slots_length(s, B2);

	if (slots_length(s, T1) + b1 == s->capacity)
		slots_release_oldest(s, B1);
	else if (s->used + b1 + b2 == 2 * (uint64_t)s->capacity)
		slots_release_oldest(s, B2);
}

/* Room is made before p is adapted, and what is asked for is still remembered then. */
static inline void car_miss(struct car *c, const struct block_ref *ref, uint32_t remembered)
{
	struct cache_slots *s = &c->slots;

	if (s->used == s->capacity)
		car_make_room(c);
	if (!remembered) {
		forget_for_new(s);
		slots_link_newest(s, T1, slots_take(s, ref));
		return;
	}
	adapt(c, s->slot[remembered].list);
	slots_return(s, T2, remembered, ref);
}

static inline void car_forget(struct car *c, uint32_t slot)
{
	slots_unlink(&c->slots, slot);
}
CACHE_SLOTS_POLICY(car)

static int car_init(void *state, uint32_t capacity)
{
	struct car *c = state;

	return cache_slots_init_remembering(&c->slots, capacity, CACHED_LISTS, capacity, LISTS);
}

static uint64_t car_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes(capacity, capacity, LISTS);
}

CACHE_MODEL(car){
	.head =
		{
			.kind = "cache",
			.name = "car",
			.summary = "arc with clocks: a hit only marks the block",
			.source = "S. Bansal, D. S. Modha, CAR: clock with adaptive replacement, "
				  "FAST 2004",
		},
	.state_bytes = sizeof(struct car),
	.init = car_init,
	.fini = cache_slots_fini,
	.bytes = car_bytes,
	CACHE_SLOTS_OPS(car),
};
