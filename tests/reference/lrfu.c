/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRF as the paper defines it, at the moment of the decision. In long double, which holds what
 * has become too little for a double in these traces' time.
 */
#include <math.h>
#include <string.h>

#include "reference.h"

#define LAST 0 /* of the numbers of a block: when it was asked for; its CRF then is behind that */
#define CRF  1

/* Of the policy's numbers. */
#define LAMBDA 0 /* in millionths */
#define NOW    1

static long double crf_now(const struct reference *r, const struct reference_block *b)
{
	long double age = r->number[NOW] - b->number[LAST], crf = 0;

	memcpy(&crf, &b->number[CRF], sizeof(crf));
	return crf * powl(0.5, r->number[LAMBDA] * 1e-6L * age);
}

static void refer(struct reference *r, struct reference_block *b)
{
	long double crf;

	r->number[NOW]++;
	crf = 1 + crf_now(r, b);
	memcpy(&b->number[CRF], &crf, sizeof(crf));
	b->number[LAST] = r->number[NOW];
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *victim = r->at;

	for (struct reference_block *b = r->at; b < r->at + r->blocks; b++)
		if (crf_now(r, b) < crf_now(r, victim) ||
		    (crf_now(r, b) == crf_now(r, victim) && b->number[LAST] < victim->number[LAST]))
			victim = b;
	return reference_drop(r, victim);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (reference_is_full(r))
		evict(r);
	refer(r, reference_add(r, ref, 0));
}

static void init_preset(struct reference *r)
{
	r->number[LAMBDA] = 1000;
}

static void init_50000(struct reference *r)
{
	r->number[LAMBDA] = 50000;
}

static void init_1000000(struct reference *r)
{
	r->number[LAMBDA] = 1000000;
}

REFERENCE_POLICY(of_preset){
	.spec = "lrfu", .init = init_preset, .hit = refer, .miss = miss, .evict = evict};
REFERENCE_POLICY(of_50000){.spec = "lrfu:lambda=50000",
			   .init = init_50000,
			   .hit = refer,
			   .miss = miss,
			   .evict = evict};
REFERENCE_POLICY(as_lru){.spec = "lrfu:lambda=1000000",
			 .init = init_1000000,
			 .hit = refer,
			 .miss = miss,
			 .evict = evict};
REFERENCE_POLICY(as_lfu){.spec = "lrfu:lambda=0", .hit = refer, .miss = miss, .evict = evict};
