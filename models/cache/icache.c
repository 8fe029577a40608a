/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * icache: priority classes over any policy, by the paper's rule.
 *
 * Each class has an instance of the base policy and they share the capacity.
 * When the cache is full the lowest class that has blocks gives one up, as its
 * policy chooses. Journal writes are not cached.
 */
#include "levels.h"

static unsigned int lowest(const struct levels *l, unsigned int to)
{
	return __builtin_ctzll(l->occupied);
}

static const struct level_rule by_priority = {
	.levels = CLASS_COUNT,
	.level_of = levels_of_class,
	.level_on_hit = levels_of_class_on_hit,
	.level_on_class = levels_of_class_on_class,
	.victim = lowest,
};

static int icache_init(void *state, uint32_t capacity)
{
	return levels_init(state, capacity, &by_priority);
}

static uint64_t icache_bytes(const void *state, uint32_t capacity)
{
	return levels_bytes(state, capacity, CLASS_COUNT);
}

static const struct parameter parameters[] = {LEVELS_JOURNAL_PARAMETER, {0}};

CACHE_MODEL(icache){
	.head =
		{
			.kind = "cache",
			.name = "icache",
			.summary = "priority classes over any policy: the lowest class gives way",
			.source =
				"L. Arulraj, A. C. Arpaci-Dusseau, R. H. Arpaci-Dusseau, Improving "
				"Virtualized Storage Performance with Sky, VEE 2017, section 7",
			.parameters = parameters,
			.choice = &levels_base,
		},
	.state_bytes = sizeof(struct levels),
	.init = icache_init,
	.bytes = icache_bytes,
	LEVELS_OPS,
};
