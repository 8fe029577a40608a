/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

static void hit(struct reference *r, struct reference_block *b)
{
	b->moment = reference_now(r);
}

/* Two can have the same next use only where that is never. */
static uint64_t evict(struct reference *r)
{
	struct reference_block *victim = r->at;

	for (struct reference_block *b = r->at; b < r->at + r->blocks; b++)
		if (b->next_use > victim->next_use ||
		    (b->next_use == victim->next_use && b->moment > victim->moment))
			victim = b;
	return reference_drop(r, victim);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (reference_is_full(r))
		evict(r);
	reference_add(r, ref, 0);
}

REFERENCE_POLICY(belady){.spec = "belady", .hit = hit, .miss = miss, .evict = evict};
