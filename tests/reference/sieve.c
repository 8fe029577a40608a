/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

#define VISITED 0 /* of the numbers of a block */
#define HAND	0 /* of the policy's numbers: the moment of the block where it stands */

static void hit(struct reference *r, struct reference_block *b)
{
	b->number[VISITED] = 1;
}

/* The oldest whose moment is not before the hand's; round again if there is none. */
static struct reference_block *at_hand(struct reference *r)
{
	struct reference_block *found = NULL;

	for (uint32_t i = 0; i < r->blocks; i++)
		if (r->at[i].moment >= r->number[HAND] &&
		    (!found || r->at[i].moment < found->moment))
			found = &r->at[i];
	return found ? found : reference_oldest(r, 0);
}

/*
 * A hand that went past the newest begins at the oldest, even if newer blocks
 * came meanwhile; one that stands at a block waits there.
 */
static void go_on(struct reference *r, const struct reference_block *b)
{
	bool is_newest = true;

	for (uint32_t i = 0; i < r->blocks; i++)
		is_newest &= r->at[i].moment <= b->moment;
	r->number[HAND] = is_newest ? 0 : b->moment + 1;
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *b = at_hand(r);

	while (b->number[VISITED]) {
		b->number[VISITED] = 0;
		go_on(r, b);
		b = at_hand(r);
	}
	go_on(r, b);
	return reference_drop(r, b);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (reference_is_full(r))
		evict(r);
	reference_add(r, ref, 0);
}

static void forget(struct reference *r, struct reference_block *b)
{
	if (at_hand(r) == b)
		go_on(r, b);
}

REFERENCE_POLICY(sieve){
	.spec = "sieve", .hit = hit, .miss = miss, .evict = evict, .forget = forget};
