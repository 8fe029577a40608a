/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cache_slots.h"

static unsigned int bucket_bits(uint64_t slots)
{
	unsigned int bits = 1;

	while ((4ull << bits) < slots * 3)
		bits++;
	return bits;
}

int cache_slots_init_remembering(struct cache_slots *s, uint32_t capacity, uint32_t cached_lists,
				 uint64_t remembered, uint32_t lists)
{
	uint64_t slots = capacity + remembered;
	unsigned int bits = bucket_bits(slots);

	if (slots + lists > UINT32_MAX)
		return -ENOMEM;
	s->bucket_shift = 64 - bits;
	s->capacity = capacity;
	s->cached_lists = cached_lists;
	s->fresh = lists;
	s->bucket = calloc((size_t)1 << bits, sizeof(*s->bucket));
	s->slot = calloc(lists + slots, sizeof(*s->slot));
	if (!s->bucket || !s->slot)
		return -ENOMEM;
	for (uint32_t list = 0; list < lists; list++)
		s->slot[list].newer = s->slot[list].older = list;
	return 0;
}

int cache_slots_init(struct cache_slots *s, uint32_t capacity, uint32_t lists)
{
	return cache_slots_init_remembering(s, capacity, lists, 0, lists);
}

int cache_slots_init_one_list(void *state, uint32_t capacity)
{
	return cache_slots_init(state, capacity, 1);
}

uint64_t cache_slots_bytes(uint32_t capacity, uint64_t remembered, uint32_t lists)
{
	uint64_t slots = capacity + remembered;

	return (sizeof(uint32_t) << bucket_bits(slots)) +
	       (lists + slots) * sizeof(struct cache_slot);
}

uint64_t cache_slots_bytes_one_list(const void *state, uint32_t capacity)
{
	return cache_slots_bytes(capacity, 0, 1);
}

void cache_slots_fini(void *state)
{
	struct cache_slots *s = state;

	free(s->bucket);
	free(s->slot);
}

bool cache_slots_contains(const void *state, uint64_t block)
{
	uint32_t slot = slots_find(state, block);

	return slot && slots_is_cached(state, slot);
}

bool cache_slots_set_class(void *state, uint64_t block, uint8_t io_class)
{
	uint32_t slot = slots_find(state, block);

	if (!slot || !slots_is_cached(state, slot))
		return false;
	slots_set_class(state, slot, io_class);
	return true;
}

void cache_slots_contents(const void *state, uint32_t *blocks)
{
	const struct cache_slots *s = state;

	blocks[CLASS_UNDECIDED] += s->used;
	for (unsigned int i = 0; i < CLASS_UNDECIDED; i++) {
		blocks[i] += s->blocks[i];
		blocks[CLASS_UNDECIDED] -= s->blocks[i];
	}
}

static void remove_slot(struct cache_slots *s, uint32_t slot,
			void (*forget)(void *state, uint32_t slot))
{
	forget(s, slot);
	slots_release(s, slot);
}

/*
 * A short range is looked up block by block, a longer one (a discard may name
 * a whole disk) is met by a walk over the buckets.
 */
uint32_t cache_slots_remove(void *state, uint64_t first, uint64_t count,
			    void (*forget)(void *state, uint32_t slot))
{
	struct cache_slots *s = state;
	uint64_t buckets = 1ull << (64 - s->bucket_shift);
	uint32_t slot, next, before = s->used;

	for (uint64_t i = 0; count <= buckets && i < count; i++) {
		slot = slots_find(s, first + i);
		if (slot)
			remove_slot(s, slot, forget);
	}
	for (uint64_t i = 0; count > buckets && i < buckets; i++)
		for (slot = s->bucket[i]; slot; slot = next) {
			next = s->slot[slot].chain;
			if (s->slot[slot].block - first < count)
				remove_slot(s, slot, forget);
		}
	return before - s->used;
}
