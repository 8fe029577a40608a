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

/* What references are counted by: operation and class. */
#define TAGS (2 * CLASS_VALUES)

static inline uint16_t tag_of(bool write, uint8_t io_class)
{
	return write * CLASS_VALUES + io_class;
}

struct tally {
	uint64_t references, sectors;
};

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
	bool has_times;
	bool is_mixed; /* not all references are alike in tag and sectors */
	struct block_ref ref[BATCH_REFS];
	uint64_t time_ns[BATCH_REFS];  /* if has_times */
	uint64_t next_use[BATCH_REFS]; /* if has_future */
	uint16_t tag[BATCH_REFS];
	uint32_t undecided[BATCH_REFS]; /* places, or UNDECIDED_NONE, if has_undecided */
	struct edit edit[BATCH_EDITS];
};

#endif
