/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

enum { A1IN, AM, A1OUT };

/* Of the policy's numbers: percent of the cache. */
#define KIN  0
#define KOUT 1

static void hit(struct reference *r, struct reference_block *b)
{
	if (b->list == AM)
		b->moment = reference_now(r);
}

static uint64_t reclaim(struct reference *r)
{
	bool too_many = reference_length(r, A1IN) > r->capacity * r->number[KIN] / 100;
	struct reference_block *victim;
	uint64_t block;

	if (!too_many && reference_length(r, AM))
		return reference_drop(r, reference_oldest(r, AM));
	victim = reference_oldest(r, A1IN);
	block = victim->block;
	reference_remember(r, victim, A1OUT);
	if (reference_length(r, A1OUT) > r->capacity * r->number[KOUT] / 100)
		reference_drop(r, reference_oldest(r, A1OUT));
	return block;
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	bool was_in_a1out = b;

	if (reference_is_full(r))
		reclaim(r);
	b = reference_find(r, ref->block);
	if (b)
		reference_drop(r, b);
	reference_add(r, ref, was_in_a1out ? AM : A1IN);
}

static void init_preset(struct reference *r)
{
	r->number[KIN] = 25;
	r->number[KOUT] = 50;
}

static void init_long(struct reference *r)
{
	r->number[KIN] = 60;
	r->number[KOUT] = 300;
}

static void init_none(struct reference *r)
{
	r->number[KIN] = 100;
}

REFERENCE_POLICY(of_preset){
	.spec = "2q", .init = init_preset, .hit = hit, .miss = miss, .evict = reclaim};
REFERENCE_POLICY(long_memory){
	.spec = "2q:in=60,out=300", .init = init_long, .hit = hit, .miss = miss, .evict = reclaim};
REFERENCE_POLICY(no_memory){
	.spec = "2q:in=100,out=0", .init = init_none, .hit = hit, .miss = miss, .evict = reclaim};
