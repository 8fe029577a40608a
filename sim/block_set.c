/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "block_set.h"

#define SHIFT_AT_FIRST 54

int block_set_init(struct block_set *set)
{
	*set = (struct block_set){.room = 1ull << (64 - SHIFT_AT_FIRST), .shift = SHIFT_AT_FIRST};
	set->region = calloc(set->room, sizeof(*set->region));
	return set->region ? 0 : -ENOMEM;
}

void block_set_fini(struct block_set *set)
{
	free(set->region);
	set->region = NULL;
}

/* The region's place, or the empty one where it would be. */
static struct region *find(const struct block_set *set, uint64_t name)
{
	size_t i = region_home(set, name);

	while (set->region[i].name && set->region[i].name != name)
		i = (i + 1) & (set->room - 1);
	return &set->region[i];
}

static int grow(struct block_set *set)
{
	struct block_set larger = *set;

	larger.room = 2 * set->room;
	larger.shift = set->shift - 1;
	larger.region = calloc(larger.room, sizeof(*larger.region));
	if (!larger.region)
		return -ENOMEM;
	for (size_t i = 0; i < set->room; i++)
		if (set->region[i].name)
			*find(&larger, set->region[i].name) = set->region[i];
	free(set->region);
	*set = larger;
	return 0;
}

static int add_members(struct block_set *set, uint64_t name, uint64_t members)
{
	struct region *region = find(set, name);

	if (!region->name) {
		if (2 * (set->regions + 1) > set->room) {
			if (grow(set))
				return -ENOMEM;
			region = find(set, name);
		}
		region->name = name;
		set->regions++;
	}
	members &= ~region->members;
	if (members) {
		set->count += __builtin_popcountll(members);
		region->members |= members;
	}
	return 0;
}

int block_set_add(struct block_set *set, uint64_t first, uint64_t count)
{
	while (count) {
		unsigned int at = first % REGION_BLOCKS;
		unsigned int n = count < REGION_BLOCKS - at ? count : REGION_BLOCKS - at;
		uint64_t members = (n == REGION_BLOCKS ? UINT64_MAX : (1ull << n) - 1) << at;

		if (add_members(set, first / REGION_BLOCKS + 1, members))
			return -ENOMEM;
		first += n;
		count -= n;
	}
	return 0;
}

static void remove_members(struct block_set *set, struct region *region, uint64_t first,
			   uint64_t count, void (*leaves)(void *context, uint64_t block),
			   void *context)
{
	for (uint64_t members = region->members; members; members &= members - 1) {
		unsigned int at = __builtin_ctzll(members);
		uint64_t block = (region->name - 1) * REGION_BLOCKS + at;

		if (block - first >= count)
			continue;
		leaves(context, block);
		region->members &= ~(1ull << at);
		set->count--;
	}
}

/* A short range is looked up region by region, a longer one is met by a walk over all. */
void block_set_remove(struct block_set *set, uint64_t first, uint64_t count,
		      void (*leaves)(void *context, uint64_t block), void *context)
{
	uint64_t last = (first + count - 1) / REGION_BLOCKS, name = first / REGION_BLOCKS;

	if (!count)
		return;
	for (; last - name < set->room && name <= last; name++) {
		struct region *region = find(set, name + 1);

		if (region->name)
			remove_members(set, region, first, count, leaves, context);
	}
	for (size_t i = 0; name <= last && i < set->room; i++)
		if (set->region[i].name)
			remove_members(set, &set->region[i], first, count, leaves, context);
}
