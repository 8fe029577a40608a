/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block's numbers are HIST(p, 1) .. HIST(p, K), the times of its last references, 0 for
 * none; HIST(p, 1) is LAST(p), too, without a correlated period.
 */
#include "reference.h"

enum { CACHED, REMEMBERED };

/* Of the policy's numbers. */
#define K	 0
#define RETAINED 1 /* percent of the cache */
#define NOW	 2

static bool is_over(const struct reference *r, const struct reference_block *b)
{
	return r->number[NOW] - b->number[0] > r->capacity * r->number[RETAINED] / 100;
}

static void next_reference(struct reference *r)
{
	r->number[NOW]++;
	for (uint32_t i = 0; i < r->blocks;)
		if (r->at[i].list == REMEMBERED && is_over(r, &r->at[i]))
			reference_drop(r, &r->at[i]);
		else
			i++;
}

static void note(struct reference *r, struct reference_block *b)
{
	for (uint64_t i = r->number[K] - 1; i > 0; i--)
		b->number[i] = b->number[i - 1];
	b->number[0] = r->number[NOW];
}

static void hit(struct reference *r, struct reference_block *b)
{
	uint64_t block = b->block;

	next_reference(r);
	note(r, reference_find(r, block));
}

static uint64_t evict(struct reference *r)
{
	uint64_t kth = r->number[K] - 1;
	struct reference_block *victim = NULL;

	for (struct reference_block *b = r->at; b < r->at + r->blocks; b++)
		if (b->list == CACHED &&
		    (!victim || b->number[kth] < victim->number[kth] ||
		     (b->number[kth] == victim->number[kth] && b->number[0] < victim->number[0])))
			victim = b;
	if (is_over(r, victim))
		return reference_drop(r, victim);
	reference_remember(r, victim, REMEMBERED);
	return victim->block;
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	next_reference(r);
	if (reference_is_full(r))
		evict(r);
	b = reference_find(r, ref->block);
	if (b)
		reference_return(r, b, ref, CACHED);
	else
		b = reference_add(r, ref, CACHED);
	note(r, b);
}

static void init_preset(struct reference *r)
{
	r->number[K] = 2;
	r->number[RETAINED] = 400;
}

static void init_3(struct reference *r)
{
	r->number[K] = 3;
	r->number[RETAINED] = 1000;
}

static void init_none(struct reference *r)
{
	r->number[K] = 2;
}

static void init_1(struct reference *r)
{
	r->number[K] = 1;
	r->number[RETAINED] = 100;
}

REFERENCE_POLICY(of_preset){
	.spec = "lru-k", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(third){.spec = "lru-k:k=3,retained=1000",
			.init = init_3,
			.hit = hit,
			.miss = miss,
			.evict = evict};
REFERENCE_POLICY(no_memory){
	.spec = "lru-k:retained=0", .init = init_none, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(as_lru){
	.spec = "lru-k:k=1,retained=100", .init = init_1, .hit = hit, .miss = miss, .evict = evict};
