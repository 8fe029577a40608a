/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The random numbers are the model's, and so is the row in which blocks stand: the last
 * takes the place of one that leaves, as in the reference's own array.
 */
#include "models/cache/cache_random.h"
#include "reference.h"

/* of the numbers of a block */
#define REFERENCES 0
#define CAME	   1
/* of the policy's */
#define RANDOM	   0
#define SAMPLES	   1
#define NOW	   2

static void hit(struct reference *r, struct reference_block *b)
{
	r->number[NOW]++;
	b->number[REFERENCES]++;
}

/* Numbers of a test are small: quotients differ by more than a double's last digits, or not. */
static double priority(const struct reference *r, const struct reference_block *b)
{
	double age = r->number[NOW] - b->number[CAME];

	return age ? b->number[REFERENCES] / age : 1e300;
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *victim = NULL;

	for (uint64_t i = 0; i < r->number[SAMPLES]; i++) {
		uint32_t random = cache_random(&r->number[RANDOM]);
		struct reference_block *b = &r->at[cache_random_below(random, r->blocks)];

		if (!victim || priority(r, b) < priority(r, victim))
			victim = b;
	}
	return reference_drop(r, victim);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	r->number[NOW]++;
	if (reference_is_full(r))
		evict(r);
	b = reference_add(r, ref, 0);
	b->number[REFERENCES] = 1;
	b->number[CAME] = r->number[NOW];
}

static void init_preset(struct reference *r)
{
	r->number[RANDOM] = cache_random_seed(1);
	r->number[SAMPLES] = 64;
}

static void init_few(struct reference *r)
{
	r->number[RANDOM] = cache_random_seed(77);
	r->number[SAMPLES] = 3;
}

REFERENCE_POLICY(hyperbolic){
	.spec = "hyperbolic", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(hyperbolic_few){.spec = "hyperbolic:samples=3,seed=77",
				 .init = init_few,
				 .hit = hit,
				 .miss = miss,
				 .evict = evict};
