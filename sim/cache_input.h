/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From events to references: what all caches of a simulation have in common.
 *
 *   events -> hints of each mode -> blocks -> a feed a mode
 */
#ifndef SKY_CACHE_INPUT_H
#define SKY_CACHE_INPUT_H

#include "breakdown.h"
#include "cache_result.h"
#include "cache_sim.h"
#include "capture/event.h"
#include "capture/requests.h"
#include "hint_mode.h"
#include "pipeline/pipeline.h"
#include "true_chunks.h"

/* A block request that waits for the hints that come with it. */
struct held_request {
	bool active;
	uint8_t op;
	uint32_t disk, sectors;
	uint64_t id, sector, time_ns;
};

struct cache_input {
	enum granularity granularity;
	struct cache_rules rules; /* may be set until the first request */
	struct crew *crew;
	struct hint_mode *modes; /* HINT_MODES_MAX of them; their consumers are the caller's */
	size_t mode_count;
	uint64_t requests[SIDES];
	unsigned int warm_up; /* SIDE_WARM_UP, until that is over */
	uint64_t warm_up_end_ns;
	bool trace_hints; /* the trace has some */
	bool objects;	  /* what is asked for are objects, not places on a disk */
	bool by_disk;	  /* may be set until the first request: results are wanted by it */
	struct true_chunks *truth; /* NULL: nobody asks what requests truly were */
	struct file_groups file_groups;
	uint8_t *group; /* of each chunk of the request that is held, if somebody asks */
	struct held_request held;
	struct timeline timeline;
	struct pipeline_options pipeline_options;
};

/* 0, or -1 after saying what is wrong, as all that follow; fini may follow a failure. */
int cache_input_init(struct cache_input *in, enum granularity granularity, struct crew *crew);
void cache_input_fini(struct cache_input *in);

/* Adds a kind of hints: "none", or a classifier's spec. */
int cache_input_use(struct cache_input *in, const char *hints);

/* References have their groups from now on: sim/breakdown.h. */
int cache_input_use_truth(struct cache_input *in);

/* Is nothing needed but requests, by hints and by who asks what they truly were? */
bool cache_input_is_plain(const struct cache_input *in);

/* Which events the survey and the simulation need. */
uint32_t cache_input_survey_kinds(const struct cache_input *in);
uint32_t cache_input_kinds(const struct cache_input *in);

/* The pass before the simulation, if any: lets classifiers look ahead. */
int cache_input_survey(struct cache_input *in, const struct event *events, size_t count);

/* The simulation: batches in order, of events or (if it is plain) requests, then the end. */
int cache_input_take(struct cache_input *in, const struct event *events, size_t count);
int cache_input_take_requests(struct cache_input *in, const struct request *requests, size_t count);
int cache_input_finish(struct cache_input *in);

#endif
