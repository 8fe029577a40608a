/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From events to references: what all caches of a simulation have in common.
 *
 *   events -> hints of each mode -> blocks -> a feed a mode
 */
#ifndef SKY_CACHE_INPUT_H
#define SKY_CACHE_INPUT_H

#include "block_set.h"
#include "cache_feed.h"
#include "cache_result.h"
#include "cache_sim.h"
#include "capture/event.h"
#include "file_sizes.h"
#include "pipeline/pipeline.h"
#include "truth_join.h"
#include "undecided.h"

/* A block request that waits for the hints that come with it. */
struct held_request {
	bool active;
	uint8_t op;
	uint32_t disk, sectors;
	uint64_t id, sector, time_ns;
};

struct cache_input {
	enum granularity granularity;
	struct cache_feed *feed[HINT_MODES]; /* NULL: not asked for; the caller's */
	uint64_t requests, truths;
	struct block_set distinct;
	bool counts_distinct; /* in this pass; the survey always does */
	struct held_request held;
	uint8_t *sky_class, *truth_class; /* of the held request's chunks */
	struct timeline timeline;
	struct pipeline_options pipeline_options;

	/* Hint mode sky. */
	struct pipeline *pipeline;
	bool own_hints;	     /* the trace has some: the pipeline isn't needed */
	struct event *hints; /* that the pipeline found in the batch under way */
	size_t hint_count, hint_room;
	bool hints_lost; /* no memory for them */
	struct undecided *undecided;

	/* Hint mode truth. */
	struct truth_join *truth;
	struct chunk_truth *chunk_truth;
	struct file_sizes *sizes;
};

/* 0, or -1 after saying what is wrong, as all that follow; fini may follow a failure. */
int cache_input_init(struct cache_input *in, enum granularity granularity);
void cache_input_fini(struct cache_input *in);

/* Prepares for a hint mode. */
int cache_input_use(struct cache_input *in, enum hint_mode mode);

/* Which events the survey and the simulation need. */
uint32_t cache_input_survey_kinds(const struct cache_input *in);
uint32_t cache_input_kinds(const struct cache_input *in);

/* The pass before the simulation: counts distinct blocks, finds how large files were. */
int cache_input_survey(struct cache_input *in, const struct event *events, size_t count);

/* The simulation: batches in order, then the end. */
int cache_input_take(struct cache_input *in, const struct event *events, size_t count);
int cache_input_finish(struct cache_input *in);

/* So far: does the trace say anything that these hints come from? */
bool cache_input_has_evidence(const struct cache_input *in, enum hint_mode mode);

#endif
