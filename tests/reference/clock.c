/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

#define MARKS 0 /* of the numbers of a block */

static void hit(struct reference *r, struct reference_block *b)
{
	if (b->number[MARKS] < r->number[MARKS])
		b->number[MARKS]++;
}

/* The hand goes from the oldest to newer ones; whom it passes is the newest then. */
static uint64_t evict(struct reference *r)
{
	struct reference_block *b = reference_oldest(r, 0);

	while (b->number[MARKS]) {
		b->number[MARKS]--;
		b->moment = reference_now(r);
		b = reference_oldest(r, 0);
	}
	return reference_drop(r, b);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (reference_is_full(r))
		evict(r);
	reference_add(r, ref, 0);
}

/* The most marks that a block may have. */
static void one_bit(struct reference *r)
{
	r->number[MARKS] = 1;
}

static void three_bits(struct reference *r)
{
	r->number[MARKS] = 7;
}

REFERENCE_POLICY(clock_1){
	.spec = "clock", .init = one_bit, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(clock_3){
	.spec = "clock:bits=3", .init = three_bits, .hit = hit, .miss = miss, .evict = evict};
