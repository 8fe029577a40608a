/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hash table of node numbers (common/pool.h).
 *
 * Open addressing with linear probing at a load of at most one half. A slot
 * holds the node's number and 32 bits of its hash, so that a probe compares
 * without touching nodes, and growth and removal need no look at them either.
 * Removal shifts back (Knuth, TAOCP 3, 6.4 R): look-ups never meet tombstones.
 * The keys are in the nodes; the caller compares them.
 */
#ifndef SKY_TABLE_H
#define SKY_TABLE_H

#include <stdint.h>

struct table_slot {
	uint32_t node, hash;
};

struct table {
	struct table_slot *slot;
	uint32_t mask, count, peak;
};

/* 0 or -ENOMEM. */
int table_init(struct table *table);
void table_fini(struct table *table);

/* Adds a node whose key is not in the table; 0 or -ENOMEM. */
int table_add(struct table *table, uint32_t hash, uint32_t node);

/* The node must be in the table under that hash. */
void table_remove(struct table *table, uint32_t hash, uint32_t node);

/* The same key is another node's from now on. */
void table_replace(struct table *table, uint32_t hash, uint32_t node, uint32_t by);

/* Runs the statement for each node with that hash; node is 0 after the last. */
#define table_for_each(table, wanted, at, found)                                       \
	for (uint32_t at = (wanted) & (table)->mask; (found = (table)->slot[at].node); \
	     at = (at + 1) & (table)->mask)                                            \
		if ((table)->slot[at].hash == (wanted))

static inline void table_prefetch(const struct table *table, uint32_t hash)
{
	__builtin_prefetch(&table->slot[hash & table->mask]);
}

/* 2^64 / golden ratio. */
#define HASH_FACTOR 0x9e3779b97f4a7c15u

static inline uint32_t hash_word(uint64_t word)
{
	word ^= word >> 32;
	word *= HASH_FACTOR;
	return word >> 32 ^ word >> 9;
}

static inline uint32_t hash_words(uint64_t first, uint64_t second)
{
	return hash_word((first ^ first >> 29) * HASH_FACTOR + second);
}

#endif
