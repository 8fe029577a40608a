/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools of nodes: blocks of 4096, and a list of those that were given back.
 */
#include <stdlib.h>
#include <string.h>

#include "common/pool.h"

void pool_init(struct pool *pool, size_t node_bytes)
{
	*pool = (struct pool){.node_bytes = node_bytes, .top = 1};
}

void pool_fini(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->blocks; i++)
		free(pool->block[i]);
	free(pool->block);
	pool_init(pool, pool->node_bytes);
}

static int pool_grow(struct pool *pool)
{
	void **block;

	if (pool->blocks > UINT32_MAX >> POOL_SHIFT)
		return -1;
	block = realloc(pool->block, (pool->blocks + 1) * sizeof(*block));
	if (!block)
		return -1;
	pool->block = block;
	block[pool->blocks] = malloc(pool->node_bytes << POOL_SHIFT);
	if (!block[pool->blocks])
		return -1;
	pool->blocks++;
	return 0;
}

uint32_t pool_take(struct pool *pool)
{
	uint32_t node = pool->free;

	if (node) {
		memcpy(&pool->free, pool_at(pool, node), sizeof(pool->free));
		__builtin_prefetch(pool_at(pool, pool->free), 1); /* the next will be that */
	} else {
		if (pool->top >> POOL_SHIFT >= pool->blocks && pool_grow(pool))
			return 0;
		node = pool->top++;
	}
	if (++pool->count > pool->peak)
		pool->peak = pool->count;
	memset(pool_at(pool, node), 0, pool->node_bytes);
	return node;
}

void pool_give(struct pool *pool, uint32_t node)
{
	memcpy(pool_at(pool, node), &pool->free, sizeof(pool->free));
	pool->free = node;
	pool->count--;
}
