/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fifo: the block that came in first leaves, however often it was asked for.
 */
#include "cache_slots.h"

#define ARRIVAL 0 /* the only list */

struct fifo {
	struct cache_slots slots;
};

static inline void fifo_hit(struct fifo *f, uint32_t slot)
{
}

static inline void fifo_insert(struct fifo *f, uint32_t slot)
{
	slots_link_newest(&f->slots, ARRIVAL, slot);
}

static inline void fifo_forget(struct fifo *f, uint32_t slot)
{
	slots_unlink(&f->slots, slot);
}

static inline uint32_t fifo_victim(struct fifo *f)
{
	uint32_t victim = slots_oldest(&f->slots, ARRIVAL);

	slots_unlink(&f->slots, victim);
	slots_expect(&f->slots, slots_oldest(&f->slots, ARRIVAL));
	return victim;
}
CACHE_SLOTS_MODEL(fifo)

CACHE_MODEL(fifo){
	.head =
		{
			.kind = "cache",
			.name = "fifo",
			.summary = "first in, first out",
			.source = "L. A. Belady, A study of replacement algorithms for a "
				  "virtual-storage "
				  "computer, IBM Systems Journal 5(2), 1966",
		},
	.state_bytes = sizeof(struct fifo),
	.init = cache_slots_init_one_list,
	.fini = cache_slots_fini,
	.bytes = cache_slots_bytes_one_list,
	CACHE_SLOTS_OPS(fifo),
};
