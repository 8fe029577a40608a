/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arc: adaptive replacement cache, ARC(c) of the source's figure 4, with its p as a real
 * number and no parameters.
 *
 * T1 has the blocks that were asked for once since they came, T2 those asked for
 * more often; B1 and B2 remember what left them. A block that is asked for while B1
 * remembers it says that T1 was too small, and p, the share that T1 should have, grows; one in
 * B2 makes it smaller. T1 and B1 together have at most c blocks, all four 2 c.
 *
 * In the source a cache that was full once stays so; where discards make it less than full, or
 * another one evicts, room is only made when there is none, and from the other
 * list where the chosen one is empty.
 */
#include "cache_slots.h"

enum arc_list { T1, T2, CACHED_LISTS, B1 = CACHED_LISTS, B2, LISTS };

struct arc {
	struct cache_slots slots;
	double p;
};

static inline uint32_t replace(struct arc *a, bool asked_in_b2)
{
	struct cache_slots *s = &a->slots;
	uint32_t once = slots_length(s, T1);
	bool from_t1 = once && (once > a->p || (asked_in_b2 && once == a->p) || once == s->used);
	uint32_t victim = slots_oldest(s, from_t1 ? T1 : T2);

	slots_remember(s, from_t1 ? B1 : B2, victim);
	slots_expect(s, slots_oldest(s, from_t1 ? T1 : T2));
	return victim;
}

static inline uint32_t arc_make_room(struct arc *a)
{
	return replace(a, false);
}

static inline void arc_hit(struct arc *a, uint32_t slot)
{
	if (a->slots.slot[slot].list == T2)
		slots_refresh(&a->slots, slot);
	else
		slots_move_newest(&a->slots, T2, slot);
}

static inline void adapt(struct arc *a, uint32_t list)
{
	double b1 = slots_length(&a->slots, B1), b2 = slots_length(&a->slots, B2);

	if (list == B1) {
		a->p += b1 >= b2 ? 1 : b2 / b1;
		if (a->p > a->slots.capacity)
			a->p = a->slots.capacity;
	} else {
		a->p -= b2 >= b1 ? 1 : b1 / b2;
		if (a->p < 0)
			a->p = 0;
	}
}

/* Case IV: so many blocks are forgotten, and if need be one leaves, that a new one can come. */
static inline void make_place(struct arc *a)
{
	struct cache_slots *s = &a->slots;
	uint32_t t1 = slots_length(s, T1), b1 = slots_length(s, B1), b2 = slots_length(s, B2);

	if (t1 == s->capacity) {
		slots_release_oldest(s, T1);
		return;
	}
	if (t1 + b1 == s->capacity)
		slots_release_oldest(s, B1);
	else if (s->used + b1 + b2 == 2 * (uint64_t)s->capacity)
		slots_release_oldest(s, B2);
	if (s->used == s->capacity)
		replace(a, false);
}

static inline void arc_miss(struct arc *a, const struct block_ref *ref, uint32_t remembered)
{
	struct cache_slots *s = &a->slots;
	uint32_t list;

	if (!remembered) {
		make_place(a);
		slots_link_newest(s, T1, slots_take(s, ref));
		return;
	}
	list = s->slot[remembered].list;
	adapt(a, list);
	if (s->used == s->capacity)
		replace(a, list == B2);
	slots_return(s, T2, remembered, ref);
}

static inline void arc_forget(struct arc *a, uint32_t slot)
{
	slots_unlink(&a->slots, slot);
}
CACHE_SLOTS_POLICY(arc)

static int arc_init(void *state, uint32_t capacity)
{
	struct arc *a = state;

	return cache_slots_init_remembering(&a->slots, capacity, CACHED_LISTS, capacity, LISTS);
}

static uint64_t arc_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes(capacity, capacity, LISTS);
}

CACHE_MODEL(arc){
	.head =
		{
			.kind = "cache",
			.name = "arc",
			.summary = "adapts its shares for recency and frequency to what it regrets",
			.source = "N. Megiddo, D. S. Modha, ARC: a self-tuning, low overhead "
				  "replacement cache, FAST 2003",
		},
	.state_bytes = sizeof(struct arc),
	.init = arc_init,
	.fini = cache_slots_fini,
	.bytes = arc_bytes,
	CACHE_SLOTS_OPS(arc),
};
