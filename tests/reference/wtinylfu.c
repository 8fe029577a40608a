/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "models/cache/cache_hash.h"
#include "reference.h"

enum { WINDOW, PROBATION, PROTECTED };

/* of the policy's numbers: shares of 100, and the sketch's */
#define WINDOW_SHARE	0
#define PROTECTED_SHARE 1
#define SAMPLE		2 /* references a block of capacity */
#define COUNTERS	3 /* a block of capacity, at least */
#define WINDOW_HITS	4
#define COUNTED		5

#define ROWS	     4
#define ROW_COUNTERS 32
#define LINE	     (ROWS * ROW_COUNTERS)

static uint32_t window_room(const struct reference *r)
{
	uint32_t room = r->capacity * r->number[WINDOW_SHARE] / 100;

	return room ? room : 1;
}

static uint32_t protected_room(const struct reference *r)
{
	return (r->capacity - window_room(r)) * r->number[PROTECTED_SHARE] / 100;
}

/* A power of two, 2 or more, so that there are counters enough. */
static uint32_t lines(const struct reference *r)
{
	uint32_t sum = 2;

	while (sum * LINE < r->capacity * r->number[COUNTERS])
		sum *= 2;
	return sum;
}

/* The counter of a row: a block's line is told by its hash's highest bits, the place by low ones. */
static uint64_t *counter(struct reference *r, uint64_t block, int row)
{
	uint64_t place = cache_hash(block);
	uint64_t line = (place >> 32) * lines(r) >> 32;

	for (int i = 0; i < row; i++)
		place /= ROW_COUNTERS;
	return &r->table[line * LINE + row * ROW_COUNTERS + place % ROW_COUNTERS];
}

static uint64_t frequency(struct reference *r, uint64_t block)
{
	uint64_t least = UINT64_MAX;

	for (int row = 0; row < ROWS; row++)
		if (*counter(r, block, row) < least)
			least = *counter(r, block, row);
	return least;
}

static void count(struct reference *r, uint64_t block)
{
	uint64_t least = frequency(r, block);

	for (int row = 0; row < ROWS; row++)
		if (least < 15 && *counter(r, block, row) == least)
			++*counter(r, block, row);
	if (++r->number[COUNTED] < r->capacity * r->number[SAMPLE])
		return;
	r->number[COUNTED] /= 2;
	for (uint32_t i = 0; i < lines(r) * LINE; i++)
		r->table[i] /= 2;
}

static void enter(struct reference *r, struct reference_block *b, int list)
{
	b->list = list;
	b->moment = reference_now(r);
}

static void hit(struct reference *r, struct reference_block *b)
{
	if (b->list != WINDOW || r->number[WINDOW_HITS])
		count(r, b->block);
	enter(r, b, b->list == WINDOW ? WINDOW : PROTECTED);
	if (reference_length(r, PROTECTED) > protected_room(r))
		enter(r, reference_oldest(r, PROTECTED), PROBATION);
}

static struct reference_block *main_victim(struct reference *r)
{
	struct reference_block *b = reference_oldest(r, PROBATION);

	return b ? b : reference_oldest(r, PROTECTED);
}

static uint64_t evict(struct reference *r)
{
	struct reference_block *victim = main_victim(r);
	struct reference_block *candidate = reference_oldest(r, WINDOW);

	if (!victim || !candidate)
		return reference_drop(r, victim ? victim : candidate);
	if (reference_length(r, WINDOW) < window_room(r))
		return reference_drop(r, victim);
	if (frequency(r, candidate->block) <= frequency(r, victim->block))
		return reference_drop(r, candidate);
	enter(r, candidate, PROBATION);
	return reference_drop(r, victim);
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	count(r, ref->block);
	if (reference_is_full(r))
		evict(r);
	reference_add(r, ref, WINDOW);
	if (reference_length(r, WINDOW) > window_room(r))
		enter(r, reference_oldest(r, WINDOW), PROBATION);
}

static void init_preset(struct reference *r)
{
	r->number[WINDOW_SHARE] = 1;
	r->number[PROTECTED_SHARE] = 80;
	r->number[SAMPLE] = 10;
	r->number[COUNTERS] = 16;
	r->number[WINDOW_HITS] = 1;
}

static void init_large(struct reference *r)
{
	r->number[WINDOW_SHARE] = 35;
	r->number[PROTECTED_SHARE] = 50;
	r->number[SAMPLE] = 90;
	r->number[COUNTERS] = 40;
}

REFERENCE_POLICY(wtinylfu){
	.spec = "wtinylfu", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(wtinylfu_large){
	.spec = "wtinylfu:window=35,protected=50,sample=90,counters=40,window_hits=0",
	.init = init_large,
	.hit = hit,
	.miss = miss,
	.evict = evict};
