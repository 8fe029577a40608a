/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * s3fifo: three fifo queues. New blocks go through a small one. Those that were
 * asked for `move` times or more meanwhile go on to the main one, the others
 * leave and are remembered in a ghost queue; a block that is asked for while it
 * is there comes straight into the main queue. The main queue is a clock of two
 * bits: a block holds up to three marks, and at its end loses one and goes round
 * again, or leaves if it has none. The small queue gives way while it has its share or
 * more, the main one otherwise.
 *
 * Section 4 and algorithm 1 of the paper, in blocks. Marks start anew when a block moves
 * (section 4.1). The paper calls the main queue where the small one's end finds it
 * full, and then goes on in the small queue; here every eviction looks
 * again whose turn it is, so that exactly one block leaves.
 */
#include "cache_slots.h"

enum s3fifo_list { SMALL, MAIN, CACHED_LISTS, GHOST = CACHED_LISTS, LISTS };

#define MARKS_MAX 3

struct s3fifo {
	struct cache_slots slots;
	uint64_t small_percent, ghost_percent, move;
	uint32_t small_share;
	uint64_t ghost_capacity;
};

static inline void s3fifo_hit(struct s3fifo *f, uint32_t slot)
{
	struct cache_slot *s = &f->slots.slot[slot];

	if (s->mark < MARKS_MAX)
		s->mark++;
}

static inline void s3fifo_forget(struct s3fifo *f, uint32_t slot)
{
	slots_unlink(&f->slots, slot);
}

static inline void s3fifo_drop(struct s3fifo *f, uint32_t slot)
{
	slots_unlink(&f->slots, slot);
	slots_release(&f->slots, slot);
}

static inline void s3fifo_leave_small(struct s3fifo *f, uint32_t slot)
{
	struct cache_slots *s = &f->slots;

	if (!f->ghost_capacity) {
		s3fifo_drop(f, slot);
		return;
	}
	if (slots_length(s, GHOST) == f->ghost_capacity)
		s3fifo_drop(f, slots_oldest(s, GHOST));
	slots_remember(s, GHOST, slot);
	slots_expect(s, slots_oldest(s, GHOST));
}

/* The slot that left, or 0 if all of the small queue moved on. */
static inline uint32_t s3fifo_evict_small(struct s3fifo *f)
{
	struct cache_slots *s = &f->slots;
	uint32_t slot = slots_oldest(s, SMALL);

	for (; slot != SMALL && s->slot[slot].mark >= f->move; slot = slots_oldest(s, SMALL)) {
		s->slot[slot].mark = 0;
		slots_move_newest(s, MAIN, slot);
	}
	if (slot == SMALL)
		return 0;
	s3fifo_leave_small(f, slot);
	return slot;
}

static inline uint32_t s3fifo_evict_main(struct s3fifo *f)
{
	struct cache_slots *s = &f->slots;
	uint32_t slot = slots_oldest(s, MAIN);

	for (; s->slot[slot].mark; slot = slots_oldest(s, MAIN)) {
		s->slot[slot].mark--;
		slots_refresh(s, slot);
	}
	s3fifo_drop(f, slot);
	slots_expect(s, slots_oldest(s, MAIN));
	return slot;
}

static inline uint32_t s3fifo_make_room(struct s3fifo *f)
{
	const struct cache_slots *s = &f->slots;
	uint32_t victim = 0;

	if (slots_length(s, SMALL) >= f->small_share || !slots_length(s, MAIN))
		victim = s3fifo_evict_small(f);
	return victim ? victim : s3fifo_evict_main(f);
}

static inline void s3fifo_miss(struct s3fifo *f, const struct block_ref *ref, uint32_t remembered)
{
	struct cache_slots *s = &f->slots;

	if (remembered)
		s3fifo_drop(f, remembered);
	if (s->used == s->capacity)
		s3fifo_make_room(f);
	slots_link_newest(s, remembered ? MAIN : SMALL, slots_take(s, ref));
}
CACHE_SLOTS_POLICY(s3fifo)

static uint64_t s3fifo_ghosts(const struct s3fifo *f, uint32_t capacity)
{
	return capacity * f->ghost_percent / 100;
}

static int s3fifo_init(void *state, uint32_t capacity)
{
	struct s3fifo *f = state;

	f->small_share = capacity * f->small_percent / 100;
	if (!f->small_share)
		f->small_share = 1;
	f->ghost_capacity = s3fifo_ghosts(f, capacity);
	return cache_slots_init_remembering(&f->slots, capacity, CACHED_LISTS, f->ghost_capacity,
					    LISTS);
}

static uint64_t s3fifo_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes(capacity, s3fifo_ghosts(state, capacity), LISTS);
}

static const struct parameter s3fifo_parameters[] = {
	{"small", "percent of the cache for the small queue", 1, 99, 10,
	 offsetof(struct s3fifo, small_percent)},
	{"ghost", "blocks remembered, percent of the cache", 0, 400, 90,
	 offsetof(struct s3fifo, ghost_percent)},
	{"move", "hits in the small queue that move a block to the main one", 1, MARKS_MAX, 2,
	 offsetof(struct s3fifo, move)},
	{0}};

CACHE_MODEL(s3fifo){
	.head =
		{
			.kind = "cache",
			.name = "s3fifo",
			.summary = "a small fifo before a main one, and a ghost queue",
			.source =
				"J. Yang, Y. Zhang, Z. Qiu, Y. Yue, K. V. Rashmi, FIFO queues are "
				"all you need for cache eviction, SOSP 2023, algorithm 1",
			.parameters = s3fifo_parameters,
		},
	.state_bytes = sizeof(struct s3fifo),
	.init = s3fifo_init,
	.fini = cache_slots_fini,
	.bytes = s3fifo_bytes,
	CACHE_SLOTS_OPS(s3fifo),
};
