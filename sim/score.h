/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How right the hints are: every chunk's hint against its truth.
 *
 * An error is data called metadata or the reverse; metadata called unconsumed
 * data is one as well. Data called unconsumed is none: that is counted apart,
 * and so are chunks that have no truth, or no hint. Where nothing could be
 * judged, a percentage is null.
 */
#ifndef SKY_SCORE_H
#define SKY_SCORE_H

#include <stdbool.h>

#include <jansson.h>

#include "sim/ledger.h"

/* A few errors of each class, for a person to look at. */
#define SCORE_EXAMPLES 5

struct score_example {
	uint64_t time_ns, known_ns, sector;
	struct chunk_truth truth;
	uint8_t hint, reason;
	uint64_t hint_inode;
};

struct score {
	/* By operation (read, write), truth and hint (enum chunk_class). */
	uint64_t chunks[2][3][4];
	uint64_t inode_judged[2], wrong_inode[2];
	struct score_example example[2][2][SCORE_EXAMPLES]; /* operation, truth is data */
	unsigned examples[2][2];
};

void score_chunk(struct score *score, const struct judged *judged);

/* Has any chunk a truth? */
bool score_has_truth(const struct score *score);

/* Chunks of an operation (BLOCK_READ, BLOCK_WRITE) that have both a truth and a hint. */
uint64_t score_judged(const struct score *score, unsigned op);
uint64_t score_errors(const struct score *score, unsigned op);

/* 100 * part / whole, or null where whole is 0; a new reference. */
json_t *score_percent(uint64_t part, uint64_t whole);

/* Adds the members that `sky classify --json` shows: errors, confusion, examples, ... */
void score_json(const struct score *score, json_t *result);

#endif
