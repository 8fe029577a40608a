/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The skeleton is not part of Sky, but of its tests, since others begin with it.
 */
#include "models/cache/skeleton.c"
#include "reference.h"

#define SHARE 0 /* of the reference's numbers: percent that may be protected */

static void demote(struct reference *r)
{
	struct reference_block *oldest = reference_oldest(r, PROTECTED);

	if (reference_length(r, PROTECTED) <= r->capacity * r->number[SHARE] / 100)
		return;
	oldest->list = PROBATION;
	oldest->moment = reference_now(r);
}

static void hit(struct reference *r, struct reference_block *b)
{
	b->list = PROTECTED;
	b->moment = reference_now(r);
	demote(r);
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *victim = reference_oldest(r, PROBATION);

	if (reference_length(r, REMEMBERED) == r->capacity) {
		reference_drop(r, reference_oldest(r, REMEMBERED));
		victim = reference_oldest(r, PROBATION);
	}
	if (!victim)
		victim = reference_oldest(r, PROTECTED);
	reference_remember(r, victim, REMEMBERED);
	return victim->block;
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	bool remembered = b;

	if (b)
		reference_drop(r, b);
	if (reference_is_full(r))
		evict(r);
	reference_add(r, ref, remembered ? PROTECTED : PROBATION);
	demote(r);
}

static void init_preset(struct reference *r)
{
	r->number[SHARE] = 80;
}

static void init_30(struct reference *r)
{
	r->number[SHARE] = 30;
}

REFERENCE_POLICY(of_preset){
	.spec = "skeleton", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(small){
	.spec = "skeleton:protected=30", .init = init_30, .hit = hit, .miss = miss, .evict = evict};
