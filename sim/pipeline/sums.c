/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several nodes under one checksum.
 *
 * The table holds the oldest; the others follow it in a ring, so that equal
 * content by the million (zeros) costs one probe like any other.
 */
#include "sim/pipeline/state.h"
#include "sim/pipeline/sums.h"

static struct summed *summed_at(const struct pool *pool, uint32_t node)
{
	return pool_at(pool, node);
}

/* Both kinds of nodes begin with a struct summed; FNV-1a needs no more mixing than a fold. */
static uint32_t hash_sum(uint64_t sum)
{
	return sum ^ sum >> 32;
}

void sums_prefetch(const struct table *table, const struct words *sums)
{
	for (uint32_t i = 0; i < sums->count; i++)
		table_prefetch(table, hash_sum(sums->at[i]));
}

/* Where another sum is in the slot, it is that one's: no harm. */
void sums_prefetch_nodes(const struct table *table, const struct pool *pool,
			 const struct words *sums)
{
	for (uint32_t i = 0; i < sums->count; i++) {
		uint32_t node = table->slot[hash_sum(sums->at[i]) & table->mask].node;

		if (node)
			__builtin_prefetch(summed_at(pool, node));
	}
}

uint32_t sums_find(const struct table *table, const struct pool *pool, uint64_t sum)
{
	uint32_t node;

	table_for_each(table, hash_sum(sum), at, node) if (summed_at(pool, node)->sum == sum) break;
	return node;
}

int sums_add(struct pipeline *p, struct table *table, const struct pool *pool, uint32_t node)
{
	struct summed *added = summed_at(pool, node), *oldest;
	uint32_t first = sums_find(table, pool, added->sum);

	if (!first) {
		added->same = (struct link){node, node};
		return add_node(p, table, hash_sum(added->sum), node);
	}
	oldest = summed_at(pool, first);
	added->same = (struct link){.previous = oldest->same.previous, .next = first};
	summed_at(pool, oldest->same.previous)->same.next = node;
	oldest->same.previous = node;
	return 0;
}

void sums_remove(struct table *table, const struct pool *pool, uint32_t node)
{
	struct summed *gone = summed_at(pool, node);
	uint32_t hash = hash_sum(gone->sum);

	if (gone->same.next == node) {
		table_remove(table, hash, node);
		return;
	}
	summed_at(pool, gone->same.previous)->same.next = gone->same.next;
	summed_at(pool, gone->same.next)->same.previous = gone->same.previous;
	if (sums_find(table, pool, gone->sum) == node)
		table_replace(table, hash, node, gone->same.next);
}
