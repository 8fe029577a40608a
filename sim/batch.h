/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * References in a row, and what has to happen between two of them (a discard, a
 * class that became known, a sample of the contents): an edit at a place of the batch.
 */
#ifndef SKY_BATCH_H
#define SKY_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/cache/cache_model.h"

#define BATCH_REFS  4096
#define BATCH_EDITS 4096

/* What references are counted by: operation and class; those of the warm-up apart. */
#define SIDES 4 /* reads, writes, and both in the warm-up */
#define TAGS  (SIDES * CLASS_VALUES)

#define SIDE_WRITES  1u
#define SIDE_WARM_UP 2u

/* The bit of a tag that tells writes from reads. */
#define TAG_WRITES (SIDE_WRITES * CLASS_VALUES)

static inline uint16_t tag_of(unsigned int side, uint8_t io_class)
{
	return side * CLASS_VALUES + io_class;
}

static inline unsigned int side_of_tag(uint16_t tag)
{
	return tag / CLASS_VALUES;
}

struct tally {
	uint64_t references, sectors;
};

/* Adds up all classes of what is counted: reads, then writes. */
static inline void tally_sides(const struct tally *tags, struct tally *sides)
{
	for (unsigned int side = 0; side < SIDE_WARM_UP; side++) {
		sides[side] = (struct tally){0};
		for (unsigned int i = 0; i < CLASS_VALUES; i++) {
			sides[side].references += tags[side * CLASS_VALUES + i].references;
			sides[side].sectors += tags[side * CLASS_VALUES + i].sectors;
		}
	}
}

enum edit_kind { EDIT_REMOVE, EDIT_DECIDE, EDIT_SAMPLE, EDIT_THIN_OUT };

struct edit {
	uint32_t at; /* before this reference of the batch */
	uint8_t kind;
	union {
		struct {
			uint64_t first, count;
		} remove;
		/* The reference at a place of the table of undecided chunks got its class. */
		struct {
			uint64_t block;
			uint32_t place, sectors;
			uint16_t from, to; /* tags */
			uint8_t io_class;
			bool reaches_cache; /* not superseded */
		} decide;
		uint32_t sample;
	};
};

struct batch {
	size_t refs, edits;
	uint64_t first; /* number of the first reference */
	bool has_undecided;
	bool has_future;
	bool has_groups;
	bool is_mixed; /* references differ in more than reads and writes: class, sectors, ... */
	uint64_t writes[HIT_WORDS(BATCH_REFS) + 1]; /* a bit each, if it isn't mixed */
	struct block_ref ref[BATCH_REFS];
	uint64_t next_use[BATCH_REFS]; /* if has_future */
	uint16_t tag[BATCH_REFS];
	uint8_t group[BATCH_REFS];	/* if has_groups, what each truly was: breakdown.h */
	uint32_t undecided[BATCH_REFS]; /* places, or UNDECIDED_NONE, if has_undecided */
	struct edit edit[BATCH_EDITS];
};

/* Makes it the ith of the batch; says whether that is mixed then. */
static inline bool batch_set(struct batch *b, size_t i, const struct block_ref *ref, uint16_t tag)
{
	b->ref[i] = *ref;
	b->tag[i] = tag;
	return ((tag ^ b->tag[0]) & ~TAG_WRITES) | (ref->sectors ^ b->ref[0].sectors) |
	       (ref->flags & REF_CONTINUES);
}

/* All references are in. */
static inline void batch_end(struct batch *b)
{
	for (size_t begin = 0; !b->is_mixed && begin < b->refs; begin += 64) {
		size_t left = b->refs - begin, count = left < 64 ? left : 64;
		uint64_t writes = 0;

		for (size_t i = 0; i < count; i++)
			writes |= (uint64_t)((b->tag[begin + i] & TAG_WRITES) != 0) << i;
		b->writes[begin / 64] = writes;
	}
}

/* Which of up to 64 references from i on are writes, where it isn't mixed. */
static inline uint64_t batch_writes(const struct batch *b, size_t i, size_t end)
{
	uint64_t writes = b->writes[i / 64] >> i % 64;

	if (i % 64)
		writes |= b->writes[i / 64 + 1] << (64 - i % 64);
	return end - i < 64 ? writes & ((1ull << (end - i)) - 1) : writes;
}

/* Puts a reference into it, where there is room for another. */
static inline void batch_put(struct batch *b, const struct block_ref *ref, uint16_t tag,
			     uint32_t place)
{
	b->undecided[b->refs] = place;
	b->is_mixed |= batch_set(b, b->refs, ref, tag);
	b->refs++;
}

#endif
