/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passes over a trace that feed caches, or whoever else listens to references.
 *
 *   requests or events -> cache_input -> a feed a hint mode -> its consumers
 *
 * Where nobody asks for hints only requests are read.
 */
#ifndef SKY_CACHE_PASS_H
#define SKY_CACHE_PASS_H

#include "cache_input.h"
#include "cache_sim.h"
#include "memory_limit.h"

struct importer;

struct cache_pass {
	const char *path;
	const struct importer *importer; /* NULL: a trace of Sky */
	const char *columns;		 /* of the importer's file, or NULL */
	struct crew *crew;
	struct memory_limit memory;
	struct cache_input input; /* a mode each of the hints that are simulated */
	uint64_t probed;	  /* events that were searched for evidence */
	struct source *source;	  /* opened for the pass that feeds input, one of both */
	struct request_source *requests;
};

/*
 * Takes of the options the hints, granularity, format, columns, threads and limit; the trace is
 * looked at only where nobody said which hints. 0, or -1 after saying what is
 * wrong, as all that follow; close may follow a failure, or a zeroed struct.
 */
int cache_pass_open(struct cache_pass *pass, const char *path,
		    const struct cache_sim_options *options);

/* Waits for the consumers' jobs: what these lie in is freed after it. */
void cache_pass_close(struct cache_pass *pass);

/* The passes before that hints which look ahead need, if any. */
int cache_pass_survey(struct cache_pass *pass);

/*
 * A pass of its own for who listens to references without hints. The caller has
 * opened `in` with cache_input_init() and cache_input_use(HINTS_NONE) and closes it.
 */
int cache_pass_references(struct cache_pass *pass, struct cache_input *in, const char *label);

/*
 * Opens the trace for the pass that feeds pass->input, before what listens to it is made: a bad
 * file takes no memory. An archive is looked at in a process of its own, too, and a copy of one
 * with the address space of many caches might be refused.
 */
int cache_pass_begin(struct cache_pass *pass);

/* That pass, to its end. */
int cache_pass_run(struct cache_pass *pass, const char *label);

/* The first mode whose hints come later than their requests (Sky's), or NULL. */
const struct hint_mode *cache_pass_late_mode(const struct cache_pass *pass);

/* Where the hints `sky` come from: "trace", "pipeline", or NULL. */
const char *cache_pass_hint_source(const struct cache_pass *pass);

/* How many of so many distinct blocks a size means, or 0 after saying what is wrong with it. */
uint32_t cache_pass_entries(const struct cache_pass *pass, const char *size, double distinct);

#endif
