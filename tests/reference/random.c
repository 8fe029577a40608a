/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks stand in a row, where the last takes the place of one that leaves: as they do
 * in the reference's own array. The random numbers are the model's.
 */
#include "models/cache/cache_random.h"
#include "reference.h"

#define STATE 0 /* of the policy's numbers: of the generator */

static void hit(struct reference *r, struct reference_block *b)
{
}

static uint64_t evict(struct reference *r)
{
	uint32_t random = cache_random(&r->number[STATE]);

	return reference_drop(r, &r->at[cache_random_below(random, r->blocks)]);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (reference_is_full(r))
		evict(r);
	reference_add(r, ref, 0);
}

static void init_preset(struct reference *r)
{
	r->number[STATE] = cache_random_seed(1);
}

static void init_other(struct reference *r)
{
	r->number[STATE] = cache_random_seed(77);
}

REFERENCE_POLICY(of_preset){
	.spec = "random", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(other_seed){
	.spec = "random:seed=77", .init = init_other, .hit = hit, .miss = miss, .evict = evict};
