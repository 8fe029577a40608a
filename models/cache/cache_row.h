/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A row of all cached blocks, for policies that choose among some drawn at random.
 *
 * What such a policy knows of a block, if anything, is one number in the row itself, so
 * that those of a large cache still fit a processor's. A slot knows its place in the row
 * (the slot is in no list, and `newer` is the place). When a block leaves, the last of
 * the row takes its place; when a discard takes several, places are filled from the
 * lowest on, so that the row doesn't depend on the order in which they were found.
 */
#ifndef SKY_CACHE_ROW_H
#define SKY_CACHE_ROW_H

#include "cache_slots.h"

struct cache_row {
	uint64_t *value; /* the policy's; NULL: it has none */
	uint32_t *slot;	 /* 0: a hole, until the discard is over */
	uint32_t length, holes, lowest_hole;
};

static inline int row_init(struct cache_row *r, uint32_t capacity)
{
	r->slot = calloc(capacity, sizeof(*r->slot));
	return r->slot ? 0 : -ENOMEM;
}

static inline int row_init_values(struct cache_row *r, uint32_t capacity)
{
	r->value = calloc(capacity, sizeof(*r->value));
	return r->value ? row_init(r, capacity) : -ENOMEM;
}

static inline void row_fini(struct cache_row *r)
{
	free(r->value);
	free(r->slot);
}

static inline uint64_t row_bytes(uint32_t capacity)
{
	return capacity * sizeof(uint32_t);
}

static inline uint64_t row_bytes_values(uint32_t capacity)
{
	return row_bytes(capacity) + capacity * sizeof(uint64_t);
}

static inline uint64_t *row_value(const struct cache_row *r, const struct cache_slots *s,
				  uint32_t slot)
{
	return &r->value[s->slot[slot].newer];
}

static inline void row_add(struct cache_row *r, struct cache_slots *s, uint32_t slot)
{
	s->slot[slot].newer = r->length;
	r->slot[r->length++] = slot;
}

static inline void row_add_value(struct cache_row *r, struct cache_slots *s, uint32_t slot,
				 uint64_t value)
{
	r->value[r->length] = value;
	row_add(r, s, slot);
}

static inline void row_move_last(struct cache_row *r, struct cache_slots *s, uint32_t place)
{
	r->length--;
	r->slot[place] = r->slot[r->length];
	if (r->value)
		r->value[place] = r->value[r->length];
	s->slot[r->slot[place]].newer = place;
}

static inline void row_leave_hole(struct cache_row *r, const struct cache_slots *s, uint32_t slot)
{
	uint32_t place = s->slot[slot].newer;

	r->slot[place] = 0;
	if (!r->holes++ || place < r->lowest_hole)
		r->lowest_hole = place;
}

static inline void row_drop_last_holes(struct cache_row *r)
{
	for (; r->holes && !r->slot[r->length - 1]; r->length--)
		r->holes--;
}

static inline void row_fill_holes(struct cache_row *r, struct cache_slots *s)
{
	row_drop_last_holes(r);
	for (uint32_t place = r->lowest_hole; r->holes; place++) {
		if (r->slot[place])
			continue;
		row_move_last(r, s, place);
		r->holes--;
		row_drop_last_holes(r);
	}
}

/* How many references early a block's place is fetched: behind its slot. */
#define FETCH_PLACE_AHEAD 2

PREFETCHING void row_fetch_ahead(const struct cache_row *r, const struct cache_slots *s,
				 const struct block_ref *ref, size_t left)
{
	slots_fetch_ahead(s, ref, left);
	if (left > FETCH_PLACE_AHEAD) {
		uint32_t slot = *slots_bucket(s, ref[FETCH_PLACE_AHEAD].block);

		__builtin_prefetch(row_value(r, s, slot));
	}
}

#endif
