/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lrfu: the block with the least combined recency and frequency (CRF) leaves. Each reference to
 * it while it is cached weighs F(x) = (1/2)^(lambda x), x being how many references
 * ago that was; CRF is their sum (section 2 of the source; its F with p = 2, and no correlated
 * period). lambda 0 is lfu, 1 is lru. Of equals, the one that was asked for last stays.
 *
 * CRF of two blocks shrink by the same factor, so log2(CRF) + lambda t of the last
 * reference's time t is a key that orders blocks and doesn't change between references; a
 * reference makes it larger. The blocks are in a heap by such keys, which are looked at
 * again only on top.
 */
#include <math.h>
#include <string.h>

#include "cache_heap.h"
#include "cache_slots.h"

#define HEADS 1 /* slots before those of blocks */

struct block_value {
	double crf; /* at the time of the last reference: 1 or more */
	uint64_t last;
};

struct lrfu {
	struct cache_slots slots;
	uint64_t lambda_millionths;
	double lambda;
	struct cache_heap heap;
	struct block_value *at; /* each slot */
	uint64_t now;
};

/* The bits of a double that is not negative have its order. */
static inline heap_key key_of(const struct lrfu *l, uint32_t slot)
{
	const struct block_value *at = &l->at[slot];
	double value = log2(at->crf) + l->lambda * at->last;
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return heap_key_of(bits, at->last);
}

static inline void lrfu_hit(struct lrfu *l, uint32_t slot)
{
	struct block_value *at = &l->at[slot];

	l->now++;
	at->crf = 1 + at->crf * exp2(-l->lambda * (l->now - at->last));
	at->last = l->now;
}

static inline void lrfu_insert(struct lrfu *l, uint32_t slot)
{
	l->at[slot] = (struct block_value){.crf = 1, .last = ++l->now};
	heap_add(&l->heap, key_of(l, slot), slot);
}

static inline void lrfu_forget(struct lrfu *l, uint32_t slot)
{
	heap_remove(&l->heap, slot);
}

static inline uint32_t lrfu_victim(struct lrfu *l)
{
	uint32_t victim;

	while (heap_time(heap_top_key(&l->heap)) != l->at[heap_top(&l->heap)].last)
		heap_set_top(&l->heap, key_of(l, heap_top(&l->heap)));
	victim = heap_top(&l->heap);
	heap_remove(&l->heap, victim);
	return victim;
}
CACHE_SLOTS_MODEL(lrfu)

static void lrfu_fini(void *state)
{
	struct lrfu *l = state;

	heap_fini(&l->heap);
	free(l->at);
	cache_slots_fini(l);
}

static int lrfu_init(void *state, uint32_t capacity)
{
	struct lrfu *l = state;
	size_t slots = HEADS + (size_t)capacity;

	l->lambda = l->lambda_millionths * 1e-6;
	l->at = calloc(slots, sizeof(*l->at));
	if (!l->at || heap_init(&l->heap, capacity, slots))
		return -ENOMEM;
	return cache_slots_init_one_list(l, capacity);
}

static uint64_t lrfu_bytes(const void *state, uint32_t capacity)
{
	uint64_t slots = HEADS + (uint64_t)capacity;

	return cache_slots_bytes_one_list(state, capacity) + heap_bytes(capacity, slots) +
	       slots * sizeof(struct block_value);
}

static const struct parameter lrfu_parameters[] = {
	{"lambda", "in millionths: how fast references lose weight; 0 is lfu, 1000000 is lru", 0,
	 1000000, 1000, offsetof(struct lrfu, lambda_millionths)},
	{0}};

CACHE_MODEL(lrfu){
	.head =
		{
			.kind = "cache",
			.name = "lrfu",
			.summary = "least sum of references, each losing weight with its age",
			.source = "D. Lee, J. Choi, J.-H. Kim, S. H. Noh, S. L. Min, Y. Cho, "
				  "C. S. Kim, LRFU: a spectrum of policies that subsumes the least "
				  "recently used and least frequently used policies, IEEE "
				  "Transactions on Computers 50(12), 2001",
			.parameters = lrfu_parameters,
		},
	.state_bytes = sizeof(struct lrfu),
	.init = lrfu_init,
	.fini = lrfu_fini,
	.bytes = lrfu_bytes,
	CACHE_SLOTS_OPS(lrfu),
};
