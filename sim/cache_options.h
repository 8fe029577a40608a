/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that all commands have which simulate caches over a trace: which trace,
 * which policies and sizes, who tells them classes, with what means.
 *
 * A command makes cache_options_argp a child of its own parser, with an input that
 * cache_options_init() prepared, and adds what it alone has.
 */
#ifndef SKY_CACHE_OPTIONS_H
#define SKY_CACHE_OPTIONS_H

#include <argp.h>
#include <stdbool.h>

#include "cache_sim.h"

#define CACHE_OPTIONS_CACHES_MAX 128
#define CACHE_OPTIONS_SIZES_MAX	 64
#define CACHE_OPTIONS_SPEC_ROOM	 128

/* A command's own keys that are no letters begin here. */
#define CACHE_OPTIONS_KEYS 512

struct cache_options {
	struct cache_sim_options *sim; /* what is filled in; its lists are those below */
	const char *trace;
	bool json;
	const char *caches[CACHE_OPTIONS_CACHES_MAX];
	const char *sizes[CACHE_OPTIONS_SIZES_MAX];
	const char *hints[HINT_MODES_MAX];
	/* Specs that `all` became. */
	char made[CACHE_OPTIONS_CACHES_MAX][CACHE_OPTIONS_SPEC_ROOM];
};

void cache_options_init(struct cache_options *options, struct cache_sim_options *sim);

/*
 * Its input is a struct cache_options. At its end there are a trace and at least one cache,
 * which can be opened; what is wrong ends the program, with a sentence.
 */
extern const struct argp cache_options_argp;

/* A number within bounds, or the end of the program: what it is no. */
uint64_t cache_options_number(const char *text, uint64_t least, uint64_t most, const char *what,
			      const struct argp_state *state);

#endif
