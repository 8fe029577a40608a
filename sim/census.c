/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "census.h"
#include "common/component.h"
#include "common/error.h"

#define EXPECT_AHEAD 8

/* Nearly all blocks were added before. 0 or -ENOMEM. */
static int add(struct census *c, uint64_t block)
{
	return block_set_has(&c->distinct, block) ? 0 : block_set_add(&c->distinct, block, 1);
}

static void count(struct consumer *consumer, const struct batch *batch)
{
	struct census *c = container_of(consumer, struct census, counts);

	for (size_t i = 0; !c->counting && i < batch->refs; i++) {
		if (i + EXPECT_AHEAD < batch->refs)
			block_set_expect(&c->distinct, batch->ref[i + EXPECT_AHEAD].block);
		c->counting = add(c, batch->ref[i].block);
	}
}

/* Those of the 64 references from begin on, which will be added soon. */
static uint64_t expect_misses(const struct census *c, const struct cache_batch *batch,
			      const uint64_t *hits, size_t begin)
{
	size_t left = batch->count - begin;
	uint64_t misses;

	if (begin >= batch->count)
		return 0;
	misses = ~hits[begin / 64] & (left < 64 ? (1ull << left) - 1 : UINT64_MAX);
	for (uint64_t m = misses; m; m &= m - 1)
		block_set_expect(&c->distinct, batch->ref[begin + __builtin_ctzll(m)].block);
	return misses;
}

void census_count_misses(struct census *c, const struct cache_batch *batch, const uint64_t *hits)
{
	uint64_t misses = expect_misses(c, batch, hits, 0), next;

	for (size_t begin = 0; begin < batch->count; begin += 64, misses = next) {
		next = expect_misses(c, batch, hits, begin + 64);
		for (uint64_t m = misses; m && !c->counting; m &= m - 1)
			c->counting = add(c, batch->ref[begin + __builtin_ctzll(m)].block);
	}
}

static void foresee(struct consumer *consumer, const struct batch *batch)
{
	struct census *c = container_of(consumer, struct census, foresees);

	for (size_t i = 0; !c->foreseeing && i < batch->refs; i++) {
		if (i + EXPECT_AHEAD < batch->refs)
			future_expect(&c->future, batch->ref[i + EXPECT_AHEAD].block);
		c->foreseeing = future_add(&c->future, batch->ref[i].block);
	}
}

int census_init(struct census *c)
{
	*c = (struct census){0};
	if (block_set_init(&c->distinct) || future_init(&c->future))
		return fail("out of memory for counting blocks");
	return 0;
}

void census_fini(struct census *c)
{
	block_set_fini(&c->distinct);
	future_fini(&c->future);
}

int census_count(struct census *c, struct cache_feed *feed)
{
	return feed_add_consumer(feed, &c->counts, count);
}

int census_foresee(struct census *c, struct cache_feed *feed)
{
	return feed_add_consumer(feed, &c->foresees, foresee);
}

int census_check(struct census *c)
{
	future_end(&c->future);
	if (c->counting)
		return fail("out of memory for the set of distinct blocks");
	if (c->foreseeing == -EOVERFLOW)
		return fail("the trace has more references than a policy that knows the future can "
			    "look at (%u): leave that policy out",
			    FUTURE_MAX);
	return c->foreseeing ? fail("out of memory for the next use of each reference") : 0;
}

uint64_t census_bytes(const struct census *c)
{
	return c->distinct.room * sizeof(*c->distinct.region) +
	       c->future.room * sizeof(*c->future.next);
}
