/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several instances of any policy that share a capacity: the levels.
 *
 * A rule says in which level a block is, and which level gives a block up when
 * the cache is full; within a level its policy decides. A miss is always admitted, as far
 * as the policy takes it. A block that changes its level, by a reference or because
 * its class became known late, moves as if it had just come into the new one.
 *
 * A model is a rule with its parameters: icache.c, partition.c, insertion.c, disks.c.
 */
#ifndef SKY_CACHE_LEVELS_H
#define SKY_CACHE_LEVELS_H

#include "cache_model.h"

#define LEVELS_MAX 64
#define LEVEL_NONE LEVELS_MAX

struct level_rule;

/* The first member of a model's state. */
struct levels {
	struct chosen base;
	uint64_t journal; /* parameter: are journal writes cached? */
	const struct level_rule *rule;
	const struct cache_model *model;
	char *states;	    /* rule->levels of them */
	unsigned int needs; /* of that model */
	uint32_t capacity, used;
	uint32_t blocks[LEVELS_MAX];
	uint64_t occupied; /* bit i: level i has blocks */
	uint64_t touched;  /* ... or had some, and may remember them */
};

struct level_rule {
	unsigned int levels; /* 1 .. LEVELS_MAX */

	/* Where the block is, or comes in if it is not cached. */
	unsigned int (*level_of)(const struct levels *l, const struct block_ref *ref);

	/* A block of that level is asked for: where it goes. */
	unsigned int (*level_on_hit)(const struct levels *l, const struct block_ref *ref,
				     unsigned int level);

	/* The class of a block of that level became known: where it goes. */
	unsigned int (*level_on_class)(const struct levels *l, const struct block_ref *ref,
				       unsigned int level);

	/*
	 * Which of the levels that have blocks gives one up, for one that comes into
	 * level `to`, or for nothing (LEVEL_NONE).
	 */
	unsigned int (*victim)(const struct levels *l, unsigned int to);

	bool level_is_fixed; /* level_of() knows it by the block's number alone */
};

/* Ops of all models on levels; init is levels_init() with their rule. */
int levels_init(struct levels *l, uint32_t capacity, const struct level_rule *rule);
void levels_fini(void *state);
unsigned int levels_needs(const void *state);
uint64_t levels_bytes(const struct levels *l, uint32_t capacity, unsigned int levels);
size_t levels_access(void *state, const struct cache_batch *batch, uint64_t *hits);
bool levels_contains(const void *state, uint64_t block);
uint32_t levels_remove(void *state, uint64_t first, uint64_t count);
bool levels_set_class(void *state, uint64_t block, uint8_t io_class);
uint64_t levels_next_use(const void *state, uint64_t block);
bool levels_evict(void *state, uint64_t *block);
void levels_contents(const void *state, uint32_t *blocks);

/* By classes: level i is class i, and undecided blocks are in the lowest. */
unsigned int levels_of_class(const struct levels *l, const struct block_ref *ref);
unsigned int levels_of_class_on_hit(const struct levels *l, const struct block_ref *ref,
				    unsigned int level);
unsigned int levels_of_class_on_class(const struct levels *l, const struct block_ref *ref,
				      unsigned int level);

#define LEVELS_OPS                                                                           \
	.needs_of = levels_needs, .fini = levels_fini, .access = levels_access,              \
	.contains = levels_contains, .remove = levels_remove, .set_class = levels_set_class, \
	.next_use = levels_next_use, .evict = levels_evict, .contents = levels_contents

#define LEVELS_JOURNAL_PARAMETER                                         \
	{                                                                \
		"journal", "1: journal writes are cached, too", 0, 1, 0, \
			offsetof(struct levels, journal)                 \
	}

extern const struct choice levels_base;

#endif
