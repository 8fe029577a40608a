/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

/* A block's list is its status; whether it is cached is told by the reference. */
enum { LIR, HIR };

/* of the numbers of a block: the moments when it came where it is */
#define STACK	    0 /* in stack S; 0 if it isn't there */
#define QUEUE	    1 /* in queue Q */
#define LEFT	    2 /* out of the cache */
/* of the policy's */
#define HIR_SHARE   0 /* percent */
#define STACK_SHARE 1

static uint32_t lir_share(const struct reference *r)
{
	uint32_t hir = r->capacity * r->number[HIR_SHARE] / 100;

	return r->capacity - (hir ? hir : 1);
}

static uint32_t lir_blocks(const struct reference *r)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < r->blocks; i++)
		sum += r->at[i].list == LIR;
	return sum;
}

/* The block with the least of a number, which is not 0; NULL if there is none. */
static struct reference_block *least(struct reference *r, int number)
{
	struct reference_block *b = NULL;

	for (uint32_t i = 0; i < r->blocks; i++)
		if (r->at[i].number[number] && (!b || r->at[i].number[number] < b->number[number]))
			b = &r->at[i];
	return b;
}

/* Nothing stays in S below the lowest LIR block. */
static void prune(struct reference *r)
{
	struct reference_block *bottom = least(r, STACK);

	while (bottom && bottom->list != LIR) {
		bottom->number[STACK] = 0;
		if (!bottom->cached)
			reference_drop(r, bottom);
		bottom = least(r, STACK);
	}
}

static void limit_stack(struct reference *r)
{
	uint32_t length = 0;

	for (uint32_t i = 0; i < r->blocks; i++)
		length += r->at[i].number[STACK] != 0;
	if (length > r->capacity * r->number[STACK_SHARE] / 100)
		reference_drop(r, least(r, LEFT));
}

static void demote_bottom(struct reference *r)
{
	struct reference_block *bottom;

	prune(r);
	bottom = least(r, STACK);
	bottom->list = HIR;
	bottom->number[STACK] = 0;
	bottom->number[QUEUE] = reference_now(r);
}

static void become_lir(struct reference *r, struct reference_block *b)
{
	b->list = LIR;
	b->number[QUEUE] = 0;
	b->number[LEFT] = 0;
	b->number[STACK] = reference_now(r);
	if (lir_blocks(r) > lir_share(r))
		demote_bottom(r);
}

/* S is only pruned when somebody looks, since blocks of it may also be discarded. */
static void hit(struct reference *r, struct reference_block *b)
{
	uint64_t block = b->block;

	prune(r);
	b = reference_find(r, block);
	if (b->list == LIR) {
		b->number[STACK] = reference_now(r);
	} else if (b->number[STACK]) {
		become_lir(r, b);
	} else {
		b->number[STACK] = reference_now(r);
		b->number[QUEUE] = reference_now(r);
	}
	prune(r);
	limit_stack(r);
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *victim;

	prune(r);
	if (!least(r, QUEUE))
		demote_bottom(r);
	prune(r);
	victim = least(r, QUEUE);
	if (!victim->number[STACK])
		return reference_drop(r, victim);
	victim->cached = false;
	victim->number[QUEUE] = 0;
	victim->number[LEFT] = reference_now(r);
	return victim->block;
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	prune(r);
	if (reference_is_full(r))
		evict(r);
	b = reference_find(r, ref->block);
	if (b) {
		b->cached = true;
		b->io_class = ref->io_class;
		become_lir(r, b);
	} else if (lir_blocks(r) < lir_share(r)) {
		become_lir(r, reference_add(r, ref, LIR));
	} else {
		b = reference_add(r, ref, HIR);
		b->number[STACK] = reference_now(r);
		b->number[QUEUE] = reference_now(r);
	}
	prune(r);
	limit_stack(r);
}

static void init_preset(struct reference *r)
{
	r->number[HIR_SHARE] = 1;
	r->number[STACK_SHARE] = 200;
}

static void init_large(struct reference *r)
{
	r->number[HIR_SHARE] = 30;
	r->number[STACK_SHARE] = 130;
}

REFERENCE_POLICY(lirs){
	.spec = "lirs", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(lirs_large){.spec = "lirs:hir=30,stack=130",
			     .init = init_large,
			     .hit = hit,
			     .miss = miss,
			     .evict = evict};
