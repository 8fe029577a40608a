/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow half of the hash table: adding, growing, removing.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/table.h"

#define SLOTS_AT_FIRST 64

int table_init(struct table *table)
{
	table->slot = calloc(SLOTS_AT_FIRST, sizeof(*table->slot));
	table->mask = SLOTS_AT_FIRST - 1;
	table->count = table->peak = 0;
	return table->slot ? 0 : -ENOMEM;
}

void table_fini(struct table *table)
{
	free(table->slot);
	*table = (struct table){0};
}

static void put(struct table_slot *slots, uint32_t mask, struct table_slot slot)
{
	uint32_t i = slot.hash & mask;

	while (slots[i].node)
		i = (i + 1) & mask;
	slots[i] = slot;
}

static int grow(struct table *table)
{
	uint32_t mask = table->mask * 2 + 1;
	struct table_slot *slot;

	if (mask == UINT32_MAX)
		return -ENOMEM;
	slot = calloc((size_t)mask + 1, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	for (uint32_t i = 0; i <= table->mask; i++)
		if (table->slot[i].node)
			put(slot, mask, table->slot[i]);
	free(table->slot);
	table->slot = slot;
	table->mask = mask;
	return 0;
}

int table_add(struct table *table, uint32_t hash, uint32_t node)
{
	if (table->count > table->mask / 2 && grow(table))
		return -ENOMEM;
	put(table->slot, table->mask, (struct table_slot){node, hash});
	if (++table->count > table->peak)
		table->peak = table->count;
	return 0;
}

static uint32_t slot_of(const struct table *table, uint32_t hash, uint32_t node)
{
	uint32_t i = hash & table->mask;

	while (table->slot[i].node != node)
		i = (i + 1) & table->mask;
	return i;
}

void table_remove(struct table *table, uint32_t hash, uint32_t node)
{
	uint32_t mask = table->mask, hole = slot_of(table, hash, node);

	for (uint32_t i = (hole + 1) & mask; table->slot[i].node; i = (i + 1) & mask) {
		uint32_t home = table->slot[i].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			table->slot[hole] = table->slot[i];
			hole = i;
		}
	}
	table->slot[hole].node = 0;
	table->count--;
}

void table_replace(struct table *table, uint32_t hash, uint32_t node, uint32_t by)
{
	table->slot[slot_of(table, hash, node)].node = by;
}
