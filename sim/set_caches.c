/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include "common/component.h"
#include "common/error.h"
#include "sample.h"
#include "set_caches.h"

/* Sets of a sample: caches of 8 to 16 and of 32 to 64 of its blocks. */
static const uint32_t sample_sets[SET_LEVELS] = {4, 16};

/* Of a packed place of each hash and level. */
#define PLACE_BITS 3
#define COUNTED	   ((uint64_t)1 << 63)
_Static_assert(SET_WAYS < 1 << PLACE_BITS, "a place fits");
_Static_assert(SET_HASHES *SET_LEVELS *PLACE_BITS < 63, "all places fit");

/* A bit for each way that is all ones, which is one instruction where there is such. */
static inline unsigned int ways_of(cache_set found)
{
#ifdef __SSE__
	return _mm_movemask_ps((__m128)found);
#else
	return (found[0] & 1) | (found[1] & 2) | (found[2] & 4) | (found[3] & 8);
#endif
}

/*
 * The tag comes to the top; returns how many were above it, SET_WAYS if it was not in. All
 * ways at once: those below the one where it was found stay.
 */
static inline unsigned int touch(cache_set *set, uint32_t tag)
{
	const cache_set none = {0}, old = *set, found = (cache_set)(old == tag);
	cache_set stays = __builtin_shuffle(none, found, (cache_set){0, 4, 5, 6});
	cache_set moved = __builtin_shuffle(old, (cache_set){0, 0, 1, 2});

	stays |= __builtin_shuffle(none, stays, (cache_set){0, 4, 5, 6});
	stays |= __builtin_shuffle(none, stays, (cache_set){0, 0, 4, 5});
	moved[0] = tag;
	*set = (old & stays) | (moved & ~stays);
	return __builtin_ctz(ways_of(found) | 1u << SET_WAYS);
}

typedef struct tally class_counts[SET_LEVELS][SET_WAYS + 1];

/* Adds where it was in each level to the packed places. An empty way has the tag 0, no block has. */
static inline uint64_t use_levels(const struct set_level *level, unsigned int hash, uint64_t places,
				  const struct block_ref *ref, class_counts counts)
{
	uint64_t bits = sample_mix(ref->block ^ (hash + 1) * 0x9e3779b97f4a7c15u);

	for (unsigned int i = 0; i < SET_LEVELS; i++) {
		unsigned int above =
			touch(&level[i].set[(bits >> 32) * level[i].sets >> 32], bits | 1);

		counts[i][above].references++;
		counts[i][above].sectors += ref->sectors;
		places = places << PLACE_BITS | above;
	}
	return places;
}

static void note_undecided(struct set_caches *c, const struct batch *batch, size_t i,
			   uint64_t places)
{
	if (batch->undecided[i] != UNDECIDED_NONE)
		c->undecided[batch->undecided[i]] = places | COUNTED;
}

void set_caches_use(struct set_caches *c, const struct batch *batch, size_t begin, size_t end,
		    const uint32_t *at, size_t count)
{
	/* what was there before has been decided, or given up */
	for (size_t i = begin; batch->has_undecided && i < end; i++)
		if (batch->undecided[i] != UNDECIDED_NONE)
			c->undecided[batch->undecided[i]] = 0;
	for (size_t i = 0; i < count; i++) {
		struct tally(*counts)[SET_WAYS + 1] = c->by_class[batch->tag[at[i]] % CLASS_VALUES];
		uint64_t places = 0;

		for (unsigned int hash = 0; hash < SET_HASHES; hash++)
			places = use_levels(c->level[hash], hash, places, &batch->ref[at[i]],
					    counts);
		if (batch->has_undecided)
			note_undecided(c, batch, at[i], places);
	}
}

void set_caches_decide(struct set_caches *c, const struct edit *edit)
{
	uint64_t places = c->undecided[edit->decide.place];

	if (!(places & COUNTED))
		return;
	for (unsigned int i = c->hashes * SET_LEVELS; i-- > 0; places >>= PLACE_BITS) {
		unsigned int level = i % SET_LEVELS, above = places & ((1 << PLACE_BITS) - 1);
		struct tally *from = &c->by_class[edit->decide.from % CLASS_VALUES][level][above];
		struct tally *to = &c->by_class[edit->decide.to % CLASS_VALUES][level][above];

		from->references--;
		from->sectors -= edit->decide.sectors;
		to->references++;
		to->sectors += edit->decide.sectors;
	}
}

