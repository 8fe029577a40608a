/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * icache: priority classes over any policy.
 *
 * Each class has an instance of the base policy and they share the capacity.
 * A miss is always admitted; when the cache is full the lowest class that
 * has blocks gives one up, as its policy chooses. A block whose class changes,
 * by a reference or because it became known late, moves as if it had just
 * come into its new class. Blocks of an undecided class are in the lowest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache_model.h"
#include "common/error.h"

struct icache {
	struct chosen base;
	const struct cache_model *model;
	char *states; /* CLASS_COUNT of them */
	uint32_t capacity, used;
	uint32_t blocks[CLASS_COUNT];
	uint32_t occupied; /* bit i: class i has blocks */
	uint32_t touched;  /* ... or had some, and may remember them */
};

static unsigned int level_of_class(uint8_t io_class)
{
	return io_class < CLASS_COUNT ? io_class : CLASS_REST;
}

static void *state_of(const struct icache *c, unsigned int level)
{
	return c->states + level * c->model->state_bytes;
}

/* Where the block is, or CLASS_COUNT. */
static unsigned int find_level(const struct icache *c, uint64_t block)
{
	for (uint32_t left = c->occupied; left; left &= left - 1) {
		unsigned int level = __builtin_ctz(left);

		if (c->model->contains(state_of(c, level), block))
			return level;
	}
	return CLASS_COUNT;
}

static void count_in(struct icache *c, unsigned int level)
{
	c->used++;
	c->blocks[level]++;
	c->occupied |= 1u << level;
	c->touched |= 1u << level;
}

static void count_out(struct icache *c, unsigned int level, uint32_t blocks)
{
	c->used -= blocks;
	c->blocks[level] -= blocks;
	if (!c->blocks[level])
		c->occupied &= ~(1u << level);
}

static bool refer(struct icache *c, unsigned int level, const struct cache_batch *one)
{
	uint64_t hit;

	return c->model->access(state_of(c, level), one, &hit);
}

static bool icache_evict(void *state, uint64_t *block)
{
	struct icache *c = state;
	unsigned int level;

	if (!c->used)
		return false;
	level = __builtin_ctz(c->occupied);
	c->model->evict(state_of(c, level), block);
	count_out(c, level, 1);
	return true;
}

/* A policy may decline the block; it then is not cached. */
static void insert(struct icache *c, unsigned int level, const struct cache_batch *one)
{
	uint64_t victim;

	if (c->used == c->capacity)
		icache_evict(c, &victim);
	refer(c, level, one);
	if (c->model->contains(state_of(c, level), one->ref->block))
		count_in(c, level);
}

/* What is cached stays so, whatever its reference would do to a block that is not. */
static void move(struct icache *c, unsigned int from, unsigned int to,
		 const struct cache_batch *one)
{
	struct block_ref ref = *one->ref;
	struct cache_batch moved = *one;

	ref.flags &= ~REF_NO_ALLOCATE;
	moved.ref = &ref;
	c->model->remove(state_of(c, from), ref.block, 1);
	count_out(c, from, 1);
	insert(c, to, &moved);
}

static bool icache_access_one(struct icache *c, const struct cache_batch *one)
{
	const struct block_ref *ref = one->ref;
	unsigned int from = find_level(c, ref->block), to = level_of_class(ref->io_class);

	if (from == CLASS_COUNT) {
		if (!(ref->flags & REF_NO_ALLOCATE))
			insert(c, to, one);
		return false;
	}
	if (from == to || ref->io_class == CLASS_UNDECIDED)
		return refer(c, from, one);
	move(c, from, to, one);
	return true;
}

static size_t icache_access(void *state, const struct cache_batch *batch, uint64_t *hits)
{
	size_t sum = 0;

	memset(hits, 0, HIT_WORDS(batch->count) * sizeof(*hits));
	for (size_t i = 0; i < batch->count; i++) {
		const struct cache_batch one = cache_batch_at(batch, i);
		bool hit = icache_access_one(state, &one);

		hits[i / 64] |= (uint64_t)hit << i % 64;
		sum += hit;
	}
	return sum;
}

static bool icache_contains(const void *state, uint64_t block)
{
	return find_level(state, block) != CLASS_COUNT;
}

static uint32_t icache_remove(void *state, uint64_t first, uint64_t count)
{
	struct icache *c = state;
	uint32_t before = c->used;

	for (uint32_t left = c->touched; left; left &= left - 1) {
		unsigned int level = __builtin_ctz(left);

		count_out(c, level, c->model->remove(state_of(c, level), first, count));
	}
	return before - c->used;
}

static bool icache_set_class(void *state, uint64_t block, uint8_t io_class)
{
	struct icache *c = state;
	const struct block_ref ref = {.block = block, .io_class = io_class};
	unsigned int from = find_level(c, block), to = level_of_class(io_class);

	if (from == CLASS_COUNT)
		return false;
	if (from == to)
		return c->model->set_class(state_of(c, from), block, io_class);
	move(c, from, to, &(struct cache_batch){.count = 1, .ref = &ref});
	return true;
}

static void icache_contents(const void *state, uint32_t *blocks)
{
	const struct icache *c = state;

	for (uint32_t left = c->occupied; left; left &= left - 1)
		c->model->contents(state_of(c, __builtin_ctz(left)), blocks);
}

static void icache_fini(void *state)
{
	struct icache *c = state;

	for (unsigned int level = 0; c->states && level < CLASS_COUNT; level++)
		c->model->fini(state_of(c, level));
	free(c->states);
}

static int icache_init(void *state, uint32_t capacity)
{
	struct icache *c = state;
	int rc = 0;

	c->model = container_of(c->base.component, struct cache_model, head);
	if (c->model->needs_future) {
		fail("icache can't move blocks of %s, which knows their future only when they are "
		     "asked for: choose another base",
		     c->model->head.name);
		return -EINVAL;
	}
	c->capacity = capacity;
	c->states = calloc(CLASS_COUNT, c->model->state_bytes);
	if (!c->states)
		return -ENOMEM;
	for (unsigned int level = 0; !rc && level < CLASS_COUNT; level++) {
		if (component_set_parameters(&c->model->head, state_of(c, level),
					     c->base.parameters))
			return -EINVAL;
		rc = c->model->init(state_of(c, level), capacity);
	}
	return rc;
}

/* Each class could have held all blocks at some time, and memory is not given back. */
static uint64_t icache_bytes(const void *state, uint32_t capacity)
{
	const struct icache *c = state;
	uint64_t bytes = 0;

	for (unsigned int level = 0; level < CLASS_COUNT; level++)
		bytes += c->model->state_bytes + c->model->bytes(state_of(c, level), capacity);
	return bytes;
}

static const struct choice icache_base = {
	.name = "base",
	.help = "the policy within a class; further parameters are its own",
	.kind = "cache",
	.preset = "lru",
	.offset = offsetof(struct icache, base),
};

CACHE_MODEL(icache){
	.head =
		{
			.kind = "cache",
			.name = "icache",
			.summary = "priority classes over any policy: the lowest class gives way",
			.source =
				"L. Arulraj, A. C. Arpaci-Dusseau, R. H. Arpaci-Dusseau, Improving "
				"Virtualized Storage Performance with Sky, VEE 2017, section 7",
			.choice = &icache_base,
		},
	.state_bytes = sizeof(struct icache),
	.init = icache_init,
	.fini = icache_fini,
	.bytes = icache_bytes,
	.access = icache_access,
	.contains = icache_contains,
	.remove = icache_remove,
	.set_class = icache_set_class,
	.evict = icache_evict,
	.contents = icache_contents,
};
