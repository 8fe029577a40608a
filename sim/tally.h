/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the chunks of a trace were found to be, counted: a class, over time,
 * and how long after its request each became known.
 */
#ifndef SKY_TALLY_H
#define SKY_TALLY_H

#include <jansson.h>

#include "sim/ledger.h"

struct tally;

struct tally *tally_new(void);
void tally_free(struct tally *tally);
/* Time begins here: when the first request is issued. */
void tally_begin(struct tally *tally, uint64_t time_ns);
void tally_chunk(struct tally *tally, const struct judged *judged);

/* Chunks of an operation (BLOCK_READ, BLOCK_WRITE). */
uint64_t tally_chunks(const struct tally *tally, unsigned op);
/* Of these, what was found to be `what`. */
uint64_t tally_found(const struct tally *tally, unsigned op, enum chunk_class what);

/* Each a new reference. */
json_t *tally_by_class(const struct tally *tally);
/* The same for the truth; a file's size class is the hint's, null where that has none. */
json_t *tally_truth_by_class(const struct tally *tally);
json_t *tally_known_after(const struct tally *tally);
json_t *tally_over_time(const struct tally *tally);
/* What deduplication was told: chunks by operation, a row for each kind of hint that came. */
json_t *tally_dedup(const struct tally *tally);
/* Chunks whose class an application gave, from the highest class down. */
json_t *tally_application(const struct tally *tally);

/* Written metadata that was the journal's. */
json_t *tally_journal(const struct tally *tally);

#endif
