/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes of one size, named by 32-bit numbers, and lists of them.
 *
 * Nodes live in blocks that never move, so a pointer stays good until the node
 * is given back, and a link costs four bytes. Node 0 does not exist: it is what
 * an empty link holds and what pool_take() returns when memory is out.
 */
#ifndef SKY_POOL_H
#define SKY_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_SHIFT 12
#define POOL_MASK  ((1u << POOL_SHIFT) - 1)

struct pool {
	void **block;
	size_t node_bytes;
	uint32_t blocks, top, free;
	uint32_t count, peak; /* nodes taken, now and at most */
	/* For pool_refuses(): the most nodes, 0 = any number; how many found no room. */
	uint32_t bound;
	uint64_t refused;
};

/* node_bytes is the size of the node's type, at least 4. */
void pool_init(struct pool *pool, size_t node_bytes);
void pool_fini(struct pool *pool);

/* A node full of zeros; 0 if out of memory. */
uint32_t pool_take(struct pool *pool);
void pool_give(struct pool *pool, uint32_t node);

/* Has the pool all that it may have? Then the caller's node is refused, and counted. */
static inline bool pool_refuses(struct pool *pool)
{
	if (!pool->bound || pool->count < pool->bound)
		return false;
	pool->refused++;
	return true;
}

/* The node as its type, where the type is known: its size is then a constant. */
#define POOL_NODE(pool, type, node) \
	((type *)(pool)->block[(node) >> POOL_SHIFT] + ((node)&POOL_MASK))

static inline void *pool_at(const struct pool *pool, uint32_t node)
{
	return (char *)pool->block[node >> POOL_SHIFT] + (node & POOL_MASK) * pool->node_bytes;
}

/* A member of nodes that are in a list. */
struct link {
	uint32_t previous, next;
};

struct list {
	uint32_t first, last, count;
};

static inline struct link *link_at(const struct pool *pool, size_t offset, uint32_t node)
{
	return (struct link *)((char *)pool_at(pool, node) + offset);
}

/* offset: of the struct link within the node. */
static inline void list_append(struct list *list, const struct pool *pool, size_t offset,
			       uint32_t node)
{
	struct link *link = link_at(pool, offset, node);

	link->previous = list->last;
	link->next = 0;
	if (list->last)
		link_at(pool, offset, list->last)->next = node;
	else
		list->first = node;
	list->last = node;
	list->count++;
}

static inline void list_remove(struct list *list, const struct pool *pool, size_t offset,
			       uint32_t node)
{
	const struct link *link = link_at(pool, offset, node);

	if (link->previous)
		link_at(pool, offset, link->previous)->next = link->next;
	else
		list->first = link->next;
	if (link->next)
		link_at(pool, offset, link->next)->previous = link->previous;
	else
		list->last = link->previous;
	list->count--;
}

#endif
