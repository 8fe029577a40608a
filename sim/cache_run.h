/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One cache under simulation: its hits, and its contents over time.
 *
 * References come in batches, which all caches of a hint mode share. What has
 * to happen between two references (a discard, a class that became known, a
 * sample of the contents) is an edit at a place of the batch.
 */
#ifndef SKY_CACHE_RUN_H
#define SKY_CACHE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/cache/cache_model.h"

#define BATCH_REFS	4096
#define BATCH_EDITS	4096
#define SAMPLES_MAX	256
/* Contents are sampled for each class and, last, for the undecided. */
#define CONTENT_CLASSES (CLASS_COUNT + 1)

/* What references are counted by: operation and class. */
#define TAGS (2 * CLASS_VALUES)

static inline uint16_t tag_of(bool write, uint8_t io_class)
{
	return write * CLASS_VALUES + io_class;
}

enum edit_kind { EDIT_REMOVE, EDIT_DECIDE, EDIT_SAMPLE };

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
	bool has_undecided;
	struct block_ref ref[BATCH_REFS];
	uint16_t tag[BATCH_REFS];
	uint32_t undecided[BATCH_REFS]; /* places, or UNDECIDED_NONE */
	struct edit edit[BATCH_EDITS];
};

struct tally {
	uint64_t references, sectors;
};

struct cache_run {
	struct cache cache;
	struct tally hits[TAGS];
	uint64_t *undecided_hits;	       /* a bit each place */
	uint32_t (*contents)[CONTENT_CLASSES]; /* SAMPLES_MAX of them */
};

/* 0, or -1 after saying what is wrong. */
int cache_run_init(struct cache_run *run, const char *spec, uint32_t capacity);
void cache_run_fini(struct cache_run *run);

void cache_run_batch(struct cache_run *run, const struct batch *batch);

/* Keeps every second sample of the contents. */
void cache_run_thin_out(struct cache_run *run);

#endif
