/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lfuda: lfu with dynamic ageing, the source's K = C F + L with all costs C = 1.
 *
 * F counts a block's references since it came. At each of them the block gets the key
 * F + L, where L, the cache's age, is the key of the block that left last. The block with
 * the least key leaves; of several, the one that has waited longest for a reference.
 *
 * No key is ever less than that of the last victim, so a radix heap (R. K. Ahuja,
 * K. Mehlhorn, J. Orlin, R. E. Tarjan, Faster algorithms for the shortest path problem,
 * JACM 37(2), 1990) keeps them in order by links alone: a list for each value of the highest
 * hexadecimal digit in which a key differs from the base, which is no more than the least key. If
 * no key is in the lists of the last digit, the base becomes the beginning of the next list and
 * its blocks are distributed. Each list is in the order of references, and stays so.
 */
#include "cache_slots.h"

#define DIGIT_BITS 4u
#define DIGITS	   (1u << DIGIT_BITS)
#define LEVELS	   12u /* keys below 2^48: there is no such number of references */
#define LISTS	   (LEVELS * DIGITS)

struct block_age {
	uint64_t references, key;
};

struct lfuda {
	struct cache_slots slots;
	struct block_age *at; /* each slot */
	uint64_t age, base;
	uint16_t occupied[LEVELS]; /* bit i: list i of the level may have blocks */
};

static inline unsigned int digit_of(uint64_t key, unsigned int level)
{
	return key >> level * DIGIT_BITS & (DIGITS - 1);
}

/* The list for a key, which is no less than the base. */
static inline uint32_t list_for(struct lfuda *l, uint64_t key)
{
	uint64_t differs = key ^ l->base;
	unsigned int level = differs ? (63 - __builtin_clzll(differs)) / DIGIT_BITS : 0;
	unsigned int digit = digit_of(key, level);

	l->occupied[level] |= 1u << digit;
	return level * DIGITS + digit;
}

static inline void lfuda_hit(struct lfuda *l, uint32_t slot)
{
	struct block_age *at = &l->at[slot];

	at->key = ++at->references + l->age;
	slots_move_newest(&l->slots, list_for(l, at->key), slot);
}

static inline void lfuda_insert(struct lfuda *l, uint32_t slot)
{
	l->at[slot] = (struct block_age){.references = 1, .key = 1 + l->age};
	slots_link_newest(&l->slots, list_for(l, 1 + l->age), slot);
}

static inline void lfuda_forget(struct lfuda *l, uint32_t slot)
{
	slots_unlink(&l->slots, slot);
}

/* The first list of a level that has blocks, or LISTS. */
static inline uint32_t first_list(struct lfuda *l, unsigned int level)
{
	for (; l->occupied[level]; l->occupied[level] &= l->occupied[level] - 1) {
		uint32_t list = level * DIGITS + __builtin_ctz(l->occupied[level]);

		if (slots_length(&l->slots, list))
			return list;
	}
	return LISTS;
}

/* There is nothing below the level of this list: its blocks go there. */
static void distribute(struct lfuda *l, uint32_t list)
{
	struct cache_slots *s = &l->slots;
	unsigned int shift = list / DIGITS * DIGIT_BITS;

	l->base = (l->base >> shift >> DIGIT_BITS << DIGIT_BITS | list % DIGITS) << shift;
	while (slots_length(s, list)) {
		uint32_t slot = slots_oldest(s, list);

		slots_move_newest(s, list_for(l, l->at[slot].key), slot);
	}
}

/* The list with the blocks of the least key, after as many steps down as it takes. */
static inline uint32_t least_list(struct lfuda *l)
{
	uint32_t list = first_list(l, 0);
	unsigned int level = 1;

	while (list == LISTS) {
		list = first_list(l, level++);
		if (list == LISTS)
			continue;
		distribute(l, list);
		list = first_list(l, 0);
		level = 1;
	}
	return list;
}

static inline uint32_t lfuda_victim(struct lfuda *l)
{
	uint32_t list = least_list(l), victim = slots_oldest(&l->slots, list);

	l->age = l->at[victim].key;
	slots_unlink(&l->slots, victim);
	slots_expect(&l->slots, slots_oldest(&l->slots, list));
	return victim;
}
CACHE_SLOTS_MODEL(lfuda)

static void lfuda_fini(void *state)
{
	struct lfuda *l = state;

	free(l->at);
	cache_slots_fini(l);
}

static int lfuda_init(void *state, uint32_t capacity)
{
	struct lfuda *l = state;

	l->at = calloc(LISTS + (size_t)capacity, sizeof(*l->at));
	return l->at ? cache_slots_init(&l->slots, capacity, LISTS) : -ENOMEM;
}

static uint64_t lfuda_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes(capacity, 0, LISTS) +
	       (LISTS + (uint64_t)capacity) * sizeof(struct block_age);
}

CACHE_MODEL(lfuda){
	.head =
		{
			.kind = "cache",
			.name = "lfuda",
			.summary = "least frequently used; counts of what is gone become the start",
			.source = "M. Arlitt, L. Cherkasova, J. Dilley, R. Friedrich, T. Jin, "
				  "Evaluating content management techniques for web proxy caches, "
				  "Performance Evaluation Review 27(4), 2000: LFU-DA",
		},
	.state_bytes = sizeof(struct lfuda),
	.init = lfuda_init,
	.fini = lfuda_fini,
	.bytes = lfuda_bytes,
	CACHE_SLOTS_OPS(lfuda),
};
