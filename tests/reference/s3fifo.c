/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

enum { SMALL, MAIN, GHOST };

/* of the numbers of a block */
#define FREQUENCY   0
/* of the policy's: shares of 100, and the least frequency that leads to the main queue */
#define SMALL_SHARE 0
#define GHOST_SHARE 1
#define MOVE	    2

static void hit(struct reference *r, struct reference_block *b)
{
	b->number[FREQUENCY]++;
	if (b->number[FREQUENCY] > 3)
		b->number[FREQUENCY] = 3;
}

static void add_to_ghosts(struct reference *r, uint64_t block)
{
	int room = r->capacity * r->number[GHOST_SHARE] / 100;

	reference_remember(r, reference_find(r, block), GHOST);
	if ((int)reference_length(r, GHOST) > room)
		reference_drop(r, reference_oldest(r, GHOST));
}

static bool evict_small(struct reference *r, uint64_t *block)
{
	struct reference_block *tail;

	while ((tail = reference_oldest(r, SMALL))) {
		*block = tail->block;
		if (tail->number[FREQUENCY] < r->number[MOVE]) {
			add_to_ghosts(r, tail->block);
			return true;
		}
		tail->list = MAIN;
		tail->moment = reference_now(r);
		tail->number[FREQUENCY] = 0;
	}
	return false;
}

static uint64_t evict_main(struct reference *r)
{
	struct reference_block *tail = reference_oldest(r, MAIN);

	while (tail->number[FREQUENCY]) {
		tail->number[FREQUENCY]--;
		tail->moment = reference_now(r);
		tail = reference_oldest(r, MAIN);
	}
	return reference_drop(r, tail);
}

/* Is the small queue as long as it may be, or longer? */
static bool small_is_full(struct reference *r)
{
	uint32_t share = r->capacity * r->number[SMALL_SHARE] / 100;

	return reference_length(r, SMALL) >= (share ? share : 1);
}

static uint64_t evict(struct reference *r)
{
	uint64_t block;

	if (small_is_full(r) || !reference_length(r, MAIN)) {
		if (evict_small(r, &block))
			return block;
	}
	return evict_main(r);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	bool is_ghost = b;

	if (b)
		reference_drop(r, b);
	if (reference_is_full(r))
		evict(r);
	reference_add(r, ref, is_ghost ? MAIN : SMALL);
}

static void init_preset(struct reference *r)
{
	r->number[SMALL_SHARE] = 10;
	r->number[GHOST_SHARE] = 90;
	r->number[MOVE] = 2;
}

static void init_large(struct reference *r)
{
	r->number[SMALL_SHARE] = 40;
	r->number[GHOST_SHARE] = 200;
	r->number[MOVE] = 1;
}

static void init_no_ghosts(struct reference *r)
{
	r->number[SMALL_SHARE] = 30;
	r->number[MOVE] = 3;
}

REFERENCE_POLICY(s3fifo){
	.spec = "s3fifo", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(s3fifo_large){.spec = "s3fifo:small=40,ghost=200,move=1",
			       .init = init_large,
			       .hit = hit,
			       .miss = miss,
			       .evict = evict};
REFERENCE_POLICY(s3fifo_no_ghosts){.spec = "s3fifo:small=30,ghost=0,move=3",
				   .init = init_no_ghosts,
				   .hit = hit,
				   .miss = miss,
				   .evict = evict};
