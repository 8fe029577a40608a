/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes that are found by a checksum (sums.c).
 */
#ifndef SKY_PIPELINE_SUMS_H
#define SKY_PIPELINE_SUMS_H

#include <stdint.h>

#include "capture/event.h"
#include "common/pool.h"
#include "common/table.h"

struct pipeline;

/* Begins the nodes that are found by a checksum; those that share one form a ring. */
struct summed {
	uint64_t sum;
	struct link same;
};

/*
 * Many look-ups follow: the processor fetches all their slots, and then their nodes,
 * at once. What is to be fetched is out of its caches more often than not.
 */
void sums_prefetch(const struct table *table, const struct words *sums);
void sums_prefetch_nodes(const struct table *table, const struct pool *pool,
			 const struct words *sums);

/* The oldest node with the sum, or 0. */
uint32_t sums_find(const struct table *table, const struct pool *pool, uint64_t sum);
int sums_add(struct pipeline *p, struct table *table, const struct pool *pool, uint32_t node);
void sums_remove(struct table *table, const struct pool *pool, uint32_t node);

#endif
