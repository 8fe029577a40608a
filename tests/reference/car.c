/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The paper's figure 2, in its order. A clock is a list whose oldest block is at the hand.
 */
#include <string.h>

#include "reference.h"

enum { T1, T2, B1, B2 };

#define MARK 0 /* of the numbers of a block: its page reference bit */
#define P    0 /* of the policy's numbers: the bits of a double */

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

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static void hit(struct reference *r, struct reference_block *b)
{
	b->number[MARK] = 1;
}

static bool is_turn_of_t1(struct reference *r)
{
	return !reference_length(r, T2) || reference_length(r, T1) >= larger(1, get_p(r));
}

static uint64_t replace(struct reference *r)
{
	struct reference_block *head = NULL;
	bool found = false;

	while (!found) {
		bool t1 = is_turn_of_t1(r);

		head = reference_oldest(r, t1 ? T1 : T2);
		if (!head->number[MARK]) {
			found = true;
			reference_remember(r, head, t1 ? B1 : B2);
		} else {
			head->number[MARK] = 0;
			head->list = T2;
			head->moment = reference_now(r);
		}
	}
	return head->block;
}

static void history_replacement(struct reference *r)
{
	uint32_t l1 = reference_length(r, T1) + reference_length(r, B1);
	uint32_t l2 = reference_length(r, T2) + reference_length(r, B2);

	if (l1 == r->capacity)
		reference_drop(r, reference_oldest(r, B1));
	else if (l1 + l2 == 2 * r->capacity)
		reference_drop(r, reference_oldest(r, B2));
}

static void adapt(struct reference *r, const struct reference_block *b)
{
	double b1 = reference_length(r, B1), b2 = reference_length(r, B2), p = get_p(r);

	if (b->list == B1)
		p = p + larger(1, b2 / b1);
	else
		p = larger(p - larger(1, b1 / b2), 0);
	set_p(r, p < r->capacity ? p : r->capacity);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (reference_is_full(r))
		replace(r);
	if (!b) {
		history_replacement(r);
		reference_add(r, ref, T1);
		return;
	}
	adapt(r, b);
	reference_return(r, b, ref, T2);
	b->number[MARK] = 0;
}

REFERENCE_POLICY(car){.spec = "car", .hit = hit, .miss = miss, .evict = replace};
