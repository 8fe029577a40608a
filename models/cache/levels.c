/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "levels.h"

#define BIT(level) (1ull << (level))

/* So many classes have Sky's hints. */
#define LEVELS_USED (CLASS_METADATA + 1)

static void *state_of(const struct levels *l, unsigned int level)
{
	return l->states + level * l->model->state_bytes;
}

/* Where the block is cached, or LEVEL_NONE. */
static unsigned int find_level(const struct levels *l, uint64_t block)
{
	const struct block_ref ref = {.block = block};
	uint64_t left = l->occupied;

	if (l->rule->level_is_fixed)
		left &= BIT(l->rule->level_of(l, &ref));
	for (; left; left &= left - 1) {
		unsigned int level = __builtin_ctzll(left);

		if (l->model->contains(state_of(l, level), block))
			return level;
	}
	return LEVEL_NONE;
}

static void count_in(struct levels *l, unsigned int level)
{
	l->used++;
	l->blocks[level]++;
	l->occupied |= BIT(level);
	l->touched |= BIT(level);
}

static void count_out(struct levels *l, unsigned int level, uint32_t blocks)
{
	l->used -= blocks;
	l->blocks[level] -= blocks;
	if (!l->blocks[level])
		l->occupied &= ~BIT(level);
}

static bool refer(struct levels *l, unsigned int level, const struct cache_batch *one)
{
	uint64_t hit;

	return l->model->access(state_of(l, level), one, &hit);
}

static void give_up(struct levels *l, unsigned int to, uint64_t *block)
{
	unsigned int level = l->rule->victim(l, to);

	l->model->evict(state_of(l, level), block);
	count_out(l, level, 1);
}

bool levels_evict(void *state, uint64_t *block)
{
	struct levels *l = state;

	if (!l->used)
		return false;
	give_up(l, LEVEL_NONE, block);
	return true;
}

/* A policy may decline the block; it then is not cached. */
static void insert(struct levels *l, unsigned int level, const struct cache_batch *one)
{
	uint64_t victim;

	if (l->used == l->capacity)
		give_up(l, level, &victim);
	refer(l, level, one);
	if (l->model->contains(state_of(l, level), one->ref->block))
		count_in(l, level);
}

static void take_out(struct levels *l, unsigned int level, uint64_t block)
{
	l->model->remove(state_of(l, level), block, 1);
	count_out(l, level, 1);
}

/* What is cached stays so, whatever its reference would do to a block that is not. */
static void move(struct levels *l, unsigned int from, unsigned int to,
		 const struct cache_batch *one)
{
	struct block_ref ref = *one->ref;
	struct cache_batch moved = *one;

	ref.flags &= ~REF_NO_ALLOCATE;
	moved.ref = &ref;
	take_out(l, from, ref.block);
	insert(l, to, &moved);
}

/* A journal's write, which is read by nobody but a recovery. */
static bool pass_by(struct levels *l, unsigned int from, uint64_t block)
{
	if (from != LEVEL_NONE)
		take_out(l, from, block);
	return false;
}

static bool access_one(struct levels *l, const struct cache_batch *one)
{
	const struct block_ref *ref = one->ref;
	unsigned int from = find_level(l, ref->block), to;

	if (ref->flags & REF_JOURNAL && !l->journal)
		return pass_by(l, from, ref->block);
	if (from == LEVEL_NONE) {
		if (!(ref->flags & REF_NO_ALLOCATE))
			insert(l, l->rule->level_of(l, ref), one);
		return false;
	}
	to = l->rule->level_on_hit(l, ref, from);
	if (from == to)
		return refer(l, from, one);
	move(l, from, to, one);
	return true;
}

size_t levels_access(void *state, const struct cache_batch *batch, uint64_t *hits)
{
	size_t sum = 0;

	memset(hits, 0, HIT_WORDS(batch->count) * sizeof(*hits));
	for (size_t i = 0; i < batch->count; i++) {
		const struct cache_batch one = cache_batch_at(batch, i);
		bool hit = access_one(state, &one);

		hits[i / 64] |= (uint64_t)hit << i % 64;
		sum += hit;
	}
	return sum;
}

