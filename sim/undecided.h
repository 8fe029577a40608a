/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chunks of requests whose class is not known yet.
 *
 * A hint names a request's chunk; this table knows which block that was, and
 * whether the block has been asked for again since: then the hint is too late for the
 * cache, since it belongs to the request and not to the block. The table is
 * bounded: when it is full the oldest chunk stays undecided for ever.
 */
#ifndef SKY_UNDECIDED_H
#define SKY_UNDECIDED_H

#include <stdbool.h>
#include <stdint.h>

#define UNDECIDED_MAX  (1u << 22)
/* No chunk; places are below UNDECIDED_MAX + 1. */
#define UNDECIDED_NONE 0u

struct undecided;

struct undecided_chunk {
	uint32_t disk, chunk;
	uint64_t request;
};

/* What became of a chunk. */
struct decided {
	uint32_t place; /* what undecided_add() returned; free for others from now on */
	uint16_t tag;	/* the caller's, from undecided_add() */
	uint32_t sectors;
	uint64_t block;
	bool newest; /* nobody asked for the block since */
};

/* NULL if out of memory. */
struct undecided *undecided_new(void);
void undecided_free(struct undecided *u);

/* The block was asked for again, or its content replaced: no earlier hint is for it. */
void undecided_supersede(struct undecided *u, uint64_t block);

/* Remembers a chunk, which supersedes earlier ones of its block; returns its place. */
uint32_t undecided_add(struct undecided *u, const struct undecided_chunk *chunk, uint64_t block,
		       uint32_t sectors, uint16_t tag);

/* False if the chunk is not in the table; else it leaves it. */
bool undecided_decide(struct undecided *u, const struct undecided_chunk *chunk,
		      struct decided *decided);

/* The most chunks at any time; how many were dropped because the table was full. */
uint32_t undecided_peak(const struct undecided *u);
uint64_t undecided_dropped(const struct undecided *u);

#endif
