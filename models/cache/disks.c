/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disks: fair shares of one cache for several disks.
 *
 * Each disk has an instance of the base policy. When the cache is full the disk
 * with the most blocks gives one up, of equals the lowest: all disks that want it
 * come to the same share, and what one doesn't use others may. Disks whose numbers
 * are equal modulo 64 are one.
 */
#include "levels.h"

static unsigned int disk_level(const struct levels *l, const struct block_ref *ref)
{
	return (ref->block >> CACHE_DISK_SHIFT) % LEVELS_MAX;
}

static unsigned int stays(const struct levels *l, const struct block_ref *ref, unsigned int level)
{
	return level;
}

/* The one that comes in counts. */
static unsigned int largest(const struct levels *l, unsigned int to)
{
	unsigned int most = LEVEL_NONE;
	uint32_t most_blocks = 0;

	for (uint64_t left = l->occupied; left; left &= left - 1) {
		unsigned int level = __builtin_ctzll(left);
		uint32_t blocks = l->blocks[level] + (level == to);

		if (blocks > most_blocks) {
			most = level;
			most_blocks = blocks;
		}
	}
	return most;
}

static const struct level_rule by_disk = {
	.levels = LEVELS_MAX,
	.level_of = disk_level,
	.level_on_hit = stays,
	.level_on_class = stays,
	.victim = largest,
	.level_is_fixed = true,
};

static int disks_init(void *state, uint32_t capacity)
{
	return levels_init(state, capacity, &by_disk);
}

static uint64_t disks_bytes(const void *state, uint32_t capacity)
{
	return levels_bytes(state, capacity, LEVELS_MAX);
}

static const struct parameter parameters[] = {LEVELS_JOURNAL_PARAMETER, {0}};

CACHE_MODEL(disks){
	.head =
		{
			.kind = "cache",
			.name = "disks",
			.summary = "fair shares for the disks of a trace, any policy within: the "
				   "largest gives way",
			.parameters = parameters,
			.choice = &levels_base,
		},
	.state_bytes = sizeof(struct levels),
	.init = disks_init,
	.bytes = disks_bytes,
	LEVELS_OPS,
};
