/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The four cases of the paper's figure 4, in its order. Room is made only if the cache is full,
 * which in the paper it always is when it comes to that.
 */
#include <string.h>

#include "reference.h"

enum { T1, T2, B1, B2 };

#define P 0 /* of the policy's numbers: the bits of a double */

static double get_p(const struct reference *r)
{
	double p;

	memcpy(&p, &r->number[P], sizeof(p));
	return p;
}

static void set_p(struct reference *r, double p)
{
	memcpy(&r->number[P], &p, sizeof(p));
}

static void to_t2(struct reference *r, struct reference_block *b)
{
	b->list = T2;
	b->moment = reference_now(r);
}

static uint64_t replace(struct reference *r, bool x_is_in_b2)
{
	double t1 = reference_length(r, T1), p = get_p(r);
	struct reference_block *b;

	if (t1 >= 1 && ((x_is_in_b2 && t1 == p) || t1 > p || !reference_length(r, T2))) {
		b = reference_oldest(r, T1);
		reference_remember(r, b, B1);
	} else {
		b = reference_oldest(r, T2);
		reference_remember(r, b, B2);
	}
	return b->block;
}

static void replace_if_full(struct reference *r, bool x_is_in_b2)
{
	if (reference_is_full(r))
		replace(r, x_is_in_b2);
}

static uint64_t evict(struct reference *r)
{
	return replace(r, false);
}

static void case_2(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	double b1 = reference_length(r, B1), b2 = reference_length(r, B2);
	double delta = b1 >= b2 ? 1 : b2 / b1, p = get_p(r) + delta;

	set_p(r, p < r->capacity ? p : r->capacity);
	replace_if_full(r, false);
	reference_return(r, b, ref, T2);
}

static void case_3(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	double b1 = reference_length(r, B1), b2 = reference_length(r, B2);
	double delta = b2 >= b1 ? 1 : b1 / b2, p = get_p(r) - delta;

	set_p(r, p > 0 ? p : 0);
	replace_if_full(r, true);
	reference_return(r, b, ref, T2);
}

static void case_4(struct reference *r, const struct block_ref *ref)
{
	uint32_t l1 = reference_length(r, T1) + reference_length(r, B1);
	uint32_t all = l1 + reference_length(r, T2) + reference_length(r, B2);

	if (l1 == r->capacity) {
		if (reference_length(r, T1) < r->capacity) {
			reference_drop(r, reference_oldest(r, B1));
			replace_if_full(r, false);
		} else {
			reference_drop(r, reference_oldest(r, T1));
		}
	} else if (all >= r->capacity) {
		if (all == 2 * r->capacity)
			reference_drop(r, reference_oldest(r, B2));
		replace_if_full(r, false);
	}
	reference_add(r, ref, T1);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (!b)
		case_4(r, ref);
	else if (b->list == B1)
		case_2(r, ref, b);
	else
		case_3(r, ref, b);
}

REFERENCE_POLICY(arc){.spec = "arc", .hit = to_t2, .miss = miss, .evict = evict};
