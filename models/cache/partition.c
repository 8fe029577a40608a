/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * partition: each class has its part of the cache, and a policy of its own in it.
 *
 * The parts are as the weights of the classes, whether they occur or not. What a class doesn't use others may:
 * the class that has the most blocks above its part gives one up, of equals the lowest.
 */
#include "levels.h"

/* Classes 0 to 5; those of applications have one weight each. */
#define WEIGHTS 7

struct partition {
	struct levels levels;
	uint64_t weight[WEIGHTS];
};

static uint64_t weight_of(const struct partition *p, unsigned int level)
{
	return p->weight[level < WEIGHTS - 1 ? level : WEIGHTS - 1];
}

/* Blocks above its part, times the sum of all weights. */
static int64_t excess(const struct partition *p, uint64_t weights, unsigned int level,
		      unsigned int to)
{
	const struct levels *l = &p->levels;

	return (int64_t)((l->blocks[level] + (level == to)) * weights) -
	       (int64_t)(weight_of(p, level) * l->capacity);
}

static unsigned int most_above(const struct levels *l, unsigned int to)
{
	const struct partition *p = container_of(l, struct partition, levels);
	unsigned int most = LEVEL_NONE;
	uint64_t weights = 0;

	for (unsigned int level = 0; level < CLASS_COUNT; level++)
		weights += weight_of(p, level);
	for (uint64_t left = l->occupied; left; left &= left - 1) {
		unsigned int level = __builtin_ctzll(left);

		if (most == LEVEL_NONE ||
		    excess(p, weights, level, to) > excess(p, weights, most, to))
			most = level;
	}
	return most;
}

static const struct level_rule by_parts = {
	.levels = CLASS_COUNT,
	.level_of = levels_of_class,
	.level_on_hit = levels_of_class_on_hit,
	.level_on_class = levels_of_class_on_class,
	.victim = most_above,
};

static int partition_init(void *state, uint32_t capacity)
{
	return levels_init(state, capacity, &by_parts);
}

static uint64_t partition_bytes(const void *state, uint32_t capacity)
{
	return levels_bytes(state, capacity, CLASS_COUNT);
}

#define WEIGHT(name, help, preset, i)                                              \
	{                                                                          \
		name, help, 0, 1000, preset, offsetof(struct partition, weight[i]) \
	}

static const struct parameter parameters[] = {
	WEIGHT("class0", "weight of other data", 40, 0),
	WEIGHT("class1", "... of the data of large files, class 1", 10, 1),
	WEIGHT("class2", "... of class 2", 10, 2),
	WEIGHT("class3", "... of class 3", 10, 3),
	WEIGHT("class4", "... of the data of the smallest files", 10, 4),
	WEIGHT("class5", "... of metadata", 20, 5),
	WEIGHT("class6", "... of each class of applications", 0, 6),
	LEVELS_JOURNAL_PARAMETER,
	{0},
};

CACHE_MODEL(partition){
	.head =
		{
			.kind = "cache",
			.name = "partition",
			.summary = "a part of the cache for each class, any policy in it; who is "
				   "most above its part gives way",
			.parameters = parameters,
			.choice = &levels_base,
		},
	.state_bytes = sizeof(struct partition),
	.init = partition_init,
	.bytes = partition_bytes,
	LEVELS_OPS,
};
