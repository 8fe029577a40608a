/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

enum { PROBATION, PROTECTED };

#define SHARE 0 /* of the policy's numbers: percent that may be protected */

static void hit(struct reference *r, struct reference_block *b)
{
	b->list = PROTECTED;
	b->moment = reference_now(r);
	if (reference_length(r, PROTECTED) <= r->capacity * r->number[SHARE] / 100)
		return;
	b = reference_oldest(r, PROTECTED);
	b->list = PROBATION;
	b->moment = reference_now(r);
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *victim = reference_oldest(r, PROBATION);

	return reference_drop(r, victim ? victim : reference_oldest(r, PROTECTED));
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (reference_is_full(r))
		evict(r);
	reference_add(r, ref, PROBATION);
}

static void init_preset(struct reference *r)
{
	r->number[SHARE] = 80;
}

static void init_25(struct reference *r)
{
	r->number[SHARE] = 25;
}

static void init_100(struct reference *r)
{
	r->number[SHARE] = 100;
}

REFERENCE_POLICY(of_preset){
	.spec = "slru", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(quarter){
	.spec = "slru:protected=25", .init = init_25, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(nothing){.spec = "slru:protected=0", .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(everything){
	.spec = "slru:protected=100", .init = init_100, .hit = hit, .miss = miss, .evict = evict};
