/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

/* Of the numbers of a block. */
#define F 0
#define K 1

#define L 0 /* of the policy's numbers */

static void hit(struct reference *r, struct reference_block *b)
{
	b->number[F]++;
	b->number[K] = b->number[F] + r->number[L];
	b->moment = reference_now(r);
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *victim = r->at;

	for (struct reference_block *b = r->at; b < r->at + r->blocks; b++)
		if (b->number[K] < victim->number[K] ||
		    (b->number[K] == victim->number[K] && b->moment < victim->moment))
			victim = b;
	r->number[L] = victim->number[K];
	return reference_drop(r, victim);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (reference_is_full(r))
		evict(r);
	hit(r, reference_add(r, ref, 0));
}

REFERENCE_POLICY(lfuda){.spec = "lfuda", .hit = hit, .miss = miss, .evict = evict};
