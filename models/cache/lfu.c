/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lfu: the block that was asked for least often since it came leaves; of several,
 * the one that has been asked for so often the longest. A block that left has
 * no count any more.
 *
 * One list has all blocks by their counts, those of the same count in the order in
 * which they reached it. A group is a run of equal counts: its newest block
 * is where others that reach the count go, and the block behind it is of the
 * next group. So every step is a few links, however many counts there are.
 */
#include "cache_slots.h"

#define BY_COUNT 0 /* the only list, the least count oldest */

struct group {
	uint64_t count;
	uint32_t newest;
};

struct lfu {
	struct cache_slots slots;
	struct group *group;
	uint32_t *group_of;	   /* of each slot */
	uint32_t *free_group;	   /* those that were used and are empty */
	uint32_t groups, released; /* how many were ever used; how many are free of these */
};

static inline uint32_t new_group(struct lfu *l, uint64_t count)
{
	uint32_t group = l->released ? l->free_group[--l->released] : l->groups++;

	l->group[group].count = count;
	return group;
}

/* The slot becomes the newest of a group, behind `older`. */
static inline void join(struct lfu *l, uint32_t slot, uint32_t group, uint32_t older)
{
	slots_attach(&l->slots, slot, l->slots.slot[older].newer);
	l->group_of[slot] = group;
	l->group[group].newest = slot;
}

/* Off the list; its group, if it was the last, goes. */
static inline void lfu_forget(struct lfu *l, uint32_t slot)
{
	struct group *group = &l->group[l->group_of[slot]];
	uint32_t older = l->slots.slot[slot].older;

	slots_detach(&l->slots, slot);
	if (group->newest != slot)
		return;
	if (older != BY_COUNT && l->group_of[older] == l->group_of[slot])
		group->newest = older;
	else
		l->free_group[l->released++] = l->group_of[slot];
}

static inline bool has_count(const struct lfu *l, uint32_t slot, uint64_t count)
{
	return slot != BY_COUNT && l->group[l->group_of[slot]].count == count;
}

static inline void lfu_hit(struct lfu *l, uint32_t slot)
{
	struct group *group = &l->group[l->group_of[slot]];
	uint64_t count = group->count + 1;
	uint32_t behind = group->newest, next = l->slots.slot[behind].newer;
	uint32_t older = l->slots.slot[slot].older;
	bool joins = has_count(l, next, count);

	if (!joins && behind == slot && !has_count(l, older, group->count)) {
		group->count = count; /* alone, and stays so */
		return;
	}
	if (behind == slot)
		behind = older;
	lfu_forget(l, slot);
	if (joins)
		join(l, slot, l->group_of[next], l->group[l->group_of[next]].newest);
	else
		join(l, slot, new_group(l, count), behind);
}

static inline void lfu_insert(struct lfu *l, uint32_t slot)
{
	uint32_t oldest = slots_oldest(&l->slots, BY_COUNT);

	if (has_count(l, oldest, 1))
		join(l, slot, l->group_of[oldest], l->group[l->group_of[oldest]].newest);
	else
		join(l, slot, new_group(l, 1), BY_COUNT);
}

static inline uint32_t lfu_victim(struct lfu *l)
{
	uint32_t victim = slots_oldest(&l->slots, BY_COUNT);

	lfu_forget(l, victim);
	slots_expect(&l->slots, slots_oldest(&l->slots, BY_COUNT));
	return victim;
}
CACHE_SLOTS_MODEL(lfu)

static void lfu_fini(void *state)
{
	struct lfu *l = state;

	free(l->group);
	free(l->group_of);
	free(l->free_group);
	cache_slots_fini(l);
}

static int lfu_init(void *state, uint32_t capacity)
{
	struct lfu *l = state;

	l->group = calloc(capacity, sizeof(*l->group));
	l->free_group = calloc(capacity, sizeof(*l->free_group));
	l->group_of = calloc((size_t)capacity + 1, sizeof(*l->group_of));
	if (!l->group || !l->free_group || !l->group_of)
		return -ENOMEM;
	return cache_slots_init_one_list(l, capacity);
}

/* There are as many groups as different counts, which are few: their sum is that of all hits. */
static uint64_t lfu_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes_one_list(state, capacity) +
	       capacity * (sizeof(struct group) + 2 * sizeof(uint32_t));
}

CACHE_MODEL(lfu){
	.head =
		{
			.kind = "cache",
			.name = "lfu",
			.summary = "least frequently used; of several the one that waits longest",
			.source = "E. G. Coffman, P. J. Denning, Operating systems theory, "
				  "Prentice-Hall, 1973",
		},
	.state_bytes = sizeof(struct lfu),
	.init = lfu_init,
	.fini = lfu_fini,
	.bytes = lfu_bytes,
	CACHE_SLOTS_OPS(lfu),
};
