/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insertion: a block's class decides where it comes in, its use whether it stays.
 *
 * The cache is two levels of any policy. Blocks of the class `from` and above come
 * into the protected level, others into the level on probation; there a hit
 * promotes them. The protected level gives way when it has more than its part of the cache,
 * or all of it; else who is on probation does. Unlike with icache, metadata that nobody
 * asks for leaves in the end.
 */
#include "levels.h"

enum { PROBATION, PROTECTED, LEVELS };

struct insertion {
	struct levels levels;
	uint64_t from, protected_percent;
};

static bool is_high(const struct levels *l, const struct block_ref *ref)
{
	const struct insertion *i = container_of(l, struct insertion, levels);

	return ref->io_class < CLASS_COUNT && ref->io_class >= i->from;
}

static unsigned int level_of(const struct levels *l, const struct block_ref *ref)
{
	return is_high(l, ref) ? PROTECTED : PROBATION;
}

static unsigned int promoted(const struct levels *l, const struct block_ref *ref,
			     unsigned int level)
{
	return PROTECTED;
}

/* What was promoted stays so. */
static unsigned int at_least(const struct levels *l, const struct block_ref *ref,
			     unsigned int level)
{
	return is_high(l, ref) ? PROTECTED : level;
}

static unsigned int victim(const struct levels *l, unsigned int to)
{
	const struct insertion *i = container_of(l, struct insertion, levels);
	uint64_t blocks = l->blocks[PROTECTED] + (to == PROTECTED);

	if (!l->blocks[PROBATION])
		return PROTECTED;
	if (!l->blocks[PROTECTED])
		return PROBATION;
	return blocks * 100 > l->capacity * i->protected_percent ? PROTECTED : PROBATION;
}

static const struct level_rule by_insertion = {
	.levels = LEVELS,
	.level_of = level_of,
	.level_on_hit = promoted,
	.level_on_class = at_least,
	.victim = victim,
};

static int insertion_init(void *state, uint32_t capacity)
{
	return levels_init(state, capacity, &by_insertion);
}

static uint64_t insertion_bytes(const void *state, uint32_t capacity)
{
	return levels_bytes(state, capacity, LEVELS);
}

static const struct parameter parameters[] = {
	{"from", "the lowest class that is protected from the start", 0, CLASS_COUNT, 1,
	 offsetof(struct insertion, from)},
	{"kept", "percent of the cache for the protected level", 0, 100, 80,
	 offsetof(struct insertion, protected_percent)},
	LEVELS_JOURNAL_PARAMETER,
	{0},
};

CACHE_MODEL(insertion){
	.head =
		{
			.kind = "cache",
			.name = "insertion",
			.summary = "high classes come in protected, others once they are hit; any "
				   "policy within",
			.parameters = parameters,
			.choice = &levels_base,
		},
	.state_bytes = sizeof(struct insertion),
	.init = insertion_init,
	.bytes = insertion_bytes,
	LEVELS_OPS,
};