bool levels_contains(const void *state, uint64_t block)
{
	return find_level(state, block) != LEVEL_NONE;
}

uint32_t levels_remove(void *state, uint64_t first, uint64_t count)
{
	struct levels *l = state;
	uint32_t before = l->used;

	for (uint64_t left = l->touched; left; left &= left - 1) {
		unsigned int level = __builtin_ctzll(left);

		count_out(l, level, l->model->remove(state_of(l, level), first, count));
	}
	return before - l->used;
}

uint64_t levels_next_use(const void *state, uint64_t block)
{
	const struct levels *l = state;

	return l->model->next_use(state_of(l, find_level(l, block)), block);
}

bool levels_set_class(void *state, uint64_t block, uint8_t io_class)
{
	struct levels *l = state;
	const struct block_ref ref = {.block = block, .io_class = io_class};
	struct cache_batch one = {.count = 1, .ref = &ref};
	unsigned int from = find_level(l, block), to;
	uint64_t next_use;

	if (from == LEVEL_NONE)
		return false;
	to = l->rule->level_on_class(l, &ref, from);
	if (from == to)
		return l->model->set_class(state_of(l, from), block, io_class);
	if (l->needs & NEEDS_FUTURE) {
		next_use = l->model->next_use(state_of(l, from), block);
		one.next_use = &next_use;
	}
	move(l, from, to, &one);
	return true;
}

void levels_contents(const void *state, uint32_t *blocks)
{
	const struct levels *l = state;

	for (uint64_t left = l->occupied; left; left &= left - 1)
		l->model->contents(state_of(l, __builtin_ctzll(left)), blocks);
}

unsigned int levels_needs(const void *state)
{
	const struct levels *l = state;

	return l->needs;
}

void levels_fini(void *state)
{
	struct levels *l = state;

	for (unsigned int level = 0; l->states && level < l->rule->levels; level++)
		l->model->fini(state_of(l, level));
	free(l->states);
}

int levels_init(struct levels *l, uint32_t capacity, const struct level_rule *rule)
{
	int rc = 0;

	l->rule = rule;
	l->model = container_of(l->base.component, struct cache_model, head);
	l->capacity = capacity;
	l->states = calloc(rule->levels, l->model->state_bytes);
	if (!l->states)
		return -ENOMEM;
	for (unsigned int level = 0; !rc && level < rule->levels; level++) {
		if (component_set_parameters(&l->model->head, state_of(l, level),
					     l->base.parameters))
			return -EINVAL;
		rc = l->model->init(state_of(l, level), capacity);
	}
	l->needs = l->model->needs_of ? l->model->needs_of(l->states) : l->model->needs;
	return rc;
}

/* Levels are full at different times, and memory is not given back. */
uint64_t levels_bytes(const struct levels *l, uint32_t capacity, unsigned int levels)
{
	unsigned int used = levels < LEVELS_USED ? levels : LEVELS_USED;

	return levels * l->model->state_bytes + used * l->model->bytes(l->states, capacity);
}

unsigned int levels_of_class(const struct levels *l, const struct block_ref *ref)
{
	return ref->io_class < CLASS_COUNT ? ref->io_class : CLASS_REST;
}

unsigned int levels_of_class_on_hit(const struct levels *l, const struct block_ref *ref,
				    unsigned int level)
{
	return ref->io_class == CLASS_UNDECIDED ? level : levels_of_class(l, ref);
}

unsigned int levels_of_class_on_class(const struct levels *l, const struct block_ref *ref,
				      unsigned int level)
{
	return levels_of_class(l, ref);
}

const struct choice levels_base = {
	.name = "base",
	.help = "the policy within a level; further parameters are its own",
	.kind = "cache",
	.preset = "lru",
	.offset = offsetof(struct levels, base),
};
