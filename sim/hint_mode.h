/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One answer to "who tells the caches a block's class": a classifier, what it
 * said of the batch under way, and the caches that listen to it.
 */
#ifndef SKY_HINT_MODE_H
#define SKY_HINT_MODE_H

#include "cache_feed.h"
#include "cache_sim.h"
#include "sim/classifier.h"
#include "undecided.h"

struct hint_mode {
	const char *spec;	      /* as the user typed it */
	struct classifier classifier; /* no ops: nobody tells */
	struct event *hints;	      /* that followed from the batch under way */
	size_t count, room;
	size_t taken;		     /* of them, that the simulation has used */
	bool lost;		     /* no memory for them */
	uint8_t *io_class;	     /* of each chunk of the request that is held */
	bool *is_journal;	     /* the same: a write to a journal */
	struct undecided *undecided; /* NULL where every hint comes with its request */
	struct cache_feed feed;
};

/* All: 0, or -1 after saying what is wrong. fini may follow a failure. */
int hint_mode_init(struct hint_mode *mode, const char *spec,
		   const struct pipeline_options *pipeline, struct crew *crew);
void hint_mode_fini(struct hint_mode *mode);

/* Which events it needs, and in a pass before (0: none). */
uint32_t hint_mode_kinds(const struct hint_mode *mode);
uint32_t hint_mode_survey_kinds(const struct hint_mode *mode);

int hint_mode_survey(struct hint_mode *mode, const struct event *events, size_t count);
int hint_mode_feed(struct hint_mode *mode, const struct event *events, size_t count);
int hint_mode_finish(struct hint_mode *mode);

/* Does nobody tell? Then its caches need only the requests. */
static inline bool hint_mode_is_plain(const struct hint_mode *mode)
{
	return !mode->classifier.ops;
}

/* So far: does the trace say anything that these hints come from? */
bool hint_mode_has_evidence(const struct hint_mode *mode);

#endif
