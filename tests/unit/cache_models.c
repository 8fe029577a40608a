/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each model equals its slow reference at every step of thousands of random
 * traces of references, discards, class changes and evictions.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "models/cache/cache_model.h"
#include "tests/reference/lists.h"

#define TRACES 1000
#define STEPS  150
#define BLOCKS 48

static const struct pair {
	const char *spec;
	bool moves_on_hit, by_class;
} pairs[] = {
	{"lru", true, false},
	{"fifo", false, false},
	{"icache", true, true},
	{"icache:base=lru", true, true},
	{"icache:base=fifo", false, true},
	{"icache:base=icache,base=fifo", false, true},
};

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

/* xorshift64*: the same numbers everywhere. */
static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1du >> 32) % below;
}

/* Blocks lie far apart on two disks, so that hashes collide as they do in real tables. */
static uint64_t some_block(uint64_t *random)
{
	uint32_t i = draw(random, BLOCKS);

	return i % 2 ? (1ull << 52) + i : i * 3;
}

static uint8_t some_class(uint64_t *random)
{
	static const uint8_t classes[] = {0, 1, 5, 5, 31, CLASS_UNDECIDED, CLASS_UNDECIDED};

	return classes[draw(random, sizeof(classes))];
}

static void expect_same_contents(const struct cache *c, struct reference *r, const char *spec)
{
	uint32_t blocks[CLASS_VALUES] = {0}, expected[CLASS_VALUES] = {0};

	for (uint32_t i = 0; i < r->used; i++)
		expected[r->at[i].io_class]++;
	c->model->contents(c->state, blocks);
	cr_assert_arr_eq(blocks, expected, sizeof(blocks), "%s: contents by class", spec);
	for (uint64_t i = 0; i < BLOCKS; i++) {
		uint64_t block = i % 2 ? (1ull << 52) + i : i * 3;

		cr_assert_eq(c->model->contains(c->state, block), reference_find(r, block) != NULL,
			     "%s: block %lu", spec, (unsigned long)block);
	}
}

static void access_some(const struct cache *c, struct reference *r, uint64_t *random,
			const char *spec)
{
	struct block_ref refs[20];
	bool hits[20];
	size_t n = 1 + draw(random, 20), expected = 0;

	for (size_t i = 0; i < n; i++)
		refs[i] =
			(struct block_ref){some_block(random), some_class(random), draw(random, 2)};
	size_t counted = c->model->access(c->state, refs, n, hits);
	for (size_t i = 0; i < n; i++) {
		bool hit = reference_access(r, &refs[i]);

		cr_assert_eq(hits[i], hit, "%s: reference %zu of %zu", spec, i, n);
		expected += hit;
	}
	cr_assert_eq(counted, expected);
}

static void remove_some(const struct cache *c, struct reference *r, uint64_t *random,
			const char *spec)
{
	/* the last ones, which empty most of the cache, are seldom */
	static const uint64_t counts[] = {1, 1, 1, 0, 7, 96, 1ull << 33, UINT64_MAX};
	uint64_t first = some_block(random);
	uint64_t count = counts[draw(random, draw(random, 6) ? 5 : 8)];

	cr_assert_eq(c->model->remove(c->state, first, count), reference_remove(r, first, count),
		     "%s", spec);
}

static void evict_one(const struct cache *c, struct reference *r, const char *spec)
{
	uint64_t block = 0, expected = 0;
	bool any = c->model->evict(c->state, &block);

	cr_assert_eq(any, reference_evict(r, &expected), "%s", spec);
	cr_assert_eq(block, expected, "%s: the victim", spec);
}

static void set_some_class(const struct cache *c, struct reference *r, uint64_t *random,
			   const char *spec)
{
	uint64_t block = some_block(random);
	uint8_t io_class = some_class(random);

	cr_assert_eq(c->model->set_class(c->state, block, io_class),
		     reference_set_class(r, block, io_class), "%s", spec);
}

static void run_trace(const struct pair *pair, uint64_t random)
{
	struct reference r = {.moves_on_hit = pair->moves_on_hit,
			      .by_class = pair->by_class,
			      .capacity = 1 + draw(&random, 40)};
	struct cache c;

	cr_assert_eq(cache_open(&c, pair->spec, r.capacity), 0);
	for (int step = 0; step < STEPS; step++) {
		uint32_t what = draw(&random, 10);

		if (what < 6)
			access_some(&c, &r, &random, pair->spec);
		else if (what < 8)
			set_some_class(&c, &r, &random, pair->spec);
		else if (what < 9)
			remove_some(&c, &r, &random, pair->spec);
		else
			evict_one(&c, &r, pair->spec);
		expect_same_contents(&c, &r, pair->spec);
	}
	cache_close(&c);
}

Test(cache_models, equal_their_references_at_every_step)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		for (uint64_t trace = 1; trace <= TRACES; trace++)
			run_trace(&pairs[i], trace * 0x9e3779b97f4a7c15u);
}

/* The number of buckets is not the capacity: every rounding is met. */
Test(cache_models, keep_every_capacity)
{
	for (uint32_t capacity = 1; capacity < 300; capacity++) {
		struct block_ref ref = {.io_class = CLASS_UNDECIDED};
		uint32_t blocks[CLASS_VALUES] = {0};
		struct cache c;
		bool hit;

		cr_assert_eq(cache_open(&c, "lru", capacity), 0);
		for (ref.block = 0; ref.block < 1000; ref.block++)
			c.model->access(c.state, &ref, 1, &hit);
		c.model->contents(c.state, blocks);
		cr_expect_eq(blocks[CLASS_UNDECIDED], capacity);
		cr_expect(c.model->contains(c.state, 1000 - capacity));
		cr_expect(!c.model->contains(c.state, 1000 - capacity - 1));
		cache_close(&c);
	}
}

Test(cache_models, refuse_specs_that_make_no_sense)
{
	static const char *const wrong[] = {
		"",
		":",
		"nosuch",
		"lru:bits=1",
		"lru:x",
		"icache:base",
		"icache:base=",
		"icache:base=nosuch",
		"icache:base=lru,bits=1",
		"icache:depth=1",
	};
	struct cache c;

	quiet();
	cr_assert_eq(cache_open(&c, "lru:", 1), 0, "no parameters are no mistake");
	cache_close(&c);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect_eq(cache_open(&c, wrong[i], 10), -1, "\"%s\"", wrong[i]);
	cr_expect_eq(cache_open(&c, "lru", 0), -1);
	cr_expect_eq(cache_open(&c, "lru", UINT32_MAX), -1);
}

Test(cache_models, cost_nothing_before_they_are_used)
{
	struct cache c;
	bool hit;

	/* 32 instances of 16 M blocks each would be 15 GB if they were touched */
	cr_assert_eq(cache_open(&c, "icache", 1u << 24), 0);
	cr_expect(!c.model->access(c.state, &(struct block_ref){.block = 7}, 1, &hit));
	cr_expect(c.model->contains(c.state, 7));
	cache_close(&c);
}
