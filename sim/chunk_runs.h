/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of runs of chunks that don't overlap, each with what is known of it.
 *
 * What one call wrote is one run, however long, so a set takes memory by the
 * number of writes whose traces are left, not by the bytes. A set is a treap: a
 * search tree by chunk that is kept in balance by random weights. Sets share
 * one struct chunk_runs and are named by the number of their root; 0 is the empty set.
 */
#ifndef SKY_CHUNK_RUNS_H
#define SKY_CHUNK_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/pool.h"

struct chunk_run {
	uint64_t from, until; /* chunks [from, until) */
	uint64_t time_ns;     /* when it was written */
	uint64_t base;	      /* a number for each chunk: its own plus this (mod 2^64) */
	uint32_t file;
	uint8_t kind;
};

struct chunk_runs {
	struct pool pool;
	uint64_t salt; /* so that nobody can make a trace that is out of balance */
	bool out_of_memory;
};

/* 0, or -errno where no random number is to be had. */
int chunk_runs_init(struct chunk_runs *runs);
void chunk_runs_fini(struct chunk_runs *runs);

/*
 * Takes chunks [from, until) out of a set and returns them as one of their own.
 * A run that crosses an end is cut in two. Where memory is out, out_of_memory is
 * set and something may be missing.
 */
uint32_t chunk_runs_take(struct chunk_runs *runs, uint32_t *set, uint64_t from, uint64_t until);

/*
 * Narrows [*from, *until) to the first chunks in a row of it that are in no run;
 * false if there are none.
 */
bool chunk_runs_gap(const struct chunk_runs *runs, uint32_t set, uint64_t *from, uint64_t *until);

/* Adds a run; nothing of it may be in the set. */
void chunk_runs_add(struct chunk_runs *runs, uint32_t *set, const struct chunk_run *run);

/* Adds a set whose chunks all come after those of this one. */
void chunk_runs_append(struct chunk_runs *runs, uint32_t *set, uint32_t later);

/* All chunks have that number more (mod 2^64: less), which must not take them past an end. */
void chunk_runs_shift(struct chunk_runs *runs, uint32_t set, uint64_t by);

/* In order of the chunks. */
void chunk_runs_visit(const struct chunk_runs *runs, uint32_t set,
		      void (*visit)(void *context, const struct chunk_run *run), void *context);

/* Forgets a whole set. */
void chunk_runs_drop(struct chunk_runs *runs, uint32_t set);

#endif
