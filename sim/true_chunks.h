/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the chunks of each request truly were, and how large their files ever get.
 *
 * The sizes come from a pass before (survey); truths and requests are then handed over
 * in the order of the trace.
 */
#ifndef SKY_TRUE_CHUNKS_H
#define SKY_TRUE_CHUNKS_H

#include "capture/source.h"
#include "sim/truth_join.h"

/* The events that the passes need. */
#define TRUE_CHUNKS_SURVEY_KINDS (KIND_BIT(EVENT_TRUTH) | KIND_BIT(EVENT_EXTENT))
#define TRUE_CHUNKS_KINDS	 (KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_TRUTH))

/* A longer request has no truth: it is none (1 GiB). */
#define TRUE_CHUNKS_MAX (1u << 18)

struct true_chunks;

/* NULL if out of memory. */
struct true_chunks *true_chunks_new(void);
void true_chunks_free(struct true_chunks *chunks);

/* 0, or -1 after saying what is wrong, as the next. */
int true_chunks_survey(struct true_chunks *chunks, const struct event *events, size_t count);

/* Takes a truth event. */
int true_chunks_add(struct true_chunks *chunks, const struct event *truth);

/* Were there any truths? */
bool true_chunks_known(const struct true_chunks *chunks);

/*
 * Of a block event that reads or writes: each whole chunk's truth, valid until the next call,
 * and in *count how many there are. Takes them: a request can be asked for once.
 */
const struct chunk_truth *true_chunks_take(struct true_chunks *chunks, const struct event *block,
					   uint32_t *count);

/* How large the file of such a chunk ever gets; 0 if nobody knows. */
uint64_t true_chunks_file_bytes(const struct true_chunks *chunks, const struct chunk_truth *truth);

#endif
