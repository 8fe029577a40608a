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

#include "cache_model.h"

struct icache {
	struct chosen base;
	const struct cache_model *model;
	char *states; /* CLASS_COUNT of them */
	uint32_t capacity, used;
	uint32_t blocks[CLASS_COUNT];
	uint32_t occupied; /* bit i: class i has blocks */
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
}

static void count_out(struct icache *c, unsigned int level, uint32_t blocks)
{
	c->used -= blocks;
	c->blocks[level] -= blocks;
	if (!c->blocks[level])
		c->occupied &= ~(1u << level);
}

static void insert(struct icache *c, unsigned int level, const struct block_ref *ref)
{
	bool hit;

	c->model->access(state_of(c, level), ref, 1, &hit);
	count_in(c, level);
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

static bool icache_access_one(struct icache *c, const struct block_ref *ref)
{
	unsigned int from = find_level(c, ref->block), to = level_of_class(ref->io_class);
	uint64_t victim;
	bool hit = true;

	if (from == CLASS_COUNT) {
		if (c->used == c->capacity)
			icache_evict(c, &victim);
		insert(c, to, ref);
		return false;
	}
	if (from == to || ref->io_class == CLASS_UNDECIDED) {
		c->model->access(state_of(c, from), ref, 1, &hit);
		return true;
	}
	c->model->remove(state_of(c, from), ref->block, 1);
	count_out(c, from, 1);
	insert(c, to, ref);
	return true;
}

static size_t icache_access(void *state, const struct block_ref *ref, size_t n, bool *hit)
{
	size_t hits = 0;

	for (size_t i = 0; i < n; i++)
		hits += hit[i] = icache_access_one(state, &ref[i]);
	return hits;
}

static bool icache_contains(const void *state, uint64_t block)
{
	return find_level(state, block) != CLASS_COUNT;
}

static uint32_t icache_remove(void *state, uint64_t first, uint64_t count)
{
	struct icache *c = state;
	uint32_t before = c->used;

	for (uint32_t left = c->occupied; left; left &= left - 1) {
		unsigned int level = __builtin_ctz(left);

		count_out(c, level, c->model->remove(state_of(c, level), first, count));
	}
	return before - c->used;
}

static bool icache_set_class(void *state, uint64_t block, uint8_t io_class)
{
	struct icache *c = state;
	unsigned int from = find_level(c, block), to = level_of_class(io_class);

	if (from == CLASS_COUNT)
		return false;
	if (from == to)
		return c->model->set_class(state_of(c, from), block, io_class);
	c->model->remove(state_of(c, from), block, 1);
	count_out(c, from, 1);
	insert(c, to, &(struct block_ref){.block = block, .io_class = io_class});
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
	.access = icache_access,
	.contains = icache_contains,
	.remove = icache_remove,
	.set_class = icache_set_class,
	.evict = icache_evict,
	.contents = icache_contents,
};
