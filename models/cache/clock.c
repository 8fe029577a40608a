/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock: second chance. The oldest block leaves, unless it was asked for since
 * it became the oldest; then it loses a mark and becomes the newest. With bits > 1
 * a block holds up to 2^bits - 1 marks.
 *
 * The list is the circle, its head the hand: a block that goes from the oldest
 * to the newest place is one that the hand passes.
 */
#include "cache_slots.h"

#define CIRCLE 0 /* the only list */

struct clock {
	struct cache_slots slots;
	uint64_t bits;
};

static inline void clock_hit(struct clock *c, uint32_t slot)
{
	struct cache_slot *s = &c->slots.slot[slot];

	if (s->mark + 1u < 1u << c->bits)
		s->mark++;
}

static inline void clock_insert(struct clock *c, uint32_t slot)
{
	slots_link_newest(&c->slots, CIRCLE, slot);
}

static inline void clock_forget(struct clock *c, uint32_t slot)
{
	slots_unlink(&c->slots, slot);
}

static inline uint32_t clock_victim(struct clock *c)
{
	uint32_t slot = slots_oldest(&c->slots, CIRCLE);

	for (; c->slots.slot[slot].mark; slot = slots_oldest(&c->slots, CIRCLE)) {
		c->slots.slot[slot].mark--;
		slots_refresh(&c->slots, slot);
	}
	slots_unlink(&c->slots, slot);
	slots_expect(&c->slots, slots_oldest(&c->slots, CIRCLE));
	return slot;
}
CACHE_SLOTS_MODEL(clock)

static const struct parameter clock_parameters[] = {
	{"bits", "reference bits a block", 1, 7, 1, offsetof(struct clock, bits)}, {0}};

CACHE_MODEL(clock){
	.head =
		{
			.kind = "cache",
			.name = "clock",
			.summary = "second chance by reference bits",
			.source = "F. J. Corbato, A paging experiment with the Multics system, MIT "
				  "Project MAC, 1968",
			.parameters = clock_parameters,
		},
	.state_bytes = sizeof(struct clock),
	.init = cache_slots_init_one_list,
	.fini = cache_slots_fini,
	.bytes = cache_slots_bytes_one_list,
	CACHE_SLOTS_OPS(clock),
};
