/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A heap of slots, the least key first, in flat arrays: for policies that order
 * blocks by a number and not by a list.
 *
 * Four children a parent, whose keys share a cache line. A slot knows its place, so
 * that a given one can leave. Where keys only grow, a policy need not tell each
 * change: a slot that has come to the top with an old key gets its new one then
 * (heap_set_top()). What is on top with its present key is the least of all.
 */
#ifndef SKY_CACHE_HEAP_H
#define SKY_CACHE_HEAP_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* Compared first by a value, then by the time of a reference. */
typedef unsigned __int128 heap_key;

struct cache_heap {
	heap_key *key;	 /* at each place, HEAP_TOP the first */
	uint32_t *slot;	 /* at each place */
	uint32_t *place; /* of each slot that is in the heap */
	uint32_t used;
};

#define HEAP_CHILDREN 4u
#define HEAP_TOP      3u /* so that all children begin at multiples of four */

static inline heap_key heap_key_of(uint64_t value, uint64_t time)
{
	return (heap_key)value << 64 | time;
}

static inline uint64_t heap_time(heap_key key)
{
	return key;
}

static inline uint32_t heap_parent(uint32_t place)
{
	return place / HEAP_CHILDREN + 2;
}

/* May lie far behind the last place: more bits than a place has. */
static inline uint64_t heap_first_child(uint32_t place)
{
	return (place - 2) * (uint64_t)HEAP_CHILDREN;
}

static inline void heap_put(struct cache_heap *h, uint32_t place, heap_key key, uint32_t slot)
{
	h->key[place] = key;
	h->slot[place] = slot;
	h->place[slot] = place;
}

static inline void heap_rise(struct cache_heap *h, uint32_t place, heap_key key, uint32_t slot)
{
	while (place != HEAP_TOP && key < h->key[heap_parent(place)]) {
		heap_put(h, place, h->key[heap_parent(place)], h->slot[heap_parent(place)]);
		place = heap_parent(place);
	}
	heap_put(h, place, key, slot);
}

static inline uint32_t heap_least_child(const struct cache_heap *h, uint32_t first)
{
	uint32_t left = HEAP_TOP + h->used - first, least = first, other = first + 2;

	if (left >= HEAP_CHILDREN) {
		least += h->key[first + 1] < h->key[first];
		other += h->key[first + 3] < h->key[first + 2];
		return h->key[other] < h->key[least] ? other : least;
	}
	for (uint32_t i = 1; i < left; i++)
		if (h->key[first + i] < h->key[least])
			least = first + i;
	return least;
}

static inline void heap_sink(struct cache_heap *h, uint32_t place, heap_key key, uint32_t slot)
{
	uint32_t end = HEAP_TOP + h->used;

	while (heap_first_child(place) < end) {
		uint32_t child = heap_least_child(h, heap_first_child(place));

		if (h->key[child] >= key)
			break;
		heap_put(h, place, h->key[child], h->slot[child]);
		place = child;
	}
	heap_put(h, place, key, slot);
}

static inline void heap_add(struct cache_heap *h, heap_key key, uint32_t slot)
{
	heap_rise(h, HEAP_TOP + h->used++, key, slot);
}

static inline uint32_t heap_top(const struct cache_heap *h)
{
	return h->slot[HEAP_TOP];
}

static inline heap_key heap_top_key(const struct cache_heap *h)
{
	return h->key[HEAP_TOP];
}

/* The key of what is on top has grown. */
static inline void heap_set_top(struct cache_heap *h, heap_key key)
{
	heap_sink(h, HEAP_TOP, key, heap_top(h));
}

static inline void heap_remove(struct cache_heap *h, uint32_t slot)
{
	uint32_t place = h->place[slot], last = HEAP_TOP + --h->used;

	if (place == last)
		return;
	if (place != HEAP_TOP && h->key[last] < h->key[heap_parent(place)])
		heap_rise(h, place, h->key[last], h->slot[last]);
	else
		heap_sink(h, place, h->key[last], h->slot[last]);
}

/* For up to `capacity` of slots with numbers below `slots`. 0 or -ENOMEM. */
static inline int heap_init(struct cache_heap *h, uint32_t capacity, uint64_t slots)
{
	size_t places = HEAP_TOP + (size_t)capacity;
	void *key = NULL;

	if (posix_memalign(&key, HEAP_CHILDREN * sizeof(*h->key), places * sizeof(*h->key)))
		key = NULL;
	h->key = key;
	h->slot = calloc(places, sizeof(*h->slot));
	h->place = calloc(slots, sizeof(*h->place));
	return h->key && h->slot && h->place ? 0 : -ENOMEM;
}

static inline void heap_fini(struct cache_heap *h)
{
	free(h->key);
	free(h->slot);
	free(h->place);
}

static inline uint64_t heap_bytes(uint32_t capacity, uint64_t slots)
{
	return (HEAP_TOP + (uint64_t)capacity) * (sizeof(heap_key) + sizeof(uint32_t)) +
	       slots * sizeof(uint32_t);
}

#endif