/* Where the tables lie doesn't change: copies of that stay in registers. */
static void use_all(struct set_caches *c, const struct batch *batch, size_t begin, size_t end)
{
	struct set_level level[SET_LEVELS];

	memcpy(level, c->level[0], sizeof(level));
	for (size_t i = begin; i < end; i++) {
		uint64_t places = use_levels(level, 0, 0, &batch->ref[i],
					     c->by_class[batch->tag[i] % CLASS_VALUES]);

		if (batch->has_undecided)
			note_undecided(c, batch, i, places);
	}
}

static void take(struct consumer *consumer, const struct batch *batch)
{
	struct set_caches *c = container_of(consumer, struct set_caches, consumer);
	size_t begin = 0;

	for (size_t i = 0; i < batch->edits; i++) {
		if (batch->edit[i].kind != EDIT_DECIDE)
			continue;
		use_all(c, batch, begin, batch->edit[i].at);
		begin = batch->edit[i].at;
		set_caches_decide(c, &batch->edit[i]);
	}
	use_all(c, batch, begin, batch->refs);
}

/* grown: how many times a sample's sets there are. */
static int make_level(struct set_level *level, uint32_t in_sample, double grown)
{
	level->sets = round(in_sample * grown);
	level->set = aligned_alloc(sizeof(cache_set), level->sets * sizeof(cache_set));
	if (!level->set)
		return -ENOMEM;
	memset(level->set, 0, level->sets * sizeof(cache_set));
	return 0;
}

static int init(struct set_caches *c, double grown)
{
	int rc = 0;

	c->undecided = calloc(UNDECIDED_MAX + 1, sizeof(*c->undecided));
	for (unsigned int i = 0; !rc && i < c->hashes * SET_LEVELS; i++)
		rc = make_level(&c->level[i / SET_LEVELS][i % SET_LEVELS],
				sample_sets[i % SET_LEVELS], grown);
	return c->undecided && !rc ? 0 : fail("out of memory for a miss-ratio curve");
}

int set_caches_of_sample(struct set_caches *c, double rate)
{
	*c = (struct set_caches){.hashes = SET_HASHES, .weight = 1 / (rate * SET_HASHES)};
	return init(c, 1);
}

int set_caches_of_all(struct set_caches *c, double rate, struct cache_feed *feed)
{
	*c = (struct set_caches){.hashes = 1, .weight = 1};
	return init(c, 1 / rate) ? -1 : feed_add_consumer(feed, &c->consumer, take);
}

void set_caches_fini(struct set_caches *c)
{
	for (unsigned int i = 0; i < c->hashes * SET_LEVELS; i++)
		free(c->level[i / SET_LEVELS][i % SET_LEVELS].set);
	free(c->undecided);
}

/* What caches of so many ways missed. */
static struct amount misses(const struct set_caches *c, uint8_t io_class, unsigned int level,
			    unsigned int ways)
{
	const struct tally *counts = c->by_class[io_class][level];
	struct amount sum = {0};

	for (unsigned int above = ways; above <= SET_WAYS; above++) {
		sum.references += c->weight * counts[above].references;
		sum.sectors += c->weight * counts[above].sectors;
	}
	return sum;
}

/* Between two of the sizes that are known: a straight line. */
static struct amount between(struct amount low, struct amount high, double part)
{
	return (struct amount){low.references + (high.references - low.references) * part,
			       low.sectors + (high.sectors - low.sectors) * part};
}

/*
 * Caches of one way are left out: who shares a way with a hot block decides what they miss,
 * which is not so of LRU. The smallest cache of all hits what the sample has too much of, so
 * its misses are not off; in ever larger ones the blocks that this is about are an ever
 * smaller part.
 */
struct amount set_caches_off(const struct set_caches *sample, const struct set_caches *whole,
			     uint8_t io_class, uint32_t entries)
{
	struct amount low = {0}, high = {0};
	uint64_t smaller = 0, size;

	for (unsigned int i = 0; i < SET_LEVELS * (SET_WAYS - 1); i++) {
		unsigned int level = i / (SET_WAYS - 1), ways = i % (SET_WAYS - 1) + 2;
		struct amount is, should_be;

		size = (uint64_t)whole->level[0][level].sets * ways;
		is = misses(sample, io_class, level, ways);
		should_be = misses(whole, io_class, level, ways);
		high = (struct amount){is.references - should_be.references,
				       is.sectors - should_be.sectors};
		if (entries <= size)
			return between(low, high, (double)(entries - smaller) / (size - smaller));
		low = high;
		smaller = size;
	}
	return between((struct amount){0}, high, (double)smaller / entries);
}
